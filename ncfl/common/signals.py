"""Ending tidily when the system asks for it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def ending_tidily() -> Iterator[None]:
    """Within the block SIGTERM and SIGHUP raise :class:`SystemExit` with 128 + their number, as shells report them.

    A job that its scheduler ends, or whose terminal closes, so removes what it has half written. A signal that is
    ignored (``nohup``) stays ignored. Outside the main thread, where Python allows no handlers, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
