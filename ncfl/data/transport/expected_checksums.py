"""Which checksum an archive must have: the table's, else the one that was remembered from the first good fetch."""

from collections.abc import Mapping
from pathlib import Path

from ncfl.common.errors import InputError
from ncfl.common.files import read_json, sha256, write_json
from ncfl.data.transport.download import alone
from ncfl.data.transport.source_table import Archive

ARCHIVES = "archives"
CHECKSUMS = "checksums.json"


def known(row: Archive, folder: Path) -> str | None:
    """The checksum that an archive must have, hexadecimal; None: any.

    Args:
        row: the archive.
        folder: ``data/raw/<dataset>/published``.

    Raises:
        InputError: a damaged ``checksums.json``.
    """
    return row.sha256 or _recorded(folder).get(row.file)


def record(folder: Path, checksums: Mapping[str, str]) -> None:
    """Write checksums into ``<folder>/checksums.json``; those that are there already stay as they are."""
    if not checksums:
        return
    with alone(folder / CHECKSUMS):
        recorded = _recorded(folder)
        if not checksums.keys() <= recorded.keys():
            write_json(folder / CHECKSUMS, {**checksums, **recorded})


def verified(row: Archive, path: Path, folder: Path) -> str:
    """The checksum of a file, if it is the archive.

    Raises:
        InputError: it is not a file, cannot be read, or has another size or checksum than is known.
    """
    if not path.is_file():
        raise InputError(f"{path}: expected an archive, got a folder; remove it")
    way_out = f"remove {path} and fetch again" if path == folder / ARCHIVES / row.file else "get it again"
    size = path.stat().st_size
    if row.bytes not in (None, size):
        raise InputError(f"{path}: expected {row.bytes} bytes, got {size}: incomplete, or another file; {way_out}")
    expected = known(row, folder)
    try:
        checksum = sha256(path)
    except OSError as error:
        raise InputError(f"{path}: it cannot be read ({error.strerror}); {way_out}") from None
    if expected not in (None, checksum):
        way_out = way_out if row.sha256 else f"{way_out} ({accept(row, folder)})"
        raise InputError(f"{path}: expected sha256 {expected}, got {checksum}: damaged, or another file; {way_out}")
    return checksum


def accept(row: Archive, folder: Path) -> str:
    """How to have another file accepted than the first that was fetched."""
    return (
        f"the checksum is that of the first {row.file} that was fetched; to accept another file, remove its entry "
        f"from {folder / CHECKSUMS}"
    )


def _recorded(folder: Path) -> dict[str, str]:
    path = folder / CHECKSUMS
    recorded = read_json(path) if path.exists() else {}
    if not isinstance(recorded, dict) or not all(isinstance(value, str) for value in recorded.values()):
        raise InputError(
            f"{path}: it is damaged, since it is not an object of file names and checksums; mend or remove it"
        )
    return recorded
