"""How fast the parts of a clip move, where no exact motion is known: by OpenCV's DIS on clean frames."""

import itertools
import math
from collections.abc import Sequence

import cv2
import numpy as np

EDGES = (0.0, 1.0, 3.0, 12.0, 24.0, math.inf)  # pixels per frame


def dis(after: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Backward motion by DIS (Kroeger et al. 2016): uint8 gray frames [H,W] -> float32 [H,W,2] (x, y), pixels."""
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(after, before, None)


def ranges(edges: Sequence[float] = EDGES) -> list[str]:
    """What the ranges between neighbouring edges are called."""
    return [
        f"above {low:g} px" if math.isinf(high) else f"{low:g} to {high:g} px"
        for low, high in itertools.pairwise(edges)
    ]


def range_of(motion: np.ndarray) -> np.ndarray:
    """float32 [H,W,2], pixels -> uint8 [H,W]: the number in :func:`ranges` of the range that each length falls into."""
    return np.digitize(np.linalg.norm(motion, axis=2), EDGES[1:-1]).astype(np.uint8)


def motion_of_each_frame(frames: Sequence[np.ndarray], first: int) -> list[np.ndarray]:
    """Where each pixel was in the frame before, by :func:`dis`.

    Args:
        frames: uint8 RGB [H,W,3], all of one size.
        first: the first frame that is wanted, 1 or more.

    Returns:
        float32 [H,W,2] (x, y), pixels, for each frame from ``first`` on.
    """
    gray = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in frames[first - 1 :]]
    return [dis(after, before) for before, after in itertools.pairwise(gray)]
