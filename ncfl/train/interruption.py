"""SIGTERM and Ctrl-C end a training between two iterations, with its state saved."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self


class Interrupted(SystemExit):
    """The training was asked to stop and has saved its state; the exit code is 128 + the signal's number."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


class Interruption:
    """While the block runs, SIGTERM and SIGINT are only noted: ``if interruption: ...``. A second one kills.

    Signals can be caught in the main thread only; in another one this does nothing.
    """

    def __init__(self) -> None:
        self.number = 0
        self._previous: dict[int, signal._HANDLER] = {}

    def __bool__(self) -> bool:
        return self.number != 0

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                # A job that was started to outlive its terminal ignores SIGINT, and goes on doing so.
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self._give_back()

    def _give_back(self) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            # None: a handler that was not installed from Python, which Python can't install again either.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
