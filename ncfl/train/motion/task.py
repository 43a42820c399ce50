"""What the trainings of motion estimation have in common: pairs of frames with known motion, and a loss of them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from ncfl.common.device import pick_device
from ncfl.train.config import Stage, TrainConfig
from ncfl.train.state import TrainingState
from ncfl.train.trainer import Trainer

WARMUP = 50  # iterations in which the rate rises
GRAD_CLIP = 1.0
EVERY = 50  # iterations between two points of the curve
MOTION = "motion"  # the name of the only stage
PLAIN = {"device": "cpu", "threads": 1}  # the machine unless told

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

    block = MOTION

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


def motion_config(
    *,
    iterations: int,
    learning_rate: float,
    batch: int,
    patch: int,
    warmup: int = WARMUP,
    log_every: int = EVERY,
    betas: tuple[float, float] = (0.9, 0.99),
    grad_clip: float = GRAD_CLIP,
    **others: Any,
) -> TrainConfig:
    """Numbers of a training of motion estimation: AdamW without decay, a warm-up, then a cosine to zero."""
    return TrainConfig(
        stages=(Stage(MOTION, iterations, rate_term=False),),
        learning_rate=learning_rate,
        motion_learning_rate=learning_rate,
        warmup=warmup,
        freeze_motion=0,
        weight_decay=0.0,
        betas=betas,
        grad_clip=grad_clip,
        batch=batch,
        frames=2,
        patch=patch,
        log_every=log_every,
        average_over=log_every,
        **others,
    )


def fit_motion(trained: nn.Module, task: MotionTask, config: TrainConfig, *, label: str, resume: Path) -> None:
    """Train ``trained`` in place.

    Raises:
        NonFiniteLoss, Interrupted: as :meth:`ncfl.train.trainer.Trainer.run`.
    """
    Trainer(
        model=trained, task=task, config=config, stage=config.stages[0], write=_nothing, resume=resume, label=label
    ).run()


def _nothing(state: TrainingState) -> None:
    """The weights are in their place; the caller writes them."""
