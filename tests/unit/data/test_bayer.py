"""Bayer mosaics: planes hold what they should, packing loses nothing, flips keep every color in its place."""

import itertools

import numpy as np
import pytest

from ncfl.common.errors import InputError
from ncfl.data.bayer import PATTERNS, augment, pack, unpack

FLIPS = list(itertools.product((False, True), repeat=3))


def sampled(rgb, pattern):
    """The mosaic of an RGB picture [..., H, W, 3], pixel by pixel as the pattern reads."""
    mosaic = np.empty(rgb.shape[:-1], rgb.dtype)
    for place, color in enumerate(pattern):
        rows, columns = slice(place // 2, None, 2), slice(place % 2, None, 2)
        mosaic[..., rows, columns] = rgb[..., rows, columns, "rgb".index(color)]
    return mosaic


# 2 x 2 mosaics of 1 2 / 3 4, by hand: R, G beside it, B, G beside that.
@pytest.mark.parametrize(
    ("pattern", "planes"),
    [("rggb", [1, 2, 4, 3]), ("bggr", [4, 3, 1, 2]), ("grbg", [2, 1, 3, 4]), ("gbrg", [3, 4, 2, 1])],
)
def test_planes_are_red_green_blue_green(pattern, planes):
    assert pack(np.array([[1, 2], [3, 4]]), pattern).tolist() == [[planes]]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("shape", [(4, 6), (3, 4, 6), (2, 3, 8, 2)])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_packing_is_undone_exactly(pattern, shape, dtype):
    mosaic = np.random.default_rng(0).integers(0, 65536, shape).astype(dtype)
    before = mosaic.copy()
    packed = pack(mosaic, pattern)
    assert packed.shape == (*shape[:-2], shape[-2] // 2, shape[-1] // 2, 4)
    assert packed.dtype == dtype
    assert not np.shares_memory(packed, mosaic)
    back = unpack(packed, pattern)
    assert back.dtype == dtype
    assert np.array_equal(back, before)


def test_unpacked_planes_lie_where_cfa_says():
    planes = np.array([[["r", "g", "b", "g"]]])
    for pattern in PATTERNS:
        assert "".join(unpack(planes, pattern).ravel()) == pattern


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("flips", FLIPS)
def test_augmenting_equals_sampling_the_flipped_picture(pattern, flips):
    """Against RGB pictures, whose flips need no care: the same mosaic at one of four positions."""
    rgb = np.random.default_rng(1).integers(0, 65536, (3, 12, 16, 3), dtype=np.uint16)
    rgb = rgb // 4 * 4 + np.arange(3, dtype=np.uint16)  # a value tells its color
    horizontal, vertical, transpose = flips
    flipped = rgb.swapaxes(1, 2) if transpose else rgb
    flipped = flipped[:, :, ::-1] if horizontal else flipped
    flipped = flipped[:, ::-1] if vertical else flipped
    found = augment(pack(sampled(rgb, pattern), pattern), flips, pattern)
    height, width = flipped.shape[1] - 2, flipped.shape[2] - 2
    assert found.shape == (3, height // 2, width // 2, 4)
    assert found.dtype == np.uint16
    assert (found % 4 == [0, 1, 2, 1]).all()
    candidates = [flipped[:, y : y + height, x : x + width] for y in (0, 1) for x in (0, 1)]
    assert any(np.array_equal(found, pack(sampled(picture, pattern), pattern)) for picture in candidates)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_without_flips_the_far_edge_goes(pattern):
    packed = np.random.default_rng(2).integers(0, 4096, (2, 5, 7, 4), dtype=np.uint16)
    assert np.array_equal(augment(packed, (False, False, False), pattern), packed[:, :4, :6])


@pytest.mark.parametrize(
    ("flips", "offset"),
    [
        ((True, False, False), (0, 1)),
        ((False, True, False), (1, 0)),
        ((False, False, True), (1, 1)),  # G B / R G becomes G R / B G
        ((True, True, True), (0, 0)),
    ],
)
def test_the_shift_of_gbrg_by_hand(flips, offset):
    mosaic = np.arange(6 * 6).reshape(6, 6)
    expected = mosaic.T if flips[2] else mosaic
    expected = expected[:, ::-1] if flips[0] else expected
    expected = expected[::-1] if flips[1] else expected
    top, left = offset
    found = unpack(augment(pack(mosaic, "gbrg"), flips, "gbrg"), "gbrg")
    assert np.array_equal(found, expected[top : top + 4, left : left + 4])


def test_a_flip_twice_is_the_middle():
    """Each flip crops; what remains after two lies unflipped inside the original."""
    packed = np.random.default_rng(3).integers(0, 4096, (6, 6, 4), dtype=np.uint16)
    twice = augment(augment(packed, (True, True, False), "gbrg"), (True, True, False), "gbrg")
    assert np.array_equal(unpack(twice, "gbrg"), unpack(packed, "gbrg")[2:10, 2:10])


@pytest.mark.parametrize("shape", [(3, 4), (4, 5), (2, 7, 7)])
def test_odd_sizes_are_refused(shape):
    with pytest.raises(InputError, match=f"Bayer mosaic: expected even sides, got {shape[-2]} x {shape[-1]} pixels"):
        pack(np.zeros(shape), "rggb")


@pytest.mark.parametrize("pattern", ["rgbg", "RGGB", "", "ggrb"])
def test_unknown_patterns_are_refused(pattern):
    for call in (lambda: pack(np.zeros((2, 2)), pattern), lambda: unpack(np.zeros((1, 1, 4)), pattern)):
        with pytest.raises(InputError, match="Bayer pattern: expected rggb, bggr, grbg, gbrg, got "):
            call()


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\[\.\.\., H, W\]"):
        pack(np.zeros(4), "rggb")
    with pytest.raises(ValueError, match=r"\[\.\.\., h, w, 4\]"):
        unpack(np.zeros((2, 2, 3)), "rggb")
    with pytest.raises(ValueError, match="at least 2 x 2"):
        augment(np.zeros((2, 1, 5, 4)), (False, False, False), "rggb")
