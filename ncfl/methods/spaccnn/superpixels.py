"""Superpixels: simple linear iterative clustering (SLIC, Achanta et al., TPAMI 2012) in NumPy.

Each pixel chooses among the nine clusters around its own cell of the initial grid, which lets all pixels choose at
once. Colors are compared as they come, not in Lab, and stray pixels are not joined to a neighbor: what is done with
a superpixel here, one displacement for all of its pixels, needs no connected one.
"""

from collections.abc import Iterator
from math import sqrt

import numpy as np

COMPACTNESS = 0.1  # how far in color (1 = full range) one grid step in space is; SLIC's usual 10 of Lab's 100
ITERATIONS = 4


def superpixels(frame: np.ndarray, count: int) -> np.ndarray:
    """Split ``frame`` [H,W,C], nominally in [0,1], into about ``count`` superpixels.

    Returns their numbers, integers [H,W] from 0 on. The clusters start in the middles of a grid of nearly
    square cells; one that no pixel chooses keeps its place.
    """
    height, width = frame.shape[:2]
    side = sqrt(height * width / count)
    rows, columns = max(round(height / side), 1), max(round(width / side), 1)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    row, column = (y * rows / height).astype(np.intp), (x * columns / width).astype(np.intp)
    scale = np.float32(COMPACTNESS / side)
    points = np.stack((*np.moveaxis(frame, 2, 0).astype(np.float32), y * scale, x * scale))  # plane by plane: faster
    middles = [((np.arange(n) + 0.5) * size / n).astype(np.intp) for n, size in ((rows, height), (columns, width))]
    centers = points[:, middles[0][:, None], middles[1]].reshape(len(points), -1)
    near = list(_around(row, column, (rows, columns)))
    labels = _choose(centers, points, near)
    for _ in range(ITERATIONS):
        _move(centers, points, labels)
        labels = _choose(centers, points, near)
    return labels


def _around(row: np.ndarray, column: np.ndarray, grid: tuple[int, int]) -> Iterator[np.ndarray]:
    """Of each pixel, whose cell is given, the cluster in its cell and in the eight around it: nine of [H,W]."""
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            yield (row + dy).clip(0, grid[0] - 1) * grid[1] + (column + dx).clip(0, grid[1] - 1)


def _move(centers: np.ndarray, points: np.ndarray, labels: np.ndarray) -> None:
    """Put each center [D,K] in the middle of its points [D,H,W]."""
    flat = labels.ravel()
    size = np.bincount(flat, minlength=centers.shape[1])
    for center, plane in zip(centers, points, strict=True):
        total = np.bincount(flat, plane.ravel(), minlength=len(center))
        np.divide(total, size, out=center, where=size > 0, casting="same_kind")


def _choose(centers: np.ndarray, points: np.ndarray, near: list[np.ndarray]) -> np.ndarray:
    """The nearest center of each point among those ``near`` it, the first of equals."""
    best, labels = np.full(near[0].shape, np.inf, np.float32), np.zeros_like(near[0])
    for cluster in near:
        distance = np.zeros_like(best)
        for center, plane in zip(centers, points, strict=True):
            difference = plane - np.take(center, cluster)
            difference *= difference
            distance += difference
        np.copyto(labels, cluster, where=distance < best)
        np.minimum(best, distance, out=best)
    return labels
