"""Frames are decoded ahead of the network and encoded behind it, each in a thread of its own.

Order stays what it is, an error in a thread reaches the caller as itself, and no thread outlives its block: whatever
ends that waits for the one frame in work, and what stands behind it is dropped.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
MOST = 4  # frames that wait on either side
BYTES = 1 << 26  # of these together, unless one frame is more


def depth_for(height: int, width: int) -> int:
    """How many frames of that size, 16 bits a sample, may wait on either side."""
    return max(1, min(MOST, BYTES // (6 * height * width)))


@contextlib.contextmanager
def ahead(items: Iterable[T], depth: int) -> Iterator[Iterator[T]]:
    """The same items, up to ``depth`` of them made before they are asked for; with 0 made when they are."""
    if depth == 0:
        yield iter(items)
        return
    with _worker() as worker:
        yield _ahead(iter(items), worker, depth)


def _ahead(items: Iterator[T], worker: ThreadPoolExecutor, depth: int) -> Iterator[T]:
    end = object()
    waiting = deque(worker.submit(next, items, end) for _ in range(depth))
    while (item := waiting.popleft().result()) is not end:
        waiting.append(worker.submit(next, items, end))
        yield item


class Behind:
    """Calls of a function, one after the other in a thread; at most ``depth`` wait, and with 0 none does."""

    def __init__(self, work: Callable[..., Any], worker: ThreadPoolExecutor | None, depth: int) -> None:
        self._work, self._worker, self._depth = work, worker, depth
        self._waiting: deque[Future[Any]] = deque()
        self._failed = False

    def __call__(self, *arguments: Any) -> None:
        """Have the function called with these; raises what an earlier call of it raised."""
        if self._worker is None:
            self._work(*arguments)
            return
        while len(self._waiting) > self._depth:
            self._waiting.popleft().result()
        self._waiting.append(self._worker.submit(self._call, arguments))

    def wait(self) -> None:
        """Until all calls are done; raises what one of them raised."""
        while self._waiting:
            self._waiting.popleft().result()

    def _call(self, arguments: tuple[Any, ...]) -> None:
        if self._failed:  # what follows a frame that is missing is not written
            return
        try:
            self._work(*arguments)
        except BaseException:
            self._failed = True
            raise


@contextlib.contextmanager
def behind(work: Callable[..., Any], depth: int) -> Iterator[Behind]:
    """Calls of ``work`` behind the block; when the block ends well, all of them are done."""
    if depth == 0:
        yield Behind(work, None, 0)
        return
    with _worker() as worker:
        calls = Behind(work, worker, depth)
        yield calls
        calls.wait()


@contextlib.contextmanager
def _worker() -> Iterator[ThreadPoolExecutor]:
    worker = ThreadPoolExecutor(1)
    try:
        yield worker
    finally:
        worker.shutdown(wait=True, cancel_futures=True)
