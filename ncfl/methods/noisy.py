"""The noisy input itself: the floor of every comparison. The smallest method: its record and its class in one file."""

from typing import TYPE_CHECKING

from ncfl.methods.record import BaselineRecord

if TYPE_CHECKING:
    from torch import Tensor


class Noisy:
    """Gives every frame back as it came; blind, recurrent without a state, for any number of channels."""

    name = "noisy"
    blind = True
    channels = None

    def step(self, frame: "Tensor", state: None, sigma: "Tensor | None") -> "tuple[Tensor, None]":
        """Return ``frame`` [B,C,H,W] itself; see :meth:`ncfl.methods.interface.Recurrent.step`."""
        return frame, None


METHOD = BaselineRecord(name=Noisy.name, title="Noisy input", shape="recurrent", build=Noisy)
