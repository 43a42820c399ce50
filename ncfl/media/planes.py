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
_PLANAR = re.compile(r"yuvj?(4[24][024]|41[01])p(9|10|12|14|16)?(le)?$")
# Luma rows and columns of a chroma sample, by the names of how color is stored.
SHARE = {"420": (2, 2), "422": (1, 2), "444": (1, 1), "440": (2, 1), "411": (1, 4), "410": (4, 4)}


class Samples(NamedTuple):
    """How a frame's samples are to be read.

    chroma: a key of :data:`SHARE`. bits: of a sample. matrix: a key of :data:`COEFFICIENTS`. full_range: whether luma
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
    matrix = _of_samples(samples)
    if len(planes) == 1:
        middle = matrix[:, 1:3].sum(1) * (1 << (samples.bits - 1)) + matrix[:, 3]
        return cv2.transform(planes[0].astype(np.uint16), np.column_stack((matrix[:, 0], middle)))
    down, across = SHARE[samples.chroma]
    size = (planes[1].shape[1] * across, planes[1].shape[0] * down)
    color = (cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST)[:height, :width] for plane in planes[1:])
    return cv2.transform(cv2.merge((planes[0], *color)).astype(np.uint16, copy=False), matrix)


def from_rgb(rgb: np.ndarray, samples: Samples) -> list[np.ndarray]:
    """The inverse of :func:`to_rgb`: rgb uint16 [H,W,3] -> three planes, uint8 or uint16."""
    matrix = np.linalg.inv(np.vstack((_of_samples(samples), (0, 0, 0, 1))))[:3]
    matrix[1:] *= 1 << (16 - samples.bits)  # parts of a step, so that a mean is rounded once
    down, across = SHARE[samples.chroma]
    # OpenCV is fast with three channels at once and slow with one or two of them.
    all_three = cv2.transform(rgb, matrix)
    luma = np.minimum(cv2.extractChannel(all_three, 0), (1 << samples.bits) - 1)
    if down * across > 1:
        height, width = rgb.shape[:2]
        if height % down or width % across:
            # An odd last row or column stands for itself alone: repeated, it has the mean that it has.
            edges = (0, -height % down, 0, -width % across)
            all_three = cv2.copyMakeBorder(all_three, *edges, cv2.BORDER_REPLICATE)
        small = (all_three.shape[1] // across, all_three.shape[0] // down)
        all_three = cv2.resize(all_three, small, interpolation=cv2.INTER_AREA)
    chroma = (_in_steps(cv2.extractChannel(all_three, channel), samples.bits) for channel in (1, 2))
    kind = np.uint8 if samples.bits == 8 else np.uint16
    return [plane.astype(kind, copy=False) for plane in (luma, *chroma)]


def _in_steps(plane: np.ndarray, bits: int) -> np.ndarray:
    """Samples of 16 bits rounded to fewer, in place."""
    half = (1 << (16 - bits)) >> 1
    np.minimum(plane, 65535 - half, out=plane)
    plane += half
    plane >>= 16 - bits
    return plane


def frame_of(av: Any, planes: list[np.ndarray], pix_fmt: str) -> Any:
    """A PyAV frame that holds these planes; ``pix_fmt`` is FFmpeg's name of their order."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pix_fmt)
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.frombuffer(plane, values.dtype).reshape(-1, plane.line_size // values.itemsize)
        rows[: values.shape[0], : values.shape[1]] = values
    return frame


def _size(height: int, width: int, chroma: str) -> tuple[int, int]:
    down, across = SHARE[chroma]
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


def _of_samples(samples: Samples) -> np.ndarray:
    """[3,4]: what RGB, 0..65535, is of luma, two chroma samples and 1; OpenCV rounds and clips what it gives."""
    scale, offset = _luma(samples)
    reach, middle = _reach(samples), 1 << (samples.bits - 1)
    matrix = _to_rgb_matrix(samples.matrix) @ np.diag((scale, 1 / reach, 1 / reach)) * WHITE
    return np.column_stack((matrix, matrix @ (-offset, -middle, -middle)))


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
