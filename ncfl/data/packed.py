"""Clips and photographs in memory, as trainings outside the graph see them: read from a pack, or from their folders.

A pack is one file that travels; :mod:`ncfl.release.pack` writes it and says what is in it. Every part of it is held
against its checksum.
"""

import hashlib
import itertools
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from ncfl.common.errors import InputError
from ncfl.data.synthetic import photographs

FORMAT = "ncfl-pack-1"
_AGAIN = "get it again, or make it with tools/pretrain pack"


class PackedClip(NamedTuple):
    """A clip in memory, with what :class:`ncfl.data.sampler.TrainingSampler` asks of a prepared one.

    Attributes:
        name: of its folder or file.
        frames: uint8 [T,H,W,3] RGB.
    """

    name: str
    frames: np.ndarray

    bayer = None
    degraded = None
    degraded_paths = ()

    @property
    def path(self) -> str:
        return f"packed clip {self.name}"

    @property
    def shape(self) -> tuple[int, ...]:
        return self.frames.shape

    def unit(self, frames: np.ndarray) -> np.ndarray:
        """Stored values as float32 in [0,1]."""
        return frames.astype(np.float32) / np.float32(255)


class Pack(NamedTuple):
    """A pack in memory.

    Attributes:
        photographs: name -> uint8 [H,W,3] RGB, to train on.
        held_out: the same, to measure on.
        clips: real footage to train on.
        manifest: names, sizes, checksums and licences of all of it.
        sha256: of the file.
    """

    photographs: dict[str, np.ndarray]
    held_out: dict[str, np.ndarray]
    clips: list[PackedClip]
    manifest: dict[str, Any]
    sha256: str


def read_pack(path: Path) -> Pack:
    """Read a pack and hold every part against its checksum.

    Raises:
        InputError: no such file, no pack, a damaged part.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; make it with tools/pretrain pack")
    try:
        with np.load(path, allow_pickle=False) as archive:
            stored = {name: archive[name] for name in archive.files}
        manifest = json.loads(stored["manifest"].tobytes())
        if manifest["format"] != FORMAT:
            raise InputError(f"{path}: expected format {FORMAT}, got {manifest['format']!r}")
        splits: dict[str, dict[str, np.ndarray]] = {"train": {}, "test": {}}
        for entry in manifest["photographs"]:
            data = _checked(path, stored, f"photograph/{entry['name']}", entry)
            splits[entry["split"]][entry["name"]] = _decoded(path, data)
        clips = [_clip(path, stored, entry) for entry in manifest["clips"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: it cannot be read as a pack ({type(error).__name__}: {error}); {_AGAIN}") from None
    return Pack(splits["train"], splits["test"], clips, manifest, sha256_of(path.read_bytes()))


def find_clips(places: Sequence[Path]) -> dict[str, Path]:
    """Videos and folders of pictures by name. InputError: none, or two of one name."""
    found: dict[str, Path] = {}
    for clip in itertools.chain.from_iterable(_clips_below(Path(place)) for place in places):
        name = clip.name if clip.is_dir() else clip.stem
        if name in found:
            raise InputError(
                f"{clip}: expected clips of different names, got a second {name!r} beside {found[name]}; rename one"
            )
        found[name] = clip
    if not found:
        raise InputError(f"clips: expected videos or folders of pictures, got none in {', '.join(map(str, places))}")
    return found


def _clips_below(place: Path) -> Iterator[Path]:
    from ncfl.media.pictures import list_pictures

    if not place.exists():
        raise InputError(f"{place}: there is no such file or folder; name videos, or folders of pictures")
    if place.is_file() or list_pictures(place):
        yield place
        return
    for folder in sorted(child for child in place.iterdir() if child.is_dir()):
        yield from _clips_below(folder)


def read_footage(places: Sequence[Path], *, hold_out: Sequence[str], widths: Sequence[int]) -> Pack:
    """Clips and photographs as a pack that was never compressed.

    Args:
        places: videos, folders of pictures, or folders that hold such folders at any depth.
        hold_out: names of clips to leave out.
        widths: pixels; each clip is there once for each of them, reduced by averaging areas and never enlarged.

    Raises:
        InputError: no clip, or a held-out name that there is not.
    """
    found = find_clips(places)
    missing = sorted(set(hold_out) - set(found))
    if missing:
        raise InputError(f"hold-out: expected some of {', '.join(found)}, got {missing[0]!r}")
    clips = [
        PackedClip(name if number == 0 else f"{name} {width}", frames)
        for name, source in found.items()
        if name not in hold_out
        for number, (width, frames) in enumerate(_at_widths(source, widths))
    ]
    if not clips:
        raise InputError("clips: expected one to train on, got none that is not held out")
    train, test = (photographs.load(names) for names in (photographs.TRAIN_PHOTOGRAPHS, photographs.TEST_PHOTOGRAPHS))
    manifest = {"clips": [clip.name for clip in clips], "held_out": sorted(hold_out)}
    return Pack(train, test, clips, manifest, "")


def _at_widths(source: Path, widths: Sequence[int]) -> list[tuple[int, np.ndarray]]:
    from ncfl.media.video import open_frames

    with open_frames(source) as reader:
        frames = [np.ascontiguousarray(frame) for frame in reader]
    height, original = frames[0].shape[:2]
    made = []
    for width in sorted({min(width, original) for width in widths}, reverse=True):
        size = (width, 2 * round(height * width / original / 2))
        stack = [f if width == original else cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames]
        made.append((width, np.stack(stack)))
    return made


def _clip(path: Path, stored: Mapping[str, np.ndarray], entry: Mapping[str, Any]) -> PackedClip:
    name = f"clip/{entry['name']}"
    data, ends = _checked(path, stored, name, entry), stored[f"{name}/ends"]
    frames = np.stack([_decoded(path, data[a:b]) for a, b in itertools.pairwise([0, *ends.tolist()])])
    if frames.shape != (entry["frames"], entry["height"], entry["width"], 3):
        wanted = [entry["frames"], entry["height"], entry["width"], 3]
        raise InputError(f"{path}: {name}: expected {wanted}, as the manifest says, got {list(frames.shape)}")
    return PackedClip(entry["name"], frames)


def _checked(path: Path, stored: Mapping[str, np.ndarray], name: str, entry: Mapping[str, Any]) -> np.ndarray:
    if sha256_of(stored[name].tobytes()) != entry["sha256"]:
        raise InputError(f"{path}: {name} is damaged, since its SHA-256 is not the manifest's; {_AGAIN}")
    return stored[name]


def _decoded(path: Path, data: np.ndarray) -> np.ndarray:
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise InputError(f"{path}: a picture in it cannot be read; {_AGAIN}")
    return picture


def sha256_of(data: bytes) -> str:
    """The SHA-256 of bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
