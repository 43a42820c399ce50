"""Motion estimation on real clips by how fast they move: what warping gains, beside OpenCV's DIS.

No exact motion is known, so ranges are those of DIS (Kroeger et al. 2016) on clean frames, and the measure is what
motion is for: PSNR of the clean frame before, warped, against the clean frame, less that of the frame before as it is.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from ncfl.common.text import pipe_table
from ncfl.data.packed import read_footage
from ncfl.evaluate.speed import dis, ranges
from ncfl.models.motion import SPyNet, warp

EDGES = (0.0, 3.0, 6.0, 12.0, 24.0, float("inf"))  # pixels per frame
BLUR = 1.5  # pixels, of noisy frames before DIS sees them
RARE = 0.02  # share of a frame below which a range of motion in it is left out
DIS = "DIS"


@torch.no_grad()
def measure_clips(
    networks: Mapping[str, SPyNet],
    places: Sequence[Path],
    *,
    width: int,
    sigmas: Sequence[float],
    step: int,
    frames: int,
) -> dict[str, dict[str, float]]:
    """Gains in dB.

    Args:
        networks: by name.
        places: clips.
        width: pixels that they are reduced to.
        sigmas: noise that the networks see, 0..255; DIS sees clean frames at 0, else blurred ones.
        step: every so many pairs of a clip.
        frames: at most so many of each clip.

    Returns:
        Range of motion, or name of a clip -> method and sigma -> dB; ``share`` of all pixels beside the ranges.
    """
    rows: list[tuple[str, str, int, dict[str, float]]] = []
    for clip in read_footage(places, hold_out=[], widths=[width]).clips:
        for t in range(1, min(frames, len(clip.frames)), step):
            rows += [(clip.name, *row) for row in _pair(networks, clip.frames[t - 1], clip.frames[t], sigmas, t)]
    total = sum(row[2] for row in rows)
    found = {}
    for name in dict.fromkeys([*ranges(EDGES), *(row[0] for row in rows)]):
        own = [row for row in rows if name in row[:2]]
        if own:
            found[name] = _gains(own) | {"share": round(sum(row[2] for row in own) / total, 3)}
    return found


def _pair(
    networks: Mapping[str, SPyNet], before: np.ndarray, after: np.ndarray, sigmas: Sequence[float], seed: int
) -> list[tuple[str, int, dict[str, float]]]:
    x_prev, x_t = (torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255 for frame in (before, after))
    motions = {f"{DIS} 0": _dis(x_t, x_prev, 0.0)}
    for sigma in sigmas:
        generator = torch.Generator().manual_seed(seed)
        seen = [x + sigma / 255 * torch.randn(x.shape, generator=generator) for x in (x_prev, x_t)]
        for name, network in networks.items():
            motions[f"{name} {sigma:g}"] = network(seen[1], seen[0])
        if sigma:
            motions[f"{DIS} {sigma:g}"] = _dis(seen[1], seen[0], BLUR)
    errors = {"still": (x_prev - x_t).square().mean(1)[0]}
    errors |= {name: (warp(x_prev, mv) - x_t).square().mean(1)[0] for name, mv in motions.items()}
    speed = torch.linalg.vector_norm(motions[f"{DIS} 0"], dim=1)[0]
    rows = []
    for name, (low, high) in zip(ranges(EDGES), itertools.pairwise(EDGES), strict=True):
        inside = (speed >= low) & (speed < high)
        if inside.float().mean() >= RARE:
            sums = {method: error[inside].sum().item() for method, error in errors.items()}
            rows.append((name, int(inside.sum()), sums))
    return rows


def _dis(x_t: Tensor, x_prev: Tensor, blur: float) -> Tensor:
    def gray(x: Tensor) -> np.ndarray:
        frame = (255 * x[0].permute(1, 2, 0).numpy()).clip(0, 255).round().astype(np.uint8)
        return cv2.cvtColor(cv2.GaussianBlur(frame, (0, 0), blur) if blur else frame, cv2.COLOR_RGB2GRAY)

    return torch.from_numpy(dis(gray(x_t), gray(x_prev))).permute(2, 0, 1)[None]


def _gains(rows: Sequence[tuple[str, str, int, dict[str, float]]]) -> dict[str, float]:
    still = sum(row[3]["still"] for row in rows)
    names = [name for name in rows[0][3] if name != "still"]
    return {name: round(float(10 * np.log10(still / sum(row[3][name] for row in rows))), 2) for name in names}


def markdown(found: Mapping[str, Mapping[str, Any]]) -> str:
    """As a table."""
    names = list(next(iter(found.values())))
    rows = ((name, *(f"{row[column]:.2f}" for column in names)) for name, row in found.items())
    return pipe_table(("motion or clip", *names), rows)
