"""What a dataset's module says: its layout as published, and what its files mean.

A layout is read through a :class:`Tree`, a listing of the unpacked files, and gives the clips as lists of
paths; nothing is decoded here. Stand-ins are written by the same module's :attr:`Dataset.place`, so that they
lie as the published files do.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from ncfl.common.errors import InputError
from ncfl.media.pictures import natural_key

Split = Literal["train", "test"]
Lists = Mapping[str, Sequence[str]]  # split -> names of its clips
# How a stand-in's frames are degraded; what each is: ncfl.data.sources.stand_ins.
StandIn = Literal["none", "raw", "haze", "rain-light", "rain-rendered", "rain-heavy", "rain-accumulated"]
SPLITS = Path(__file__).parent.parent / "splits"
MOST_NAMED = 1000  # missing frames of a sequence: a stray picture may be called by a date


class ClipFiles(NamedTuple):
    """One clip as files, a picture per frame; paths are POSIX, relative to the tree's root.

    Attributes:
        name: as tables show it.
        clean: the frames to be restored to.
        degraded: shots of the same frames as they were taken, each as long as ``clean``; none where the
            degradation is synthetic.
    """

    name: str
    clean: tuple[str, ...]
    degraded: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class RawFormat:
    """What the numbers of a raw Bayer file mean.

    Attributes:
        pattern: colors of the top left 2 x 2 pixels, row by row.
        black, white: the values that stand for 0.0 and 1.0.
    """

    pattern: str
    black: int
    white: int


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One published dataset.

    Attributes:
        name: as ``params.yaml`` calls it.
        title: as its authors do, for tables.
        convention: how it is measured, a name of :mod:`ncfl.evaluate.conventions`.
        clips: finds the clips of each split in a tree; refuses an incomplete one, naming what is missing.
        place: where frame ``frame`` (from 0) of a clip lies in the layout: (split, clip, frame, shot) -> path,
            ``shot`` None for the clean frame. The suffix says the format to write: .jpg .png .tiff.
        names: names for the first ``n`` clips of a stand-in's split, where the layout prescribes them: (split, n);
            None where any name will do.
        lists: the published names of clips by split; None where the archive itself is the list.
        shots: degraded shots of every frame; 0 where noise is added while training and measuring.
        frames: of every clip, where the layout fixes it.
        raw: None where frames are pictures.
        size: (height, width) of every published frame as it lies in its file (of raw video: the mosaic's), None
            for a side that differs between clips; None: not checked. Stand-ins may have any size.
        stand_in: how a stand-in's frames are degraded; where there are ``shots``, anything but ``none``.
    """

    name: str
    title: str
    convention: str
    clips: "Callable[[Tree, Lists | None], dict[str, list[ClipFiles]]]"
    place: Callable[[str, str, int, int | None], str]
    names: Callable[[str, int], list[str]] | None = None
    lists: Lists | None = None
    shots: int = 0
    frames: int | None = None
    raw: RawFormat | None = None
    size: tuple[int | None, int | None] | None = None
    stand_in: StandIn = "none"

    def check_size(self, height: int, width: int, path: Path) -> None:
        """Compare a published frame's size with what was published.

        Args:
            height, width: of the picture or the mosaic in the file, pixels.
            path: of the file, for the message.

        Raises:
            InputError: another size.
        """
        rows, columns = self.size or (None, None)
        if rows in (None, height) and columns in (None, width):
            return
        sides = f"a height of {rows}" if columns is None else f"a width of {columns}"
        has = sides if None in (rows, columns) else f"{rows} x {columns}"
        raise InputError(
            f"{path}: expected {has} pixels, as {self.title} has, got {height} x {width}: this is another release, "
            "whose figures would not compare; get the published one"
        )


class Tree:
    """The files below a folder, listed once.

    Attributes:
        root: the folder.
        files: every file's path from it, POSIX, in natural order; hidden ones are left out.
        published_lengths: whether sequences have their published lengths, though the lists are not the published ones:
            those of a part.

    Raises:
        InputError: no such folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.published_lengths = False
        if not self.root.is_dir():
            raise InputError(f"{self.root}: there is no such folder; name the one that holds the dataset")
        self.files: tuple[str, ...] = tuple(sorted(_visible_files(self.root), key=natural_key))
        self._folders: dict[str, list[str]] = {}
        for name in self.files:
            folder, _, _ = name.rpartition("/")
            self._folders.setdefault(folder, []).append(name)

    def folders(self) -> list[str]:
        """Every folder that directly holds files ("" is the root)."""
        return list(self._folders)

    def within(self, folder: str, suffixes: Iterable[str]) -> list[str]:
        """The files directly in ``folder`` with one of the suffixes (lower case, with dot), in natural order."""
        allowed = tuple(suffixes)
        return [name for name in self._folders.get(folder, ()) if name.lower().endswith(allowed)]


# What systems add to folders and archives, with copies and thumbnails of what is there.
FOREIGN = (".", "__MACOSX", "@eaDir", "$RECYCLE.BIN")


def _visible_files(root: Path) -> Iterator[str]:
    """Every file below a folder, also below linked folders, unless it is hidden."""
    above: dict[Path, set[Path]] = {root: {root.resolve()}}
    for name, folders, files in os.walk(root, followlinks=True):
        folder = Path(name)
        place = folder.relative_to(root)
        yield from ((place / name).as_posix() for name in files if not name.startswith("."))
        parents = above.pop(folder)
        kept = []
        for name in folders:
            real = (folder / name).resolve()
            # A link to a folder above would be followed for ever.
            if not name.startswith(FOREIGN) and real not in parents:
                kept.append(name)
                above[folder / name] = parents | {real}
        folders[:] = kept


def read_list(name: str) -> tuple[str, ...]:
    """The names in ``splits/<name>.txt``, one per line; ``#`` begins a comment."""
    lines = (SPLITS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in (line.partition("#")[0].strip() for line in lines) if line)


class Incomplete(InputError):
    """A dataset of which a part is there."""


def incomplete(tree: Tree, dataset: str, missing: Sequence[str], what: str = "files") -> Incomplete:
    """The error for a dataset that lacks something: how much, and what first."""
    shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
    return Incomplete(f"{tree.root}: {dataset} is incomplete: {len(missing)} {what} missing: {shown}")
