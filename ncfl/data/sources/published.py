"""The published datasets themselves: downloaded, or taken from where the user has them.

    data/raw/<dataset>/published/archives/       what was downloaded, or links to what was given
    data/raw/<dataset>/published/files/          unpacked, a folder per archive; or a link to a folder that was given
    data/raw/<dataset>/published/unpacked.json   which archive, by checksum, each folder was unpacked from
    data/raw/<dataset>/published/given.json      which archives of a given folder were unpacked into files/

None of it is an output of the workflow engines' graphs, so neither removes or repeats it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ncfl.common.errors import InputError
from ncfl.common.files import replace_link
from ncfl.data.datasets import find
from ncfl.data.datasets.interface import Dataset, Incomplete, RawFormat
from ncfl.data.datasets.part import part_of
from ncfl.data.frames import Splits
from ncfl.data.sources import packed_folder
from ncfl.data.sources.framefiles import index_files, read_clips
from ncfl.data.sources.index_file import Pictures
from ncfl.data.sources.unpacking import remove_unlisted, unpack_archive, unpacked
from ncfl.data.transport.download import alone
from ncfl.data.transport.obtain import given_kind, obtain, remember
from ncfl.data.transport.source_table import Archive, archives


@dataclass(frozen=True, kw_only=True)
class PublishedSource:
    """How much of a published dataset is used.

    Attributes:
        max_frames: how many frames of each clip are taken, from its start; None: all.
        part: the sequences that suffice; None: all of the dataset.
    """

    max_frames: int | None = None
    part: Sequence[str] | None = None

    name = "published"
    index_form = Pictures
    stand_in = False

    def index(self, dataset: str, root: Path, *, seed: int = 0, given: Path | None = None) -> dict[str, Any]:
        """Get the archives, unpack them and list the clips (:meth:`ncfl.data.sources.interface.Source.index`)."""
        del seed  # nothing is drawn
        found, rows, folder = part_of(find(dataset), self.part), archives(dataset), Path(root) / self.name
        kind = given_kind(Path(given), rows) if given is not None else None
        with alone(folder / "fetch"):
            if kind == "folder":
                return _given_folder(found, rows, folder, Path(given))
            if kind is None and (folder / "files").is_symlink():
                return _linked_folder(found, folder / "files")
            if kind is None and packed_folder.is_unpacked(folder):
                return {"archives": packed_folder.entries(folder), **index_files(found, folder / "files")}
            return _archives(found, rows, folder, given)

    def splits(self, dataset: str, index: dict[str, Any], root: Path) -> Splits:
        """The clips, decoded while they are read (:meth:`ncfl.data.sources.interface.Source.splits`)."""
        return read_clips(find(dataset), index, Path(root) / self.name / "files", self.max_frames, published=True)

    def convention(self, dataset: str) -> str:
        """As the dataset's module says."""
        return find(dataset).convention

    def raw(self, dataset: str) -> RawFormat | None:
        """As the dataset's module says."""
        return find(dataset).raw


def _archives(dataset: Dataset, rows: list[Archive], folder: Path, given: Path | None) -> dict[str, Any]:
    """The index of what comes in archives, obtained and unpacked."""
    files = folder / "files"
    here = [] if files.is_symlink() or packed_folder.is_unpacked(folder) else unpacked(folder)
    obtained = obtain(dataset.name, rows, folder, given=given, unpacked=here)
    # Archives that are given take the place of a folder that was given earlier.
    if files.is_symlink():
        files.unlink()
    packed_folder.remove(folder)
    remove_unlisted(rows, folder)
    for row, archive in zip(rows, obtained, strict=True):
        unpack_archive(row, archive, folder)
        remember([row], [archive], folder)
    entries = [{"name": o.name, "bytes": o.bytes, "sha256": o.sha256} for o in obtained]
    return {"archives": entries, **index_files(dataset, files)}


def _given_folder(dataset: Dataset, rows: list[Archive], folder: Path, given: Path) -> dict[str, Any]:
    """The index of a folder that the user has: linked if it is the dataset, unpacked if it holds it in archives."""
    files = folder / "files"
    target = given.resolve()  # before anything is changed: it may lead through the link itself
    if files.is_dir() and not files.is_symlink() and not any(files.iterdir()):
        files.rmdir()  # of an archive that could not be unpacked
    own = files.exists() and target == files.resolve()
    if files.exists() and not (own or files.is_symlink() or packed_folder.is_unpacked(folder)):
        raise InputError(f"{files}: it holds unpacked files; remove it first, if {given} is to take its place")
    try:
        listed = index_files(dataset, given)
    except InputError as error:
        if own or not packed_folder.archives_in(given):
            if not isinstance(error, Incomplete):
                raise
            raise InputError(
                f"{error}; get the rest, or name the sequences that you have as `part` of {dataset.name} in "
                "params.yaml: figures are then labelled as a part's"
            ) from error
        return packed_folder.index(dataset, rows, folder, given, error)
    if not own:
        packed_folder.remove(folder)
        replace_link(files, target)
    return {"archives": [], **listed}


def _linked_folder(dataset: Dataset, files: Path) -> dict[str, Any]:
    """The index of the folder that an earlier fetch was given."""
    earlier = f"(linked to {files.readlink()} by an earlier --from; remove the link {files} to download instead)"
    if not files.is_dir():
        raise InputError(
            f"{files}: it leads to {files.readlink()}, which is no folder now; give the dataset again {earlier}"
        )
    try:
        return {"archives": [], **index_files(dataset, files)}
    except InputError as error:
        raise InputError(f"{error} {earlier}") from error
