"""What the trainings of motion estimation have in common: pairs of frames with known motion, and a loss of them."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from torch import Tensor, nn

from ncfl.common.device import pick_device

T = TypeVar("T")  # a named tuple of tensors
Objective = Callable[[nn.Module, Any], dict[str, Tensor]]


class MotionTask:
    """Pairs in, their motion out.

    Args:
        draw: the batch of an iteration, a pure function: a named tuple of tensors, pairs first.
        objective: of the network and a ``batch`` on its device, gives scalars, ``loss`` and ``epe`` among them.
        device: what trains.
        about: plain data that identifies the task beside its numbers.
        fixed: weights that the objective needs beside those that are trained.
    """

    block = "motion"

    def __init__(
        self,
        draw: Callable[[int], T],
        objective: Objective,
        *,
        device: str,
        about: Mapping[str, Any],
        fixed: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.batch, self.loss, self.about = draw, objective, about
        self.device, self.fixed = pick_device(device), fixed or {}

    def tensors(self, batch: T) -> dict[str, Tensor]:
        """Those of the batch, and the weights that stay as they are."""
        return {**self.fixed, **batch._asdict()}

    def split(self, batch: T, parts: int) -> list[T]:
        """The pairs of a batch dealt out to ``parts`` smaller ones."""
        return [type(batch)(*some) for some in zip(*(part.chunk(parts) for part in batch), strict=True)]

    def inputs(self, model: nn.Module, batch: T, iteration: int) -> dict[str, T]:
        """The batch on the network's device."""
        return {"batch": type(batch)(*(part.to(self.device) for part in batch))}
