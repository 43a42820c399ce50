"""SIGTERM and Ctrl-C end a training between two iterations, with its state saved; or after some seconds without."""

import os
import signal
import sys
import threading
from types import FrameType
from typing import Self

GRACE = 5.0  # seconds for the iteration that is under way


class Interrupted(SystemExit):
    """The training was asked to stop and has saved its state; the exit code is 128 + the signal's number."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


class Interruption:
    """While the block runs, SIGTERM and SIGINT are only noted: ``if interruption: ...``. A second one kills.

    An iteration that takes longer than :data:`GRACE` after that is not waited for: the process ends, and the training
    goes on later from the state that was saved last, as after a kill. Signals can be caught in the main thread only;
    in another one this does nothing.
    """

    def __init__(self) -> None:
        self.number = 0
        self._previous: dict[int, signal._HANDLER] = {}
        self._timer: threading.Timer | None = None

    def __bool__(self) -> bool:
        return self.number != 0

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                # A job that was started to outlive its terminal ignores SIGINT, and goes on doing so.
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self.hold()
        self._give_back()

    def hold(self) -> None:
        """Wait for what is under way, however long it takes."""
        if self._timer is not None:
            self._timer.cancel()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self._give_back()
        self._timer = threading.Timer(GRACE, _leave, (number,))
        self._timer.daemon = True
        self._timer.start()

    def _give_back(self) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            # None: a handler that was not installed from Python, which Python can't install again either.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _leave(number: int) -> None:
    print("training: the iteration takes long; it ends here and goes on from the last saved state", file=sys.stderr)
    sys.stderr.flush()
    os._exit(128 + number)  # one call of PyTorch can take a minute, and no exception reaches into it
