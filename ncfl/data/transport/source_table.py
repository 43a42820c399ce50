"""The table of sources: which archives a published dataset consists of, and where each is to be had."""

import csv
import re
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from ncfl.common.errors import InputError

SOURCES_CSV = Path(__file__).parent.parent / "sources.csv"


@dataclass(frozen=True, kw_only=True)
class Archive:
    """One row of the table.

    Attributes:
        dataset: whose archive.
        version: of the dataset, as its authors count.
        file: the archive's file name.
        address: http(s); None where it can only be asked for.
        mirror: another address of the same bytes.
        sha256: hexadecimal, lower case; None where nobody publishes it.
        bytes: size of the archive; None where nobody publishes it.
        unpacked_files, unpacked_bytes: upper bounds of what comes out of it; None: no bound known.
        licence: of the data.
        by_hand: where to ask for it, and what to do with it.
    """

    dataset: str
    version: str
    file: str
    address: str | None
    mirror: str | None
    sha256: str | None
    bytes: int | None
    unpacked_files: int | None
    unpacked_bytes: int | None
    licence: str
    by_hand: str


COLUMNS = tuple(field.name for field in fields(Archive))
NUMBERS = ("bytes", "unpacked_files", "unpacked_bytes")


def archives(dataset: str, table: Path = SOURCES_CSV) -> list[Archive]:
    """The archives of a dataset, in the table's order.

    Args:
        dataset: its name.
        table: CSV in UTF-8 with the columns of :class:`Archive`.

    Raises:
        InputError: a table that is missing or malformed, in whichever row (line and column are named), or has
            no row for the dataset.
    """
    rows = _read(Path(table))
    found = [row for row in rows if row.dataset == dataset]
    if not found:
        known = ", ".join(dict.fromkeys(row.dataset for row in rows)) or "none"
        raise InputError(f"{table}: dataset: expected one of {known}, got {dataset!r}")
    return found


def published_datasets(table: Path = SOURCES_CSV) -> tuple[str, ...]:
    """The names of the datasets in the table, each once.

    Raises:
        InputError: a table that is missing or malformed.
    """
    return tuple(dict.fromkeys(row.dataset for row in _read(Path(table))))


def _read(table: Path) -> list[Archive]:
    rows: list[Archive] = []
    seen: dict[tuple[str, str], int] = {}
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = _header(next(reader, []), table)
            for values in reader:
                if not values:
                    continue
                place = f"{table}, line {reader.line_num}"
                row = _row(header, values, place)
                # File systems that ignore case would hold only one of two such files.
                first = seen.setdefault((row.dataset, row.file.casefold()), reader.line_num)
                if first != reader.line_num:
                    raise InputError(
                        f"{place}, column file: expected each file of {row.dataset} once, got {row.file} as "
                        f"in line {first}"
                    )
                rows.append(row)
    except FileNotFoundError:
        raise InputError(f"{table}: there is no such file; name the table of sources") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: it cannot be read as CSV in UTF-8 ({error}); mend it") from None
    return rows


def _header(header: list[str], table: Path) -> list[str]:
    place = f"{table}, line 1"
    for name in header:
        if name not in COLUMNS:
            raise InputError(f"{place}: expected columns {', '.join(COLUMNS)}, got {name!r}")
        if header.count(name) > 1:
            raise InputError(f"{place}: expected each column once, got {name} twice")
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise InputError(f"{place}: expected columns {', '.join(COLUMNS)}, got none called {missing[0]}")
    return header


def _row(header: list[str], values: list[str], place: str) -> Archive:
    if len(values) != len(header):
        raise InputError(f"{place}: expected {len(header)} fields, as the header has, got {len(values)}")
    text = {name: value.strip() for name, value in zip(header, values, strict=True)}
    return Archive(
        dataset=_filled(text, "dataset", place),
        version=text["version"],
        file=_file_name(text["file"], f"{place}, column file"),
        address=_address(text["address"], f"{place}, column address"),
        mirror=_mirror(text, place),
        sha256=_sha256(text["sha256"], f"{place}, column sha256"),
        **{name: _number(text[name], f"{place}, column {name}") for name in NUMBERS},
        licence=text["licence"],
        by_hand=text["by_hand"] if text["address"] else _filled(text, "by_hand", place, " where there is no address"),
    )


def _filled(text: dict[str, str], name: str, place: str, when: str = "") -> str:
    if not text[name]:
        raise InputError(f"{place}, column {name}: expected a value{when}, got none")
    return text[name]


def _file_name(value: str, place: str) -> str:
    # It becomes a path below data/raw, so it must not lead anywhere else, nor be hidden.
    if not re.fullmatch(r"[^/\\:\0.][^/\\:\0]*", value):
        raise InputError(f"{place}: expected a plain file name, without a folder, got {value!r}")
    return value


def _mirror(text: dict[str, str], place: str) -> str | None:
    if text["mirror"] and not text["address"]:
        raise InputError(
            f"{place}, column mirror: expected nothing, since address is empty, got {text['mirror']}; fill in address "
            "first"
        )
    return _address(text["mirror"], f"{place}, column mirror")


def _address(value: str, place: str) -> str | None:
    if not value:
        return None
    try:
        parts = urlsplit(value)
        well_formed = parts.scheme in ("https", "http") and parts.hostname and not re.search(r"\s", value)
    except ValueError:  # brackets that are not closed
        well_formed = False
    if not well_formed:
        raise InputError(
            f"{place}: expected an address that begins with https:// or http://, or nothing, got {value!r}"
        )
    return value


def _sha256(value: str, place: str) -> str | None:
    if value and not re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise InputError(f"{place}: expected 64 hexadecimal digits, or nothing, got {value!r}")
    return value.lower() or None


def _number(value: str, place: str) -> int | None:
    if value and not re.fullmatch(r"[1-9][0-9]*", value):
        raise InputError(f"{place}: expected a whole number from 1, without separators, or nothing, got {value!r}")
    return int(value) if value else None
