"""Whether a clip's noise is white, as trainings add it, or shared by neighboring pixels, as files from cameras have it.

The means of 2 x 2 pixels have half the standard deviation of white noise, and more of noise that neighbors share: after
demosaicing, at half the resolution of color, after a codec. So the noise level of a frame over twice that of its means
is 1 for white noise. Texture is coarser than white noise and lowers it too, so only the flattest blocks are asked, and
weak noise is compared with what white noise as weak has on a scene.
"""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from ncfl.media.video import open_frames
from ncfl.restoring.noise import MEDIAN, responses

LOOKED_AT, EVERY = 5, 8  # frames of a file: near its beginning, so that a film is not decoded for them
LEAST = 3.2  # of 255, in the means of 2 x 2: the flattest blocks of clean footage have up to 3
COARSEST = 0.25  # clean texture at its own size has 0.15 to 0.24, the noise of cameras 0.3 to 0.5
ON_SCENES = ((6.5, 10.0), (0.69, 1.0))  # levels in the means; what white noise has there on the most textured scenes
_BLOCK = 16  # pixels
_FLATTEST = 0.25  # share of the blocks
_SMOOTHED = 3.0  # pixels, the Gaussian after which what is left counts as structure and not as noise
_INSIDE = (20, 235)  # of 255: the mean of a block in which noise is not clipped


def whiteness(frame: np.ndarray) -> float | None:
    """How white the noise of a frame is: 1 for white noise, below 0.8 for noise that neighbors share; None where there
    is hardly any, or nothing but texture.

    Args:
        frame: [H,W,3], at least 16 x 16: uint8; uint16, 0..65535; or floating point, 0..255.
    """
    height, width = (size // _BLOCK * _BLOCK for size in frame.shape[:2])
    scale = 257 if frame.dtype == np.uint16 else 1
    values = frame[:height, :width].astype(np.float32) / scale
    means = cv2.resize(values, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    flat = _flattest(values)
    fine, coarse = _level(values, flat, _BLOCK), _level(means, flat, _BLOCK // 2)
    if coarse < LEAST or fine < COARSEST * 2 * coarse:
        return None
    return min(fine / (2 * coarse) / float(np.interp(coarse, *ON_SCENES)), 1.0)


def _flattest(values: np.ndarray) -> np.ndarray:
    """The blocks of [H,W,3] with the least structure, bool [H/16,W/16]; dark and bright ones only if all are."""
    smooth = cv2.GaussianBlur(values, (0, 0), _SMOOTHED).mean(2)
    rows, columns = (size // _BLOCK for size in smooth.shape)
    blocks = smooth.reshape(rows, _BLOCK, columns, _BLOCK).transpose(0, 2, 1, 3).reshape(rows, columns, -1)
    structure, mean = blocks.std(2), blocks.mean(2)
    inside = (mean > _INSIDE[0]) & (mean < _INSIDE[1])
    inside = inside if inside.any() else np.ones_like(inside)
    return inside & (structure <= np.quantile(structure[inside], _FLATTEST))


def _level(values: np.ndarray, blocks: np.ndarray, size: int) -> float:
    """The standard deviation of the noise in those blocks, 0..255, the mean over the channels."""
    where = np.kron(blocks, np.ones((size, size), bool))
    return float(np.mean(np.median(responses(values)[where], axis=0))) / MEDIAN


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
