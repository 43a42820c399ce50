"""Luma and chroma to RGB and back: known colors, and nothing moves or changes on the way there and back."""

import numpy as np
import pytest

from ncfl.media.planes import COEFFICIENTS, Samples, from_rgb, to_rgb


@pytest.mark.parametrize(
    ("samples", "ycc", "rgb"),
    [
        (Samples("444", 8, 1, False), (16, 128, 128), (0, 0, 0)),
        (Samples("444", 8, 1, False), (235, 128, 128), (1, 1, 1)),
        (Samples("444", 8, 1, False), (63, 102, 240), (1, 0, 0)),  # SMPTE's red bar at 100 %
        (Samples("444", 8, 5, False), (81, 90, 240), (1, 0, 0)),  # the same of BT.601
        (Samples("444", 8, 5, True), (76, 85, 255), (1, 0, 0)),  # of JPEG
        (Samples("444", 10, 9, False), (64, 512, 512), (0, 0, 0)),
        (Samples("444", 10, 9, False), (940, 512, 512), (1, 1, 1)),
        (Samples("420", 12, 1, True), (4095, 2048, 2048), (1, 1, 1)),
    ],
)
def test_known_colors(samples, ycc, rgb):
    kind = np.uint8 if samples.bits == 8 else np.uint16
    small = (1, 1) if samples.chroma == "420" else (2, 2)
    planes = [np.full((2, 2), ycc[0], kind), *(np.full(small, value, kind) for value in ycc[1:])]
    found = to_rgb(planes, samples) / 65535
    assert np.abs(found - np.array(rgb)).max() < 0.004 * 256 / 2**samples.bits + 0.004


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("chroma", ["420", "422", "444"])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("size", [(16, 24), (17, 23)])
def test_what_goes_in_comes_out(bits, chroma, full_range, size):
    """Any luma in the middle of the range, with moderate chroma: all of it within RGB, so nothing is clipped."""
    rng = np.random.default_rng(bits)
    scale, kind = 1 << (bits - 8), np.uint8 if bits == 8 else np.uint16
    down, across = {"420": (2, 2), "422": (1, 2), "444": (1, 1)}[chroma]
    small = (-(-size[0] // down), -(-size[1] // across))
    planes = [
        rng.integers(90 * scale, 160 * scale, size).astype(kind),
        *(rng.integers(110 * scale, 146 * scale, small).astype(kind) for _ in range(2)),
    ]
    for matrix in COEFFICIENTS:
        samples = Samples(chroma, bits, matrix, full_range)
        for before, after in zip(planes, from_rgb(to_rgb(planes, samples), samples), strict=True):
            assert before.shape == after.shape
            assert before.dtype == after.dtype
            assert np.abs(before.astype(int) - after).max() <= (0 if bits < 12 else 1)


def test_gray_is_the_same_in_all_channels():
    gray = to_rgb([np.arange(16, 236, dtype=np.uint8)[None]], Samples("420", 8, 5, False))
    assert (gray[..., 0] == gray[..., 1]).all()
    assert (gray[..., 0] == gray[..., 2]).all()
    assert (gray[0, 0, 0], gray[0, -1, 0]) == (0, 65535)
