"""Raw Bayer mosaics as four planes, and flips of them that leave the pattern as it is.

A mosaic [..., H, W] is packed into [..., H/2, W/2, 4]: R, G of R's row, B, G of B's row, the order of the code
published with CRVD (Yue et al. 2020, "Supervised Raw Video Denoising with a Benchmark Dataset on Dynamic Scenes").

The flips follow Liu et al. 2019, "Learning Raw Image Denoising with Bayer Pattern Unification and Bayer Preserving
Augmentation": flipped planes would belong to a mosaic whose colors lie elsewhere, so the mosaic itself is flipped, and
then cropped so that it begins with the same colors again.
"""

import numpy as np

from ncfl.common.errors import InputError

PATTERNS = ("rggb", "bggr", "grbg", "gbrg")
# White balance of CRVD's sensor: red, green, blue; what cao-cong/RViDeNet's ``inverse_isp.py`` divides by.
GAINS = (1 / 0.5527, 1.0, 1 / 0.4844)
PLANE_COLORS = (0, 1, 2, 1)  # of R, G, B, G: channels of an RGB picture


def sites(pattern: str) -> tuple[tuple[int, int], ...]:
    """Where the planes' pixels lie in the top left 2 x 2: (row, column) of R, G of R's row, B, G of B's row.

    Raises:
        InputError: a pattern that is none of :data:`PATTERNS`.
    """
    if pattern not in PATTERNS:
        raise InputError(f"Bayer pattern: expected {', '.join(PATTERNS)}, got {pattern!r}")
    row, column = divmod(pattern.index("r"), 2)
    return (row, column), (row, 1 - column), (1 - row, 1 - column), (1 - row, column)


def pack(mosaic: np.ndarray, pattern: str) -> np.ndarray:
    """The four planes of a mosaic.

    Args:
        mosaic: [..., H, W], any dtype; H and W even.
        pattern: colors of its top left 2 x 2 pixels, row by row.

    Returns:
        [..., H/2, W/2, 4], a new array of the same dtype: R, G of R's row, B, G of B's row.

    Raises:
        InputError: an odd size, or an unknown pattern.
    """
    places = sites(pattern)
    if mosaic.ndim < 2:
        raise ValueError(f"mosaic: expected [..., H, W], got {list(mosaic.shape)}")
    *leading, height, width = mosaic.shape
    if height % 2 or width % 2:
        raise InputError(f"Bayer mosaic: expected even sides, got {height} x {width} pixels")
    packed = np.empty((*leading, height // 2, width // 2, 4), mosaic.dtype)
    for plane, (row, column) in enumerate(places):
        packed[..., plane] = mosaic[..., row::2, column::2]
    return packed


def unpack(packed: np.ndarray, pattern: str) -> np.ndarray:
    """The mosaic [..., 2h, 2w] of planes [..., h, w, 4]: undoes :func:`pack`."""
    places = sites(pattern)
    if packed.ndim < 3 or packed.shape[-1] != 4:
        raise ValueError(f"packed raw frames: expected [..., h, w, 4], got {list(packed.shape)}")
    *leading, height, width, _ = packed.shape
    mosaic = np.empty((*leading, 2 * height, 2 * width), packed.dtype)
    for plane, (row, column) in enumerate(places):
        mosaic[..., row::2, column::2] = packed[..., plane]
    return mosaic


def augment(packed: np.ndarray, flips: tuple[bool, bool, bool], pattern: str) -> np.ndarray:
    """Flip and transpose raw frames such that every plane keeps its color.

    One mosaic pixel has to go where the pattern shifts, in each axis on one side or the other, so that one
    packed pixel less comes back than was given, whatever the flips: ask for a patch one larger.

    Args:
        packed: [..., h, w, 4] as :func:`pack` gives, h and w at least 2.
        flips: (horizontal, vertical, transpose); the transposition comes first.
        pattern: of the mosaic, and of what is returned.

    Returns:
        [..., h-1, w-1, 4], or [..., w-1, h-1, 4] where transposed; a new array of the same dtype.
    """
    if min(packed.shape[-3:-1]) < 2:
        raise ValueError(f"packed raw frames: expected at least 2 x 2 pixels to flip, got {list(packed.shape)}")
    # As if the mosaic were flipped, cropped and packed again, without writing it.
    planes = _flip(unpack(np.arange(4).reshape(1, 1, 4), pattern)[..., None], flips)[..., 0]  # 2 x 2: what lies where
    flipped = _flip(packed, flips)
    *leading, height, width, _ = flipped.shape
    places = sites(pattern)
    # The crop that takes red back to its site takes the other colors back too.
    top, left = (int(offset) for offset in (np.argwhere(planes == 0)[0] - places[0]) % 2)
    out = np.empty((*leading, height - 1, width - 1, 4), packed.dtype)
    for plane, (row, column) in enumerate(places):
        (down, row), (right, column) = divmod(row + top, 2), divmod(column + left, 2)
        source = flipped[..., planes[row, column]]
        out[..., plane] = source[..., down : down + height - 1, right : right + width - 1]
    return out


def _flip(frames: np.ndarray, flips: tuple[bool, bool, bool]) -> np.ndarray:
    """Flip [..., H, W, C]; a view."""
    horizontal, vertical, transpose = flips
    if transpose:
        frames = frames.swapaxes(-2, -3)
    if horizontal:
        frames = frames[..., ::-1, :]
    if vertical:
        frames = frames[..., ::-1, :, :]
    return frames
