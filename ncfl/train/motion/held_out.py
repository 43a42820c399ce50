"""Motion estimation measured on pairs of frames whose motion is known exactly."""

import numpy as np
import torch

from ncfl.models.motion import SPyNet, warp
from ncfl.train.losses import psnr
from ncfl.train.motion.objectives import end_point_error
from ncfl.train.motion.pairs import Pairs, noisy

NOISE_LEVELS = (0.0, 40.0)  # of both frames, 0 ... 255


@torch.no_grad()
def measure(spynet: SPyNet, pairs: Pairs, seed: int) -> dict[str, float]:
    """End-point error beside that of zero motion, and the gain in PSNR from warping, without and with noise."""
    spynet.eval()
    found = {"epe_zero": end_point_error(torch.zeros_like(pairs.mv), pairs.mv).item()}
    for sigma in NOISE_LEVELS:
        rng = np.random.default_rng((seed, round(sigma)))
        level = np.full((len(pairs.x_t), 1, 1, 1), sigma / 255)
        mv = spynet(noisy(pairs.x_t, level, rng), noisy(pairs.x_prev, level, rng))
        moved = (warp(pairs.x_prev, mv) - pairs.x_t).square().mean().item()
        still = (pairs.x_prev - pairs.x_t).square().mean().item()
        suffix = f"_sigma{sigma:g}" if sigma else ""
        found[f"epe{suffix}"] = end_point_error(mv, pairs.mv).item()
        found[f"warp_gain_db{suffix}"] = psnr(moved) - psnr(still)
    spynet.train()
    return found
