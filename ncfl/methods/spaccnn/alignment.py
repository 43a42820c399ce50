"""Alignment of a window of frames to its middle one, superpixel by superpixel: the SPA of SPAC."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

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
    plane = luma(frame)
    first, best = _matches(plane, luma(others), labels, search)
    source = _Source(others, labels, search.radius)
    temporal = np.stack([source.fetch(match) for match in first])
    average = sum(source.fetch(match) for match in best) / np.float32(search.matches)
    return Alignment(temporal, average, _rain(plane, luma(temporal), search.threshold).astype(np.float32))


def _matches(plane: np.ndarray, others: np.ndarray, labels: np.ndarray, search: Search) -> tuple[np.ndarray, ...]:
    """For each superpixel K its best match in each of ``others`` [T,H,W], [T,K], and the best of all, [matches,K].

    As numbers in the first two axes of :func:`costs`, as one.
    """
    first, best = [], []
    for differences, _, still in _superpixels(plane, others, labels, search.radius):
        squares = differences * differences
        match = (np.ones(squares.shape[1], np.float32) @ squares + still).argmin(1)
        there = np.take_along_axis(differences, match[:, None, None], axis=2)[..., 0]
        clear = (~_rain(0, there, search.threshold)).astype(np.float32)
        second = (clear @ squares + still).ravel()
        first.append(match + np.arange(len(others)) * still.size)
        best.append(np.argpartition(second, search.matches - 1)[: search.matches])
    return np.stack(first, axis=1), np.stack(best, axis=1)


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
    found = [
        weight[pixels] @ (differences * differences) + still
        for differences, pixels, still in _superpixels(plane, others, labels, radius)
    ]
    return np.stack(found, axis=-1)


def _superpixels(
    plane: np.ndarray, others: np.ndarray, labels: np.ndarray, radius: int
) -> Iterator[tuple[np.ndarray, tuple[np.ndarray, np.ndarray], np.ndarray]]:
    """Each superpixel in turn, so that its values stay in the processor's cache.

    Yields how far ``others`` are from ``plane`` at its N compared pixels under each displacement, [T,N,D]; these
    pixels' rows and columns, [N] each; and what a displacement costs by itself, [D]. D is (2*radius+1)^2.
    """
    side, count = 2 * radius + 1, int(labels.max()) + 1
    windows = sliding_window_view(np.pad(others, ((0, 0), *[(radius, radius)] * 2), mode="edge"), (side, side), (1, 2))
    few = labels[::STEP, ::STEP].ravel()
    order, ends = few.argsort(kind="stable"), np.bincount(few, minlength=count).cumsum()
    rows, columns = (STEP * x for x in np.divmod(order, -(-labels.shape[1] // STEP)))
    shifts = np.arange(-radius, radius + 1, dtype=np.float32) ** 2
    still = np.float32(STILLNESS) * np.add.outer(shifts, shifts).ravel()
    for start, end in pairwise((0, *ends)):
        pixels = y, x = rows[start:end], columns[start:end]
        differences = windows[:, y, x]
        differences -= plane[pixels][:, None, None]
        yield differences.reshape(len(others), end - start, side * side), pixels, (end - start) * still


class _Source:
    """Where frames [C,H,W] of superpixels from elsewhere are built from: ``others`` [T,C,H,W]."""

    def __init__(self, others: np.ndarray, labels: np.ndarray, radius: int) -> None:
        self._labels, self._side = labels, 2 * radius + 1
        padded = np.pad(
            np.ascontiguousarray(others.transpose(0, 2, 3, 1)), ((0, 0), *[(radius, radius)] * 2, (0, 0)), mode="edge"
        )
        self._height, self._width = padded.shape[1:3]
        self._pixels = padded.reshape(-1, padded.shape[-1])
        self._places = np.arange(labels.shape[0])[:, None] * self._width + np.arange(labels.shape[1])

    def fetch(self, match: np.ndarray) -> np.ndarray:
        """match [K]: per superpixel, its place in the first two axes of :func:`costs`, as one number."""
        t, place = np.divmod(match, self._side**2)
        down, right = np.divmod(place, self._side)  # counted from the padding's corner
        shift = (t * self._height + down) * self._width + right
        places = self._places + np.take(shift, self._labels)
        return np.take(self._pixels, places, axis=0).transpose(2, 0, 1)


def fetch(others: np.ndarray, labels: np.ndarray, match: np.ndarray, radius: int) -> np.ndarray:
    """Build a frame [C,H,W] of superpixels from elsewhere.

    others [T,C,H,W]; match: per superpixel, its place in the first two axes of :func:`costs`, as one number.
    """
    return _Source(others, labels, radius).fetch(match)


def _rain(plane: np.ndarray, temporal: np.ndarray, threshold: float) -> np.ndarray:
    """Where ``plane`` [...] outshines all but one of ``temporal`` [T,...]."""
    return (plane - temporal > threshold).sum(0) >= max(len(temporal) - 1, 1)
