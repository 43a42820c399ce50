"""tar (plain, gzip, bzip2, xz, zstd), read by the standard library and trusted in nothing."""

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ncfl.common.errors import InputError
from ncfl.common.progress import Progress
from ncfl.data.transport.archive_members import FOLDERS_AT_LEAST, Member, clean
from ncfl.data.transport.archive_outputs import BUFFER, Outputs, Readable

_TAR_OVERHEAD = 4096  # bytes per entry: its headers, and its padding to blocks of 512
_HEADER_BYTES = 1 << 16  # of a long name or an extended header: 16 times the longest path of a system
_ALL_HEADERS = 1 << 19  # bytes, of one entry
_HEADERS = (  # entries that describe the next one, which tarfile reads into memory
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


class TarReader:
    """tar, whole or compressed. It has no index, so it is read twice: to check it, and to write.

    Args:
        path: named by errors.
        file: the archive.
        decompress: opens the stream inside, as :func:`gzip.open` does; None for a plain tar.
        max_files, max_bytes: bound what is decompressed, too.
    """

    def __init__(
        self,
        path: Path,
        file: BinaryIO,
        decompress: Callable[[BinaryIO], Readable] | None,
        *,
        max_files: int,
        max_bytes: int,
    ) -> None:
        self._path, self._file, self._decompress = path, file, decompress
        self._entries = max_files + max(max_files, FOLDERS_AT_LEAST)
        self._most = max_bytes + self._entries * _TAR_OVERHEAD + 10 * BUFFER

    def members(self) -> Iterator[Member]:
        # Progress in the compressed file: what it unpacks to is not known yet.
        length = self._path.stat().st_size // 1_000_000
        with Progress(length, f"check {self._path.name}", unit="MB") as progress:
            for _, info in self._infos():
                yield Member(info.name, _tar_kind(info), info.size)
                progress.update(self._file.tell() // 1_000_000)

    def extract(self, outputs: Outputs) -> None:
        for tar, info in self._infos():
            if info.isreg():
                source = tar.extractfile(info)
                assert source is not None
                outputs.copy(clean(info.name), source)

    def _infos(self) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
        self._file.seek(0)
        inside = self._decompress(self._file) if self._decompress else self._file
        stream = _Bounded(self._path, inside)
        options = {"bufsize": BUFFER, "tarinfo": _StrictHeader, "encoding": "utf-8"}
        with tarfile.open(fileobj=stream, mode="r|", **options) as tar:
            for count, info in enumerate(tar):
                if count >= self._entries:
                    raise InputError(
                        f"{self._path}: expected at most {self._entries} entries, got more; nothing was unpacked"
                    )
                end = info.offset_data + info.size
                stream.most = min(end + BUFFER + _ALL_HEADERS, self._most)
                yield tar, info
        stream.most = self._most
        while stream.read(BUFFER):  # to the end, where compressed streams keep their checksum
            pass


class _Bounded:
    """A stream that ends with an error where a bomb would go on.

    Attributes:
        most: bytes that may be read so far. Beyond them is nothing that is wanted: headers without an end.
    """

    def __init__(self, path: Path, inside: Readable) -> None:
        self._path, self._inside, self._done = path, inside, 0
        self.most = BUFFER + _ALL_HEADERS

    def read(self, size: int) -> bytes:
        data = self._inside.read(size)
        self._done += len(data)
        if self._done > self.most:
            raise InputError(f"{self._path}: it unpacks to more than it may hold, as a bomb does; nothing was unpacked")
        return data


class _StrictHeader(tarfile.TarInfo):
    """A header that has to be right: tarfile takes a broken one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:
        try:
            info = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error}, where a tar header should be") from None
        if info.size < 0 or (info.size > _HEADER_BYTES and info.type in _HEADERS):
            raise tarfile.ReadError(f"a header of {info.size} bytes")
        return info


def _tar_kind(info: tarfile.TarInfo) -> str:
    if info.issparse():
        return "a sparse file"
    if info.isreg():
        return "file"
    if info.islnk():
        return "a hard link"
    modes = ((info.isdir, "folder"), (info.issym, "a symbolic link"), (info.isfifo, "a pipe"), (info.isdev, "a device"))
    return next((kind for is_so, kind in modes if is_so()), "of an unknown kind")


def open_zstd(file: BinaryIO) -> Readable:
    """A Zstandard stream; Python has it from 3.14 on, a package brings it to the versions before."""
    try:
        from compression import zstd
    except ImportError:
        try:
            from backports import zstd
        except ImportError:
            raise InputError(f"{file.name}: reading zstd needs backports.zstd: pip install backports.zstd") from None
    return zstd.open(file)


DECOMPRESSORS: dict[bytes, Callable[[BinaryIO], Readable]] = {  # by what such a file begins with
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"\x28\xb5\x2f\xfd": open_zstd,
}
