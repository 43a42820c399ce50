"""Pairs of neighbouring real frames for the pretraining of motion estimation, their motion estimated from clean frames.

What real footage moves like, and how its textures alias, no rendered scene shows; its exact motion nobody knows.
OpenCV's DIS (Kroeger et al. 2016), which is given the clean frames, is a teacher that noise does not disturb: the
network, which sees noise, learns to find the same.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from ncfl.common.errors import InputError
from ncfl.data.packed import PackedClip
from ncfl.train.motion.pairs import Pairs


def real_pairs(clips: Sequence[PackedClip], count: int, size: int, seed: int) -> Pairs:
    """``count`` windows of ``size`` x ``size`` pixels; window i is a function of (seed, i).

    A clip is drawn in proportion to its frames. The motion is estimated on whole frames, so that what enters a window
    from outside has the right motion too. Clips smaller than the window are enlarged to it.

    Args:
        clips: those of one frame are passed over.
        count: of windows.
        size: of a window, pixels.
        seed: of every draw.

    Raises:
        InputError: no clip of two frames or more.
    """
    clips = [clip for clip in clips if len(clip.frames) > 1]
    if not clips:
        raise InputError("motion estimation: expected a pack with a clip of two frames or more, got none")
    lengths = np.array([len(clip.frames) - 1 for clip in clips])
    teacher = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    windows = []
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        clip = clips[int(rng.choice(len(clips), p=lengths / lengths.sum()))]
        t = int(rng.integers(1, len(clip.frames)))
        x_prev, x_t = (_at_least(size, frame) for frame in clip.frames[t - 1 : t + 1])
        if rng.integers(2):  # time may as well run backwards
            x_prev, x_t = x_t, x_prev
        mv = teacher.calc(cv2.cvtColor(x_t, cv2.COLOR_RGB2GRAY), cv2.cvtColor(x_prev, cv2.COLOR_RGB2GRAY), None)
        top, left = (int(rng.integers(side - size + 1)) for side in x_t.shape[:2])
        window = np.s_[top : top + size, left : left + size]
        windows.append([part[window].astype(np.float32) for part in (x_t, x_prev, mv)])
    x_t, x_prev, mv = (
        torch.from_numpy(np.stack(part)).permute(0, 3, 1, 2).contiguous() for part in zip(*windows, strict=True)
    )
    return Pairs(x_t / 255, x_prev / 255, mv)


def _at_least(size: int, frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    if min(height, width) >= size:
        return frame
    factor = size / min(height, width)
    larger = (max(size, round(factor * width)), max(size, round(factor * height)))
    return cv2.resize(frame, larger, interpolation=cv2.INTER_CUBIC)
