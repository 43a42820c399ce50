"""When the frames of a video file are shown, in the unit of its clock."""

import math
from fractions import Fraction
from typing import Any, NamedTuple

from ncfl.media.frame_io import FrameTime, Origin

EVEN_RATE = (".avi", ".y4m")
_FINEST = Fraction(1, 1_000_000)  # seconds


class TimePlace(NamedTuple):
    """When a frame is shown and for how long, in units of the file's clock."""

    start: int
    duration: int


class Timetable:
    """Gives frames their places, one after the other.

    Args:
        rate: frames per second.
        suffix: of the format, such as ".mp4"; some know one rate alone.
        origin: the video that the frames are of, where there is one.

    Attributes:
        base: the unit of the clock, seconds.
        even: whether the format knows one rate alone.
        uneven: whether frames came at times that one rate does not give, where the format knows one rate alone.
    """

    def __init__(self, rate: Fraction, suffix: str, origin: Origin | None) -> None:
        self.even, self._rate = suffix in EVEN_RATE, rate
        self._unit = origin.time_base if origin else Fraction(0)
        self.base = 1 / rate if self.even or origin is None else _common(self._unit, 1 / rate)
        self.uneven = False
        self._count, self._last, self._first = 0, None, None

    def place(self, time: FrameTime | None) -> TimePlace:
        """The next frame's; after the one before where it has no time. Starts grow, which encoders insist on."""
        usual = 1 / self._rate
        start, duration = self._count * usual, usual
        if time is not None:
            self._first = time.start if self._first is None else self._first
            apart = abs(time.start - self._first - start)
            self.uneven |= self.even and apart > usual
            if not self.even:
                # A file that counts milliseconds says 33, 67, 100 and means 30 a second.
                start = self._first + start if apart <= self._unit / 2 else time.start
                duration = time.duration or usual
                duration = usual if abs(duration - usual) <= self._unit / 2 else duration
        self._count += 1
        begin = round(start / self.base)
        self._last = begin if self._last is None else max(begin, self._last + 1)
        return TimePlace(self._last, max(1, round(duration / self.base)))

    def keep(self) -> dict[str, Any]:
        """What a later :meth:`resume` goes on from: plain data."""
        first = None if self._first is None else str(self._first)
        return {"count": self._count, "last": self._last, "first": first, "uneven": self.uneven}

    def resume(self, kept: dict[str, Any]) -> None:
        """Go on after the frames that had their places when ``kept`` was kept."""
        self._count, self._last, self.uneven = kept["count"], kept["last"], kept["uneven"]
        self._first = None if kept["first"] is None else Fraction(kept["first"])


def _common(a: Fraction, b: Fraction) -> Fraction:
    """The largest unit that both are multiples of; ``a`` where it would be too small for containers."""
    common = Fraction(math.gcd(a.numerator * b.denominator, b.numerator * a.denominator), a.denominator * b.denominator)
    return common if common >= _FINEST else a
