"""Where unpacked files go: a folder that stays hidden until it is whole, and files that cannot outgrow their size."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

from ncfl.common.errors import InputError
from ncfl.common.files import remove, remove_leftovers, temporary_beside
from ncfl.common.progress import Progress
from ncfl.data.transport.archive_members import Member

BUFFER = 1 << 20  # bytes moved at a time


class Readable(Protocol):
    """Anything that gives up to ``size`` bytes, and none at its end."""

    def read(self, size: int, /) -> bytes: ...


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside ``target`` that takes this name if the block ends well; else it leaves no trace.

    Raises:
        InputError: ``target`` exists, nothing may be written there, or the disk is full.
    """
    building = temporary_beside(target)
    with _disk(target):
        if os.path.lexists(target):
            raise InputError(f"{target}: it is there already; remove it to unpack again")
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(target)
        remove(building)
        building.mkdir(mode=0o755)
    try:
        yield building
        with _disk(target):
            building.rename(target)
    finally:
        shutil.rmtree(building, ignore_errors=True)


class Outputs:
    """Opens the files of an archive for writing: those that were checked, each once.

    Args:
        archive, target: named by errors.
        root: folder in which to write, ``target``'s later on.
        sizes: the files, paths from ``root`` -> bytes that they may have.
        progress: told the megabytes written.
    """

    def __init__(self, archive: Path, target: Path, root: Path, sizes: Mapping[str, int], progress: Progress) -> None:
        self.archive, self.target, self.root = archive, target, root
        self._waiting = dict(sizes)
        self._last: Output | None = None
        self._progress, self._written = progress, 0

    def make_folders(self, folders: Iterable[str]) -> None:
        """Make these folders, parents first, with mode 0755 less the umask."""
        with _disk(self.target):
            for folder in folders:
                (self.root / folder).mkdir(mode=0o755)

    def copy(self, path: str, source: Readable) -> None:
        """Write one file from a stream.

        Raises:
            InputError: not a file that was listed, other than its declared size, or it cannot be written.
        """
        with self.open(path) as output:
            while data := source.read(BUFFER):
                output.write(data)

    def open(self, path: str) -> "Output":
        """One file, to be written and closed by a ``with`` block; errors as with :meth:`copy`."""
        if path not in self._waiting:
            raise InputError(f"{self.archive}: member {path} was not there, or once only, as the archive was listed")
        self._last = Output(self, path, self._waiting.pop(path))
        return self._last

    def close(self) -> None:
        """Close the file that an error left open."""
        if self._last is not None:
            self._last.close()

    def check_whole(self) -> None:
        """Refuse an archive that gave fewer files than it listed."""
        if self._waiting:
            raise InputError(
                f"{self.archive}: it is damaged: member {next(iter(self._waiting))} is listed but not there; get "
                "it again"
            )

    def count(self, size: int) -> None:
        """Take note of bytes written."""
        self._written += size
        self._progress.update(self._written // 1_000_000)


class Output(contextlib.AbstractContextManager):
    """A file being written, mode 0644 less the umask, that refuses to hold more or less than was declared."""

    def __init__(self, outputs: Outputs, path: str, size: int) -> None:
        self._outputs, self._path, self._size, self._left = outputs, path, size, size
        # A new file of its own, never through a link: O_EXCL refuses whatever has the name.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with _disk(outputs.target / path):
            self._file: BinaryIO = os.fdopen(os.open(outputs.root / path, flags, 0o644), "wb")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if kind is None and self._left:
            raise self._damaged(f"ends after {self._size - self._left} of {self._size} bytes")

    def write(self, data: bytes) -> None:
        """Append."""
        self._left -= len(data)
        if self._left < 0:
            raise self._damaged(f"unpacks to more than the {self._size} bytes it declares")
        with _disk(self._outputs.target / self._path):
            self._file.write(data)
        self._outputs.count(len(data))

    def close(self) -> None:
        """Close the file, whole or not."""
        with _disk(self._outputs.target / self._path):
            self._file.close()

    def _damaged(self, what: str) -> InputError:
        return InputError(f"{self._outputs.archive}: it is damaged: member {self._path} {what}; nothing was unpacked")


class Reader(Protocol):
    """An open archive.

    Whatever these raise besides :class:`InputError` says that the archive is damaged.
    """

    def members(self) -> Iterator[Member]:
        """Every entry, as it states itself. The caller stops at the first that is too much."""
        ...

    def extract(self, outputs: Outputs) -> None:
        """Write every file."""
        ...


def encrypted(path: Path) -> InputError:
    """The error for an archive that asks for a password."""
    return InputError(f"{path}: is encrypted; unpack it by hand and pass the folder with --from")


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Say in one line what a disk refuses."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(f"{path}: no space left on its device; nothing was unpacked") from error
        raise InputError(f"{path}: it cannot be written ({error.strerror}); nothing was unpacked") from error
