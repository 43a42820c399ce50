"""What the tests of the evaluation protocol share: made-up frames, and a method that keeps what it was fed."""

import csv
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from ncfl.data.store import ClipStore
from ncfl.data.store_writer import write_store
from ncfl.evaluate.measurements import EvaluationFiles
from ncfl.evaluate.protocol import evaluate

HEIGHT, WIDTH = 20, 28
LENGTHS = {"long": 5, "short": 2, "other": 3}


def frames(name: str, count: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(len(name))
    first = cv2.GaussianBlur(rng.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.float32), (0, 0), 2) * 2 - 128
    for t in range(count):
        yield np.roll(first, t, axis=1).clip(0, 255).astype(np.uint8)


def plain_store(root: Path) -> ClipStore:
    """Clips of three lengths to test on, and one to train on, of RGB frames without degradation."""
    clips = [(name, frames(name, count)) for name, count in LENGTHS.items()]
    splits = {"test": clips, "train": [("one", frames("one", 1))]}
    write_store(root, dataset="set8", source="demo", stand_in=True, splits=splits, details={})
    return ClipStore(root)


class Recorder:
    """Gives each frame back, shifted, and keeps what it was fed."""

    name, blind, channels = "recorder", False, 3

    def __init__(self, shift: float = 0.0) -> None:
        self.shift = shift
        self.fed: list[tuple[np.ndarray, list[float], int]] = []

    def step(self, frame: Tensor, state: int | None, sigma: Tensor | None) -> tuple[Tensor, int]:
        self.fed.append((frame.numpy().copy(), sigma.tolist(), state or 0))
        return frame + self.shift, (state or 0) + 1


def run(method: object, store: ClipStore, **other: object) -> EvaluationFiles:
    return evaluate(**{"method": method, "store": store, "dataset": "set8", "sigmas": [10, 50], "seed": 7} | other)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
