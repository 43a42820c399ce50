"""How frames of a dataset are compared: which image PSNR and SSIM are taken of.

A convention is an ordered mapping of *spaces*. Each is a function of a frame in model units, float32 [H,W,C] with
0.0 black and 1.0 white, to the image that is compared, float32 in [0,1]. The first space is what tables print.
The clean frame, the degraded one and the restored one all go the same way.

What published evaluators do, and where this one differs on purpose:

- Denoising (FastDVDnet and its successors): float RGB, clamped, never rounded. As ``rgb`` here.
- Deraining in MATLAB: 8-bit pictures are read, and Y is taken by ``rgb2ycbcr`` of doubles, not rounded again. As
  ``y`` here. S2VD's evaluator of NTU-Rain takes Y of the unrounded output, rounds that to 8 bits, and leaves out the
  first and the last two frames of each sequence. Here every frame counts.
- CRVD (RViDeNet's evaluator): the output times (white - black), plus black, is *truncated* to whole numbers, which
  costs half a sensor step on average. Here it is rounded. sRGB is developed from the output before that, as here,
  but then truncated to 8 bits, for clean and restored alike; here it stays as it is. RViDeNet's SSIM has
  scikit-image's default, a flat window of 7; here it is the Gaussian one of :mod:`ncfl.evaluate.metrics`. Its sRGB
  comes from a trained network; the plain one here gives other figures.
- REVIDE has no official evaluator; 8-bit RGB is what its pictures are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ncfl.common.errors import InputError
from ncfl.data.isp import ISP

Space = Callable[[np.ndarray], np.ndarray]

# What holds in each space of each convention, in the words of the summaries.
STATEMENTS: Mapping[str, Mapping[str, str]] = {
    "rgb": {"rgb": "clamped to [0,1], not rounded"},
    "rgb8": {"rgb": "clamped, rounded to 8 bits"},
    "y": {
        "y": "clamped, rounded to 8 bits, then luma by BT.601 (16..235 of 255), not rounded again, peak 255",
        "rgb": "clamped, rounded to 8 bits",
    },
    "raw": {
        "raw": "four packed Bayer planes, clamped, rounded to the sensor's steps; SSIM is the mean over the planes",
        "srgb": "raw, clamped, through the ISP; not rounded",
    },
}
_LUMA = np.array([65.481, 128.553, 24.966], np.float32) / np.float32(255)
_LUMA_OFFSET = np.float32(16 / 255)


@dataclass(frozen=True)
class Convention:
    """How frames are compared.

    Attributes:
        name: a key of :data:`STATEMENTS`.
        channels: of a frame.
        spaces: name -> frame in model units to the image that is compared; the first is what tables print.
        picture: frame in model units -> RGB in [0,1] for people to look at.
    """

    name: str
    channels: int
    spaces: Mapping[str, Space]
    picture: Space


def rgb() -> Convention:
    """Float RGB, clamped: DAVIS and Set8."""
    return Convention("rgb", 3, {"rgb": _clamped}, _clamped)


def rgb8() -> Convention:
    """RGB of 8 bits: REVIDE."""
    return Convention("rgb8", 3, {"rgb": _eight_bits}, _clamped)


def y() -> Convention:
    """Luma of 8-bit RGB, and that RGB beside it: the deraining datasets."""
    return Convention("y", 3, {"y": lambda frame: luma(_eight_bits(frame)), "rgb": _eight_bits}, _clamped)


def raw(levels: int, isp: ISP) -> Convention:
    """Packed Bayer planes in the sensor's steps, and the same developed to sRGB: CRVD.

    Args:
        levels: steps between black and white.
        isp: develops a packed frame; see :mod:`ncfl.data.isp`.
    """

    def developed(frame: np.ndarray) -> np.ndarray:
        return isp(_clamped(frame))

    return Convention("raw", 4, {"raw": lambda frame: _rounded(frame, levels), "srgb": developed}, developed)


def named(name: str, *, levels: int, isp: ISP | None = None) -> Convention:
    """The convention that a store's manifest names.

    Args:
        name: a key of :data:`STATEMENTS`.
        levels: steps between the stored values that stand for 0.0 and 1.0; raw frames are rounded to them.
        isp: develops packed raw frames; without need elsewhere.

    Raises:
        InputError: no such convention.
        ValueError: raw without an ISP.
    """
    if name == "raw":
        if isp is None:
            raise ValueError("isp: expected one for the raw convention, got none")
        return raw(levels, isp)
    plain = {"rgb": rgb, "rgb8": rgb8, "y": y}
    if name not in plain:
        raise InputError(f"convention: expected {', '.join(STATEMENTS)}, got {name!r}; prepare the dataset again")
    return plain[name]()


def luma(image: np.ndarray) -> np.ndarray:
    """BT.601 luma in studio range, as MATLAB's ``rgb2ycbcr`` of doubles: RGB [H,W,3] in [0,1] -> [H,W,1]."""
    return (image @ _LUMA + _LUMA_OFFSET)[..., None]


def _clamped(frame: np.ndarray) -> np.ndarray:
    return np.clip(frame, 0, 1)


def _rounded(frame: np.ndarray, levels: int) -> np.ndarray:
    return np.rint(_clamped(frame) * np.float32(levels)) / np.float32(levels)


def _eight_bits(frame: np.ndarray) -> np.ndarray:
    return _rounded(frame, 255)
