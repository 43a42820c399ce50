"""Real pictures in motion."""

import numpy as np

from ncfl.data.synthetic.photographs import TRAIN_PHOTOGRAPHS, load


def pan(frames: int, height: int, width: int, *, top: int = 0, left: int = 0) -> np.ndarray:
    """A window that moves one pixel to the right per frame over a photograph, uint8 [T,H,W,3] RGB."""
    photograph = load(TRAIN_PHOTOGRAPHS[:1])[TRAIN_PHOTOGRAPHS[0]]
    return np.stack([photograph[top : top + height, left + t : left + t + width] for t in range(frames)])
