"""Picture files to arrays and back: depth in is depth out, and what is not understood is refused by name.

OpenCV decodes; it is right for the layouts that it is used for here (each has a test against files of other writers),
but not for TIFFs of 16 bits whose channels lie apart or whose zero is white: tifffile reads those. Pillow tells how a
picture is turned and whether it has a color profile. Both are asked only where they are installed; the core has
OpenCV alone.
"""

import io
import threading
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from ncfl.common.errors import InputError

DEEP_TIFF = (".tif", ".tiff")
_EXIF_ORIENTATION = 274
_PHOTOMETRIC_WHITE_IS_ZERO = 0
_APART = 2  # PlanarConfiguration: each channel by itself


class Picture(NamedTuple):
    """A decoded picture.

    pixels: [H,W,3] RGB, uint8 or uint16. alpha: whether the file has opacities, which are dropped. profile: whether it
    brings an ICC profile.
    """

    pixels: np.ndarray
    alpha: bool
    profile: bool


def decode_pages(data: bytes, path: Path) -> list[Picture]:
    """All pictures of a file, upright: one, or as many as a TIFF has pages.

    Floating-point samples become 16 bits, white being 1.

    Args:
        data: the file's content.
        path: for its suffix and for messages.

    Raises:
        InputError: no picture, a truncated one, or samples of a kind that is not read.
    """
    told = _told(data, path)
    if path.suffix.lower() in DEEP_TIFF:
        images, told = _tiff_pages(data, path), told._replace(orientation=1)  # OpenCV turns TIFFs itself
    elif path.suffix.lower() in (".jpg", ".jpeg"):
        return [Picture(decoded(data, path, cv2.IMREAD_COLOR_RGB), False, told.profile)]
    else:
        images = [decoded(data, path, cv2.IMREAD_UNCHANGED)]
    return [_picture(image, path, told) for image in images]


def decoded(data: bytes, path: Path, flags: int) -> np.ndarray:
    """What OpenCV makes of a file's content.

    Raises:
        InputError: no picture, or a truncated one.
    """
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


class _Told(NamedTuple):
    """What a picture file says beside its pixels: EXIF's orientation, 1 to 8; a color profile; four inks, not
    opacity.
    """

    orientation: int
    profile: bool
    inks: bool


def _told(data: bytes, path: Path) -> _Told:
    try:
        from PIL import Image
    except ImportError:
        return _Told(1, False, False)
    try:
        # What is cut off is refused in one line by whoever decodes it; Pillow would say it on standard error too.
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            turn = image.getexif().get(_EXIF_ORIENTATION, 1)
            return _Told(turn if turn in range(1, 9) else 1, "icc_profile" in image.info, image.mode == "CMYK")
    except Exception:  # Pillow knows fewer layouts than OpenCV, and says so in many ways
        return _Told(1, False, False)


def _picture(image: np.ndarray, path: Path, told: _Told) -> Picture:
    if image.dtype in (np.float32, np.float64):
        image = _from_float(image, path)
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: expected samples of 8 or 16 bits or floating-point ones in 0..1, got {image.dtype}")
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels == 1:
        pixels = np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    elif channels in (3, 4):
        pixels = np.ascontiguousarray(image[..., 2::-1])
    else:
        raise InputError(f"{path}: expected 1, 3 or 4 channels, got {channels}")
    return Picture(upright(pixels, told.orientation), channels == 4 and not told.inks, told.profile)


def _from_float(image: np.ndarray, path: Path) -> np.ndarray:
    if not np.isfinite(image).all() or image.min() < -0.01 or image.max() > 1.01:
        raise InputError(
            f"{path}: expected floating-point samples in 0..1, got {np.nanmin(image):.4g} to {np.nanmax(image):.4g}; "
            "scale them before"
        )
    return np.rint(np.clip(image, 0, 1) * 65535).astype(np.uint16)


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels as they are to be seen, from those stored with one of EXIF's eight orientations."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    flipped = {1: (1, 1), 2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}
    down, across = flipped[orientation]
    return np.ascontiguousarray(pixels[::down, ::across])


def _tiff_pages(data: bytes, path: Path) -> list[np.ndarray]:
    decoded(data, path, cv2.IMREAD_UNCHANGED)  # refuses what is no picture, in the words used everywhere
    with _QUIET:
        found, images = cv2.imdecodemulti(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if not found:
        raise InputError(f"{path}: truncated or not readable as a picture ({len(data)} bytes)")
    try:
        import tifffile
    except ImportError:
        return list(images)
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            pages = list(file.pages)
            if len(pages) != len(images):
                raise InputError(
                    f"{path}: expected {len(pages)} pages, got {len(images)} that can be read: it is truncated; get it "
                    "again"
                )
            return [_mended(image, page, path) for image, page in zip(images, pages, strict=True)]
    except InputError:
        raise
    except Exception:  # a layout that OpenCV knows and tifffile does not
        return list(images)


def _mended(image: np.ndarray, page: Any, path: Path) -> np.ndarray:
    """The page as it should be, where OpenCV is wrong about it."""
    deep = page.dtype is not None and page.dtype.itemsize > 1
    if deep and int(page.planarconfig) == _APART and page.samplesperpixel > 1:
        pixels = page.asarray()
        if pixels.shape[0] != page.samplesperpixel:
            raise InputError(f"{path}: expected channels that lie together, got a layout of planes that is not read")
        pixels = np.moveaxis(pixels, 0, -1)
        turn = page.tags.get(_EXIF_ORIENTATION)
        return upright(np.dstack((pixels[..., 2::-1], pixels[..., 3:])), 1 if turn is None else int(turn.value))
    if deep and int(page.photometric) == _PHOTOMETRIC_WHITE_IS_ZERO and image.dtype == np.uint16:
        return 65535 - image
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
