"""SpacCNN's alignment, superpixel by superpixel in one go, against its steps written out over whole frames."""

import numpy as np
import pytest
from helpers.spaccnn_samples import panned

from ncfl.methods.spaccnn.alignment import Search, _labels, align, costs, fetch, luma
from ncfl.methods.spaccnn.superpixels import COMPACTNESS, ITERATIONS, superpixels


def written_out(window: np.ndarray, search: Search) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Temporal, average and rain: two matchings, the second one by the pixels without rain."""
    middle = len(window) // 2
    frame, others = window[middle], np.delete(window, middle, axis=0)
    labels, plane, planes = _labels(frame), luma(frame), luma(others)
    first = costs(plane, planes, labels, np.ones_like(plane), search.radius)
    offsets = np.arange(len(others))[:, None] * first.shape[1]
    temporal = np.stack([fetch(others, labels, match, search.radius) for match in first.argmin(1) + offsets])
    rain = ((plane - luma(temporal) > search.threshold).sum(0) >= len(others) - 1).astype(np.float32)
    second = costs(plane, planes, labels, 1 - rain, search.radius).reshape(-1, first.shape[-1])
    best = second.argsort(axis=0, kind="stable")[: search.matches]
    average = np.mean([fetch(others, labels, match, search.radius) for match in best], axis=0, dtype=np.float32)
    return temporal, average, rain


def windows() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    streaked = panned(61, 75, 1, -2)
    streaked[2] += 0.3 * (rng.random((61, 75)) < 0.1)
    return {
        "noise": rng.random((5, 3, 50, 67), dtype=np.float32),
        "streaks": streaked.astype(np.float32),
        "gray": rng.random((5, 1, 33, 31), dtype=np.float32),
        "small": rng.random((5, 4, 16, 16), dtype=np.float32),
    }


@pytest.mark.parametrize("name", windows())
def test_both_matchings_in_one_go(name: str):
    window, search = windows()[name], Search(radius=5, matches=4)
    found = align(window, search)
    temporal, average, rain = written_out(window, search)
    np.testing.assert_array_equal(found.temporal, temporal)
    np.testing.assert_allclose(found.average, average, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found.rain, rain)


def test_fetched_pixels_are_those_written_out():
    rng = np.random.default_rng(1)
    others, labels = rng.random((3, 2, 11, 14), dtype=np.float32), rng.integers(0, 5, (11, 14))
    match = rng.integers(0, 3 * 49, 5)
    built = fetch(others, labels, match, 3)
    for y, x in np.ndindex(11, 14):
        t, place = divmod(match[labels[y, x]], 49)
        there = (min(max(y + place // 7 - 3, 0), 10), min(max(x + place % 7 - 3, 0), 13))
        np.testing.assert_array_equal(built[:, y, x], others[t][:, there[0], there[1]])


def test_superpixels_are_those_of_clusters_written_out():
    height, width, rows, columns = 13, 18, 2, 3
    frame = np.random.default_rng(2).random((height, width, 3), dtype=np.float32)
    y, x = np.mgrid[:height, :width]
    scale = COMPACTNESS / np.sqrt(height * width / 6)
    points = np.concatenate((frame, y[..., None] * scale, x[..., None] * scale), axis=2).astype(np.float64)
    centers = {
        (r, c): points[int((r + 0.5) * height / rows), int((c + 0.5) * width / columns)]
        for r, c in np.ndindex(rows, columns)
    }
    for _ in range(ITERATIONS + 1):
        chosen = np.empty((height, width), int)
        for i, j in np.ndindex(height, width):
            cell = i * rows // height, j * columns // width
            near = [cluster for cluster in centers if max(abs(cluster[0] - cell[0]), abs(cluster[1] - cell[1])) < 2]
            nearest = min(near, key=lambda cluster: ((points[i, j] - centers[cluster]) ** 2).sum())
            chosen[i, j] = nearest[0] * columns + nearest[1]
        centers = {
            (r, c): points[chosen == r * columns + c].mean(0) if (chosen == r * columns + c).any() else center
            for (r, c), center in centers.items()
        }
    np.testing.assert_array_equal(superpixels(frame, 6), chosen)
