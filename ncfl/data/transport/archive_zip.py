"""zip, read by the standard library and trusted in nothing."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ncfl.common.errors import InputError
from ncfl.data.transport.archive_members import Member, clean, kind_of
from ncfl.data.transport.archive_outputs import Outputs, encrypted

_ENCRYPTED = 0x1  # an entry's flag
_LONGEST_END = 22 + 65535  # bytes, with a comment


class ZipReader:
    """zip, with the compression methods that Python has: stored, deflate, bzip2, LZMA."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(file)
        except zipfile.BadZipFile:
            check_not_a_piece(path, file)
            raise

    def members(self) -> Iterator[Member]:
        self._check_overlap()
        for info in self._zip.infolist():
            if info.flag_bits & _ENCRYPTED:
                raise encrypted(self._path)
            kind = "folder" if info.filename.endswith("/") else kind_of(info.external_attr >> 16)
            # The original name: zipfile itself would cut it at a NUL.
            yield Member(info.orig_filename, kind, info.file_size)

    def extract(self, outputs: Outputs) -> None:
        for info in self._zip.infolist():
            if not info.filename.endswith("/"):
                with self._zip.open(info) as source:
                    outputs.copy(clean(info.filename), source)

    def _check_overlap(self) -> None:
        # Entries that share their compressed bytes make bombs of any size from a small file.
        end = 0
        for info in sorted(self._zip.infolist(), key=lambda info: info.header_offset):
            if info.header_offset < end:
                raise InputError(f"{self._path}: members overlap in the file, as in a bomb; nothing was unpacked")
            end = info.header_offset + zipfile.sizeFileHeader + info.compress_size


def check_not_a_piece(path: Path, file: BinaryIO) -> None:
    """Refuse the last piece of a split zip, whose end says which piece it is."""
    file.seek(max(0, file.seek(0, 2) - _LONGEST_END))
    _, found, end = file.read().rpartition(b"PK\x05\x06")
    last = int.from_bytes(end[:2], "little") if found else 0
    if 0 < last < 0xFFFF:  # which a 64-bit zip has
        raise InputError(
            f"{path}: expected all pieces, got the last of {last + 1} pieces of a split zip; pass the folder that has "
            f"them all, {path.stem}.z01 to {path.stem}.z{last:02d} too, with --from"
        )
