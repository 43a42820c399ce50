"""The rigid paths on which a synthetic scene's layers move: smooth, and no faster than asked for."""

import math
from typing import NamedTuple

import numpy as np

OVERSAMPLING = 2.0  # texture pixels per frame pixel
ZOOM = 0.2  # largest log-scale excursion, so that a texture's blur stays right
# How the largest motion is shared out: the parts add up to 1, so no layer moves by (much) more.
PAN_SHARE, SHAKE_SHARE, SPIN_SHARE, ZOOM_SHARE = 0.64, 0.12, 0.14, 0.1


class Wave(NamedTuple):
    """amplitude * sin(frequency * t + phase), less its value at t = 0."""

    amplitude: float
    frequency: float
    phase: float

    @classmethod
    def draw(cls, rng: np.random.Generator, speed: float, largest: float = math.inf) -> "Wave":
        """A wave whose value changes by at most ``speed`` per frame and is at most ``largest`` high."""
        frequency = 2 * math.pi / rng.uniform(5.0, 25.0)
        amplitude = min(rng.uniform(0.2, 1.0) * speed / frequency, largest / 2)
        return cls(amplitude, frequency, rng.uniform(0.0, 2 * math.pi))

    def at(self, t: float) -> float:
        """Its value at frame ``t``, 0 at frame 0."""
        return self.amplitude * (math.sin(self.frequency * t + self.phase) - math.sin(self.phase))


class Path(NamedTuple):
    """How a layer moves: its pivot (frame pixels) and scale, angle and anchor (texture pixels) over time."""

    pivot: tuple[float, float]
    anchor: tuple[float, float]
    velocity: tuple[float, float]  # frame pixels per frame, of what is seen
    middle: float  # the time at which the layer is at its pivot and anchor
    shake: tuple[Wave, Wave]
    angle: float
    turn: Wave
    zoom: Wave
    follows_camera: bool  # the photograph moves below a fixed pivot, or the pivot itself moves

    def matrix(self, t: float) -> np.ndarray:
        """Frame coordinates -> texture coordinates at time ``t``, float64 [2,3]."""
        moved_x = self.velocity[0] * (t - self.middle) + self.shake[0].at(t)
        moved_y = self.velocity[1] * (t - self.middle) + self.shake[1].at(t)
        angle = self.angle + self.turn.at(t)
        scale = OVERSAMPLING * math.exp(self.zoom.at(t))
        c, s = scale * math.cos(angle), scale * math.sin(angle)
        x, y = self.pivot
        u, v = self.anchor
        if self.follows_camera:
            u, v = u - OVERSAMPLING * moved_x, v - OVERSAMPLING * moved_y
        else:
            x, y = x + moved_x, y + moved_y
        return np.array([[c, -s, u - c * x + s * y], [s, c, v - s * x - c * y]])


def draw_motion(
    rng: np.random.Generator, max_motion: float, reach: float, room: tuple[float, float], frames: int
) -> dict:
    """Draw what background and foreground share.

    Args:
        max_motion: pixels per frame.
        reach: the layer's largest distance from its pivot, frame pixels.
        room: how far the layer may travel in x and y while the scene lasts, frame pixels.
        frames: length of the scene.
    """
    speed = PAN_SHARE * max_motion * math.sqrt(rng.uniform(0.0, 1.0))
    heading = rng.uniform(0.0, 2 * math.pi)
    velocity = tuple(
        math.copysign(min(abs(v), r / max(frames - 1, 1)), v)
        for v, r in zip((speed * math.cos(heading), speed * math.sin(heading)), room, strict=True)
    )
    shake = SHAKE_SHARE * max_motion / math.sqrt(2)
    return {
        "velocity": velocity,
        "middle": (frames - 1) / 2,
        "shake": (Wave.draw(rng, shake), Wave.draw(rng, shake)),
        "turn": Wave.draw(rng, SPIN_SHARE * max_motion / reach, math.pi / 4),
        "zoom": Wave.draw(rng, ZOOM_SHARE * max_motion / reach, ZOOM),
    }
