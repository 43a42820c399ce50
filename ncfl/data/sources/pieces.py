"""Archives that a server or a program cut into pieces: which files are pieces of which archive, and the whole again.

Pieces are cuts of one file: ``.zip.001`` and ``.7z.001`` as 7-Zip names them, ``.tar.gz.partaa`` as people call what
``split`` makes. A split zip (``.z01``, ``.z02``, ..., ``.zip``) is such a file too, but its index counts from the
beginning of each piece. Volumes of rar have headers of their own; they are refused where they are opened.
"""

import re
import shutil
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from ncfl.common.errors import InputError
from ncfl.data.sources.unpacking import is_archive

_CUT = re.compile(r"(.+\.(?:zip|7z|tgz|tar(?:\.\w+)?))[._-]?(?:part[._-]?)?([0-9]{2,3}|[a-z]{2})", re.IGNORECASE)
_SPLIT_ZIP = re.compile(r"(.+)\.(z)([0-9]{2,3})", re.IGNORECASE)
_LETTERED = (0, 1)  # "aa" and "ab": one of them is there, or two letters are another suffix
_LOCATOR = struct.Struct("<4sLQL")  # of a zip's 64-bit end: signature, its piece, where in it, number of pieces
_END_64, _LONGEST_END = 56, 22 + 65535  # bytes


def by_whole(names: Iterable[str]) -> dict[str, list[str]]:
    """The archives among some files: name of each -> its pieces in order, or itself alone."""
    found: dict[str, dict[str, int]] = {}
    for name in names:
        whole, number = _place(name)
        if is_archive(whole):
            found.setdefault(whole, {})[name] = number
    wholes = {}
    for whole, numbers in found.items():
        lettered = {name: number for name, number in numbers.items() if name != whole and _is_lettered(name)}
        if not {*lettered.values()} & {*_LETTERED}:
            numbers = {name: number for name, number in numbers.items() if name not in lettered}
        if numbers:
            wholes[whole] = sorted(numbers, key=lambda name: (numbers[name], name))
    return wholes


def join(given: Path, whole: str, pieces: list[str], target: Path) -> None:
    """Write the archive ``whole`` to ``target``, from the folder ``given`` with its pieces.

    Raises:
        InputError: a piece is missing; names it.
    """
    is_split = any(_SPLIT_ZIP.fullmatch(name) for name in pieces)
    cuts = [name for name in pieces if name != whole]
    _check(given, whole, cuts, first=1 if is_split else 0 if _is_lettered(cuts[0]) else min(_place(cuts[0])[1], 1))
    if is_split and whole not in pieces:
        raise InputError(f"{given / whole}: the last piece of this archive is missing; get it too")
    starts, size = [], 0
    with target.open("wb") as joined:
        for name in [*cuts, whole] if is_split else cuts:
            starts.append(size)
            with (given / name).open("rb") as piece:
                shutil.copyfileobj(piece, joined, 1 << 20)
            size = joined.tell()
    if is_split:
        try:
            _count_from_the_beginning(target, starts)
        except (zipfile.BadZipFile, struct.error, IndexError, OSError, ValueError) as error:
            reason = f"its {len(starts)} pieces are no zip together ({error})"
            raise InputError(f"{given / whole}: {reason}; download them again") from None


def _place(name: str) -> tuple[str, int]:
    """What a file is a piece of, and its number; else the name itself."""
    if match := _SPLIT_ZIP.fullmatch(name):
        return f"{match[1]}.{'ZIP' if match[2] == 'Z' else 'zip'}", int(match[3])
    if is_archive(name) or not (match := _CUT.fullmatch(name)):
        return name, 0
    letters = match[2].lower()
    return match[1], int(letters) if letters.isdigit() else 26 * (ord(letters[0]) - 97) + ord(letters[1]) - 97


def _is_lettered(piece: str) -> bool:
    return piece[-1].isalpha()


def _check(given: Path, whole: str, cuts: list[str], first: int) -> None:
    for number, name in enumerate(cuts, start=first):
        if _place(name)[1] != number:
            raise InputError(f"{given / _named_like(name, number)}: this piece of {whole} is missing; get it too")


def _named_like(name: str, number: int) -> str:
    """The name of another piece."""
    digits = re.search(r"[0-9]+$", name)
    if digits:
        return f"{name[: digits.start()]}{number:0{len(digits[0])}d}"
    return f"{name[:-2]}{chr(97 + number // 26)}{chr(97 + number % 26)}"


def _count_from_the_beginning(joined: Path, starts: list[int]) -> None:
    """Let the index of a split zip, whose pieces began at ``starts``, count as that of a zip in one file does."""
    with joined.open("r+b") as file:
        index = _index_within_its_piece(file, len(starts))
    with zipfile.ZipFile(joined, "a") as archive:
        if not archive.infolist():
            raise zipfile.BadZipFile("no index at the end")
        # zipfile takes what lies before the index for a program that unpacks, and has added the difference.
        added = archive.start_dir - index
        for info in archive.infolist():
            info.header_offset += starts[info.volume] - added
            info.volume = 0
        archive.comment = archive.comment  # a change, with which zipfile writes the index anew


def _index_within_its_piece(file: BinaryIO, pieces: int) -> int:
    """Where the index begins, counted from the piece that it is in; a 64-bit end is made that of one piece."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _LONGEST_END))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise zipfile.BadZipFile("no end of a zip in the last one")
    last, *_, index = struct.unpack_from("<4H2L", tail, at + 4)
    end = size - len(tail) + at
    locator_at = end - _LOCATOR.size
    file.seek(max(0, locator_at))
    signature, last_64, _, _ = _LOCATOR.unpack(file.read(_LOCATOR.size))
    if signature == b"PK\x06\x07":
        last = last_64
        file.seek(locator_at)
        file.write(_LOCATOR.pack(signature, 0, locator_at - _END_64, 1))
        file.seek(locator_at - 8)
        (index,) = struct.unpack("<Q", file.read(8))
    if last + 1 != pieces:
        raise zipfile.BadZipFile(f"its end says that there are {last + 1}")
    return index
