"""The clips source: anybody's folder of videos.

What counts as a clip, anywhere below the folder:

- a video file (``.mp4 .mkv .avi .mov .webm .m4v .y4m``);
- a folder that directly holds pictures (``.png .jpg .jpeg .bmp .tif .tiff``), one per frame, in natural
  order, and no video file;
- in DAVIS's layout, each folder in ``JPEGImages/480p`` (or in ``JPEGImages`` itself). What lies beside
  ``JPEGImages`` (``Annotations``, ``ImageSets``, other resolutions) is not looked at.

Hidden files and folders are skipped, and those that systems add (``__MACOSX``). Other files are skipped too and listed
in the index under ``ignored``.
A clip is called by its last path component without suffix; where two share it, by its path from the folder.
"""

import difflib
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import cv2
import numpy as np

from ncfl.common.errors import InputError
from ncfl.common.files import sha256
from ncfl.data.datasets.interface import FOREIGN
from ncfl.data.sources.index_file import Films
from ncfl.media.pictures import IMAGE_SUFFIXES, list_pictures, natural_key
from ncfl.media.video import VIDEO_SUFFIXES, open_frames

FORMATS = f"video files ({' '.join(VIDEO_SUFFIXES)}) and folders of pictures ({' '.join(IMAGE_SUFFIXES)})"


@dataclass(frozen=True, kw_only=True)
class ClipsSource:
    """A folder of videos and how to use them.

    Attributes:
        root: the folder.
        train, test: names of clips, or ``rest``: all that the other list does not name. A clip cannot be in
            both.
        max_frames: how many frames of each clip are taken, from its start; None: all.
        height: frames that are higher are reduced to this height, their shape kept, by area averaging (which
            also averages compression artifacts away); None: kept. Never enlarged.
        crop: (height, width) of the center that is kept after that; None: all.
        stand_in: false only where the folder holds the very dataset whose name is used.
    """

    root: str | Path
    train: Sequence[str] | Literal["rest"] = "rest"
    test: Sequence[str] | Literal["rest"] = ()
    max_frames: int | None = None
    height: int | None = None
    crop: tuple[int, int] | None = None
    stand_in: bool = True

    name = "clips"
    part = None
    index_form = Films

    def index(self, dataset: str, root: Path, *, seed: int = 0, given: Path | None = None) -> dict[str, Any]:
        """List the folder's clips that are used, with checksums (:meth:`ncfl.data.sources.interface.Source.index`)."""
        del root, seed  # nothing is copied, nothing is drawn
        if given is not None:
            raise InputError(f"dataset {dataset}: expected its folder as `root` in params.yaml, got --from {given}")
        folder = Path(self.root)
        found, ignored = find_clips(folder)
        chosen = _choose(folder, dataset, found, ignored, {"train": self.train, "test": self.test})
        files = [
            _described(path, folder) for names in chosen.values() for name in names for path in _files(found[name])
        ]
        clips = {s: {n: found[n].relative_to(folder).as_posix() for n in names} for s, names in chosen.items()}
        return {"files": files, "clips": clips, "ignored": ignored}

    def splits(
        self, dataset: str, index: dict[str, Any], root: Path
    ) -> dict[str, Iterator[tuple[str, Iterator[np.ndarray]]]]:
        """The clips, decoded while they are read (:meth:`ncfl.data.sources.interface.Source.splits`)."""
        del dataset, root
        return {split: self._clips(clips, index) for split, clips in index["clips"].items()}

    def convention(self, dataset: str) -> str:
        """Of RGB footage, whatever the dataset is called."""
        del dataset
        return "rgb"

    def raw(self, dataset: str) -> None:
        """Videos are RGB."""
        del dataset

    def _clips(self, clips: dict[str, str], index: dict[str, Any]) -> Iterator[tuple[str, Iterator[np.ndarray]]]:
        fetched: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        for file in index["files"]:
            # A video is its own clip, a picture belongs to the clip of its folder.
            clip = file["name"] if file["name"] in clips.values() else str(PurePosixPath(file["name"]).parent)
            fetched[clip][file["name"]] = file
        for name, relative in clips.items():
            self._verify(Path(self.root) / relative, fetched[relative])
            yield name, self._frames(Path(self.root) / relative)

    def _verify(self, clip: Path, fetched: dict[str, dict[str, Any]]) -> None:
        """Refuse a clip whose files are not those that were fetched, before a frame of it is read."""
        there = {p.relative_to(self.root).as_posix(): p for p in _files(clip)} if clip.exists() else {}
        for name in sorted(fetched.keys() ^ there.keys(), key=natural_key):
            what = "is missing, but was there" if name in fetched else "was not there"
            raise InputError(f"{Path(self.root) / name}: it {what} when the dataset was fetched; fetch it again")
        for name, path in there.items():
            if _described(path, Path(self.root)) != fetched[name]:
                raise InputError(f"{path}: it has changed since the dataset was fetched (sha256); fetch it again")

    def _frames(self, path: Path) -> Iterator[np.ndarray]:
        with open_frames(path) as reader:
            for frame in itertools.islice(reader, self.max_frames):
                yield self._fitted(frame, path)

    def _fitted(self, frame: np.ndarray, path: Path) -> np.ndarray:
        height, width = frame.shape[:2]
        if self.height is not None and height > self.height:
            size = (round(width * self.height / height), self.height)
            frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        if self.crop is None:
            return frame
        height, width = frame.shape[:2]
        rows, columns = self.crop
        if rows > height or columns > width:
            raise InputError(
                f"{path}: expected frames of at least {rows} x {columns} pixels, the crop, got {height} x {width}"
            )
        top, left = (height - rows) // 2, (width - columns) // 2
        return frame[top : top + rows, left : left + columns]


