"""Is a video file all there? Decoders play what is left of a cut file in silence, so its own structure is
asked.

MP4/MOV, Matroska/WebM and AVI say at the start of each top-level part how long it is; a file that ends
before the part does was cut off (an interrupted download or copy). Y4M has frames of one size and is checked
while it is read.
"""

from pathlib import Path
from typing import BinaryIO

from ncfl.common.errors import InputError

_MATROSKA_SUFFIXES = (".mkv", ".webm")
_MP4_SUFFIXES = (".mp4", ".m4v", ".mov")
_MP4_FIRST = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp")
_AVI_SLACK = 16  # bytes; some writers count the header into the size


def check_whole(path: Path) -> None:
    """Refuse a file that ends before its own structure does; a structure that is not understood is let pass.

    Raises:
        InputError: the file is cut off; says how many bytes there are and how many there should be.
    """
    path = Path(path)
    suffix, size = path.suffix.lower(), path.stat().st_size
    with path.open("rb") as file:
        if suffix in _MP4_SUFFIXES:
            end = _mp4_end(file, size)
        elif suffix in _MATROSKA_SUFFIXES:
            end = _matroska_end(file)
        elif suffix == ".avi":
            end = _avi_end(file, size) - _AVI_SLACK
        else:
            return
    if end > size:
        raise InputError(
            f"{path}: expected {end} bytes or more, by its header, got {size}: it is truncated; get it again"
        )


def _mp4_end(file: BinaryIO, size: int) -> int:
    """Where the last top-level box ends."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if position == 0 and header[4:8] not in _MP4_FIRST:
            break  # no such file at all: its reader will say so
        if not header[4:8].isascii() or not header[4:8].decode().isprintable():
            break  # not a box: padding or a foreign trailer
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:  # 0: the box reaches to the end of the file, wherever that is
            break
        position += length
    return position


def _avi_end(file: BinaryIO, size: int) -> int:
    """Where the last RIFF part ends (large AVI files have several)."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        header = file.read(8)
        length = int.from_bytes(header[4:8], "little")
        if header[:4] != b"RIFF" or length == 0:  # 0: a writer that was never closed did not fill it in
            break
        position += 8 + length + length % 2
    return position


def _matroska_end(file: BinaryIO) -> int:
    """Where the segment, which holds everything, ends; 0 when the file does not say (a live recording)."""
    if file.read(4) != b"\x1aE\xdf\xa3":
        return 0
    header = _vint(file)
    if header is None:
        return 0
    file.seek(header, 1)
    if file.read(4) != b"\x18S\x80g":
        return 0
    length = _vint(file)
    return 0 if length is None else file.tell() + length


def _vint(file: BinaryIO) -> int | None:
    """EBML's variable-length number; None for its "unknown"."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    extra = 8 - first[0].bit_length()
    bits = 7 * (extra + 1)
    value = int.from_bytes(first + file.read(extra), "big") & ((1 << bits) - 1)
    return None if value == (1 << bits) - 1 else value
