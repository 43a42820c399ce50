"""Prepared clips: one memory-mapped ``.npy`` per clip and a manifest with its checksums.

    <root>/manifest.json            written last: a store without it is not a store
    <root>/<split>/000_<name>.npy   uint8 (or uint16) [T,H,W,C], RGB order

A clip's ``files`` name its arrays by role. ``clean`` is always there; a paired dataset adds ``degraded`` of
the same length and size. ``peak`` is the value that stands for 1.0: 255 for uint8.
"""

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ncfl.errors import InputError
from ncfl.files import read_json, sha256, write_json

FORMAT = "ncfl-store-1"
MANIFEST = "manifest.json"
DTYPES = {"uint8": 255, "uint16": 65535}

Splits = Mapping[str, Iterable[tuple[str, Iterable[np.ndarray]]]]


@dataclass(frozen=True)
class Clip:
    """One prepared clip; its frames are mapped at the first use and cost no memory of their own.

    Attributes:
        name: as tables show it, unique within its split.
        path: its clean frames.
        shape: (T, H, W, C).
        peak: the stored value that stands for 1.0.
        degraded_path: a paired dataset's degraded frames, or None.
    """

    name: str
    path: Path
    shape: tuple[int, int, int, int]
    dtype: str = "uint8"
    peak: int = 255
    degraded_path: Path | None = None

    @cached_property
    def frames(self) -> np.ndarray:
        """Clean frames, read-only memory map [T,H,W,C]."""
        return self._map(self.path)

    @cached_property
    def degraded(self) -> np.ndarray | None:
        """Degraded frames of a paired dataset, like :attr:`frames`; None where degradation is synthetic."""
        return None if self.degraded_path is None else self._map(self.degraded_path)

    def _map(self, path: Path) -> np.ndarray:
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: not readable as prepared frames ({error}); prepare the dataset again") from None
        if array.shape != self.shape or array.dtype != self.dtype:
            raise InputError(
                f"{path}: holds {array.dtype} {list(array.shape)}, the manifest says {self.dtype} "
                f"{list(self.shape)}; prepare the dataset again"
            )
        return array


