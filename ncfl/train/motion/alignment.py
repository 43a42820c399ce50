"""Motion estimation trained on what it is for: after warping, the clean frame before should look like the clean frame.

Level by level (:mod:`ncfl.train.motion.levels`) brings every level near its task, but each one's mistakes stay with the
next, and an end-point error asks as much of a plain wall as of a texture. Here all levels go on together, given noisy
frames as always, and are judged by the clean ones; the teacher's motion stays a small part of the loss, which says
where occluded pixels and plain ones belong.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ncfl.models.motion import SPyNet, warp
from ncfl.train.motion import pairs as flow_pairs
from ncfl.train.motion.fit import fit_motion, on
from ncfl.train.motion.pairs import Pairs, noisy
from ncfl.train.motion.synthetic import end_point_error

ITERATIONS, LEARNING_RATE, BATCH, PATCH = 3000, 3e-4, 4, 128  # optimizer steps, peak, pairs per step, their side
EPE_WEIGHT = 0.004  # a pixel of motion error against the warping error, about 0.02 at the start


def align(
    spynet: SPyNet,
    pool: Pairs,
    *,
    iterations: int,
    seed: int,
    sigma: tuple[float, float],
    resume: Path,
    batch: int = BATCH,
    checkpoint_seconds: float = 60.0,
) -> None:
    """Train all levels of ``spynet`` together, in place.

    Args:
        spynet: on its device.
        pool: square pairs of :data:`PATCH` pixels or more.
        iterations: optimizer steps.
        seed: of every draw.
        sigma: noise of both frames, 0..255.
        resume: a folder for the resume state.
        batch: pairs per step.
        checkpoint_seconds: between two saves of it.

    Raises:
        NonFiniteLoss, Interrupted: as :func:`ncfl.train.loop.fit`.
    """
    device = next(spynet.parameters()).device

    def objective(drawn: tuple[Pairs, Pairs]) -> dict[str, Tensor]:
        seen, clean = (on(device, pairs) for pairs in drawn)
        mv = spynet(seen.x_t, seen.x_prev)
        epe = end_point_error(mv, clean.mv)
        return {"loss": warping_error(clean, mv) + EPE_WEIGHT * epe, "epe": epe}

    fit_motion(
        spynet, objective=objective, batch_of=lambda i: _draw(pool, batch, sigma, seed, i), iterations=iterations,
        learning_rate=LEARNING_RATE, label="motion estimation, all levels",
        key={"align": iterations, "seed": seed, "sigma": list(sigma)}, weights=spynet.state_dict(),
        first=_draw(pool, batch, sigma, seed, 0)[1], resume=resume, checkpoint_seconds=checkpoint_seconds,
    )  # fmt: skip


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


def _draw(pool: Pairs, batch: int, sigma: tuple[float, float], seed: int, iteration: int) -> tuple[Pairs, Pairs]:
    """A batch with noise on its frames, and without."""
    rng = np.random.default_rng((seed, 99, iteration))
    clean = flow_pairs.draw(pool, batch, PATCH, (0.0, 0.0), rng)
    level = rng.uniform(*sigma, size=(batch, 1, 1, 1)) / 255
    return Pairs(noisy(clean.x_t, level, rng), noisy(clean.x_prev, level, rng), clean.mv), clean
