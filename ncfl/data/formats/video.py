"""Frames in and out, streaming: video files through PyAV, folders of pictures through OpenCV.

One frame is in memory at a time. Frames are uint8 [H,W,3] in RGB order, whatever the file holds. PyAV is
imported when the first video file is opened.

Colors: the matrix that a file names is used. One that names none is read as BT.709 from 720 rows up and as
BT.601 below, as players do. What is written is BT.709 and says so; Y4M cannot say, so it is written as it
would be read.
"""

import contextlib
import errno
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from ncfl.data.formats.containers import check_whole
from ncfl.data.formats.pictures import IMAGE_SUFFIXES, PictureWriter, list_pictures, read_picture, read_pictures
from ncfl.errors import InputError
from ncfl.files import atomic_path

VIDEO_SUFFIXES = (".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".y4m")
WRITABLE_SUFFIXES = (".mp4", ".mkv", ".avi", ".mov", ".m4v", ".y4m")
DEFAULT_RATE = Fraction(25)
_HD_ROWS = 720
_UNSPECIFIED = 2  # color matrix, as the standards number them; 1 is BT.709


class FrameReader:
    """An open video or folder of frames: iterate over it once, inside a ``with``.

    Attributes:
        path: the file or folder.
        size: (height, width) of every frame, pixels.
        rate: frames per second, or None where the source has none (a folder of pictures).
        frames_hint: how many frames the source says it has, or None. For progress bars: some files are wrong.
    """

    def __init__(
        self,
        path: Path,
        *,
        size: tuple[int, int],
        rate: Fraction | None,
        frames_hint: int | None,
        frames: Iterator[np.ndarray],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.path, self.size, self.rate, self.frames_hint = path, size, rate, frames_hint
        self._frames, self._close = frames, close

    def __iter__(self) -> Iterator[np.ndarray]:
        return self._frames

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()


def open_frames(path: Path) -> FrameReader:
    """Open a video file, or a folder of pictures in natural order.

    Args:
        path: the file or folder.

    Returns:
        A reader; its first frame has been decoded, so much that is wrong shows here and not later.

    Raises:
        InputError: nothing there, an unknown format, a truncated or corrupt file (with the frame's number),
            frames of several sizes. The reader raises it too, while it is iterated over.
    """
    path = Path(path)
    if path.is_dir():
        return _open_pictures(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder")
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        allowed = f"{' '.join(VIDEO_SUFFIXES)} or a folder of pictures ({' '.join(IMAGE_SUFFIXES)})"
        raise InputError(f"{path}: no format that is read; allowed: {allowed}")
    return _open_video(path)


def _open_pictures(folder: Path) -> FrameReader:
    pictures = list_pictures(folder)
    if not pictures:
        raise InputError(f"{folder}: no pictures in it; allowed: {' '.join(IMAGE_SUFFIXES)}")
    size = read_picture(pictures[0]).shape[:2]
    return FrameReader(folder, size=size, rate=None, frames_hint=len(pictures), frames=read_pictures(pictures))


def _import_av() -> Any:
    try:
        import av
    except ImportError:
        raise InputError("package av: not installed; video files need it (pip install av), folders do not") from None
    return av


def _open_video(path: Path) -> FrameReader:
    av = _import_av()
    try:
        check_whole(path)
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path}: not readable as video, corrupt or truncated ({error.strerror})") from None
    try:
        if not container.streams.video:
            raise InputError(f"{path}: no video in it")
        stream = container.streams.video[0]
        # Without it a decoder conceals damage by repeating what it has.
        stream.codec_context.options = {"err_detect": "explode"}
        frames = _decode(av, path, container, stream)
        first = next(frames, None)
        if first is None:
            raise InputError(f"{path}: no frames in it")
    except BaseException:
        container.close()
        raise

    def all_frames() -> Iterator[np.ndarray]:
        yield first
        yield from frames

    rate = stream.average_rate or stream.guessed_rate
    return FrameReader(
        path,
        size=first.shape[:2],
        rate=Fraction(rate) if rate else None,
        frames_hint=_frames_hint(stream, rate),
        frames=all_frames(),
        close=container.close,
    )


def _frames_hint(stream: Any, rate: Fraction | None) -> int | None:
    if stream.frames:
        return stream.frames
    duration = stream.duration * stream.time_base if stream.duration else None
    if duration is None and stream.container.duration:
        duration = Fraction(stream.container.duration, 1_000_000)
    return round(duration * rate) if duration and rate else None


def _decode(av: Any, path: Path, container: Any, stream: Any) -> Iterator[np.ndarray]:
    count, size, end = 0, None, 0
    try:
        for packet in container.demux(stream):
            if packet.size:
                end = packet.pos + packet.size
            for frame in packet.decode():
                if frame.is_corrupt:
                    raise InputError(f"{path}: frame {count} is corrupt")
                size = size or (frame.height, frame.width)
                if (frame.height, frame.width) != size:
                    raise InputError(
                        f"{path}: frame {count} is {frame.height} x {frame.width} pixels, those before it "
                        f"{size[0]} x {size[1]}; all frames of a clip must be of one size"
                    )
                yield _rgb(frame)
                count += 1
    except av.FFmpegError as error:
        raise InputError(f"{path}: frame {count} is corrupt or cut off ({error.strerror})") from None
    if path.suffix.lower() == ".y4m" and end < path.stat().st_size:
        raise InputError(f"{path}: truncated: ends within frame {count}")


def _rgb(frame: Any) -> np.ndarray:
    unnamed = frame.colorspace == _UNSPECIFIED and frame.height >= _HD_ROWS
    image = frame.to_ndarray(format="rgb24", src_colorspace="ITU709" if unnamed else None)
    # A phone held upright films lying frames and notes how to turn them.
    turned = np.rot90(image, (frame.rotation or 0) // 90)
    return np.ascontiguousarray(turned)


class FrameWriter:
    """Takes frames one by one, inside a ``with``; the result appears under its name only if the block ends
    well.

    Attributes:
        path: the file or folder.
        size: (height, width), pixels.
        rate: frames per second.
    """

    def __init__(self, path: Path, size: tuple[int, int], rate: Fraction, write: Callable[[np.ndarray], None]) -> None:
        self.path, self.size, self.rate, self._write = path, size, rate, write

    def write(self, frame: np.ndarray) -> None:
        """Write the next frame, uint8 [H,W,3] RGB of the writer's size."""
        if frame.dtype != np.uint8 or frame.shape != (*self.size, 3):
            raise ValueError(f"a frame must be uint8 {[*self.size, 3]}; found {frame.dtype} {list(frame.shape)}")
        self._write(np.ascontiguousarray(frame))


@contextlib.contextmanager
def open_writer(
    path: Path,
    *,
    size: tuple[int, int],
    rate: Fraction | None = None,
    quality: int = 12,
    overwrite: bool = False,
) -> Iterator[FrameWriter]:
    """Open a video file, or a folder of PNG (a path without suffix), to write frames to.

    MP4, MKV and MOV hold H.264; AVI holds Motion JPEG; Y4M is raw. Color is halved in both directions
    (4:2:0) where height and width are even, as players expect, and kept whole (4:4:4) where one is odd.
    Sound is not written.

    Args:
        path: the file or folder; missing folders above it are made.
        size: (height, width) of the frames, pixels.
        rate: frames per second; 25 where it is None.
        quality: constant rate factor of H.264: 0 (largest file) .. 51; 12 is hard to tell from the original.
        overwrite: whether something that exists may be replaced.

    Yields:
        A writer. When the block fails, nothing is left behind and what was there before stays.

    Raises:
        InputError: a format that is not written, something that exists, a full disk.
    """
    path, rate = Path(path), Fraction(rate or DEFAULT_RATE)
    if path.suffix == "":
        with _picture_writer(path, overwrite) as pictures:
            yield FrameWriter(path, size, rate, pictures.write)
        return
    if path.suffix.lower() not in WRITABLE_SUFFIXES:
        allowed = f"{' '.join(WRITABLE_SUFFIXES)}, or a folder (a path without suffix) for PNG"
        raise InputError(f"{path}: no format that is written; allowed: {allowed}")
    if path.is_dir():
        raise InputError(f"{path}: found a folder, allowed: a file's name (or a folder's without a suffix)")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists; overwriting must be asked for")
    av = _import_av()
    with atomic_path(path) as temporary, av.open(str(temporary), "w") as container:
        stream, matrix = _add_stream(container, path.suffix.lower(), size, rate, quality)

        def write(frame: np.ndarray) -> None:
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture = picture.reformat(format=stream.pix_fmt, dst_colorspace=matrix)
            container.mux(stream.encode(picture))

        yield FrameWriter(path, size, rate, write)
        container.mux(stream.encode())


def _add_stream(container: Any, suffix: str, size: tuple[int, int], rate: Fraction, quality: int) -> tuple[Any, str]:
    """The output stream, and the color matrix that its frames are to be converted with."""
    whole = size[0] % 2 or size[1] % 2
    codec, pix_fmt, options = {
        ".avi": ("mjpeg", "yuvj444p" if whole else "yuvj420p", {"qmin": "2", "qmax": "2"}),
        ".y4m": ("wrapped_avframe", "yuv444p" if whole else "yuv420p", {}),
    }.get(suffix, ("libx264", "yuv444p" if whole else "yuv420p", {"crf": str(quality)}))
    stream = container.add_stream(codec, rate=rate)
    stream.height, stream.width = size
    stream.pix_fmt, stream.options = pix_fmt, options
    if codec != "libx264":
        # JPEG is BT.601 by definition; Y4M is read by the rule for files that name no matrix.
        return stream, "ITU709" if suffix == ".y4m" and size[0] >= _HD_ROWS else "ITU601"
    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
    context.color_range = 1  # 16..235
    return stream, "ITU709"


@contextlib.contextmanager
def _picture_writer(path: Path, overwrite: bool) -> Iterator[PictureWriter]:
    writer = PictureWriter(path, overwrite=overwrite)
    try:
        yield writer
        writer.finish()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(f"{path}: no space left on the device that holds {path.parent}") from error
        raise
    finally:
        writer.discard()
