"""Alignment of a window of frames to its middle one, superpixel by superpixel: the SPA of SPAC."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ncfl.methods.luma import WEIGHTS
from ncfl.methods.spaccnn.superpixels import superpixels

# The released program's script recommends 288 superpixels for a frame of 640x480, and as many per area elsewhere.
AREA = 640 * 480 / 288  # pixels
STEP = 3  # every third pixel of every third row is compared, some 120 of a superpixel
# Squared luma per squared pixel of displacement, times compared pixels: breaks ties toward standing still.
STILLNESS = 1e-7


@dataclass(frozen=True)
class Search:
    """What is looked for.

    radius: largest displacement along each axis, in pixels; matches: how many of the best are kept of each
    superpixel; threshold: how much brighter than its match a pixel with rain is, in luma (1 = full range).
    """

    radius: int = 15
    matches: int = 10
    threshold: float = 0.012


@dataclass(frozen=True)
class Alignment:
    """Float32, in the frames' unit.

    temporal: [T-1,C,H,W], each other frame's best match (the paper's optimal temporal match tensor T_0);
    average: [C,H,W], the mean of the best matches of all of them (of the sorted spatial-temporal one, T_1);
    rain: [H,W], 1 where the middle frame is brighter than most of ``temporal``, else 0.
    """

    temporal: np.ndarray
    average: np.ndarray
    rain: np.ndarray


def align(window: np.ndarray, search: Search) -> Alignment:
    """Align ``window`` [T,C,H,W], T odd, nominally in [0,1], to its middle frame.

    First each superpixel of the middle frame is looked for in every other frame; where the middle frame outshines
    all but one of what was found, there is rain. Then it is looked for again by its pixels without rain, and the
    best matches of all frames together are averaged. The middle frame itself is no candidate: it would always
    match best, and bring its rain along.
    """
    middle = len(window) // 2
    frame, others = window[middle], np.delete(window, middle, axis=0)
    labels = _labels(frame)
    plane, other_planes = luma(frame), luma(others)
    first = costs(plane, other_planes, labels, np.ones_like(plane), search.radius)
    offsets = np.arange(len(others))[:, None] * first.shape[1]
    temporal = np.stack([fetch(others, labels, match, search.radius) for match in first.argmin(1) + offsets])
    rain = _rain(plane, luma(temporal), search.threshold)
    second = costs(plane, other_planes, labels, 1 - rain, search.radius).reshape(-1, first.shape[-1])
    best = np.argpartition(second, search.matches - 1, axis=0)[: search.matches]
    average = np.mean([fetch(others, labels, match, search.radius) for match in best], axis=0, dtype=np.float32)
    return Alignment(temporal, average, rain)


def _labels(frame: np.ndarray) -> np.ndarray:
    """The superpixels of ``frame`` [C,H,W], found at half size."""
    height, width = frame.shape[1:]
    half = superpixels(frame[:, ::2, ::2].transpose(1, 2, 0), max(round(height * width / AREA), 1))
    return half.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]


def luma(frames: np.ndarray) -> np.ndarray:
    """[...,C,H,W] -> [...,H,W] float32: BT.601 at full range of RGB, the mean of any other channels."""
    channels = frames.shape[-3]
    weights = np.array(WEIGHTS if channels == 3 else [1 / channels] * channels, np.float32)
    return np.einsum("c,...chw->...hw", weights, frames.astype(np.float32))


def costs(plane: np.ndarray, others: np.ndarray, labels: np.ndarray, weight: np.ndarray, radius: int) -> np.ndarray:
    """How badly each superpixel of ``plane`` [H,W] fits each place of ``others`` [T,H,W].

    weight [H,W]: 0 where a pixel does not count. Beyond their edges frames go on as their edge. Returns
    [T,(2*radius+1)^2,K], sums of squared differences; displacements row by row, from -radius to radius.
    """
    side, count = 2 * radius + 1, int(labels.max()) + 1
    few = (slice(None, None, STEP),) * 2
    reference, weight = plane[few], weight[few]
    # One counting for all displacements along a row: each has superpixel numbers of its own.
    numbers = (labels[few] + count * np.arange(side)[:, None, None]).ravel()
    shifts = np.arange(-radius, radius + 1) ** 2
    still = (STILLNESS * np.add.outer(shifts, shifts))[..., None] * np.bincount(labels[few].ravel(), minlength=count)
    found = np.empty((len(others), side, side, count))
    for t, other in enumerate(others):
        windows = sliding_window_view(np.pad(other, radius, mode="edge"), plane.shape)
        for v in range(side):
            difference = windows[v][:, ::STEP, ::STEP] - reference
            difference *= difference
            difference *= weight
            sums = np.bincount(numbers, difference.ravel(), minlength=side * count)
            found[t, v] = sums.reshape(side, count) + still[v]
    return found.reshape(len(others), side * side, count)


def fetch(others: np.ndarray, labels: np.ndarray, match: np.ndarray, radius: int) -> np.ndarray:
    """Build a frame [C,H,W] of superpixels from elsewhere.

    others [T,C,H,W]; match: per superpixel, its place in the first two axes of :func:`costs`, as one number.
    """
    side, (height, width) = 2 * radius + 1, labels.shape
    t, place = np.divmod(match, side * side)
    down, right = place // side - radius, place % side - radius
    y = (np.arange(height)[:, None] + down[labels]).clip(0, height - 1)
    x = (np.arange(width) + right[labels]).clip(0, width - 1)
    return others[t[labels], :, y, x].transpose(2, 0, 1)


def _rain(plane: np.ndarray, temporal: np.ndarray, threshold: float) -> np.ndarray:
    """1 where ``plane`` [H,W] outshines all but one of ``temporal`` [T,H,W], else 0; float32 [H,W]."""
    brighter = (plane - temporal > threshold).sum(0)
    return (brighter >= max(len(temporal) - 1, 1)).astype(np.float32)
