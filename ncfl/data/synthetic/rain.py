"""Synthetic rain for stand-ins of the deraining datasets: streaks, and the veil of what falls too far away to see.

    rainy = screen(veiled, streaks),     veiled = (1 - v) * clean + v * light,     screen(a, s) = a + s * (1 - a)

| kind | as in | rain |
|---|---|---|
| rain-light | RainSynLight25 | sparse faint streaks of one size |
| rain-rendered | NTU-Rain | streaks of several depths: many small faint ones far away, few long soft ones near |
| rain-heavy | RainSynComplex25 | dense sharp lines among dense streaks, and a veil |
| rain-accumulated | RainSynAll100 | streaks and a veil whose thickness flows over the frame |

The looks follow the descriptions in the papers (Liu et al. 2018, "Erase or Fill?"; Yang et al. 2019, "Frame-Consistent
Recurrent Video Deraining"; Chen et al. 2018, "Robust Video Content Alignment and Compensation for Rain Removal"); the
numbers are this project's own. Needs numpy and OpenCV only.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from ncfl.common.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Streaks:
    """The streaks of one depth. Lengths are in frame heights, so that rain looks the same at every size.

    Attributes:
        count: in a square as high as the frame.
        length: shortest and longest.
        blur: standard deviation across.
        strength: faintest and strongest, of a line's middle: 1 makes it white.
    """

    count: int
    length: tuple[float, float]
    blur: float
    strength: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Style:
    """A kind of rain.

    Attributes:
        depths: far to near.
        veil: least and most opacity of the accumulated rain, drawn per clip.
        flow: by which share of itself the veil varies over the frame and in time.
    """

    depths: tuple[Streaks, ...]
    veil: tuple[float, float] = (0.0, 0.0)
    flow: float = 0.0


STYLES = {
    "rain-light": Style(depths=(Streaks(count=50, length=(0.08, 0.2), blur=0.005, strength=(0.15, 0.5)),)),
    "rain-rendered": Style(
        depths=(
            Streaks(count=160, length=(0.03, 0.06), blur=0.003, strength=(0.05, 0.2)),
            Streaks(count=40, length=(0.08, 0.16), blur=0.005, strength=(0.1, 0.35)),
            Streaks(count=6, length=(0.25, 0.45), blur=0.012, strength=(0.15, 0.35)),
        ),
    ),
    "rain-heavy": Style(
        depths=(
            Streaks(count=150, length=(0.05, 0.12), blur=0.005, strength=(0.1, 0.35)),
            Streaks(count=28, length=(0.2, 0.5), blur=0.0035, strength=(0.3, 0.7)),
        ),
        veil=(0.06, 0.14),
    ),
    "rain-accumulated": Style(
        depths=(
            Streaks(count=120, length=(0.04, 0.1), blur=0.004, strength=(0.1, 0.35)),
            Streaks(count=30, length=(0.12, 0.3), blur=0.006, strength=(0.15, 0.45)),
        ),
        veil=(0.12, 0.22),
        flow=0.6,
    ),
}

TILT = 25.0  # degrees from the vertical, at most: the wind of a clip
JITTER = 2.0  # degrees, standard deviation: of a streak about its clip's direction
LIGHT = (0.7, 0.9)  # of the sky, which a veil scatters
WAVES = 4  # of which a flowing veil is made


class Rain:
    """The rain of one clip.

    Args:
        kind: a name of :data:`STYLES`.
        height, width: of a frame, pixels.
        rng: wind, veil and the seed of the streaks; nothing is drawn after construction.

    Raises:
        InputError: an unknown kind.
    """

    def __init__(self, kind: str, height: int, width: int, rng: np.random.Generator) -> None:
        if kind not in STYLES:
            raise InputError(f"rain: expected {', '.join(STYLES)}, got {kind!r}")
        self.style = STYLES[kind]
        self.size = (height, width)
        self.angle = math.radians(rng.uniform(-TILT, TILT))  # from straight down towards the right
        self._veil = rng.uniform(*self.style.veil)
        self._light = np.float32(rng.uniform(*LIGHT))
        # Radians per frame height, across and down; radians per frame; phase.
        self._waves = rng.uniform((-6, -6, 0.2, 0), (6, 6, 0.6, 2 * math.pi), (WAVES, 4))
        self._seed = int(rng.integers(2**63))

    def apply(self, frame: np.ndarray, t: int) -> np.ndarray:
        """A frame in this rain.

        Args:
            frame: uint8, or float in [0,1]: [H,W,3].
            t: its number, from 0; frames can be asked for in any order.

        Returns:
            uint8 [H,W,3].
        """
        if frame.shape != (*self.size, 3):
            raise ValueError(f"frame: expected {[*self.size, 3]}, the size of this rain, got {list(frame.shape)}")
        clean = frame.astype(np.float32)
        if frame.dtype == np.uint8:
            clean /= 255
        veil, streaks = self.veil(t)[..., None], self.streaks(t)[..., None]
        veiled = clean + veil * (self._light - clean)
        rainy = veiled + streaks * (1 - veiled)
        return np.rint(rainy.clip(0, 1) * 255).astype(np.uint8)

    def veil(self, t: int) -> np.ndarray:
        """Opacity of the accumulated rain at frame ``t``, float32 [H,W] in [0,1]."""
        height, width = self.size
        opacity = np.full(self.size, self._veil, np.float32)
        if self.style.flow:
            x, y, speed, phase = self._waves.T
            across = x[:, None] * np.arange(width) / height
            down = y * np.arange(height)[:, None] / height + speed * t + phase
            waves = np.sin(down) @ np.cos(across) + np.cos(down) @ np.sin(across)  # sum of sin(down + across)
            opacity *= 1 + self.style.flow / WAVES * waves.astype(np.float32)
        return opacity

    def streaks(self, t: int) -> np.ndarray:
        """How white the streaks of frame ``t`` are, float32 [H,W] in [0,1]; others in every frame."""
        rng = np.random.default_rng((self._seed, t))
        total = sum(self._draw(depth, rng) for depth in self.style.depths)
        return np.minimum(total, 1)

    def _draw(self, depth: Streaks, rng: np.random.Generator) -> np.ndarray:
        height, width = self.size
        reach = depth.length[1] * height  # streaks come in from outside the frame
        share = (height + reach) * (width + 2 * reach) / height**2
        count = int(rng.poisson(depth.count * share))
        length = rng.uniform(*depth.length, count)[:, None] * height
        angle = self.angle + np.radians(JITTER) * rng.standard_normal(count)[:, None]
        along = (np.arange(math.ceil(reach)) + 0.5) / math.ceil(reach)  # less than a pixel apart
        x = rng.uniform(-reach, width + reach, count)[:, None] + np.sin(angle) * length * along
        y = rng.uniform(-reach, height, count)[:, None] + np.cos(angle) * length * along
        strength = rng.uniform(*depth.strength, count)[:, None]
        # Light per pixel of length; both ends fade out.
        light = strength * np.minimum(1, 4 * np.minimum(along, 1 - along)) * length / along.size
        blur = depth.blur * height
        canvas = splat(x.ravel(), y.ravel(), light.ravel(), self.size)
        # A line blurred across by s has 1 / (sqrt(2 pi) s) of its light in its middle. Pixels don't show lines
        # thinner than they are: those get fainter instead.
        return cv2.GaussianBlur(canvas, (0, 0), max(blur, 0.3)) * np.float32(math.sqrt(2 * math.pi) * blur)


def splat(x: np.ndarray, y: np.ndarray, light: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Spread points of light over the four pixels around each; what falls outside the frame is lost.

    Args:
        x, y: [N], pixels, 0 = the first pixel's center.
        light: [N].
        size: (height, width).

    Returns:
        float32 [H,W].
    """
    height, width = size
    near = (x > -1) & (x < width) & (y > -1) & (y < height)
    x, y, light = x[near], y[near], light[near]
    column, row = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    right, below = x - column, y - row
    canvas = np.zeros((height + 2) * (width + 2))  # one pixel more on every side
    for down, share_y in ((0, 1 - below), (1, below)):
        for across, share_x in ((0, 1 - right), (1, right)):
            place = (row + down + 1) * (width + 2) + column + across + 1
            canvas += np.bincount(place, light * share_x * share_y, canvas.size)
    return canvas.reshape(height + 2, width + 2)[1:-1, 1:-1].astype(np.float32)
