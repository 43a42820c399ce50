"""What a raw sensor makes of a scene: a Bayer mosaic, and Poisson-Gaussian noise that grows with the ISO.

    sRGB -> linear -> white balance undone -> mosaic -> black..white -> shot and read noise -> steps of the sensor

The noise is that of CRVD's sensor, an IMX385, as its authors calibrated it (Yue et al. 2020, "Supervised Raw Video
Denoising with a Benchmark Dataset on Dynamic Scenes"):

    noisy = black + a * Poisson((clean - black) / a) + N(0, b),      variance = a * (clean - black) + b

The values of a and b are those in the code of cao-cong/RViDeNet (``synthesize_noise.py``).
"""

from typing import NamedTuple

import numpy as np

from ncfl.common.errors import InputError
from ncfl.data import bayer
from ncfl.data.bayer import GAINS
from ncfl.data.datasets.interface import RawFormat


class NoiseLevel(NamedTuple):
    """Parameters of the noise, in the sensor's steps (digital numbers, DN).

    Attributes:
        a: DN per photoelectron: the variance of shot noise per DN of signal.
        b: variance of read noise, DN^2.
    """

    a: float
    b: float


# ISO: calibrated noise of the IMX385 with 12 bits.
IMX385 = {
    1600: NoiseLevel(3.513262, 11.917691),
    3200: NoiseLevel(6.955588, 38.117816),
    6400: NoiseLevel(13.486051, 130.818508),
    12800: NoiseLevel(26.585953, 484.539790),
    25600: NoiseLevel(52.032536, 1819.818657),
}

# Where a white pixel lies between black and white, so that its noise is not cut off.
EXPOSURE = 0.9


def linear(srgb: np.ndarray) -> np.ndarray:
    """Undo the sRGB transfer curve (IEC 61966-2-1).

    Args:
        srgb: uint8, or float in [0,1]; any shape.

    Returns:
        float32 in [0,1], same shape.
    """
    if srgb.dtype == np.uint8:
        return linear(np.arange(256, dtype=np.float64) / 255)[srgb]
    srgb = np.asarray(srgb, np.float64)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def mosaic(rgb: np.ndarray, raw: RawFormat, gains: tuple[float, float, float] = GAINS) -> np.ndarray:
    """What a noiseless sensor would have read.

    :class:`ncfl.data.isp.PlainISP` with the same gains shows the picture again, at :data:`EXPOSURE` of
    its light.

    Args:
        rgb: uint8, or float in [0,1], sRGB [H,W,3]; H and W even.
        raw: pattern, black and white level.
        gains: of the white balance to undo: red, green, blue; 1 or more.

    Returns:
        float32 [H,W] in DN, black..white, not rounded.

    Raises:
        InputError: an odd size, or an unknown pattern.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"picture: expected [H,W,3], got {list(rgb.shape)}")
    height, width, _ = rgb.shape
    if height % 2 or width % 2:
        raise InputError(f"picture: expected even sides, for a Bayer mosaic, got {height} x {width} pixels")
    light = linear(rgb)
    values = np.empty((height, width), np.float32)
    for color, (row, column) in zip(bayer.PLANE_COLORS, bayer.sites(raw.pattern), strict=True):
        scale = EXPOSURE * (raw.white - raw.black) / gains[color]
        values[row::2, column::2] = raw.black + scale * light[row::2, column::2, color]
    return np.minimum(values, raw.white)


def raw_noise(clean: np.ndarray, iso: int, rng: np.random.Generator, raw: RawFormat) -> np.ndarray:
    """One noisy shot.

    Args:
        clean: mosaic in DN, uint16 or float, any shape; below black there is no light.
        iso: of the sensor, a key of :data:`IMX385`.
        rng: shots with one generator are independent.
        raw: black level, and the white level at which the sensor saturates.

    Returns:
        uint16 of the same shape, rounded, 0..white.

    Raises:
        InputError: an ISO that was not calibrated.
    """
    if iso not in IMX385:
        raise InputError(
            f"ISO: expected one of {', '.join(map(str, IMX385))}, at which the sensor's noise is known, got {iso}"
        )
    a, b = IMX385[iso]
    signal = np.maximum(np.asarray(clean, np.float64) - raw.black, 0)
    noisy = a * rng.poisson(signal / a) + rng.normal(raw.black, b**0.5, signal.shape)
    return np.clip(np.rint(noisy), 0, raw.white).astype(np.uint16)
