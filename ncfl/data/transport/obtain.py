"""The archives of a published dataset, each from where it is to be had, and each known by its checksum."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from ncfl.common.errors import InputError
from ncfl.common.files import replace_link
from ncfl.data.transport.download import download
from ncfl.data.transport.expected_checksums import ARCHIVES, accept, known, record, verified
from ncfl.data.transport.source_table import Archive

Origin = Literal["download", "given", "present", "unpacked"]


class Obtained(NamedTuple):
    """An archive that is here and verified.

    Attributes:
        name: file name, as in the table of sources.
        path: where it lies, or the link to where the user has it; of ``unpacked``: where it lay.
        bytes: its size.
        sha256: its checksum, hexadecimal.
        origin: how it came: downloaded or linked now, there from before, or known only by what was unpacked from it.
    """

    name: str
    path: Path
    bytes: int
    sha256: str
    origin: Origin


def given_kind(path: Path, rows: list[Archive]) -> Literal["archives", "folder"]:
    """What a path given by the user holds: archives of the dataset, or the dataset itself in unpacked files.

    Args:
        path: one of the archives, a folder with some of them, or a folder of unpacked files. A dataset's only
            archive may have any name.
        rows: the dataset's archives.

    Raises:
        InputError: nothing there, or a file that is none of the archives.
    """
    names = [row.file for row in rows]
    if path.is_dir():
        # A link that leads nowhere counts, so that it is named later on.
        return "archives" if any(os.path.lexists(path / name) for name in names) else "folder"
    if not path.exists():
        raise InputError(f"{path}: expected an archive or a folder, got {_nothing(path)}")
    if path.name not in names and len(names) > 1:
        raise InputError(
            f"{path}: expected one of the dataset's archives, {', '.join(names)}, got {path.name}; rename it"
        )
    return "archives"


def obtain(
    dataset: str,
    rows: list[Archive],
    folder: Path,
    *,
    given: Path | None = None,
    unpacked: Iterable[Obtained] = (),
) -> list[Obtained]:
    """Have every archive of a dataset in ``<folder>/archives``, verified.

    An archive that the user gives is linked; else one that is there already is kept; else it is downloaded, and
    made read-only. A checksum that the table lacks is enforced once :func:`remember` has recorded it.

    Args:
        dataset: its name.
        rows: its archives.
        folder: ``data/raw/<dataset>/published``.
        given: one of the archives, or a folder with some of them.
        unpacked: archives whose files are here; while their checksums are the known ones, they may be missing.

    Returns:
        The archives, in the order of ``rows``.

    Raises:
        InputError: archives that only the user can get (all are named, and nothing is downloaded then), a link
            that leads nowhere, an archive with another size or checksum than is known, one given in the place of
            a downloaded one, a failed download.
    """
    folder = Path(folder)
    if given is not None and given_kind(given, rows) != "archives":
        raise InputError(f"{given}: expected archives ({', '.join(row.file for row in rows)}), got none of them")
    here = {archive.name: archive for archive in unpacked}
    wanted = {row.file: known(row, folder) for row in rows}
    here = {name: archive for name, archive in here.items() if wanted.get(name) == archive.sha256}
    offers = {row.file: _offered(row, given, only=len(rows) == 1) for row in rows}
    sources = {row.file: _source(row, folder, offers[row.file], row.file in here) for row in rows}
    missing = [row for row in rows if sources[row.file] is None]
    if missing:
        raise InputError(f"{dataset}: {_by_hand(dataset, missing, folder)}")
    # What is here is verified before anything is downloaded: a wrong file shows in seconds, not after hours.
    local = {row.file: _local(row, folder, sources[row.file], here) for row in rows if sources[row.file] != "download"}
    return [local.get(row.file) or _downloaded(dataset, row, folder) for row in rows]


def remember(rows: Iterable[Archive], obtained: Iterable[Obtained], folder: Path) -> None:
    """Record the checksums that the table lacks in ``<folder>/checksums.json``, for :func:`obtain` to enforce.

    To be called for archives that could be unpacked: a damaged one must not set the measure for the next.
    """
    unknown = {row.file for row in rows if not row.sha256}
    record(folder, {archive.name: archive.sha256 for archive in obtained if archive.name in unknown})


def _offered(row: Archive, given: Path | None, only: bool) -> Path | None:
    """The user's file for an archive, if there is one."""
    if given is None:
        return None
    offered = given / row.file if given.is_dir() else given
    # A dataset's only archive may be called otherwise.
    if not os.path.lexists(offered) or (offered.name != row.file and not only):
        return None
    if not offered.is_file():
        raise InputError(f"{offered}: expected a file, got {_nothing(offered)}")
    return offered


Place = Path | Literal["present", "download", "unpacked"]


def _source(row: Archive, folder: Path, offered: Path | None, unpacked: bool) -> Place | None:
    """Where an archive is to be had: from the user (the path), here, from an address, or from nowhere."""
    place = folder / ARCHIVES / row.file
    if offered is not None:
        if place.exists() and place.samefile(offered):
            return "present"
        if os.path.lexists(place) and not place.is_symlink():
            raise InputError(f"{place}: it is there already; remove it first, if {offered} is to take its place")
        return offered
    if place.exists():
        return "present"
    if unpacked:
        return "unpacked"
    if place.is_symlink():
        raise InputError(
            f"{place}: expected an archive, got {_nothing(place)}; give the archive again with "
            f"`ncfl fetch --dataset {row.dataset} --from PATH`, or remove the link"
        )
    return "download" if row.address else None


def _nothing(path: Path) -> str:
    """Why a path gives no file."""
    if path.is_symlink() and not path.exists():
        return f"a link to {path.readlink()}, which is not there (any more)"
    return "what is neither" if path.exists() else "nothing"


def _local(row: Archive, folder: Path, source: Place, unpacked: Mapping[str, Obtained]) -> Obtained:
    """An archive that is on this machine, verified and, where it is the user's, linked."""
    place = folder / ARCHIVES / row.file
    if source == "unpacked":
        return unpacked[row.file]._replace(path=place, origin="unpacked")
    if source == "present":
        checksum = verified(row, place, folder)
        return Obtained(row.file, place, place.stat().st_size, checksum, "present")
    checksum = verified(row, source, folder)
    replace_link(place, source.resolve())
    return Obtained(row.file, place, place.stat().st_size, checksum, "given")


def _downloaded(dataset: str, row: Archive, folder: Path) -> Obtained:
    place = folder / ARCHIVES / row.file
    assert row.address  # or it would be missing
    expected = known(row, folder)
    hint = f"or {_by_hand(dataset, [row], folder)}"
    if expected and not row.sha256:
        hint = f"{hint} ({accept(row, folder)})"
    checksum = download(row.address, place, bytes_=row.bytes, sha256=expected, mirror=row.mirror, hint=hint)
    place.chmod(place.stat().st_mode & ~0o222)
    return Obtained(row.file, place, place.stat().st_size, checksum, "download")


def _by_hand(dataset: str, rows: list[Archive], folder: Path) -> str:
    """What the user has to do for these archives, in one sentence."""
    where = " ".join(dict.fromkeys(row.by_hand for row in rows if row.by_hand))
    return (
        f"get {', '.join(row.file for row in rows)} by hand and put {'it' if len(rows) == 1 else 'them'} into "
        f"{folder / ARCHIVES}, or give the path with `ncfl fetch --dataset {dataset} --from PATH`"
        + (f": {where}" if where else "")
    )
