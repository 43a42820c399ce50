"""Standard input and output as a video: ``-``, which carries Y4M, as FFmpeg and its companions pipe it."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ncfl.common.errors import InputError

STANDARD = Path("-")
SUFFIX = ".y4m"
_HOW_IN = "pipe Y4M into it: ffmpeg -i in.mp4 -f yuv4mpegpipe -strict -1 - | ncfl restore - out.mp4"
_HOW_OUT = "pipe it into a program or a file: ncfl restore in.mp4 - | ffmpeg -i - out.mp4"


def is_standard(path: Path) -> bool:
    """Whether ``path`` stands for standard input or output; a file that is called so is ``./-`` made absolute."""
    return Path(path) == STANDARD


class Counted:
    """Standard input for PyAV, which counts what it gives.

    Attributes:
        bytes: how many have been read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.bytes = file, 0

    def read(self, size: int) -> bytes:
        """As a file's."""
        data = self._file.read(size)
        self.bytes += len(data)
        return data


class _Output:
    """Standard output for PyAV, which would look for the end of a file that it could seek in.

    PyAV hides what goes wrong in here: ``error`` keeps it.
    """

    error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return sys.stdout.buffer.write(data)
        except OSError as error:
            self.error = error
            raise


def open_input(av: Any) -> tuple[Any, Counted]:
    """Standard input as a container of PyAV, and the count of its bytes.

    Raises:
        InputError: a terminal, or anything but Y4M.
    """
    if sys.stdin.isatty():
        raise InputError(f"-: expected video on standard input, got a terminal; {_HOW_IN}")
    counted = Counted(sys.stdin.buffer)
    try:
        return av.open(counted, format="yuv4mpegpipe"), counted
    except (av.FFmpegError, OSError, ValueError):
        raise InputError(
            f"-: expected Y4M on standard input, got something else ({counted.bytes} bytes read); {_HOW_IN}"
        ) from None


@contextlib.contextmanager
def open_output(av: Any, options: dict[str, str]) -> Iterator[Any]:
    """Standard output as a container of PyAV that takes one video.

    Raises:
        InputError: a terminal.
        OSError: what writing gives, BrokenPipeError where nobody reads any more.
    """
    if sys.stdout.isatty():
        raise InputError(f"-: expected a pipe or a file as standard output, got a terminal; {_HOW_OUT}")
    output = _Output()
    try:
        with av.open(output, "w", format="yuv4mpegpipe", container_options=options) as container:
            yield container
        sys.stdout.buffer.flush()
    except av.FFmpegError:
        if output.error is not None:
            raise output.error from None
        raise
