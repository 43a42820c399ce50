"""Motion estimation trained on what it is for: after warping, the clean frame before should look like the clean frame.

Level by level (:mod:`ncfl.train.motion.levels`) brings every level near its task, but each one's mistakes stay with the
next, and an end-point error asks as much of a plain wall as of a texture. Here all levels go on together, given noisy
frames as always, and are judged by the clean ones; the teacher's motion stays a small part of the loss, which says
where occluded pixels and plain ones belong.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ncfl.models.motion import SPyNet, warp
from ncfl.train.motion import pairs as flow_pairs
from ncfl.train.motion.pairs import Pairs, noisy
from ncfl.train.motion.synthetic import end_point_error
from ncfl.train.motion.task import PLAIN, MotionTask, fit_motion, motion_config

ITERATIONS, LEARNING_RATE, BATCH, PATCH = 3000, 3e-4, 4, 128  # optimizer steps, peak, pairs per step, their side
EPE_WEIGHT = 0.004  # a pixel of motion error against the warping error, about 0.02 at the start


class Judged(NamedTuple):
    """Pairs as the network sees them, and the clean ones that it is judged by; float32 as in :class:`Pairs`."""

    x_t: Tensor
    x_prev: Tensor
    mv: Tensor
    clean_t: Tensor
    clean_prev: Tensor

    def __str__(self) -> str:
        return f"{len(self.x_t)} pairs"


def align(
    spynet: SPyNet,
    pool: Pairs,
    *,
    iterations: int,
    seed: int,
    sigma: tuple[float, float],
    resume: Path,
    batch: int = BATCH,
    machine: Mapping[str, Any] = PLAIN,
) -> None:
    """Train all levels of ``spynet`` together, in place.

    Args:
        spynet: trained in place.
        pool: square pairs of :data:`PATCH` pixels or more.
        iterations: optimizer steps.
        seed: of every draw.
        sigma: noise of both frames, 0..255.
        resume: a folder for the resume state.
        batch: pairs per step.
        machine: device, threads and the like, by their names in :class:`ncfl.train.config.TrainConfig`.

    Raises:
        NonFiniteLoss, Interrupted: as :meth:`ncfl.train.trainer.Trainer.run`.
    """

    def objective(network: nn.Module, batch: Judged) -> dict[str, Tensor]:
        mv = network(batch.x_t, batch.x_prev)
        epe = end_point_error(mv, batch.mv)
        clean = Pairs(batch.clean_t, batch.clean_prev, batch.mv)
        return {"loss": warping_error(clean, mv) + EPE_WEIGHT * epe, "epe": epe}

    config = motion_config(
        iterations=iterations, learning_rate=LEARNING_RATE, batch=batch, patch=PATCH, seed=seed, sigma=sigma, **machine
    )
    task = MotionTask(
        lambda i: _draw(pool, batch, sigma, seed, i), objective, device=config.device, about={"motion": "all levels"}
    )
    fit_motion(spynet, task, config, label="motion estimation, all levels", resume=resume)


def warping_error(clean: Pairs, mv: Tensor) -> Tensor:
    """Mean absolute difference of x_t and x_prev warped by ``mv``, where x_prev has what the true motion looks up.

    Args:
        clean: [B,3,H,W] each, range [0,1]; its motion says which pixels come from outside the frame.
        mv: [B,2,H,W], pixels.
    """
    height, width = mv.shape[-2:]
    x = torch.arange(width, device=mv.device) + clean.mv[:, 0]
    y = torch.arange(height, device=mv.device)[:, None] + clean.mv[:, 1]
    inside = ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))[:, None]
    difference = (warp(clean.x_prev, mv) - clean.x_t).abs() * inside
    return difference.sum() / (3 * inside.sum()).clamp(min=1)


def _draw(pool: Pairs, batch: int, sigma: tuple[float, float], seed: int, iteration: int) -> Judged:
    """A batch with noise on its frames, and without."""
    rng = np.random.default_rng((seed, 99, iteration))
    clean = flow_pairs.draw(pool, batch, PATCH, (0.0, 0.0), rng)
    level = rng.uniform(*sigma, size=(batch, 1, 1, 1)) / 255
    seen = noisy(clean.x_t, level, rng), noisy(clean.x_prev, level, rng)
    return Judged(*seen, clean.mv, clean.x_t, clean.x_prev)
