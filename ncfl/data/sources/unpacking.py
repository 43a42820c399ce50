"""Unpacking what was obtained: each archive into a folder of its name, with the archives inside of it.

``unpacked.json`` says which archive, by checksum, each folder came from, so that it can be deleted afterwards.
"""

import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from ncfl.common.errors import InputError
from ncfl.common.files import read_json, write_json
from ncfl.data.transport.archives import unpack
from ncfl.data.transport.expected_checksums import ARCHIVES
from ncfl.data.transport.obtain import Obtained
from ncfl.data.transport.source_table import Archive

RECORD = "unpacked.json"
# For an archive whose table row has no bounds. Pictures hardly shrink in an archive; 16-bit raw to a third or so.
MOST_FILES = 1_000_000
MOST_GROWTH = 10
# A bare .gz, as of a NIfTI or a log, is no archive.
_ARCHIVE = re.compile(r"(.+?)\.(?:zip|rar|7z|tgz|tar(?:\.(?:gz|bz2|xz|zst))?)", re.IGNORECASE)


class Budget:
    """What archives may still unpack to: files and bytes."""

    def __init__(self, rows: Sequence[Archive], packed_bytes: int) -> None:
        files, sizes = [row.unpacked_files for row in rows], [row.unpacked_bytes for row in rows]
        self.files = sum(files) if all(files) else MOST_FILES
        self.bytes = sum(sizes) if all(sizes) else MOST_GROWTH * packed_bytes

    def unpack(self, archive: Path, target: Path) -> None:
        """:func:`ncfl.data.transport.archives.unpack`, in what is left of the budget."""
        written = unpack(archive, target, max_files=max(0, self.files), max_bytes=max(0, self.bytes))
        self.files -= len(written)
        self.bytes -= sum((target / name).stat().st_size for name in written)


def stem(file: str) -> str:
    """The name of an archive without its suffixes: ``a.tar.gz`` -> ``a``."""
    match = _ARCHIVE.fullmatch(file)
    return match[1] if match else file


def is_archive(name: str) -> bool:
    """Whether a path from the root of a dataset is called as an archive is, and neither hidden nor in such a folder."""
    parts = name.split("/")
    return bool(_ARCHIVE.fullmatch(parts[-1])) and not any(part.startswith((".", "__MACOSX")) for part in parts)


def unpacked(folder: Path) -> list[Obtained]:
    """The archives whose files lie in ``<folder>/files``, by the record."""
    return [
        Obtained(name, folder / ARCHIVES / name, entry["bytes"], entry["sha256"], "unpacked")
        for name, entry in _recorded(folder).items()
        if (folder / "files" / stem(name)).is_dir()
    ]


def remove_unlisted(rows: Iterable[Archive], folder: Path) -> None:
    """Remove the folders of archives that the table of sources had once and has no longer."""
    record = _recorded(folder)
    files = [row.file for row in rows]
    gone = [name for name in record if name not in files]
    kept = {stem(name) for name in record if name in files}
    for name in gone:
        if stem(name) not in kept:
            shutil.rmtree(folder / "files" / stem(name), ignore_errors=True)
    if gone:
        write_json(folder / RECORD, {name: entry for name, entry in record.items() if name in files})


def unpack_archive(row: Archive, archive: Obtained, folder: Path) -> None:
    """Unpack an archive into ``<folder>/files/<its stem>``, unless that was done.

    Raises:
        InputError: it cannot be unpacked, or something inside of it; there is no such folder then.
    """
    record = _recorded(folder)
    target = folder / "files" / stem(archive.name)
    if target.is_dir() and record.get(archive.name, {}).get("sha256") == archive.sha256:
        return
    staging = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed
    try:
        budget = Budget([row], archive.bytes)
        budget.unpack(archive.path, staging / "files")
        _unpack_inner(staging / "files", budget)
        shutil.rmtree(target, ignore_errors=True)  # of another archive of this name
        (staging / "files").rename(target)
    except InputError as error:
        raise InputError(
            f"{error}; if the archive is damaged or another one, remove {archive.path} and fetch again"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    write_json(folder / RECORD, {**record, archive.name: {"bytes": archive.bytes, "sha256": archive.sha256}})


def _unpack_inner(folder: Path, budget: Budget) -> None:
    """Unpack the archives that came inside of one (CRVD's and NTU-Rain's scenes do), one level deep, where they lie."""
    for path in sorted(folder.rglob("*")):
        target = path.with_name(stem(path.name))
        if path.is_file() and is_archive(path.relative_to(folder).as_posix()) and not target.exists():
            budget.unpack(path, target)
            path.unlink()


def _recorded(folder: Path) -> dict[str, dict]:
    path = folder / RECORD
    record = read_json(path) if path.is_file() else {}
    if not isinstance(record, dict):
        raise InputError(
            f"{path}: it is damaged, since it is not an object of archives; remove it, and they are unpacked again"
        )
    # What does not look like an entry is unpacked again.
    return {
        name: entry for name, entry in record.items() if isinstance(entry, dict) and {"bytes", "sha256"} <= {*entry}
    }
