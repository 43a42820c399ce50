"""Prepared clips: one memory-mapped ``.npy`` per clip and a manifest with its checksums.

    <root>/manifest.json                written last: a store without it is not a store
    <root>/<split>/000_<name>.npy       uint8 (or uint16) [T,H,W,C], RGB or packed Bayer order
    <root>/<split>/000_<name>.0.npy     the same of its first degraded shot, where the dataset is paired

A clip's ``files`` name its arrays by role. ``clean`` is always there; a paired dataset adds ``degraded-0``,
``degraded-1``, ... of the same length and size: shots of the same frames. ``black`` and ``peak`` are the stored
values that stand for 0.0 and 1.0: 0 and 255 for uint8.
"""

import errno
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ncfl.common.errors import InputError
from ncfl.common.files import read_json, sha256

FORMAT = "ncfl-store-2"
MANIFEST = "manifest.json"
_AGAIN = "prepare the dataset again"


@dataclass(frozen=True)
class Clip:
    """One prepared clip; its frames are mapped at every use, at the cost of a tenth of a millisecond.

    They cost no memory of their own, and a map lives only as long as somebody holds it: each takes a file
    descriptor, of which a process has a thousand or so, and a dataset may have more clips than that.

    Attributes:
        name: as tables show it, unique within its split.
        path: its clean frames.
        shape: (T, H, W, C).
        black, peak: the stored values that stand for 0.0 and 1.0.
        bayer: colors of a raw mosaic's top left 2 x 2 pixels, where C is four packed planes; None for RGB.
        degraded_paths: a paired dataset's degraded shots, or none.
    """

    name: str
    path: Path
    shape: tuple[int, int, int, int]
    dtype: str = "uint8"
    peak: int = 255
    black: int = 0
    bayer: str | None = None
    degraded_paths: tuple[Path, ...] = ()

    @property
    def frames(self) -> np.ndarray:
        """Clean frames, read-only memory map [T,H,W,C]."""
        return self._map(self.path)

    @property
    def degraded(self) -> list[np.ndarray] | None:
        """Degraded shots of a paired dataset, each like :attr:`frames`; None where degradation is synthetic."""
        return [self._map(path) for path in self.degraded_paths] or None

    def unit(self, frames: np.ndarray) -> np.ndarray:
        """Stored values as float32 with ``black`` at 0.0 and ``peak`` at 1.0; noise below black is negative."""
        values = frames.astype(np.float32)
        if self.black:
            values -= np.float32(self.black)
        values /= np.float32(self.peak - self.black)
        return values

    def _map(self, path: Path) -> np.ndarray:
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, SyntaxError, tokenize.TokenError) as error:  # the last two: of a header
            if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
                raise  # nothing is wrong with the file
            raise InputError(f"{path}: it cannot be read as prepared frames ({error}); {_AGAIN}") from None
        if array.shape != self.shape or array.dtype != self.dtype:
            raise InputError(
                f"{path}: expected {self.dtype} {list(self.shape)}, as the manifest says, got {array.dtype} "
                f"{list(array.shape)}; {_AGAIN}"
            )
        return array


class ClipStore:
    """Reads a folder that :func:`ncfl.data.store_writer.write_store` wrote.

    Raises:
        InputError: no manifest, a foreign or damaged one, or a file that is missing or of another size.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        path = self.root / MANIFEST
        if not path.is_file():
            raise InputError(f"{path}: there is no such file; prepare the dataset first (ncfl prepare --dataset ...)")
        self.manifest: dict[str, Any] = read_json(path)
        if not isinstance(self.manifest, dict) or self.manifest.get("format") != FORMAT:
            raise InputError(f"{path}: it is not a manifest of prepared clips (format {FORMAT}); {_AGAIN}")
        self._splits: dict[str, list[Clip]] = {}
        try:
            for entry in self.manifest["clips"]:
                self._splits.setdefault(entry["split"], []).append(self._clip(entry))
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise InputError(f"{path}: it is damaged ({error!r}); {_AGAIN}") from None

    def split(self, name: str) -> list[Clip]:
        """The clips of a split, in the order in which they were prepared; never empty."""
        clips = self._splits.get(name)
        if not clips:
            there = ", ".join(f"{split} ({len(clips)})" for split, clips in self._splits.items())
            raise InputError(f"{self.root / MANIFEST}: expected clips in split {name}, got {there or 'none at all'}")
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
                    f"{path}: expected sha256 {file['sha256']}, as the manifest says, got {found}; {_AGAIN}"
                )

    def _clip(self, entry: dict[str, Any]) -> Clip:
        paths = {role: self._checked(file) for role, file in entry["files"].items()}
        shape = tuple(int(entry[key]) for key in ("frames", "height", "width", "channels"))
        shots = tuple(paths[f"degraded-{number}"] for number in range(len(paths) - 1))
        return Clip(
            entry["name"],
            paths["clean"],
            shape,
            entry["dtype"],
            int(entry["peak"]),
            int(entry["black"]),
            entry["bayer"],
            shots,
        )

    def _checked(self, file: dict[str, Any]) -> Path:
        path = self.root / file["path"]
        if not path.is_file():
            raise InputError(f"{path}: it is missing, though the manifest names it; {_AGAIN}")
        if path.stat().st_size != file["bytes"]:
            raise InputError(
                f"{path}: expected {file['bytes']} bytes, as the manifest says, got {path.stat().st_size}; {_AGAIN}"
            )
        return path
