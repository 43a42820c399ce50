"""Folders of pictures, one per frame."""

import math
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from ncfl.common.errors import InputError
from ncfl.common.files import remove, remove_leftovers, temporary_beside
from ncfl.media.picture_codec import DEEP_TIFF, Picture, decode_pages, decoded, encode_picture

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts ``frame9`` before ``frame10``."""
    parts = re.split(r"(\d+)", name.lower())
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p] + [(-1, 0, name)]


def list_pictures(folder: Path) -> list[Path]:
    """The folder's pictures in natural order; hidden files and other files are left out."""
    found = (p for p in Path(folder).iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
    return sorted(found, key=lambda p: natural_key(p.name))


def read_bytes(path: Path) -> bytes:
    """The content of a file; one that cannot be read is an :class:`InputError` that names it."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: not readable ({error.strerror})") from None


def check_sequence(pictures: list[Path], *, allow_gaps: bool = False) -> None:
    """Refuse a folder in which a frame stands twice, or in which numbers are missing between frames.

    Numbers are the last ones in the names of files that differ in nothing else; their usual distance counts as one
    frame.

    Raises:
        InputError: naming the files.
    """
    by_stem: dict[str, Path] = {}
    for picture in pictures:
        twin = by_stem.setdefault(picture.stem, picture)
        if twin is not picture:
            raise InputError(
                f"{picture.parent}: found {twin.name} and {picture.name}, the same frame twice; expected one file per "
                "frame: move one kind elsewhere"
            )
    if allow_gaps:
        return
    numbered = [re.fullmatch(r"(.*?)(\d+)(\D*)", picture.stem, re.DOTALL) for picture in pictures]
    if not all(numbered) or len({(found[1], found[3]) for found in numbered}) > 1:
        return
    numbers = [int(found[2]) for found in numbered]
    steps = [after - before for before, after in pairwise(numbers)]
    if len(steps) < 2:
        return
    usual = Counter(steps).most_common(1)[0][0]
    for step, before, after in zip(steps, pictures, pictures[1:], strict=False):
        if step > usual > 0:
            missing = math.ceil(step / usual) - 1
            what = "1 frame is" if missing == 1 else f"{missing} frames are"
            raise InputError(
                f"{before.parent}: {what} missing between {before.name} and {after.name}; --allow-gaps takes what is "
                "there for one clip"
            )


def read_pages(path: Path) -> list[Picture]:
    """All pictures of a file: :func:`ncfl.media.picture_codec.decode_pages` of its content."""
    return decode_pages(read_bytes(path), path)


def read_picture(path: Path, *, deep: bool = False) -> np.ndarray:
    """One picture as uint8 [H,W,3] RGB: 16 bits are reduced to 8, gray is repeated, transparency is dropped.

    With ``deep`` it is uint16, 0..65535, whatever the file holds.

    Raises:
        InputError: no picture, or a truncated one.
    """
    if not deep and path.suffix.lower() not in DEEP_TIFF:
        return decode_picture(read_bytes(path), path)
    return _of_depth(read_pages(path)[0].pixels, deep)


def _of_depth(pixels: np.ndarray, deep: bool) -> np.ndarray:
    if deep:
        return pixels if pixels.dtype == np.uint16 else pixels.astype(np.uint16) * 257
    return pixels if pixels.dtype == np.uint8 else np.rint(pixels / 257).astype(np.uint8)


def decode_picture(data: bytes, path: Path) -> np.ndarray:
    """As :func:`read_picture`, from the file's content; ``path`` is for messages."""
    return decoded(data, path, cv2.IMREAD_COLOR_RGB)


def decode_mosaic(data: bytes, path: Path) -> np.ndarray:
    """A raw sensor frame, uint16 [H,W] with the file's own values, from the content of a 16-bit TIFF or PNG.

    Raises:
        InputError: no picture, a truncated one, or one that is not 16 bits in one channel.
    """
    image = decoded(data, path, cv2.IMREAD_UNCHANGED)
    if image.ndim != 2 or image.dtype != np.uint16:
        raise InputError(
            f"{path}: expected a raw frame, uint16 [H,W], one Bayer mosaic, got {image.dtype} {list(image.shape)}"
        )
    return image


def read_pictures(pictures: list[Path], *, deep: bool = False, losses: set[str] | None = None) -> Iterator[np.ndarray]:
    """Frames from files, one file in memory at a time; ``deep`` as for :func:`read_picture`.

    Args:
        pictures: the files; each page of one with several pages is a frame.
        deep: as for :func:`read_picture`.
        losses: gets "alpha" and "profile" where a picture has them.

    Raises:
        InputError: an unreadable picture, or one of another size than the first; named.
    """
    size = None
    for path in pictures:
        for page in read_pages(path):
            frame = _of_depth(page.pixels, deep)
            if losses is not None:
                losses.update(name for name in ("alpha", "profile") if getattr(page, name))
            size = size or frame.shape
            if frame.shape != size:
                raise InputError(
                    f"{path}: expected {size[0]} x {size[1]} pixels, as the frames before it have, got "
                    f"{frame.shape[0]} x {frame.shape[1]}"
                )
            yield frame


class PictureWriter:
    """Writes ``00000.png``, ``00001.png``, ...: beside ``folder`` first, which appears when all is written.

    Args:
        folder: must not exist, or be empty; with ``overwrite`` it may hold pictures, and nothing else.
        overwrite: whether the pictures of an existing folder may be replaced.
        building: where pictures wait until all are there, and stay what comes; a hidden folder where it is None.
    """

    def __init__(self, folder: Path, *, overwrite: bool = False, building: Path | None = None) -> None:
        self.folder = Path(folder)
        self._building = building or temporary_beside(self.folder)
        self.count = 0
        if self.folder.exists():
            self._check_replaceable(overwrite)
        if building is None:
            remove_leftovers(self.folder)
            remove(self._building)
        try:
            self._building.mkdir(parents=True, exist_ok=building is not None)
        except OSError as error:
            raise InputError(f"{self.folder}: cannot be written ({error.strerror})") from None

    def name(self, count: int) -> str:
        """Of the picture after ``count`` others."""
        return f"{count:05d}.png"

    def write(self, frame: np.ndarray) -> None:
        """Write the next frame, uint8 or uint16 [H,W,3] RGB."""
        path = self._building / self.name(self.count)
        # Encoded in memory, so that a full disk is an OSError with its reason and not just a False.
        path.write_bytes(encode_picture(frame, path.name))
        self.count += 1

    def finish(self) -> None:
        """Put the frames in their place."""
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self._building.rename(self.folder)

    def discard(self) -> None:
        """Remove what was written, after a failure; nothing to do after :meth:`finish`."""
        shutil.rmtree(self._building, ignore_errors=True)

    def _check_replaceable(self, overwrite: bool) -> None:
        if not self.folder.is_dir():
            raise InputError(f"{self.folder}: expected a folder, got a file; name another folder for the frames")
        content = list(self.folder.iterdir())
        if content and not overwrite:
            raise InputError(f"{self.folder}: exists and is not empty; overwriting must be asked for")
        foreign = [p.name for p in content if p.suffix.lower() not in IMAGE_SUFFIXES]
        if foreign:
            raise InputError(
                f"{self.folder}: expected pictures alone, got {sorted(foreign)[0]}; the folder is not replaced"
            )
