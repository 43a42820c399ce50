"""Between the luma and chroma planes of a video frame and RGB, so that what goes in comes out again.

FFmpeg's converter guesses where chroma samples lie, guesses otherwise on the way back, and drops every other sample for
some depths: chroma then moves by half a pixel. Here a chroma sample is repeated over the luma samples it stands for,
and the mean over these goes back. The two undo each other for any siting of the samples, so nothing moves, and with
RGB of 16 bits a sample comes back as it was to less than half a step of 12 bits (colors outside RGB's range are
clipped to it).
"""

import re
from typing import Any, NamedTuple

import cv2
import numpy as np

# Kr and Kb of the color matrices, by their number in ISO/IEC 23091-2.
COEFFICIENTS = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.601
    6: (0.299, 0.114),
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020
}
WHITE = 65535.0
_PLANAR = re.compile(r"yuvj?(4[24][024])p(9|10|12|14|16)?(le)?$")
_SHARE = {"420": (2, 2), "422": (1, 2), "444": (1, 1)}  # luma rows and columns of a chroma sample


class Samples(NamedTuple):
    """How a frame's samples are to be read.

    chroma: "420", "422" or "444". bits: of a sample. matrix: a key of :data:`COEFFICIENTS`. full_range: whether luma
    goes from 0 to the greatest value, and not from 16 to 235 (of 255).
    """

    chroma: str
    bits: int
    matrix: int
    full_range: bool

    @property
    def pix_fmt(self) -> str:
        """FFmpeg's name of planes of such samples."""
        return f"yuv{self.chroma}p" if self.bits == 8 else f"yuv{self.chroma}p{self.bits}le"


def planes_of(frame: Any, samples: Samples) -> list[np.ndarray]:
    """Luma and chroma of a PyAV frame, uint8 or uint16, each at its own size; gray has luma alone."""
    gray = frame.format.name.startswith("gray")
    if not gray and not _PLANAR.match(frame.format.name):
        frame = frame.reformat(format=samples.pix_fmt)  # the same samples in another order, as from NV12
    kind = np.uint8 if samples.bits == 8 else np.uint16
    found = []
    for number, plane in enumerate(frame.planes[: 1 if gray else 3]):
        height, width = _size(frame.height, frame.width, samples.chroma if number else "444")
        rows = np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind().itemsize)
        found.append(rows[:height, :width])
    return found


def to_rgb(planes: list[np.ndarray], samples: Samples) -> np.ndarray:
    """uint16 [H,W,3] RGB, 0..65535, of luma and chroma planes."""
    height, width = planes[0].shape
    scale, offset = _luma(samples)
    luma = (planes[0].astype(np.float32) - offset) * scale
    if len(planes) == 1:
        rgb = np.repeat(luma[..., None], 3, axis=2)
    else:
        middle, reach = 1 << (samples.bits - 1), _reach(samples)
        blue, red = ((plane.astype(np.float32) - middle) / reach for plane in planes[1:])
        down, across = _SHARE[samples.chroma]
        size = (blue.shape[1] * across, blue.shape[0] * down)
        blue, red = (cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST)[:height, :width] for plane in (blue, red))
        rgb = cv2.transform(np.dstack((luma, blue, red)), _to_rgb_matrix(samples.matrix))
    return (np.clip(rgb, 0, 1) * WHITE + 0.5).astype(np.uint16)


def from_rgb(rgb: np.ndarray, samples: Samples) -> list[np.ndarray]:
    """The inverse of :func:`to_rgb`: rgb uint16 [H,W,3] -> three planes, uint8 or uint16."""
    height, width = rgb.shape[:2]
    ycc = cv2.transform(rgb.astype(np.float32) / WHITE, np.linalg.inv(_to_rgb_matrix(samples.matrix)))
    scale, offset = _luma(samples)
    down, across = _SHARE[samples.chroma]
    # An odd last row or column stands for itself alone: repeated, it has the mean that it has.
    chroma = cv2.copyMakeBorder(ycc[..., 1:], 0, -height % down, 0, -width % across, cv2.BORDER_REPLICATE)
    if down * across > 1:
        small = (chroma.shape[1] // across, chroma.shape[0] // down)
        chroma = cv2.resize(chroma, small, interpolation=cv2.INTER_AREA)
    middle, reach = 1 << (samples.bits - 1), _reach(samples)
    values = [ycc[..., 0] / scale + offset, *(chroma[..., n] * reach + middle for n in (0, 1))]
    kind, most = (np.uint8, 255) if samples.bits == 8 else (np.uint16, (1 << samples.bits) - 1)
    return [np.clip(np.rint(value), 0, most).astype(kind) for value in values]


def frame_of(av: Any, planes: list[np.ndarray], pix_fmt: str) -> Any:
    """A PyAV frame that holds these planes; ``pix_fmt`` is FFmpeg's name of their order."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pix_fmt)
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.frombuffer(plane, values.dtype).reshape(-1, plane.line_size // values.itemsize)
        rows[: values.shape[0], : values.shape[1]] = values
    return frame


def _size(height: int, width: int, chroma: str) -> tuple[int, int]:
    down, across = _SHARE[chroma]
    return -(-height // down), -(-width // across)


def _luma(samples: Samples) -> tuple[float, int]:
    """What luma is multiplied by, and what is taken from it before, to lie in 0..1."""
    if samples.full_range:
        return 1 / ((1 << samples.bits) - 1), 0
    unit = 1 << (samples.bits - 8)
    return 1 / (219 * unit), 16 * unit


def _reach(samples: Samples) -> float:
    """How many steps chroma goes from -0.5 to 0.5."""
    return (1 << samples.bits) - 1 if samples.full_range else 224 << (samples.bits - 8)


def _to_rgb_matrix(number: int) -> np.ndarray:
    red, blue = COEFFICIENTS[number]
    green = 1 - red - blue
    return np.array(
        [
            [1, 0, 2 * (1 - red)],
            [1, -2 * (1 - blue) * blue / green, -2 * (1 - red) * red / green],
            [1, 2 * (1 - blue), 0],
        ]
    )
