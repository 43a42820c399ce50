"""Folders of pictures, one per frame."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ncfl.errors import InputError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts ``frame9`` before ``frame10``."""
    parts = re.split(r"(\d+)", name.lower())
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p] + [(-1, 0, name)]


def list_pictures(folder: Path) -> list[Path]:
    """The folder's pictures in natural order; hidden files and other files are left out."""
    found = (p for p in Path(folder).iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
    return sorted(found, key=lambda p: natural_key(p.name))


def read_picture(path: Path) -> np.ndarray:
    """One picture as uint8 [H,W,3] RGB: 16 bits are reduced to 8, gray is repeated, transparency is dropped.

    Raises:
        InputError: no picture, or a truncated one.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: not readable ({error.strerror})") from None
    # OpenCV hands a cut PNG to libpng, which writes to standard error by itself: look first.
    whole = path.suffix.lower() != ".png" or b"IEND" in data[-16:]
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if data and whole else None
    except cv2.error:
        image = None
    finally:
        cv2.utils.logging.setLogLevel(level)
    if image is None:
        raise InputError(f"{path}: truncated or not readable as a picture ({len(data)} bytes)")
    return image


def read_pictures(pictures: list[Path]) -> Iterator[np.ndarray]:
    """Frames from files, one in memory at a time.

    Raises:
        InputError: an unreadable picture, or one of another size than the first; named.
    """
    size = None
    for path in pictures:
        frame = read_picture(path)
        size = size or frame.shape
        if frame.shape != size:
            raise InputError(
                f"{path}: {frame.shape[0]} x {frame.shape[1]} pixels, the frames before it are "
                f"{size[0]} x {size[1]}; all frames of a clip must be of one size"
            )
        yield frame


class PictureWriter:
    """Writes ``00000.png``, ``00001.png``, ...: beside ``folder`` first, which appears when all is written.

    Args:
        folder: must not exist, or be empty; with ``overwrite`` it may hold pictures, and nothing else.
        overwrite: whether the pictures of an existing folder may be replaced.
    """

    def __init__(self, folder: Path, *, overwrite: bool = False) -> None:
        self.folder = Path(folder)
        self._building = self.folder.with_name(f".{self.folder.name}.{os.getpid()}")
        self.count = 0
        if self.folder.exists():
            self._check_replaceable(overwrite)
        shutil.rmtree(self._building, ignore_errors=True)
        try:
            self._building.mkdir(parents=True)
        except OSError as error:
            raise InputError(f"{self.folder}: cannot be written ({error.strerror})") from None

    def write(self, frame: np.ndarray) -> None:
        """Write the next frame, uint8 [H,W,3] RGB."""
        path = self._building / f"{self.count:05d}.png"
        # Encoded in memory, so that a full disk is an OSError with its reason and not just a False.
        encoded = cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1]
        path.write_bytes(encoded.tobytes())
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
            raise InputError(f"{self.folder}: exists and is not a folder; name another folder for the frames")
        content = list(self.folder.iterdir())
        if content and not overwrite:
            raise InputError(f"{self.folder}: exists and is not empty; overwriting must be asked for")
        foreign = [p.name for p in content if p.suffix.lower() not in IMAGE_SUFFIXES]
        if foreign:
            raise InputError(f"{self.folder}: holds {sorted(foreign)[0]}, which is no picture; it is not replaced")
