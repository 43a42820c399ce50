"""Pairs of frames with exact motion, drawn endlessly from a pool that is rendered once."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ncfl.data.synthetic.scenes import scene_pair

MARGIN = 32  # pixels by which a rendered pair exceeds the patch that is cut from it


class Pairs(NamedTuple):
    """x_t, x_prev float32 [N,3,H,W] in [0,1] (with noise: beyond); mv [N,2,H,W] in pixels, backward."""

    x_t: Tensor
    x_prev: Tensor
    mv: Tensor

    def __str__(self) -> str:
        return f"{len(self.x_t)} synthetic pairs"


def render_pairs(photographs: Mapping[str, np.ndarray], count: int, size: int, seed: int, max_motion: float) -> Pairs:
    """``count`` pairs of ``size`` x ``size`` pixels; pair i is a function of (seed, i)."""
    pairs = [scene_pair(photographs, size, np.random.default_rng((seed, i)), max_motion) for i in range(count)]
    x_t, x_prev, mv = (
        torch.from_numpy(np.stack(part)).permute(0, 3, 1, 2).float() for part in zip(*pairs, strict=True)
    )
    return Pairs(x_t / 255, x_prev / 255, mv)


def draw(pool: Pairs, batch: int, patch: int, sigma: tuple[float, float], rng: np.random.Generator) -> Pairs:
    """A batch: pairs of the pool, each cropped, flipped, transposed, recoloured at random, with noise on both frames.

    Args:
        pool: square pairs of ``patch`` or more pixels.
        batch, patch: pairs, and their height and width in pixels.
        sigma: noise, 0 ... 255, drawn from this range per pair.
        rng: the batch is a function of its state.
    """
    drawn, margin = [], pool.x_t.shape[-1] - patch
    for i in rng.integers(len(pool.x_t), size=batch):
        top, left = (int(offset) for offset in rng.integers(margin + 1, size=2))
        window = np.s_[i, :, top : top + patch, left : left + patch]
        drawn.append(_turned(Pairs(*(part[window] for part in pool)), rng))
    x_t, x_prev, mv = (torch.stack(part) for part in zip(*drawn, strict=True))
    level = rng.uniform(*sigma, size=(batch, 1, 1, 1)) / 255
    return Pairs(noisy(x_t, level, rng), noisy(x_prev, level, rng), mv)


def _turned(pair: Pairs, rng: np.random.Generator) -> Pairs:
    """One pair flipped, transposed, with its colours exchanged or inverted at random; its motion likewise."""
    x_t, x_prev, mv = pair
    horizontal, vertical, transposed, inverted = (bool(bit) for bit in rng.integers(2, size=4))
    if horizontal:
        x_t, x_prev, mv = x_t.flip(2), x_prev.flip(2), mv.flip(2) * torch.tensor([-1.0, 1.0])[:, None, None]
    if vertical:
        x_t, x_prev, mv = x_t.flip(1), x_prev.flip(1), mv.flip(1) * torch.tensor([1.0, -1.0])[:, None, None]
    if transposed:
        x_t, x_prev, mv = x_t.transpose(1, 2), x_prev.transpose(1, 2), mv.transpose(1, 2).flip(0)
    colours = torch.from_numpy(rng.permutation(3))
    x_t, x_prev = x_t[colours], x_prev[colours]
    return Pairs(1 - x_t, 1 - x_prev, mv) if inverted else Pairs(x_t, x_prev, mv)


def noisy(x: Tensor, level: np.ndarray, rng: np.random.Generator) -> Tensor:
    """x [N,C,H,W] with Gaussian noise of standard deviation ``level`` [N,1,1,1], in units of x; not clipped."""
    noise = rng.standard_normal(x.shape, dtype=np.float32) * level.astype(np.float32)
    return x + torch.from_numpy(noise)
