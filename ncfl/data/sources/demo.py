"""The demo source: stand-ins for the published datasets, made from photographs that ship with dependencies.

A stand-in lies as its dataset does: frames are rendered and degraded (:mod:`ncfl.data.sources.stand_ins`), encoded in
the dataset's own format, named by its own layout and put into an archive, which is then unpacked, listed and read by
the code that reads the published one. Needs no download.

Train clips show other photographs than test clips do. A clip depends on (seed, dataset, split, its number)
and on the source's own numbers, and on nothing else: the same everywhere.
"""

import functools
import hashlib
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path, sha256
from ncfl.data.datasets import find
from ncfl.data.datasets.interface import Dataset, RawFormat, Split
from ncfl.data.frames import Splits
from ncfl.data.sources.framefiles import index_files, read_clips
from ncfl.data.sources.index_file import Pictures
from ncfl.data.sources.stand_ins import film
from ncfl.data.synthetic import photographs
from ncfl.data.synthetic.outlines import OUTLINES
from ncfl.data.synthetic.scenes import Scene
from ncfl.data.transport.archives import unpack
from ncfl.media.pictures import encode_picture

PHOTOGRAPHS = {"train": photographs.TRAIN_PHOTOGRAPHS, "test": photographs.TEST_PHOTOGRAPHS}
CALM = 0.25  # of the greatest motion: what a memory is worth depends on it
Motion = Callable[[int, int], np.ndarray]
_EPOCH = (1980, 1, 1, 0, 0, 0)  # an archive's bytes must not depend on the day


@dataclass(frozen=True, kw_only=True)
class DemoSource:
    """What the demo's stand-in for a dataset looks like.

    Attributes:
        height, width: pixels.
        train, test: clips; 0 leaves the split out.
        frames: per clip.
        max_motion: pixels per frame, of the fastest layer; every second clip is calm, with :data:`CALM` of it.
    """

    height: int = 128
    width: int = 192
    train: int = 24
    test: int = 4
    frames: int = 12
    max_motion: float = 4.0

    name = "demo"
    index_form = Pictures
    stand_in = True
    part = None

    def index(self, dataset: str, root: Path, *, seed: int = 0, given: Path | None = None) -> dict[str, Any]:
        """Render, pack, unpack and list the stand-in (:meth:`ncfl.data.sources.interface.Source.index`)."""
        if given is not None:
            raise InputError(
                f"dataset {dataset}: expected no --from, since its source is demo, which makes its own files, got "
                f"{given}; set `source: published` in params.yaml to use the dataset itself"
            )
        found = find(dataset)
        if found.frames not in (None, self.frames):
            raise InputError(
                f"dataset {dataset}: frames: expected {found.frames}, as {found.title} has, got {self.frames}"
            )
        lists = {split: _names(found, split, count) for split, count in self._counts().items()}
        folder = Path(root) / self.name
        archive = folder / "archives" / f"{dataset}.zip"
        with atomic_path(archive) as temporary, zipfile.ZipFile(temporary, "w") as packed:
            for name, data in self._files(found, lists, seed):
                packed.writestr(zipfile.ZipInfo(name, _EPOCH), data)
        files = folder / "files"
        shutil.rmtree(files, ignore_errors=True)
        unpack(archive, files, max_files=1_000_000, max_bytes=2 * archive.stat().st_size)
        made = {"name": archive.name, "bytes": archive.stat().st_size, "sha256": sha256(archive)}
        used = [_described(name) for split in lists for name in PHOTOGRAPHS[split]]
        return {"seed": seed, "photographs": used, "archives": [made], **index_files(found, files, lists)}

    def splits(self, dataset: str, index: dict[str, Any], root: Path) -> Splits:
        """The clips, decoded while they are read (:meth:`ncfl.data.sources.interface.Source.splits`)."""
        return read_clips(find(dataset), index, Path(root) / self.name / "files")

    def convention(self, dataset: str) -> str:
        """That of the dataset it stands in for."""
        return find(dataset).convention

    def raw(self, dataset: str) -> RawFormat | None:
        """That of the dataset it stands in for."""
        return find(dataset).raw

    def motion(self, dataset: str, split: Split, *, seed: int) -> Motion:
        """The exact motion in the clips of a split, whose scenes are laid out again.

        Returns:
            (number of a clip, frame from 1 on) -> float32 [height,width,2] (x, y): backward motion of what is to be
            seen there, pixels of the rendered frame.
        """
        loaded, name = photographs.load(PHOTOGRAPHS[split]), find(dataset).name

        @functools.lru_cache(maxsize=1)
        def scene(number: int) -> Scene:
            return self._scene(loaded, number, _generator(seed, name, split, number))

        return lambda number, t: scene(number).flow(t)

    def _counts(self) -> dict[Split, int]:
        return {split: n for split, n in (("train", self.train), ("test", self.test)) if n > 0}

    def _files(self, dataset: Dataset, lists: dict[Split, list[str]], seed: int) -> Iterator[tuple[str, bytes]]:
        for split, clips in lists.items():
            loaded = photographs.load(PHOTOGRAPHS[split])
            for number, clip in enumerate(clips):
                rng = _generator(seed, dataset.name, split, number)
                frame = film(dataset, clip, self._scene(loaded, number, rng), rng)
                for t in range(self.frames):
                    clean, shots = frame(t)
                    for shot, picture in ((None, clean), *enumerate(shots)):
                        path = dataset.place(split, clip, t, shot)
                        yield path, encode_picture(picture, path)

    def _scene(self, loaded: dict[str, np.ndarray], number: int, rng: np.random.Generator) -> Scene:
        names = list(loaded)
        return Scene(
            loaded,
            self.height,
            self.width,
            rng,
            max_motion=self.max_motion * (CALM if number % 2 else 1),
            frames=self.frames,
            background=names[number % len(names)],
            outlines=OUTLINES,
        )


def _generator(seed: int, dataset: str, split: Split, number: int) -> np.random.Generator:
    digest = hashlib.sha256(f"{seed}/{dataset}/{split}/{number}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def _names(dataset: Dataset, split: Split, count: int) -> list[str]:
    """What the clips are called: as the layout prescribes, else by the photograph behind."""
    if dataset.names is not None:
        return dataset.names(split, count)
    backgrounds = PHOTOGRAPHS[split]
    return [f"{backgrounds[number % len(backgrounds)]}-{number:02d}" for number in range(count)]


def _described(name: str) -> dict[str, Any]:
    path = photographs.path(name)
    package, file = photographs.FILES[name]
    return {"name": f"{package}/{file}", "bytes": path.stat().st_size, "sha256": sha256(path)}
