"""Memory that a network gives back is kept for its next frame."""

import ctypes
import functools
import sys
from collections.abc import Callable

# Of glibc's malloc.h, and bytes: 32 MiB is the largest block that can be asked not to come from the system directly.
M_TRIM_THRESHOLD, KEPT = -1, 256 * 2**20
M_MMAP_THRESHOLD, LARGEST = -3, 32 * 2**20


@functools.cache
def keep_freed_memory() -> None:
    """Let this process keep freed blocks of up to 32 MiB, 256 MiB in all, where its C library is glibc.

    A network frees all its feature maps at a frame's end. glibc gives them back to the system then, which has to clear
    each page again for the next frame: for a small network that took an eighth of its time.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST)
        mallopt(M_TRIM_THRESHOLD, KEPT)


def give_memory_back() -> None:
    """Let the system have all blocks that are free, where the C library is glibc: a frame is large against the gain."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(name: str) -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)  # other C libraries on Linux have none
