"""Folders of pictures, one per frame."""

import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ncfl.common.errors import InputError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


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


def read_picture(path: Path, *, deep: bool = False) -> np.ndarray:
    """One picture as uint8 [H,W,3] RGB: 16 bits are reduced to 8, gray is repeated, transparency is dropped.

    With ``deep`` it is uint16, 0..65535, whatever the file holds.

    Raises:
        InputError: no picture, or a truncated one.
    """
    if not deep:
        return decode_picture(read_bytes(path), path)
    image = _decoded(read_bytes(path), path, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH)
    return image if image.dtype == np.uint16 else read_picture(path).astype(np.uint16) * 257


def is_deep(path: Path) -> bool:
    """Whether a picture has 16 bits a sample. InputError: as :func:`read_picture`."""
    return _decoded(read_bytes(path), path, cv2.IMREAD_UNCHANGED).dtype == np.uint16


def decode_picture(data: bytes, path: Path) -> np.ndarray:
    """As :func:`read_picture`, from the file's content; ``path`` is for messages."""
    return _decoded(data, path, cv2.IMREAD_COLOR_RGB)


def decode_mosaic(data: bytes, path: Path) -> np.ndarray:
    """A raw sensor frame, uint16 [H,W] with the file's own values, from the content of a 16-bit TIFF or PNG.

    Raises:
        InputError: no picture, a truncated one, or one that is not 16 bits in one channel.
    """
    image = _decoded(data, path, cv2.IMREAD_UNCHANGED)
    if image.ndim != 2 or image.dtype != np.uint16:
        raise InputError(f"{path}: {image.dtype} {list(image.shape)}; a raw frame is uint16 [H,W], one Bayer mosaic")
    return image


def _decoded(data: bytes, path: Path, flags: int) -> np.ndarray:
    # OpenCV hands a cut PNG to libpng, which writes to standard error by itself: look first.
    whole = path.suffix.lower() != ".png" or b"IEND" in data[-16:]
    try:
        with _QUIET:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data and whole else None
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{path}: truncated or not readable as a picture ({len(data)} bytes)")
    return image


class _Quiet:
    """Keeps OpenCV's own messages off standard error, from the first thread that enters to the last that leaves."""

    def __init__(self) -> None:
        self._lock, self._inside, self._level = threading.Lock(), 0, 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                cv2.utils.logging.setLogLevel(self._level)


_QUIET = _Quiet()


def read_pictures(pictures: list[Path], *, deep: bool = False) -> Iterator[np.ndarray]:
    """Frames from files, one in memory at a time; ``deep`` as for :func:`read_picture`.

    Raises:
        InputError: an unreadable picture, or one of another size than the first; named.
    """
    size = None
    for path in pictures:
        frame = read_picture(path, deep=deep)
        size = size or frame.shape
        if frame.shape != size:
            raise InputError(
                f"{path}: {frame.shape[0]} x {frame.shape[1]} pixels, the frames before it are "
                f"{size[0]} x {size[1]}; all frames of a clip must be of one size"
            )
        yield frame


def encode_picture(image: np.ndarray, name: str) -> bytes:
    """The content of a picture file, in the format that the suffix of ``name`` says.

    Args:
        image: uint8 [H,W,3] RGB; uint16 [H,W,3], for PNG and TIFF; or uint16 [H,W], a raw mosaic.
        name: ends in ``.png``, ``.tif``, ``.tiff`` (lossless), ``.jpg`` or ``.jpeg`` (quality 95, colors at full
            resolution).
    """
    suffix = Path(name).suffix.lower()
    options = {
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444],
        ".tiff": [cv2.IMWRITE_TIFF_COMPRESSION, cv2.IMWRITE_TIFF_COMPRESSION_NONE],
    }
    kind = {".jpeg": ".jpg", ".tif": ".tiff"}.get(suffix, suffix)
    bgr = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(kind, bgr, options.get(kind, []))[1].tobytes()


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
        """Write the next frame, uint8 or uint16 [H,W,3] RGB."""
        path = self._building / f"{self.count:05d}.png"
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
            raise InputError(f"{self.folder}: exists and is not a folder; name another folder for the frames")
        content = list(self.folder.iterdir())
        if content and not overwrite:
            raise InputError(f"{self.folder}: exists and is not empty; overwriting must be asked for")
        foreign = [p.name for p in content if p.suffix.lower() not in IMAGE_SUFFIXES]
        if foreign:
            raise InputError(f"{self.folder}: holds {sorted(foreign)[0]}, which is no picture; it is not replaced")
