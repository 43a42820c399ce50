"""Motion estimation measured on real clips, where no exact motion is known: what warping gains."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ncfl.data.degradations import awgn
from ncfl.data.packed import PackedClip
from ncfl.models.motion import SPyNet, warp
from ncfl.train.losses import psnr
from ncfl.train.motion.held_out import NOISE_LEVELS

PAIRS = 6  # of neighbouring frames per clip, evenly spread


@torch.no_grad()
def examine_flow(spynet: SPyNet, clips: Sequence[PackedClip], seed: int) -> dict[str, Any]:
    """PSNR of the warped frame before against the frame, less that of the frame before as it is; dB.

    The motion is estimated on noisy frames and applied to clean ones, as
    :func:`ncfl.train.motion.held_out.measure` does.

    Args:
        spynet: the motion estimation.
        clips: real footage; that of a pack was trained on too (:mod:`ncfl.train.motion.real_pairs`).
        seed: of the noise.

    Returns:
        ``clips``: name -> noise level as text -> dB; ``mean``: the same, the mean over the clips.
    """
    spynet.eval()
    found: dict[str, dict[str, float]] = {}
    for clip in clips:
        last = len(clip.frames) - 1
        times = sorted({1 + round(k * (last - 1) / max(PAIRS - 1, 1)) for k in range(PAIRS)}) if last else []
        if not times:
            continue
        found[clip.name] = {
            f"{sigma:g}": round(float(np.mean([_gain(spynet, clip, t, sigma, seed) for t in times])), 3)
            for sigma in NOISE_LEVELS
        }
    levels = [f"{sigma:g}" for sigma in NOISE_LEVELS]
    mean = {level: round(float(np.mean([gains[level] for gains in found.values()])), 3) for level in levels if found}
    return {"clips": found, "mean": mean}


def _gain(network: SPyNet, clip: PackedClip, t: int, sigma: float, seed: int) -> float:
    rng = np.random.default_rng((seed, t, round(sigma)))
    pair = clip.unit(clip.frames[t - 1 : t + 1]).transpose(0, 3, 1, 2)
    x_prev, x_t = torch.from_numpy(np.ascontiguousarray(pair)).split(1)
    noisy_prev, noisy_t = torch.from_numpy(awgn(np.ascontiguousarray(pair), sigma, rng)).split(1)
    moved = warp(x_prev, network(noisy_t, noisy_prev))
    return psnr((moved - x_t).square().mean().item()) - psnr((x_prev - x_t).square().mean().item())
