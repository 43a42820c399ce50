"""The demo source: short films made from photographs that ship with dependencies. Needs no download.

Train clips show other photographs than test clips do. A clip depends on (seed, dataset, split, its number)
and on the source's own numbers, and on nothing else: the same everywhere.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ncfl.data import photographs
from ncfl.data.outlines import OUTLINES
from ncfl.data.scenes import Scene
from ncfl.files import sha256

PHOTOGRAPHS = {"train": photographs.TRAIN_PHOTOGRAPHS, "test": photographs.TEST_PHOTOGRAPHS}


@dataclass(frozen=True, kw_only=True)
class DemoSource:
    """What the demo's stand-in for a dataset looks like.

    Attributes:
        height, width: pixels.
        train, test: clips; 0 leaves the split out.
        frames: per clip.
        max_motion: pixels per frame, of the fastest layer.
    """

    height: int = 128
    width: int = 192
    train: int = 24
    test: int = 4
    frames: int = 12
    max_motion: float = 4.0

    name = "demo"
    stand_in = True

    def index(self, dataset: str, root: Path) -> dict[str, Any]:
        """The photographs that the clips are made from (:meth:`ncfl.data.sources.Source.index`)."""
        del dataset, root
        return {"files": [_described(name) for split in self._counts() for name in PHOTOGRAPHS[split]]}

    def splits(self, dataset: str, index: dict[str, Any], seed: int) -> dict[str, Iterable[tuple[str, Iterator]]]:
        """The clips, rendered while they are read (:meth:`ncfl.data.sources.Source.splits`)."""
        del index
        return {split: self._clips(dataset, split, count, seed) for split, count in self._counts().items()}

    def _counts(self) -> dict[str, int]:
        return {split: n for split, n in (("train", self.train), ("test", self.test)) if n > 0}

    def _clips(self, dataset: str, split: str, count: int, seed: int) -> Iterator[tuple[str, Iterator[np.ndarray]]]:
        names = PHOTOGRAPHS[split]
        loaded = photographs.load(names)
        for number in range(count):
            background = names[number % len(names)]
            digest = hashlib.sha256(f"{seed}/{dataset}/{split}/{number}".encode()).digest()
            scene = Scene(
                loaded,
                self.height,
                self.width,
                np.random.default_rng(int.from_bytes(digest, "big")),
                max_motion=self.max_motion,
                frames=self.frames,
                background=background,
                outlines=OUTLINES,
            )
            yield f"{background}-{number:02d}", map(scene.render, range(self.frames))


def _described(name: str) -> dict[str, Any]:
    path = photographs.path(name)
    package, file = photographs.FILES[name]
    return {"name": f"{package}/{file}", "bytes": path.stat().st_size, "sha256": sha256(path)}
