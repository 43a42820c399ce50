"""How strong the noise of a frame or a video is, from itself alone.

The mask of J. Immerkaer, "Fast Noise Variance Estimation" (Computer Vision and Image Understanding 64, 1996), the
difference of two Laplacians, hardly answers to smooth surfaces and straight edges. What it does answer is taken for
noise by the median of its absolute values (D. L. Donoho and I. M. Johnstone, "Ideal spatial adaptation by wavelet
shrinkage", Biometrika 81, 1994), which the few strong answers of texture move little. Places so dark or so bright
that the noise was clipped there are left out: it would seem weaker than it is.

Each channel is asked by itself, and their mean is given. The noise is not taken to be alike in all of them: it is not
in a video whose color is stored at half the resolution (4:2:0), which makes methods that look at all channels together,
like the eigenvalues of color patches, come out many times too low.
"""

from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ncfl.common.errors import InputError
from ncfl.media.video import open_frames
from ncfl.restoring.limits import MIN_SIZE

FRAMES = 25  # of a video; their median varies far less than the estimate's own error
_MASK = np.array([1, -2, 1], np.float32) / np.float32(6**0.5)  # unit gain for white noise, applied in both directions
MEDIAN = 0.674490  # of the absolute value of a standard normal variable
_MARGIN = 2.0  # sigmas between the mean around a place and either end of the range
_AROUND = (7, 7)  # pixels, of that mean
_FEWEST = 0.03  # share of a channel that must be left for an estimate without clipped places
_ROUNDS = 3


class Estimate(NamedTuple):
    """sigma: standard deviation of the noise, 0..255; frames: how many were looked at."""

    sigma: float
    frames: int


def estimate_frame(frame: np.ndarray) -> float:
    """The standard deviation of the noise in a frame, on the scale 0..255 whatever the frame's type.

    Args:
        frame: [H,W,C] or [H,W], at least 16 x 16: uint8; uint16, 0..65535; or floating point, 0..255.

    Returns:
        The mean over the channels. Fine texture is taken for noise: clean footage has 0.5 to 1.5.
    """
    scale = 257 if frame.dtype == np.uint16 else 1
    channels = np.atleast_3d(frame.astype(np.float32) / scale)
    return float(np.mean([_channel(channels[..., c]) for c in range(channels.shape[2])]))


def responses(values: np.ndarray) -> np.ndarray:
    """What the mask answers, without sign: float32 of the same shape; :data:`MEDIAN` sigma at the median of noise."""
    return np.abs(cv2.sepFilter2D(values, -1, _MASK, _MASK))


def _channel(values: np.ndarray) -> float:
    answers = responses(values)[1:-1, 1:-1]
    around = cv2.blur(values, _AROUND)[1:-1, 1:-1]
    sigma = np.median(answers) / MEDIAN
    for _ in range(_ROUNDS):
        inside = (around > _MARGIN * sigma) & (around < 255 - _MARGIN * sigma)
        if inside.mean() < _FEWEST:
            break
        sigma = np.median(answers[inside]) / MEDIAN
    return float(sigma)


def estimate_video(path: Path, *, frames: int = FRAMES) -> Estimate:
    """The noise level of a video file or a folder of pictures: the median over frames spread over its length.

    Args:
        path: the file or folder.
        frames: about how many frames are looked at; one after the other where the length is unknown.

    Raises:
        InputError: an input that can't be read, or frames that are too small.
    """
    with open_frames(path) as reader:
        if min(reader.size) < MIN_SIZE:
            height, width = reader.size
            raise InputError(
                f"{path}: expected at least {MIN_SIZE} pixels in height and width, for the noise level, got "
                f"{height} x {width}"
            )
        every = max(1, (reader.frames_hint or 0) // frames)
        levels = [estimate_frame(frame) for frame in islice(reader, 0, every * frames, every)]
    return Estimate(float(np.median(levels)), len(levels))
