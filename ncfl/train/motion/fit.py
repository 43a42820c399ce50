"""Gradient descent on a part of the motion estimation: what its levels and its alignment have in common."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ncfl.common.progress import Progress
from ncfl.train.loop import fit, no_log
from ncfl.train.motion.pairs import Pairs
from ncfl.train.optimizer import adamw, grad_scaler
from ncfl.train.resume import ResumeFile, TrainingState, key_of
from ncfl.train.stages import cosine

WARMUP = 50  # iterations in which the rate rises
GRAD_CLIP = 1.0
EVERY = 50  # iterations between two points of the curve

T = TypeVar("T")


def fit_motion(
    trained: nn.Module,
    *,
    objective: Callable[[T], dict[str, Tensor]],
    batch_of: Callable[[int], T],
    iterations: int,
    learning_rate: float,
    label: str,
    key: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    first: Pairs,
    resume: Path,
    checkpoint_seconds: float,
) -> None:
    """Train ``trained`` in place; AdamW without decay, a warm-up, then a cosine to zero.

    Args:
        trained: what learns, on its device.
        objective: scalars of a batch, ``loss`` and ``epe`` among them.
        batch_of: a pure function of the iteration.
        iterations, learning_rate: optimizer steps; the peak.
        label: of the progress bar.
        key, weights, first: settings, initial weights and a batch, by which a resume state is known.
        resume: a folder for the resume state.
        checkpoint_seconds: between two saves of it.

    Raises:
        NonFiniteLoss, Interrupted: as :func:`ncfl.train.loop.fit`.
    """
    trained.train()
    device = next(trained.parameters()).device
    state = TrainingState(
        trained, adamw(trained, weight_decay=0.0, betas=(0.9, 0.99)), grad_scaler(device, "float32"), keep=EVERY
    )
    resume_file = ResumeFile(Path(resume), key_of(key, weights=weights, batch=first._asdict()))
    resume_file.restore(state)

    def rates(iteration: int) -> dict[str, float | None]:
        return {"rest": min(1.0, (iteration + 1) / WARMUP) * cosine(learning_rate, 0, iteration, iterations)}

    with Progress(iterations, label, start=state.done) as bar:
        fit(
            state=state, objective=objective, batch_of=batch_of, first=0, iterations=iterations, rates=rates,
            grad_clip=GRAD_CLIP, workers=0, resume_file=resume_file, checkpoint_seconds=checkpoint_seconds,
            log=no_log, log_every=EVERY, bar=bar,
        )  # fmt: skip
    resume_file.remove()


def on(device: torch.device, pairs: Pairs) -> Pairs:
    """The pairs on a device."""
    return Pairs(*(part.to(device) for part in pairs))