class ClipStore:
    """Reads a folder that :func:`write_store` wrote.

    Raises:
        InputError: no manifest, a foreign or damaged one, or a file that is missing or of another size.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        path = self.root / MANIFEST
        if not path.is_file():
            raise InputError(f"{path}: no such file; prepare the dataset first (ncfl prepare --dataset ...)")
        self.manifest: dict[str, Any] = read_json(path)
        if not isinstance(self.manifest, dict) or self.manifest.get("format") != FORMAT:
            raise InputError(f"{path}: not a manifest of prepared clips (format {FORMAT}); prepare the dataset again")
        self._splits: dict[str, list[Clip]] = {}
        try:
            for entry in self.manifest["clips"]:
                self._splits.setdefault(entry["split"], []).append(self._clip(entry))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InputError(f"{path}: damaged ({error!r}); prepare the dataset again") from None

    def split(self, name: str) -> list[Clip]:
        """The clips of a split, in the order in which they were prepared; never empty."""
        clips = self._splits.get(name)
        if not clips:
            there = ", ".join(f"{split} ({len(clips)})" for split, clips in self._splits.items())
            raise InputError(f"{self.root / MANIFEST}: no clips in split {name}; there are {there or 'none'}")
        return clips

    def verify(self) -> None:
        """Check every file's SHA-256 against the manifest.

        Raises:
            InputError: the first file that differs, named.
        """
        for file in (file for clip in self.manifest["clips"] for file in clip["files"].values()):
            path = self.root / file["path"]
            found = sha256(path)
            if found != file["sha256"]:
                raise InputError(
                    f"{path}: sha256 is {found}, the manifest says {file['sha256']}; prepare the dataset again"
                )

    def _clip(self, entry: dict[str, Any]) -> Clip:
        paths = {role: self._checked(file) for role, file in entry["files"].items()}
        shape = tuple(int(entry[key]) for key in ("frames", "height", "width", "channels"))
        return Clip(entry["name"], paths["clean"], shape, entry["dtype"], int(entry["peak"]), paths.get("degraded"))

    def _checked(self, file: dict[str, Any]) -> Path:
        path = self.root / file["path"]
        if not path.is_file():
            raise InputError(f"{path}: missing, though the manifest names it; prepare the dataset again")
        if path.stat().st_size != file["bytes"]:
            raise InputError(
                f"{path}: {path.stat().st_size} bytes, the manifest says {file['bytes']}; prepare the dataset again"
            )
        return path


def write_store(
    root: Path, *, dataset: str, source: str, stand_in: bool, splits: Splits, details: Mapping[str, Any]
) -> dict[str, Any]:
    """Write clips, frame by frame in constant memory, and then the manifest.

    The store is built beside ``root`` and takes its place when it is whole; on an error ``root`` stays as it
    was. The bytes depend on the arguments alone.

    Args:
        root: the store's folder; what is there is replaced.
        dataset: whose name it bears.
        source: what it was made from (``demo``, ``clips``, ...).
        stand_in: whether it only stands in for the dataset of this name.
        splits: split -> (clip's name, its frames: uint8 or uint16 [H,W,C], all of one size and type).
        details: anything else to be recorded, JSON.

    Returns:
        The manifest.

    Raises:
        InputError: a clip without frames, frames that differ in size or type, names twice, no space left.
    """
    root = Path(root)
    root.parent.mkdir(parents=True, exist_ok=True)
    with _replaced_folder(root) as building:
        clips: list[dict[str, Any]] = []
        for split, named in splits.items():
            for number, (name, frames) in enumerate(named):
                if any((clip["split"], clip["name"]) == (split, name) for clip in clips):
                    raise InputError(f"{root}: split {split} names clip {name} twice")
                clips.append(_write_clip(building, split, number, name, frames))
        manifest = {
            "format": FORMAT,
            "dataset": dataset,
            "source": source,
            "stand_in": stand_in,
            "details": dict(details),
            "clips": clips,
        }
        write_json(building / MANIFEST, manifest)
    return manifest


@contextlib.contextmanager
def _replaced_folder(root: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of ``root`` if the block ends well; else it leaves no trace."""
    building = root.with_name(f".{root.name}.{os.getpid()}")
    before = root.with_name(f".{root.name}.{os.getpid()}.before")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir()
    try:
        yield building
        if root.exists():
            root.rename(before)
        building.rename(root)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(f"{root}: no space left on the device that holds {root.parent}") from error
        raise
    finally:
        if before.exists() and not root.exists():
            before.rename(root)
        shutil.rmtree(before, ignore_errors=True)
        shutil.rmtree(building, ignore_errors=True)


def _write_clip(root: Path, split: str, number: int, name: str, frames: Iterable[np.ndarray]) -> dict[str, Any]:
    # The number keeps names apart that only differ in what a file name cannot hold.
    relative = f"{split}/{number:03d}_{re.sub(r'[^A-Za-z0-9.-]+', '-', name)[:80]}.npy"
    path = root / relative
    path.parent.mkdir(exist_ok=True)
    shape, dtype = _stream_npy(path, name, frames)
    return {
        "name": name,
        "split": split,
        "frames": shape[0],
        "height": shape[1],
        "width": shape[2],
        "channels": shape[3],
        "dtype": dtype,
        "peak": DTYPES[dtype],
        "files": {"clean": {"path": relative, "bytes": path.stat().st_size, "sha256": sha256(path)}},
    }


def _stream_npy(path: Path, name: str, frames: Iterable[np.ndarray]) -> tuple[tuple[int, ...], str]:
    """Write frames as one ``.npy`` whose length is only known at the end."""
    count, shape, dtype = 0, None, None
    with path.open("wb") as file:
        for frame in frames:
            if shape is None:
                shape, dtype = frame.shape, str(frame.dtype)
                if dtype not in DTYPES or len(shape) != 3:
                    raise InputError(f"clip {name}: frames are {dtype} {list(shape)}; allowed: uint8 or uint16 [H,W,C]")
                _header(file, (0, *shape), dtype)
            if frame.shape != shape or str(frame.dtype) != dtype:
                raise InputError(
                    f"clip {name}: frame {count} is {frame.dtype} {list(frame.shape)}, "
                    f"the frames before are {dtype} {list(shape)}"
                )
            file.write(np.ascontiguousarray(frame).data)
            count += 1
        if shape is None:
            raise InputError(f"clip {name}: no frames")
        file.seek(0)
        _header(file, (count, *shape), dtype)
    return (count, *shape), dtype


def _header(file: Any, shape: tuple[int, ...], dtype: str) -> None:
    # numpy pads the header so that its length does not change when the first axis grows.
    description = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(file, description)
