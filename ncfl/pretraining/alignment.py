"""Motion estimation trained on what it is for: after warping, the clean frame before should look like the clean frame.

Level by level (:mod:`ncfl.pretraining.levels`) brings every level near its task, but each one's mistakes stay with the
next, and an end-point error asks as much of a plain wall as of a texture. Here all levels go on together, given noisy
frames as always, and are judged by the clean ones; the teacher's motion stays a small part of the loss, which says
where occluded pixels and plain ones belong.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ncfl.models.motion import SPyNet, warp
from ncfl.progress import Progress
from ncfl.train import flow_pairs
from ncfl.train.flow import end_point_error
from ncfl.train.flow_pairs import Pairs, noisy
from ncfl.train.loop import fit, no_log
from ncfl.train.optimizer import adamw, grad_scaler
from ncfl.train.resume import ResumeFile, TrainingState, key_of
from ncfl.train.stages import cosine

ITERATIONS, LEARNING_RATE, BATCH, PATCH = 3000, 3e-4, 4, 128  # optimizer steps, peak, pairs per step, their side
WARMUP = 50  # iterations
EPE_WEIGHT = 0.004  # a pixel of motion error against the warping error, about 0.02 at the start
GRAD_CLIP = 1.0
EVERY = 50  # iterations between two points of the curve


def align(
    spynet: SPyNet,
    pool: Pairs,
    *,
    iterations: int,
    seed: int,
    sigma: tuple[float, float],
    resume: Path,
    checkpoint_seconds: float = 60.0,
) -> None:
    """Train all levels of ``spynet`` together, in place.

    Args:
        spynet: contiguous, on the CPU.
        pool: square pairs of :data:`PATCH` pixels or more.
        iterations: optimizer steps.
        seed: of every draw.
        sigma: noise of both frames, 0..255.
        resume: a folder for the resume state.
        checkpoint_seconds: between two saves of it.

    Raises:
        NonFiniteLoss, Interrupted: as :func:`ncfl.train.loop.fit`.
    """
    spynet.train()
    state = TrainingState(
        spynet, adamw(spynet, weight_decay=0.0, betas=(0.9, 0.99)), grad_scaler(torch.device("cpu"), "float32"),
        keep=EVERY,
    )  # fmt: skip
    configuration = {"align": iterations, "seed": seed, "sigma": list(sigma)}
    first = _draw(pool, sigma, seed, 0)
    key = key_of(configuration, weights=spynet.state_dict(), batch=first[1]._asdict())
    resume_file = ResumeFile(Path(resume), key)
    resume_file.restore(state)

    def objective(batch: tuple[Pairs, Pairs]) -> dict[str, Tensor]:
        seen, clean = batch
        mv = spynet(seen.x_t, seen.x_prev)
        error, epe = warping_error(clean, mv), end_point_error(mv, clean.mv)
        return {"loss": error + EPE_WEIGHT * epe, "epe": epe}

    def rates(iteration: int) -> dict[str, float | None]:
        return {"rest": min(1.0, (iteration + 1) / WARMUP) * cosine(LEARNING_RATE, 0, iteration, iterations)}

    with Progress(iterations, "motion estimation, all levels", start=state.done) as bar:
        fit(
            state=state, objective=objective, first=0, iterations=iterations, rates=rates, grad_clip=GRAD_CLIP,
            batch_of=lambda i: _draw(pool, sigma, seed, i), workers=0, resume_file=resume_file,
            checkpoint_seconds=checkpoint_seconds, log=no_log, log_every=EVERY, bar=bar,
        )  # fmt: skip
    resume_file.remove()


def warping_error(clean: Pairs, mv: Tensor) -> Tensor:
    """Mean absolute difference of x_t and x_prev warped by ``mv``, where x_prev has what the true motion looks up.

    Args:
        clean: [B,3,H,W] each, range [0,1]; its motion says which pixels come from outside the frame.
        mv: [B,2,H,W], pixels.
    """
    height, width = mv.shape[-2:]
    x = torch.arange(width) + clean.mv[:, 0]
    y = torch.arange(height)[:, None] + clean.mv[:, 1]
    inside = ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))[:, None]
    difference = (warp(clean.x_prev, mv) - clean.x_t).abs() * inside
    return difference.sum() / (3 * inside.sum()).clamp(min=1)


def _draw(pool: Pairs, sigma: tuple[float, float], seed: int, iteration: int) -> tuple[Pairs, Pairs]:
    """A batch with noise on its frames, and without."""
    rng = np.random.default_rng((seed, 99, iteration))
    clean = flow_pairs.draw(pool, BATCH, PATCH, (0.0, 0.0), rng)
    level = rng.uniform(*sigma, size=(BATCH, 1, 1, 1)) / 255
    return Pairs(noisy(clean.x_t, level, rng), noisy(clean.x_prev, level, rng), clean.mv), clean
