"""Whether a clip's noise is white, as trainings add it, or shared by neighboring pixels, as files from cameras have it.

The means of 2 x 2 pixels have half the standard deviation of white noise, and more of noise that neighbors share: after
demosaicing, at half the resolution of color, after a codec. So the noise level of a frame over twice that of its means
is 1 for white noise. Texture is coarser than white noise and lowers it too, where there is little noise.
"""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from ncfl.media.video import open_frames
from ncfl.restoring.noise import estimate_frame

LOOKED_AT, EVERY = 5, 8  # frames of a file: near its beginning, so that a film is not decoded for them
_LEAST = 0.5  # of 255: a frame with less noise than that tells nothing: black, or drawn


def whiteness(frame: np.ndarray) -> float | None:
    """How white the noise of a frame is: 1 for white noise, about 0.4 for a camera's; None where there is none.

    Args:
        frame: as :func:`ncfl.restoring.noise.estimate_frame` takes it.
    """
    height, width = frame.shape[0] // 2, frame.shape[1] // 2
    scale = 257 if frame.dtype == np.uint16 else 1
    values = frame[: 2 * height, : 2 * width].astype(np.float32) / scale
    means = cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA)
    fine, coarse = estimate_frame(values), estimate_frame(means)
    return fine / (2 * coarse) if min(fine, coarse) > _LEAST else None


def whiteness_of_frames(frames: Iterable[np.ndarray]) -> float | None:
    """The median over those frames that tell something; None where none does."""
    found = [one for one in map(whiteness, frames) if one is not None]
    return float(np.median(found)) if found else None


def whiteness_of_file(path: Path) -> float | None:
    """That of a video file or a folder of pictures, from some frames near its beginning.

    Raises:
        InputError: an input that can't be read.
    """
    with open_frames(path, allow_gaps=True) as reader:
        return whiteness_of_frames(islice(reader, 0, LOOKED_AT * EVERY, EVERY))
