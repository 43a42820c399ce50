"""What all levels of motion estimation are judged by together: their motion, or what warping by it looks like.

An end-point error asks as much of a plain wall as of a texture. A warped frame asks for what motion estimation is for:
the clean frame before should look like the clean frame. The network is given noisy frames as always; the teacher's
motion stays a small part of that loss, which says where occluded pixels and plain ones belong.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ncfl.models.motion import SPyNet, warp
from ncfl.train.motion import pairs as motion_pairs
from ncfl.train.motion.pairs import Pairs, noisy
from ncfl.train.motion.task import Objective

LEVEL_WEIGHT = 0.5  # of the coarser levels' end-point errors in the loss
EPE_WEIGHT = 0.004  # a pixel of motion error against the warping error, about 0.02 at the start
WARPED_STREAM = 99  # sets the draws of pairs that are judged clean apart from those of the levels before

Range = tuple[float, float]


class Criterion(NamedTuple):
    """What all levels together are judged by.

    Attributes:
        name: what identifies it.
        draw: (pool, pairs, their side, noise range, seed, iteration) -> the batch of that iteration.
        objective: (the network, a memory layout) -> its loss of a batch.
    """

    name: str
    draw: Callable[[Pairs, int, int, Range, int, int], Any]
    objective: Callable[[SPyNet, torch.memory_format], Objective]


class Judged(NamedTuple):
    """Pairs as the network sees them, and the clean ones that it is judged by; float32 as in :class:`Pairs`."""

    x_t: Tensor
    x_prev: Tensor
    mv: Tensor
    clean_t: Tensor
    clean_prev: Tensor

    def __str__(self) -> str:
        return f"{len(self.x_t)} pairs"


def end_point_error(mv: Tensor, target: Tensor) -> Tensor:
    """Mean length of the difference, pixels; a scalar."""
    return torch.linalg.vector_norm(mv.float() - target, dim=1).mean()


def coarse_error(flows: list[Tensor], target: Tensor) -> Tensor:
    """Sum over the coarser levels of their end-point error, in pixels of the full size."""
    total = target.new_zeros(())
    for flow in flows:
        factor = target.shape[-1] // flow.shape[-1]
        total = total + factor * end_point_error(flow, functional.avg_pool2d(target, factor) / factor)
    return total


@contextlib.contextmanager
def recorded(spynet: SPyNet) -> Iterator[list[Tensor]]:
    """The flow of every pyramid level, coarsest first, of a forward pass in the block; each in its own pixels."""
    flows: list[Tensor] = []

    def note(level: nn.Module, inputs: tuple[Tensor], residual: Tensor) -> None:
        flows.append(inputs[0][:, -2:] + residual.float())  # a level's last two inputs are the flow from below

    hooks = [level.register_forward_hook(note) for level in spynet.levels]
    try:
        yield flows
    finally:
        for hook in hooks:
            hook.remove()


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


def _noisy_pairs(pool: Pairs, batch: int, patch: int, sigma: Range, seed: int, iteration: int) -> Pairs:
    return motion_pairs.draw(pool, batch, patch, sigma, np.random.default_rng((seed, iteration)))


def _judged_pairs(pool: Pairs, batch: int, patch: int, sigma: Range, seed: int, iteration: int) -> Judged:
    """A batch with noise on its frames, and without."""
    rng = np.random.default_rng((seed, WARPED_STREAM, iteration))
    clean = motion_pairs.draw(pool, batch, patch, (0.0, 0.0), rng)
    level = rng.uniform(*sigma, size=(batch, 1, 1, 1)) / 255
    seen = noisy(clean.x_t, level, rng), noisy(clean.x_prev, level, rng)
    return Judged(*seen, clean.mv, clean.x_t, clean.x_prev)


def _error_of_every_level(spynet: SPyNet, layout: torch.memory_format) -> Objective:
    def objective(network: nn.Module, batch: Pairs) -> dict[str, Tensor]:
        with recorded(spynet) as coarser:
            mv = network(batch.x_t.contiguous(memory_format=layout), batch.x_prev.contiguous(memory_format=layout))
        error = end_point_error(mv, batch.mv)
        return {"loss": error + LEVEL_WEIGHT * coarse_error(coarser[:-1], batch.mv), "epe": error}

    return objective


def _error_after_warping(spynet: SPyNet, layout: torch.memory_format) -> Objective:
    def objective(network: nn.Module, batch: Judged) -> dict[str, Tensor]:
        mv = network(batch.x_t.contiguous(memory_format=layout), batch.x_prev.contiguous(memory_format=layout))
        epe = end_point_error(mv, batch.mv)
        clean = Pairs(batch.clean_t, batch.clean_prev, batch.mv)
        return {"loss": warping_error(clean, mv) + EPE_WEIGHT * epe, "epe": epe}

    return objective


EVERY_LEVEL = Criterion("motion of every level", _noisy_pairs, _error_of_every_level)
WARPING = Criterion("warped frame", _judged_pairs, _error_after_warping)
