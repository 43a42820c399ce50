"""7z through py7zr, which decompresses and checks but writes nothing: it is handed files that are bounded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ncfl.common.errors import InputError
from ncfl.data.transport.archive_members import Member, kind_of
from ncfl.data.transport.archive_outputs import Outputs, encrypted


class SevenZipReader:
    """7z, with the compression methods that py7zr has (LZMA, LZMA2, PPMd, bzip2, deflate, zstd; not BCJ2)."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        try:
            import py7zr
        except ImportError:
            raise InputError(f"{path}: reading 7z needs py7zr: pip install py7zr") from None
        try:
            # An open file, not its name: py7zr then unpacks in one thread, in order.
            self._archive = py7zr.SevenZipFile(file)
        except py7zr.PasswordRequired:
            raise encrypted(path) from None
        if self._archive.needs_password():
            raise encrypted(path)

    def members(self) -> Iterator[Member]:
        for info in self._archive.files:
            yield Member(info.filename, _kind(info), info.uncompressed)

    def extract(self, outputs: Outputs) -> None:
        # A path makes py7zr check names against it, not against what lies in the current folder.
        root = outputs.root.resolve()
        self._archive.extractall(path=root, factory=_factory(outputs, root))


def _kind(info: Any) -> str:
    kind = kind_of(info.st_fmt or 0)
    if kind == "file" and (info.is_symlink or info.is_junction):  # a Windows link has no Unix mode
        return "a link"
    return "folder" if info.is_directory else kind


def _factory(outputs: Outputs, root: Path) -> Any:
    """Files for py7zr to write to; a function, because its base classes only exist once it is imported."""
    from py7zr.io import Py7zIO, WriterFactory

    class Writer(Py7zIO):
        def __init__(self, filename: str) -> None:
            self._output = outputs.open(Path(filename).relative_to(root).as_posix())

        def write(self, data: bytes | bytearray) -> int:
            self._output.write(data)
            return len(data)

        def close(self) -> None:
            self._output.__exit__(None, None, None)

        def read(self, size: int | None = None) -> bytes:
            return b""

        def seek(self, offset: int, whence: int = 0) -> int:
            return 0

        def flush(self) -> None:
            pass

        def size(self) -> int:
            return 0

    class Writers(WriterFactory):
        def create(self, filename: str) -> Py7zIO:
            return Writer(filename)

    return Writers()
