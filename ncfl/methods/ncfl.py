"""The method of this project, from a trained model: M_a ... M_f, the W-Net, the codec of section 4.3."""

from typing import Any

import torch
from torch import Tensor, nn


class NCFLMethod:
    """Drives a trained model frame by frame; blind, since the network was never told the noise level.

    Args:
        model: a model of :mod:`ncfl.models`, as ``ncfl.train.checkpoint.load_model`` rebuilds it. It is moved
            to ``device`` and set to evaluation.
        name: how tables call it (an experiment's name, say).
        device: where the model runs; frames are brought there and their results taken back.
        channels_last: memory order of the convolutions, faster on most processors; changes results by no more
            than rounding.
    """

    blind = True

    def __init__(
        self,
        model: nn.Module,
        *,
        name: str = "ncfl",
        device: str | torch.device = "cpu",
        channels_last: bool = False,
    ) -> None:
        self.name = name
        self.device = torch.device(device)
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.model = model.to(self.device, memory_format=self.memory_format).eval()
        self.channels: int | None = model.arguments["channels"]

    def step(self, frame: Tensor, state: Any, sigma: Tensor | None) -> tuple[Tensor, Any]:
        """Restore ``frame`` [B,C,H,W]; see :meth:`ncfl.methods.interface.Recurrent.step`."""
        step = self.model(frame.to(self.device, memory_format=self.memory_format), state)
        return step.y_tilde.to(frame.device), step.state
