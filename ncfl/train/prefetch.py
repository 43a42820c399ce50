"""Batches prepared ahead of the loop, in order."""

import collections
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


@contextlib.contextmanager
def prefetched(make: Callable[[int], T], first: int, last: int, workers: int) -> Iterator[Iterator[tuple[int, T]]]:
    """Give ``(i, make(i))`` for i in [first, last), made by ``workers`` threads up to ``2 * workers`` ahead.

    ``make`` is a pure function, so what comes out depends on ``workers`` in no way. Threads are enough, since
    NumPy, OpenCV and PyTorch leave the interpreter's lock while they compute; unlike processes they need no
    shared memory and die with the loop. 0 workers: made when asked for.
    """
    if not workers:
        yield ((index, make(index)) for index in range(first, last))
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batch")
    try:
        yield _in_order(pool, make, first, last, ahead=2 * workers)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_order(
    pool: ThreadPoolExecutor, make: Callable[[int], T], first: int, last: int, *, ahead: int
) -> Iterator[tuple[int, T]]:
    pending = collections.deque((i, pool.submit(make, i)) for i in range(first, min(first + ahead, last)))
    upcoming = first + len(pending)
    while pending:
        index, future = pending.popleft()
        batch = future.result()
        if upcoming < last:
            pending.append((upcoming, pool.submit(make, upcoming)))
            upcoming += 1
        yield index, batch
