"""Gray frames for networks that learned on color.

Noise that is alike in all three channels is nothing such a network has seen, and it keeps it: a clip at sigma 30 goes
from 19.1 to 20.7 dB. So the noise is made what it knows. With g the gray noise of standard deviation sigma and z three
channels of independent noise of unit variance, g + sqrt(3) sigma (z - mean(z)) is, channel by channel, independent
noise of standard deviation sqrt(3) sigma: the added part has variance 2 sigma^2 in a channel and covariance -sigma^2
between two, which cancels that of g. Its mean over the channels is zero, so the mean of the channels stays as it came,
and the mean of the restored channels is the answer.

A network that has learned on gray clips too does better without where there is much noise: then the frames pass as
they are from that level on (``gray_from``).

Measured with `ncfl-half` on two gray clips of DAVIS (320x240, 8 bits): at sigma 10 from 29.8 and 29.4 dB to 36.8 and
31.6, at 30 from 20.3 and 20.7 to 31.2 and 26.3, at 50 from 16.1 and 16.8 to 27.8 and 23.8; their twins in color, whose
three channels tell three times as much about the noise, reach 37.9 and 33.8, 33.1 and 28.1, 29.8 and 25.0.
"""

import math
from collections import deque
from typing import Any

import torch
from torch import Tensor

from ncfl.restoring.noise import estimate_frame

_LEAST = 2.0  # of 255: weaker noise is left alone, and so are frames that are black or white
_SPREAD = 3**0.5
_ALIKE = 1.5 / 255  # how far the channels of a gray frame may lie apart, for JPEG's rounding


class GrayFrames:
    """Prepares frames for a method and finishes what it gives back, in the same order; others pass as they are.

    Args:
        sigma: the noise level in 0..255; estimated for each frame where it is None.
        gray_from: the noise level from which on the method restores gray frames better as they are; None: never.

    Attributes:
        count: how many frames were gray and noisy.
    """

    def __init__(self, sigma: float | None = None, gray_from: float | None = None) -> None:
        self._sigma, self._on = sigma, True
        self._most = math.inf if gray_from is None else gray_from
        self._gray: deque[bool] = deque()  # of the frames that the method has and has not given back
        self._seen = self.count = 0

    def keep(self) -> dict[str, Any]:
        """What a later :meth:`resume` goes on from: plain data."""
        return {"on": self._on, "count": self.count}

    def resume(self, kept: dict[str, Any], seen: int) -> None:
        """Go on as after ``seen`` frames, in the shot that was gone through when ``kept`` was kept."""
        self._on, self.count, self._seen = kept["on"], kept["count"], seen

    def told(self) -> float | None:
        """What the method was told of the noise of this shot; None untold."""
        if self._sigma is None:
            return None
        return min(255.0, _SPREAD * self._sigma) if self._on else self._sigma

    def begin(self, first: Tensor) -> float | None:
        """What a method is to be told of the noise of a shot that begins with ``first`` [1,3,H,W]; None untold.

        A method that is told sigma is told one for the whole shot, so there the first frame decides what it is.
        """
        if self._sigma is not None:
            self._on = self._level(first) is not None
        return self.told()

    def prepare(self, frame: Tensor) -> Tensor:
        """The frame [1,3,H,W] with noise as independent as the method knows it, where it is gray and noisy."""
        level = self._level(frame) if self._on else None
        self._gray.append(level is not None)
        self._seen += 1
        if level is None:
            return frame
        self.count += 1
        chance = torch.Generator().manual_seed(self._seen)
        noise = torch.randn(frame.shape, generator=chance)
        noise -= noise.mean(1, keepdim=True)
        return frame + (_SPREAD * level / 255 * noise).to(frame.device)

    def finish(self, restored: Tensor) -> Tensor:
        """The restoration [1,3,H,W] of the earliest frame that was prepared and not finished yet."""
        return restored.mean(1, keepdim=True).expand_as(restored) if self._gray.popleft() else restored

    def _level(self, frame: Tensor) -> float | None:
        """The strength of the noise, 0..255, of a frame that is gray and to be given colored noise; None of others."""
        if (frame.amax(1) - frame.amin(1)).max() > _ALIKE:
            return None
        found = estimate_frame(frame[0, 0].cpu().numpy() * 255)
        if found < _LEAST:
            return None
        level = found if self._sigma is None else self._sigma
        return level if level < self._most else None
