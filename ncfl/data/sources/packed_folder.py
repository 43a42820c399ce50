"""A folder that the user has, with the dataset in archives that lie in it: each is unpacked where it would lie.

The user's folder is not written to: ``published/files`` gets a folder for each archive, at its path in the given
one, and ``published/given.json`` says which archives these were. Plain files of the given folder are not taken over.

Servers split what is large. Where each archive is whole by itself and holds some of the files, a sequence may be cut
between two: if the folders of the archives are not the dataset, they are laid over each other. Where one archive is cut
into pieces (``.zip.001``, ``.z01``, ``.tar.gz.partaa``), these are joined first (:mod:`ncfl.data.sources.pieces`).
"""

import shutil
from pathlib import Path
from typing import Any

from ncfl.common.console import say
from ncfl.common.errors import InputError
from ncfl.common.files import read_json, sha256, write_json
from ncfl.data.datasets.interface import Dataset, Tree
from ncfl.data.sources.framefiles import index_files
from ncfl.data.sources.overlaying import overlay
from ncfl.data.sources.pieces import by_whole, join
from ncfl.data.sources.unpacking import Budget, stem
from ncfl.data.transport.source_table import Archive

RECORD = "given.json"


def archives_in(given: Path) -> list[str]:
    """The archives anywhere in a folder and the pieces of such, as paths from it."""
    return [name for pieces in by_whole(Tree(given).files).values() for name in pieces]


def is_unpacked(folder: Path) -> bool:
    """Whether ``<folder>/files`` is what :func:`index` unpacked."""
    return (folder / RECORD).is_file() and (folder / "files").is_dir() and not (folder / "files").is_symlink()


def entries(folder: Path) -> list[dict[str, Any]]:
    """Each archive that was unpacked: {name, bytes, sha256}."""
    return read_json(folder / RECORD)


def remove(folder: Path) -> None:
    """Remove what :func:`index` unpacked, if it did."""
    if is_unpacked(folder):
        shutil.rmtree(folder / "files")
    (folder / RECORD).unlink(missing_ok=True)


def index(dataset: Dataset, rows: list[Archive], folder: Path, given: Path, reason: InputError) -> dict[str, Any]:
    """Unpack the archives of a given folder into ``<folder>/files``, unless they are, and list the clips.

    Args:
        dataset: whose files are wanted.
        rows: its archives in the table of sources, whose bounds hold for all that is unpacked.
        folder: ``data/raw/<dataset>/published``.
        given: the folder of the user's.
        reason: why it cannot be used as it is.

    Raises:
        InputError: the reason, and why unpacking did not help; ``files`` is left as it was.
    """
    names = archives_in(given)
    files, staging = folder / "files", folder / ".files.unpacking"
    try:
        made = [_described(given, name) for name in names]
        if is_unpacked(folder) and entries(folder) == made:
            return {"archives": made, **index_files(dataset, files)}
        say(f"{given}: {len(names)} archives in it are unpacked into {files}")
        shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed
        places = _unpack(given, names, staging, rows, sum(entry["bytes"] for entry in made))
        listed = _index(dataset, staging, places)
    except InputError as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise InputError(f"{reason}; nor did unpacking the {len(names)} archives in it help: {error}") from error
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    remove(folder)
    if files.is_symlink():
        files.unlink()
    write_json(folder / RECORD, made)
    staging.rename(files)
    return {"archives": made, **listed}


def _described(given: Path, name: str) -> dict[str, Any]:
    path = given / name
    try:
        return {"name": name, "bytes": path.stat().st_size, "sha256": sha256(path)}
    except OSError as error:
        raise InputError(f"{path}: it cannot be read ({error.strerror}); mend or remove it") from None


def _index(dataset: Dataset, files: Path, places: list[Path]) -> dict[str, Any]:
    """The clips of the unpacked archives, laid over each other where that is what makes the dataset."""
    try:
        return index_files(dataset, files)
    except InputError:
        if len(places) < 2:
            raise
    overlay(places, files / "laid-over-each-other")
    return index_files(dataset, files)


def _unpack(given: Path, names: list[str], target: Path, rows: list[Archive], size: int) -> list[Path]:
    """Unpack each archive; where to."""
    budget, places = Budget(rows, size), []
    for name, pieces in by_whole(names).items():
        place = (target / name).with_name(stem(Path(name).name))
        if place.exists():
            continue
        if pieces == [name]:
            budget.unpack(given / name, place)
        else:
            _unpack_pieces(given, name, pieces, place, budget)
        places.append(place)
    return places


def _unpack_pieces(given: Path, name: str, pieces: list[str], place: Path, budget: Budget) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    joined = place.with_name(f".{Path(name).name}")
    try:
        join(given, name, pieces, joined)
        budget.unpack(joined, place)
    finally:
        joined.unlink(missing_ok=True)