def find_clips(root: Path) -> tuple[dict[str, Path], list[str]]:
    """Search a folder for clips.

    Args:
        root: the folder; it may itself be a folder of frames.

    Returns:
        Clip name -> its file or folder, in natural order; and the paths of files that are neither.

    Raises:
        InputError: no such folder, or no clip in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: there is no such folder; name one with {FORMATS} as `root` in params.yaml")
    clips: list[Path] = []
    ignored: list[Path] = []
    _walk(root, clips, ignored)
    if not clips:
        raise InputError(f"{root}: expected {FORMATS}, got no clips")
    ends = [_stem(clip) for clip in clips]
    names = {
        (end if ends.count(end) == 1 else clip.relative_to(root).as_posix()): clip
        for end, clip in zip(ends, clips, strict=True)
    }
    return names, [path.relative_to(root).as_posix() for path in ignored]


def _walk(folder: Path, clips: list[Path], ignored: list[Path]) -> None:
    own = (child for child in folder.iterdir() if not child.name.startswith(FOREIGN))
    children = sorted(own, key=lambda c: natural_key(c.name))
    layout = next((c for c in children if c.name.lower() in ("jpegimages", "480p") and _is_davis(c)), None)
    if layout is not None:
        return _walk(layout, clips, ignored)
    files = [c for c in children if c.is_file()]
    videos = [c for c in files if c.suffix.lower() in VIDEO_SUFFIXES]
    pictures = [c for c in files if c.suffix.lower() in IMAGE_SUFFIXES]
    clips += videos
    if pictures and not videos:
        clips.append(folder)
        pictures = []
    ignored += [c for c in files if c not in videos and c.suffix.lower() not in IMAGE_SUFFIXES] + pictures
    for child in children:
        # A link to a folder above would be followed for ever.
        if child.is_dir() and not folder.resolve().is_relative_to(child.resolve()):
            _walk(child, clips, ignored)
    return None


def _is_davis(folder: Path) -> bool:
    """Whether this is ``JPEGImages``, or its 480p among other resolutions."""
    return folder.is_dir() and "jpegimages" in (folder.name.lower(), folder.resolve().parent.name.lower())


def _files(clip: Path) -> list[Path]:
    """The files that a clip is read from, in the order of its frames."""
    return [clip] if clip.is_file() else list_pictures(clip)


def _described(path: Path, root: Path) -> dict[str, Any]:
    try:
        return {
            "name": path.relative_to(root).as_posix(),
            "bytes": path.stat().st_size,
            "sha256": sha256(path),
        }
    except OSError as error:  # a link to nowhere, no permission
        raise InputError(f"{path}: it cannot be read ({error.strerror}); mend or remove it") from None


def _stem(clip: Path) -> str:
    return clip.stem if clip.is_file() else clip.resolve().name


def _choose(
    root: Path,
    dataset: str,
    found: dict[str, Path],
    ignored: list[str],
    wanted: dict[str, Sequence[str] | Literal["rest"]],
) -> dict[str, list[str]]:
    """Clip names per split, checked: each exists, none in two splits, no split twice the rest."""
    rests = [split for split, names in wanted.items() if names == "rest"]
    if len(rests) > 1:
        raise InputError(f"datasets.{dataset}: expected `rest` for one split, got it for {' and '.join(rests)}")
    chosen = {
        split: [_resolve(root, f"datasets.{dataset}.{split}", name, found, ignored) for name in names]
        for split, names in wanted.items()
        if split not in rests
    }
    taken: dict[str, str] = {}
    for split, names in chosen.items():
        for name in names:
            if name in taken:
                where = f"both {taken[name]} and {split}" if taken[name] != split else f"{split} twice"
                raise InputError(f"datasets.{dataset}: expected each clip once, got {name} in {where}")
            taken[name] = split
    for split in rests:
        chosen[split] = [name for name in found if name not in taken]
        if not chosen[split]:
            raise InputError(f"datasets.{dataset}.{split}: expected clips left for `rest` in {root}, got none")
    return {split: chosen[split] for split in wanted if chosen[split]}


def _resolve(root: Path, key: str, name: str, found: dict[str, Path], ignored: list[str]) -> str:
    """The clip that a user means: its name, or its path from the folder, with or without suffix."""
    if name in found:
        return name
    for known, path in found.items():
        relative = path.relative_to(root)
        if name in (relative.as_posix(), relative.with_suffix("").as_posix(), path.name):
            return known
    if any(name in (file, Path(file).name, Path(file).stem) for file in ignored):
        raise InputError(f"{key}: expected {FORMATS}, got {name} in {root}")
    near = difflib.get_close_matches(name, found, n=3, cutoff=0.4) or list(found)[:5]
    raise InputError(f"{key}: expected a clip of {root}, got {name!r}; nearest: {', '.join(near)}")
