"""Progress that suits where it is read: a bar on a terminal, a plain line every few seconds in a log."""

import contextlib
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TextIO

SECONDS_BETWEEN_LINES = 10.0


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


class Progress(contextlib.AbstractContextManager):
    """Shows how far a loop is, with its current values and the time left.

    Args:
        total: how many steps there are, or None where nobody knows (a stream without a length).
        label: what is being done, a few words.
        start: the step to begin at (a resumed training).
        unit: what one step is called.
        stream: where to write; standard error unless told.
    """

    def __init__(
        self, total: int | None, label: str, *, start: int = 0, unit: str = "it", stream: TextIO | None = None
    ) -> None:
        self.total, self.label, self.start, self.unit = total, label, start, unit
        self.step = start
        self._stream = stream or sys.stderr
        self._began = self._last_line = time.monotonic()
        self._bar = None
        if self._stream.isatty():
            try:
                from tqdm import tqdm
            except ImportError:  # the core runs without it: plain lines then
                return
            self._bar = tqdm(total=total, desc=label, initial=start, unit=unit, file=self._stream, dynamic_ncols=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif kind is None and self.step != self.start:
            self._line({}, f"done in {_clock(time.monotonic() - self._began)}")

    def update(self, step: int, values: Mapping[str, float] | None = None) -> None:
        """Say that ``step`` steps are done (counted from 0, not from ``start``), with values to show."""
        advance, self.step = step - self.step, step
        if self._bar is not None:
            if values:
                self._bar.set_postfix({k: f"{v:.4g}" for k, v in values.items()}, refresh=False)
            self._bar.update(advance)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._line(values or {}, self._time_left())

    def _time_left(self) -> str:
        elapsed, done = time.monotonic() - self._began, self.step - self.start
        if self.total is None or done == 0:
            return f"{_clock(elapsed)} so far"
        return f"{_clock(elapsed / done * (self.total - self.step))} left"

    def _line(self, values: Mapping[str, float], end: str) -> None:
        self._last_line = time.monotonic()
        of = "" if self.total is None else f"/{self.total}"
        rate = (self.step - self.start) / max(time.monotonic() - self._began, 1e-3)
        shown = "".join(f"  {k} {v:.4g}" for k, v in values.items())
        print(
            f"{self.label}: {self.step}{of} {self.unit}  {rate:.3g} {self.unit}/s{shown}  {end}",
            file=self._stream,
            flush=True,
        )
