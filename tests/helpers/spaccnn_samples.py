"""Frames of a camera that pans."""

import cv2
import numpy as np


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A textured picture [3,H,W] in [0,1]."""
    rng = np.random.default_rng(seed)
    picture = sum(
        share * cv2.resize(rng.random((height // size, width // size, 3), dtype=np.float32), (width, height))
        for size, share in ((16, 0.5), (4, 0.5))
    )
    return picture.transpose(2, 0, 1)


def panned(height: int, width: int, down: int, right: int) -> np.ndarray:
    """Five frames [5,3,H,W] over which the content moves by (down, right) pixels a frame."""
    picture = scene(height + 40, width + 40)
    return np.stack([picture[:, 20 - down * t :, 20 - right * t :][:, :height, :width] for t in range(-2, 3)])
