"""Writes the folders that :mod:`ncfl.data.store` reads: frame by frame, in constant memory, whole or not at all."""

import contextlib
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ncfl.common.errors import InputError
from ncfl.common.files import leftovers, remove_leftovers, sha256, temporary_beside, write_json, writing
from ncfl.data.datasets.interface import RawFormat
from ncfl.data.frames import Frame, Pair, Splits
from ncfl.data.store import FORMAT, MANIFEST

DTYPES = {"uint8": 255, "uint16": 65535}


def write_store(
    root: Path,
    *,
    dataset: str,
    source: str,
    stand_in: bool,
    splits: Splits,
    details: Mapping[str, Any],
    convention: str = "rgb",
    raw: RawFormat | None = None,
    part: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Write clips, frame by frame in constant memory, and then the manifest.

    The store is built beside ``root`` and takes its place when it is whole; on an error ``root`` stays as it
    was. The bytes depend on the arguments alone. Checksums are taken beside the writing, in a thread.

    Args:
        root: the store's folder; what is there is replaced.
        dataset: whose name it bears.
        source: what it was made from (``demo``, ``clips``, ...).
        stand_in: whether it only stands in for the dataset of this name.
        splits: split -> (clip's name, its frames: uint8 or uint16 [H,W,C], or :class:`Pair` of such, all of one
            size, type and number of shots).
        details: anything else to be recorded, JSON.
        convention: how frames are compared, a name of :mod:`ncfl.evaluate.conventions`.
        raw: what the numbers mean where frames are packed Bayer; None for RGB.
        part: the sequences that are all there is of the dataset; None for the whole.

    Returns:
        The manifest.

    Raises:
        InputError: a clip without frames, frames that differ in size or type, names twice, no space left.
    """
    root = Path(root)
    root.parent.mkdir(parents=True, exist_ok=True)
    with _replaced_folder(root) as building:
        manifest = {
            "format": FORMAT,
            "dataset": dataset,
            "source": source,
            "stand_in": stand_in,
            **({} if part is None else {"part": [*part]}),
            "convention": convention,
            "details": dict(details),
            "clips": _write_clips(building, root, splits, raw),
        }
        write_json(building / MANIFEST, manifest)
    return manifest


def _write_clips(building: Path, root: Path, splits: Splits, raw: RawFormat | None) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    checksums: list[tuple[dict[str, Any], Future[str]]] = []
    with _dropped_on_error(ThreadPoolExecutor(1, "checksum")) as hashing:
        for split, named in splits.items():
            for number, (name, frames) in enumerate(named):
                if (split, name) in seen:
                    raise InputError(f"{root}: split {split}: expected each clip once, got {name} twice")
                seen.add((split, name))
                entry = _write_clip(building, split, number, name, frames, raw)
                checksums += [
                    (file, hashing.submit(sha256, building / file["path"])) for file in entry["files"].values()
                ]
                entries.append(entry)
        for file, checksum in checksums:
            file["sha256"] = checksum.result()
    return entries


@contextlib.contextmanager
def _dropped_on_error(pool: ThreadPoolExecutor) -> Iterator[ThreadPoolExecutor]:
    """The pool, waited for at the end; on an error what is queued is dropped, for its files are."""
    try:
        yield pool
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


@contextlib.contextmanager
def _replaced_folder(root: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of ``root`` if the block ends well; else it leaves no trace."""
    building = temporary_beside(root)
    before = temporary_beside(root, suffix=".before")
    _clear_up_after_killed(root)
    shutil.rmtree(building, ignore_errors=True)
    try:
        with writing(root):
            building.mkdir()
            yield building
            if root.exists():
                root.rename(before)
            building.rename(root)
    finally:
        if before.exists() and not root.exists():
            before.rename(root)
        shutil.rmtree(before, ignore_errors=True)
        shutil.rmtree(building, ignore_errors=True)


def _clear_up_after_killed(root: Path) -> None:
    """Remove what processes that are no more left half-built; put back what one of them had moved away."""
    for before in leftovers(root, suffix=".before"):
        if not root.exists():
            before.rename(root)
    remove_leftovers(root)
    remove_leftovers(root, suffix=".before")


def _write_clip(
    root: Path, split: str, number: int, name: str, frames: Iterable[Frame], raw: RawFormat | None
) -> dict[str, Any]:
    # The number keeps names apart that only differ in what a file name cannot hold.
    stem = f"{split}/{number:03d}_{re.sub(r'[^A-Za-z0-9.-]+', '-', name)[:80]}"
    (root / split).mkdir(exist_ok=True)
    arrays: dict[str, _ArrayWriter] = {}
    with contextlib.ExitStack() as stack:
        for count, frame in enumerate(frames):
            parts = _roles(frame)
            if count == 0:
                for role in parts:
                    suffix = "" if role == "clean" else f".{role.removeprefix('degraded-')}"
                    arrays[role] = stack.enter_context(_ArrayWriter(root / f"{stem}{suffix}.npy", name))
            if parts.keys() != arrays.keys():
                raise InputError(
                    f"clip {name}: frame {count}: expected {len(arrays) - 1} degraded shots, as those before it have, "
                    f"got {len(parts) - 1}"
                )
            for role, part in parts.items():
                arrays[role].write(part)
    if not arrays:
        raise InputError(f"clip {name}: expected frames, got none")
    clean = arrays["clean"]
    for role, array in arrays.items():
        if (array.shape, array.dtype) != (clean.shape, clean.dtype):
            raise InputError(
                f"clip {name}: expected {role} frames of {clean.dtype} {list(clean.shape[1:])}, as the clean ones are, "
                f"got {array.dtype} {list(array.shape[1:])}"
            )
    return {
        "name": name,
        "split": split,
        **dict(zip(("frames", "height", "width", "channels"), clean.shape, strict=True)),
        "dtype": clean.dtype,
        "black": raw.black if raw else 0,
        "peak": raw.white if raw else DTYPES[clean.dtype],
        "bayer": raw.pattern if raw else None,
        "files": {
            role: {"path": array.path.relative_to(root).as_posix(), "bytes": array.path.stat().st_size}
            for role, array in arrays.items()
        },
    }


def _roles(frame: Frame) -> dict[str, np.ndarray]:
    if not isinstance(frame, Pair):
        return {"clean": frame}
    return {"clean": frame.clean} | {f"degraded-{number}": shot for number, shot in enumerate(frame.degraded)}


class _ArrayWriter(contextlib.AbstractContextManager):
    """Writes frames as one ``.npy`` whose length is only known at the end.

    Attributes:
        shape: (T, H, W, C) so far.
        dtype: of the first frame.
    """

    def __init__(self, path: Path, clip: str) -> None:
        self.path, self.clip = path, clip
        self.shape: tuple[int, ...] = ()
        self.dtype = ""
        self._file = path.open("wb")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._file.seek(0)
            _header(self._file, self.shape, self.dtype)
        self._file.close()

    def write(self, frame: np.ndarray) -> None:
        """Append one frame, uint8 or uint16 [H,W,C]."""
        if not self.shape:
            self.shape, self.dtype = (0, *frame.shape), str(frame.dtype)
            if self.dtype not in DTYPES or frame.ndim != 3:
                raise InputError(
                    f"clip {self.clip}: frames: expected uint8 or uint16 [H,W,C], got {self.dtype} {list(frame.shape)}"
                )
            _header(self._file, self.shape, self.dtype)
        if frame.shape != self.shape[1:] or str(frame.dtype) != self.dtype:
            raise InputError(
                f"clip {self.clip}: frame {self.shape[0]}: expected {self.dtype} {list(self.shape[1:])}, as those "
                f"before it, got {frame.dtype} {list(frame.shape)}"
            )
        self._file.write(np.ascontiguousarray(frame).data)
        self.shape = (self.shape[0] + 1, *frame.shape)


def _header(file: Any, shape: tuple[int, ...], dtype: str) -> None:
    # numpy pads the header so that its length does not change when the first axis grows.
    description = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(file, description)
