"""A step ends when its engine has ended: nobody is left who would take what it makes, or who could stop it."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

from ncfl.common.console import say
from ncfl.common.processes import alive

SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_TO_END = 20.0


@contextlib.contextmanager
def ends_with(engine: int | None) -> Iterator[None]:
    """While the block runs, see whether the engine lives; if not, end this process as SIGTERM would.

    A training then saves its state, so that the next run goes on where it was.
    """
    if engine is None:
        yield
        return
    done = threading.Event()
    threading.Thread(target=_watch, args=(engine, done), name="watchdog", daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _watch(engine: int, done: threading.Event) -> None:
    while not done.wait(SECONDS_BETWEEN_LOOKS):
        if not alive(engine):
            with contextlib.suppress(OSError):  # whoever read what we say may be gone as well
                say(f"the engine that started this step (process {engine}) has ended: so does the step")
            os.kill(os.getpid(), signal.SIGTERM)
            if not done.wait(SECONDS_TO_END):
                os.kill(os.getpid(), signal.SIGKILL)
            return
