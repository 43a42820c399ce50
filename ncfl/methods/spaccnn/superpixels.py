"""Superpixels: simple linear iterative clustering (SLIC, Achanta et al., TPAMI 2012) in NumPy.

Each pixel chooses among the nine clusters around its own cell of the initial grid, which lets all pixels choose at
once. Colors are compared as they come, not in Lab, and stray pixels are not joined to a neighbor: what is done with
a superpixel here, one displacement for all of its pixels, needs no connected one.
"""

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
    points = np.concatenate((frame.astype(np.float32), y[..., None] * scale, x[..., None] * scale), axis=2)
    middles = [((np.arange(n) + 0.5) * size / n).astype(np.intp) for n, size in ((rows, height), (columns, width))]
    centers = points[np.ix_(*middles)].reshape(-1, points.shape[2])
    labels = _choose(centers, points, row, column, (rows, columns))
    for _ in range(ITERATIONS):
        _move(centers, points, labels)
        labels = _choose(centers, points, row, column, (rows, columns))
    return labels


def _move(centers: np.ndarray, points: np.ndarray, labels: np.ndarray) -> None:
    """Put each center in the middle of its points."""
    flat = labels.ravel()
    size = np.bincount(flat, minlength=len(centers))
    for i in range(points.shape[2]):
        total = np.bincount(flat, points[..., i].ravel(), minlength=len(centers))
        np.divide(total, size, out=centers[:, i], where=size > 0, casting="same_kind")


def _choose(
    centers: np.ndarray, points: np.ndarray, row: np.ndarray, column: np.ndarray, grid: tuple[int, int]
) -> np.ndarray:
    """The nearest center of each point among those of its cell and the eight around it."""
    best = np.full(row.shape, np.inf, np.float32)
    labels = np.zeros(row.shape, np.intp)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            near = (row + dy).clip(0, grid[0] - 1) * grid[1] + (column + dx).clip(0, grid[1] - 1)
            difference = points - centers[near]
            distance = np.einsum("ijk,ijk->ij", difference, difference)
            closer = distance < best
            best[closer], labels[closer] = distance[closer], near[closer]
    return labels
