"""From packed raw frames to sRGB: a plain image signal processor (ISP), and the place to plug in one's own.

    packed raw --> white balance --> clip --> demosaic --> color matrix --> clip --> sRGB curve

CRVD's own sRGB figures come from a learned ISP that was published with it; figures through this one are comparable
among themselves only.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ncfl.common.errors import InputError
from ncfl.data import bayer
from ncfl.data.bayer import GAINS

ISP = Callable[[np.ndarray], np.ndarray]  # float32 [h,w,4] in [0,1] -> float32 [2h,2w,3] in [0,1]

# Malvar, He and Cutler 2004, "High-quality linear interpolation for demosaicing of Bayer-patterned color images",
# figure 2: the bilinear estimate, corrected by the gradient of the color that is known at the pixel.
_GREEN = np.float32([[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]) / 8
_IN_ROW = np.float32([[0, 0, 1, 0, 0], [0, -2, 0, -2, 0], [-2, 8, 10, 8, -2], [0, -2, 0, -2, 0], [0, 0, 1, 0, 0]]) / 16
_DIAGONAL = np.float32([[0, 0, -3, 0, 0], [0, 4, 0, 4, 0], [-3, 0, 12, 0, -3], [0, 4, 0, 4, 0], [0, 0, -3, 0, 0]]) / 16
_IN_COLUMN = np.ascontiguousarray(_IN_ROW.T)


@dataclass(frozen=True, kw_only=True)
class PlainISP:
    """The built-in ISP; deterministic, computed in float32 throughout.

    Attributes:
        gains: white balance: red, green, blue. Light that the gains take beyond 1 is cut off before
            demosaicing, which keeps highlights white.
        matrix: camera RGB to linear sRGB, row by row; None where they are taken to be the same.
        pattern: of the mosaic from which the frames were packed.

    Raises:
        InputError: gains that are no three positive numbers, no 3 x 3 matrix, an unknown pattern.
    """

    gains: tuple[float, float, float] = GAINS
    matrix: tuple[tuple[float, float, float], ...] | None = None
    pattern: str = "gbrg"

    def __post_init__(self) -> None:
        gains = np.asarray(self.gains, np.float64)
        if gains.shape != (3,) or not (np.isfinite(gains) & (gains > 0)).all():
            raise InputError(f"ISP: gains: expected three positive numbers (red, green, blue), got {self.gains}")
        if self.matrix is not None:
            rows = [tuple(row) for row in self.matrix]
            if [len(row) for row in rows] != [3, 3, 3] or not np.isfinite(np.asarray(rows, np.float64)).all():
                raise InputError(f"ISP: matrix: expected three rows of three numbers, or none, got {self.matrix}")
        bayer.sites(self.pattern)

    def __call__(self, packed: np.ndarray) -> np.ndarray:
        """The picture.

        Args:
            packed: float [h,w,4], 0 = black, 1 = white: R, G of R's row, B, G of B's row; h, w at least 2.

        Returns:
            float32 sRGB [2h,2w,3] in [0,1].
        """
        if packed.ndim != 3 or packed.shape[2] != 4 or min(packed.shape[:2]) < 2 or packed.dtype.kind != "f":
            found = f"{packed.dtype} {list(packed.shape)}"
            raise ValueError(f"packed raw frame: expected float [h,w,4], at least 2 x 2, got {found}")
        red, green, blue = self.gains
        balanced = packed.astype(np.float32) * np.float32([red, green, blue, green])
        rgb = demosaic(bayer.unpack(np.clip(balanced, 0, 1), self.pattern), self.pattern)
        if self.matrix is not None:
            rgb = cv2.transform(np.clip(rgb, 0, 1), np.float32(self.matrix))
        return srgb(np.clip(rgb, 0, 1))


def demosaic(mosaic: np.ndarray, pattern: str) -> np.ndarray:
    """Interpolate what the mosaic lacks, by the linear filters of Malvar, He and Cutler.

    Chosen over OpenCV's ``COLOR_Bayer*_EA``, which takes 8 or 16 bit integers and is nearer to bilinear
    interpolation.

    Args:
        mosaic: float32 [H,W], H and W even and at least 4.
        pattern: of its top left 2 x 2 pixels.

    Returns:
        float32 [H,W,3]; filters overshoot at edges, so values may leave the mosaic's range.
    """
    # Mirrored about the last pixel, the frame goes on with the right colors.
    green, in_row, in_column, diagonal = (
        cv2.filter2D(mosaic, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT_101)
        for kernel in (_GREEN, _IN_ROW, _IN_COLUMN, _DIAGONAL)
    )
    # At each site: where red, green and blue come from.
    sources = (
        (mosaic, green, diagonal),  # red
        (in_row, mosaic, in_column),  # green, between reds in its row
        (diagonal, green, mosaic),  # blue
        (in_column, mosaic, in_row),  # green, between blues in its row
    )
    rgb = np.empty((*mosaic.shape, 3), np.float32)
    for (row, column), colors in zip(bayer.sites(pattern), sources, strict=True):
        for color, source in enumerate(colors):
            rgb[row::2, column::2, color] = source[row::2, column::2]
    return rgb


def srgb(light: np.ndarray) -> np.ndarray:
    """The sRGB transfer curve (IEC 61966-2-1): linear float in [0,1] -> float32 in [0,1]."""
    light = np.asarray(light, np.float32)
    curve = np.float32(1.055) * np.maximum(light, 0) ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(light <= 0.0031308, np.float32(12.92) * light, curve)


def linear(encoded: np.ndarray) -> np.ndarray:
    """The inverse of :func:`srgb`: float in [0,1] -> linear float32 in [0,1]."""
    encoded = np.asarray(encoded, np.float32)
    curve = ((np.maximum(encoded, 0) + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(encoded <= 0.04045, encoded / np.float32(12.92), curve)


def load(spec: str) -> ISP:
    """A user's own ISP in place of :class:`PlainISP`.

    Args:
        spec: ``package.module:function``; takes float32 [h,w,4] in [0,1] and returns float [2h,2w,3] in [0,1].

    Returns:
        The function, with what it returns checked at every call (:class:`InputError`) and made float32.

    Raises:
        InputError: no such module or function, or something that can't be called.
    """
    module_name, colon, name = spec.partition(":")
    if not (colon and name.isidentifier() and all(part.isidentifier() for part in module_name.split("."))):
        raise InputError(f"ISP plug-in: expected the form package.module:function, got {spec!r}")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"ISP plug-in {spec}: module {module_name} can't be imported ({reason}); "
            "install it, or put its folder on PYTHONPATH"
        ) from error
    if not hasattr(module, name):
        raise InputError(
            f"ISP plug-in {spec}: expected a function of module {module_name}, got {name!r}, which it does not have"
        )
    function = getattr(module, name)
    if not callable(function):
        raise InputError(f"ISP plug-in {spec}: expected a function, got {name} of type {type(function).__name__}")
    return lambda packed: _checked(spec, function(packed), packed.shape)


def _checked(spec: str, picture: object, shape: tuple[int, ...]) -> np.ndarray:
    wanted = (2 * shape[0], 2 * shape[1], 3)
    if not isinstance(picture, np.ndarray):
        raise InputError(f"ISP plug-in {spec}: expected it to return a NumPy array, got {type(picture).__name__}")
    if picture.shape != wanted or picture.dtype.kind != "f":
        found = f"{picture.dtype} {list(picture.shape)}"
        raise InputError(
            f"ISP plug-in {spec}: expected it to return float {list(wanted)} for raw {list(shape)}, got {found}"
        )
    low, high = picture.min(), picture.max()
    if not (low >= 0 and high <= 1):  # not a number is refused too
        raise InputError(f"ISP plug-in {spec}: expected it to return values in 0..1, got {low:.4g}..{high:.4g}")
    return picture.astype(np.float32, copy=False)
