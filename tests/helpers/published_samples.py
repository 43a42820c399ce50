"""All eight published datasets in their own layouts and formats, with few frames, as ``ncfl fetch --from`` takes them.

Frames have the published sizes where a dataset's module checks them, and small ones where it does not. A few distinct
pictures are written once for each dataset; all other frames are links to them, so that whole lists cost little.
"""

import itertools
import os
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from helpers.data_samples import film
from ncfl.data.datasets import find
from ncfl.data.datasets.davis import PUBLISHED as DAVIS
from ncfl.data.datasets.revide import PUBLISHED as REVIDE
from ncfl.data.datasets.set8 import PUBLISHED as SET8

DISTINCT = 3  # pictures of a dataset; frame t is picture t modulo this
SMALL = (144, 160)  # rows and columns where any size may be: a little more than the patch of 128
# What suffices of the datasets that have published lists: one sequence to train on and one to test on, short ones.
PARTS = {
    "davis": ["dog-agility", "aerobatics"],
    "set8": ["rafting"],
    "crvd": ["scene1-iso25600", "scene7-iso25600"],
    "rainsynall100": ["0001", "0900"],
    "ntu-rain": ["t1_01", "a1"],
    "revide": ["E007", "W002"],
}
RAINY_FRAMES = 5  # of each rainy clip: as many as a training clip has


def write(dataset: str, folder: Path) -> Path:
    """Write a dataset below a folder; the path to give to ``--from``."""
    return WRITERS[dataset](folder)


def _davis(folder: Path) -> Path:
    """Two zips, as the authors' server has them."""
    pictures = [_encoded(frame, ".jpg") for frame in film(DISTINCT, 480, 854)]
    folder.mkdir(parents=True)
    train, test = PARTS["davis"]
    archives = {"trainval": (train, int(DAVIS["train"][train])), "test-dev": (test, RAINY_FRAMES)}
    for name, (sequence, frames) in archives.items():
        with zipfile.ZipFile(folder / f"DAVIS-2017-{name}-480p.zip", "w") as archive:
            for t in range(frames):
                archive.writestr(find("davis").place("", sequence, t, None), pictures[t % DISTINCT])
            archive.writestr("DAVIS/README.md", "davis")
    return folder


def _set8(folder: Path) -> Path:
    (sequence,) = PARTS["set8"]
    places = (find("set8").place("test", sequence, t, None) for t in range(int(SET8["test"][sequence])))
    return _linked(folder, film(DISTINCT, 540, 960), ".png", places)


def _crvd(folder: Path) -> Path:
    """Raw mosaics of 16 bits; all shots of a frame are alike."""
    place = find("crvd").place
    mosaics = [(frame[..., 1].astype(np.uint16) * 14 + 240) for frame in film(DISTINCT, 1080, 1920)]
    clips = PARTS["crvd"]
    clean = (place("", clip, t, None) for clip in clips for t in range(7))
    _linked(folder, mosaics, ".tiff", clean)
    noise = np.random.default_rng(0).normal(0, 60, mosaics[0].shape)
    noisy = [np.clip(mosaic + noise, 0, 4095).astype(np.uint16) for mosaic in mosaics]
    return _linked(
        folder, noisy, ".tiff", (place("", clip, t, shot) for shot in range(10) for clip in clips for t in range(7))
    )


def _revide(folder: Path) -> Path:
    place, splits = find("revide").place, dict(zip(("train", "test"), PARTS["revide"], strict=True))
    frames = [(split, name, t) for split, name in splits.items() for t in range(int(REVIDE[split][name]))]
    clear = film(DISTINCT, 1800, 2708)
    _linked(folder, clear, ".JPG", (place(*frame, None) for frame in frames))
    return _linked(folder, [_paler(frame) for frame in clear], ".JPG", (place(*frame, 0) for frame in frames))


def _rain(dataset: str, clips: dict[str, Iterable[str]], folder: Path) -> Path:
    """Any of the rainy datasets, in JPEG; other folders and roles as its module places them."""
    place = find(dataset).place
    frames = [(split, clip, t) for split, names in clips.items() for clip in names for t in range(RAINY_FRAMES)]
    clear = film(DISTINCT, *SMALL)
    _linked(folder, clear, ".jpg", (place(*frame, None) for frame in frames))
    return _linked(
        folder, [_streaked(frame, t) for t, frame in enumerate(clear)], ".jpg", (place(*frame, 0) for frame in frames)
    )


def _rain_of(dataset: str) -> Callable[[Path], Path]:
    if dataset in PARTS:
        train, test = PARTS[dataset]
        return lambda folder: _rain(dataset, {"train": [train], "test": [test]}, folder)
    # Their modules have no lists, and count the clips.
    numbers = {split: [str(n + 1) for n in range(count)] for split, count in (("train", 190), ("test", 25))}
    return lambda folder: _rain(dataset, numbers, folder)


def _linked(folder: Path, pictures: list[np.ndarray], suffix: str, places: Iterable[str]) -> Path:
    """Write the pictures once, at the first places, and link all others to them; the folder."""
    sources: list[Path] = []
    for place, number in zip(places, itertools.cycle(range(len(pictures))), strict=False):
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if number == len(sources):
            path.write_bytes(_encoded(pictures[number], suffix))
            sources.append(path)
        else:
            os.link(sources[number], path)
    return folder


def _encoded(picture: np.ndarray, suffix: str) -> bytes:
    done, data = cv2.imencode(suffix, picture[..., ::-1] if picture.ndim == 3 else picture)
    assert done
    return data.tobytes()


def _paler(frame: np.ndarray) -> np.ndarray:
    return cv2.addWeighted(frame, 0.6, frame, 0, 90)


def _streaked(frame: np.ndarray, seed: int) -> np.ndarray:
    rainy, rng = frame.copy(), np.random.default_rng(seed)
    for x in rng.integers(0, frame.shape[1] - 1, 40):
        y = int(rng.integers(0, frame.shape[0] - 20))
        cv2.line(rainy, (int(x), y), (int(x) + 1, y + 18), (230, 230, 230), 1)
    return rainy


WRITERS: dict[str, Callable[[Path], Path]] = {
    "davis": _davis,
    "set8": _set8,
    "crvd": _crvd,
    "revide": _revide,
    **{name: _rain_of(name) for name in ("rainsynlight25", "rainsyncomplex25", "rainsynall100", "ntu-rain")},
}
