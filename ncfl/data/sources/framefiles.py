"""Datasets that are files, a picture per frame: what was fetched, by checksum, and its frames, checked and decoded.

Two threads read ahead of whoever takes the frames: checksum and decoding of a few frames, never a whole clip.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ncfl.common.errors import InputError
from ncfl.common.files import sha256
from ncfl.common.progress import Progress
from ncfl.data import bayer
from ncfl.data.datasets.interface import Dataset, Lists, Tree
from ncfl.data.frames import Frame, Pair
from ncfl.media.pictures import decode_mosaic, decode_picture, read_bytes

T, R = TypeVar("T"), TypeVar("R")
WORKERS = min(4, os.cpu_count() or 1)


def index_files(dataset: Dataset, root: Path, lists: Lists | None = None) -> dict[str, Any]:
    """List a dataset's clips and the files that they are made of.

    Args:
        dataset: whose layout is looked for.
        root: the unpacked files.
        lists: names of the clips that must be there, by split; None: the published ones.

    Returns:
        JSON: ``files``, {name, bytes, sha256} of each frame used; ``clips``, by split, each {name, clean,
        degraded} with paths of frames.

    Raises:
        InputError: no such folder, an incomplete dataset, or a file that cannot be read; it names what is missing.
    """
    tree = Tree(root)
    clips = dataset.clips(tree, lists)
    used = dict.fromkeys(
        name for found in clips.values() for clip in found for shot in (clip.clean, *clip.degraded) for name in shot
    )

    def described(name: str) -> dict[str, Any]:
        path = tree.root / name
        try:
            return {"name": name, "bytes": path.stat().st_size, "sha256": sha256(path)}
        except OSError as error:
            lost = path.is_symlink() and not path.exists()
            reason = f"a link to {path.readlink()}, which is not there" if lost else error.strerror
            raise InputError(f"{path}: it cannot be read ({reason}); mend it") from None

    files = []
    with Progress(len(used), f"checksums of {dataset.title}", unit="file") as bar:
        for file in in_order(described, used):
            files.append(file)
            bar.update(len(files))
    return {"files": files, "clips": {split: [clip._asdict() for clip in found] for split, found in clips.items()}}


def read_clips(
    dataset: Dataset, index: Mapping[str, Any], root: Path, max_frames: int | None = None, *, published: bool = False
) -> dict[str, Iterator[tuple[str, Iterator[Frame]]]]:
    """The clips of an index, decoded while they are read.

    Args:
        dataset: what its files mean.
        index: of :func:`index_files`; every file is compared with it before it is decoded.
        root: the unpacked files.
        max_frames: of each clip, from its start; None: all.
        published: whether frames must have the size that the dataset was published with.

    Raises:
        InputError: while reading: a file that is gone, changed, unreadable, or of another size than the
            frames before or than was published; named.
    """
    known = {file["name"]: file["sha256"] for file in index["files"]}
    read = _reader(dataset, Path(root), known, published)

    def frames(clip: Mapping[str, Any]) -> Iterator[Frame]:
        shots = [clip["clean"], *clip["degraded"]]
        size = None
        for pictures in in_order(lambda names: [read(name) for name in names], _together(shots, max_frames)):
            for name, picture in pictures:
                size = size or picture.shape
                if picture.shape != size:
                    raise InputError(
                        f"{Path(root) / name}: expected {size[0]} x {size[1]} pixels, as the clip's first frame has, "
                        f"got {picture.shape[0]} x {picture.shape[1]}"
                    )
            clean, *degraded = (picture for _, picture in pictures)
            yield Pair(clean, tuple(degraded)) if degraded else clean

    def clips(found: list[Mapping[str, Any]]) -> Iterator[tuple[str, Iterator[Frame]]]:
        return ((clip["name"], frames(clip)) for clip in found)

    return {split: clips(found) for split, found in index["clips"].items()}


def _together(shots: list[list[str]], max_frames: int | None) -> Iterator[tuple[str, ...]]:
    """The file names of a frame, clean and shots, frame by frame."""
    return zip(*(shot[:max_frames] for shot in shots), strict=True)


def _reader(
    dataset: Dataset, root: Path, known: Mapping[str, str], published: bool
) -> Callable[[str], tuple[str, np.ndarray]]:
    """Reads one file by name: checked, decoded, [H,W,3] RGB or [H/2,W/2,4] packed."""

    raw, again = dataset.raw, f"fetch it again (ncfl fetch --dataset {dataset.name})"

    def read(name: str) -> tuple[str, np.ndarray]:
        path = root / name
        if not path.exists():
            raise InputError(f"{path}: it is gone since the dataset was fetched; {again}")
        data = read_bytes(path)
        if hashlib.sha256(data).hexdigest() != known[name]:
            raise InputError(f"{path}: it has changed since the dataset was fetched (sha256); {again}")
        picture = decode_picture(data, path) if raw is None else decode_mosaic(data, path)
        if published:
            dataset.check_size(*picture.shape[:2], path)
        if raw is None:
            return name, picture
        mosaic = picture
        if mosaic.shape[0] % 2 or mosaic.shape[1] % 2:
            raise InputError(
                f"{path}: expected even sides of a Bayer mosaic, got {mosaic.shape[0]} x {mosaic.shape[1]} pixels"
            )
        return name, bayer.pack(mosaic, raw.pattern)

    return read


def in_order(function: Callable[[T], R], items: Iterable[T], ahead: int = 2 * WORKERS) -> Iterator[R]:
    """``map`` with threads that work at most ``ahead`` items ahead of the one that is taken."""
    with ThreadPoolExecutor(WORKERS, "frames") as pool:
        waiting: deque = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
