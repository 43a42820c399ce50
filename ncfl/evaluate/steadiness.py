"""How steady a restoration's errors are: what changes from frame to frame is seen as flicker."""

import cv2
import numpy as np


class Steadiness:
    """Correlates the errors of each frame with those of the frame before, moved along.

    1: errors move with the scene, as texture that was smoothed away does; 0: they are new in every frame, as noise is.
    """

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._found: list[float] = []

    def add(self, error: np.ndarray, motion: np.ndarray | None) -> None:
        """The next frame.

        Args:
            error: float32 [H,W,3], restored less clean.
            motion: float32 [H,W,2] (x, y), pixels: where each pixel was in the frame before, as
                :func:`ncfl.evaluate.speed.dis` gives; None for a frame that is not compared with the one before.
        """
        if motion is not None and self._before is not None:
            height, width = motion.shape[:2]
            columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
            across, down = columns + motion[..., 0], rows + motion[..., 1]
            inside = (across >= 0) & (across <= width - 1) & (down >= 0) & (down <= height - 1)
            # The nearest pixel: a mean of several would smooth the errors, and make them more alike than they are.
            moved = cv2.remap(self._before, across, down, cv2.INTER_NEAREST)
            pair = np.stack([error[inside].ravel(), moved[inside].ravel()]).astype(np.float64)
            if pair.shape[1] > 1 and (pair.std(1) > 0).all():
                self._found.append(float(np.corrcoef(pair)[0, 1]))
        self._before = error

    def correlation(self) -> float | None:
        """The mean over the frames; None where none was compared."""
        return float(np.mean(self._found)) if self._found else None
