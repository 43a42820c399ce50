"""A made clip in made rain, for the deraining methods."""

import math

import numpy as np
import torch
from torch import Tensor


def scene(frames: int = 12, height: int = 47, width: int = 61, moving: bool = True) -> Tensor:
    """Luma [T,H,W] in [0.15,0.75]: blocks of gray before a fixed camera, and one that crosses the picture."""
    rng = np.random.default_rng(0)
    still = np.kron(rng.uniform(0.15, 0.6, (math.ceil(height / 9), math.ceil(width / 7))), np.ones((9, 7)))
    clip = np.repeat(still[None, :height, :width], frames, axis=0)
    for t in range(frames if moving else 0):
        clip[t, height // 3 : 2 * height // 3, 3 * t + 2 : 3 * t + 16] = 0.75
    return torch.from_numpy(clip).float()


def streaks(frames: int, height: int, width: int, count: int = 14) -> Tensor:
    """Vertical lines [T,H,W], a pixel wide with faint edges, in new places in each frame."""
    rng = np.random.default_rng(1)
    rain = np.zeros((frames, height, width + 2))
    for t in range(frames):
        for _ in range(count):
            x, y, length = rng.integers(1, width + 1), rng.integers(-8, height), rng.integers(8, 20)
            line = rain[t, max(y, 0) : max(y + length, 0)]
            line[:, x - 1 : x + 2] = np.maximum(
                line[:, x - 1 : x + 2], rng.uniform(0.15, 0.25) * np.array([0.3, 1, 0.3])
            )
    return torch.from_numpy(rain[:, :, 1:-1]).float()


def psnr(a: Tensor, b: Tensor) -> float:
    """dB, of values in [0,1]."""
    return -10 * (a - b).square().mean().log10().item()


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal values in float64."""
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))
