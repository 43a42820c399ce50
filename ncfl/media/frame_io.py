"""What a reader and a writer of frames are, whatever stands behind them: a video file, or a folder of pictures."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ncfl.common.pyav import import_av
from ncfl.media.notes import Properties

# A file is opened as what it is, if that is a container of pictures and sound: never a list of other files, which a
# script that is called cat.mp4 can be; and it reaches nothing but itself.
_OPENED = {
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,yuv4mpegpipe,mpegts,mpeg,asf,flv,ogg",
    "protocol_whitelist": "file",
}


class FrameTime(NamedTuple):
    """When a frame is shown: start and duration, seconds; the duration is None where the file does not say."""

    start: Fraction
    duration: Fraction | None


@dataclass(frozen=True)
class Origin:
    """What a video file says beside its pixels, for a file that is to be like it.

    Attributes:
        path: the file.
        time_base: the unit of its frames' times, seconds.
        bits: per sample, 8 and more.
        chroma: how color is stored, a key of :data:`ncfl.media.planes.SHARE`; None for RGB.
        aspect: width / height of a pixel, as the frames are turned; None where the file does not say.
        matrix, primaries, transfer: of its colors, numbered as in ISO/IEC 23091-2; 2 is "unspecified".
        full_range: whether luma goes from 0 to the greatest value, and not from 16 to 235 (of 255).
        siting: where the chroma samples of 4:2:0 and 4:2:2 lie (:mod:`ncfl.media.siting`); None where the file does
            not say.
    """

    path: Path
    time_base: Fraction
    bits: int
    chroma: str | None
    aspect: Fraction | None
    matrix: int
    primaries: int
    transfer: int
    full_range: bool
    siting: str | None = None


class FrameReader(contextlib.AbstractContextManager):
    """An open video or folder of frames: iterate over it once, inside a ``with``.

    Attributes:
        path: the file or folder.
        size: (height, width) of every frame, pixels.
        rate: frames per second, or None where the source has none (a folder of pictures).
        frames_hint: how many frames the source says it has, or None. For progress bars: some files are wrong.
        bits: of the source's samples.
        deep: whether frames are uint16, 0..65535, and not uint8.
        origin: what a video file says beside its pixels; None for a folder.
        properties: what else the source has, some of which is lost (:mod:`ncfl.media.notes`); for a folder complete
            when all its frames have been read.
        time: when the frame given last is shown; None for a folder.
    """

    def __init__(
        self,
        path: Path,
        *,
        size: tuple[int, int],
        rate: Fraction | None,
        frames_hint: int | None,
        frames: Iterator[tuple[np.ndarray, FrameTime | None]],
        bits: int = 8,
        deep: bool = False,
        origin: Origin | None = None,
        properties: Callable[[], Properties] = Properties,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.path, self.size, self.rate, self.frames_hint = path, size, rate, frames_hint
        self.bits, self.deep, self.origin = bits, deep, origin
        self._properties = properties
        self.time: FrameTime | None = None
        self._frames, self._close = frames, close

    @property
    def properties(self) -> Properties:
        """What the source has beside its pixels' colors."""
        return self._properties()

    def __iter__(self) -> Iterator[np.ndarray]:
        for frame, time in self._frames:
            self.time = time
            yield frame

    def __exit__(self, *_: object) -> None:
        self._close()


class FrameWriter:
    """Takes frames one by one, inside a ``with``; the result appears under its name only if the block ends
    well.

    Attributes:
        path: the file or folder.
        size: (height, width), pixels.
        rate: frames per second.
        bits: of the samples that are written.
        deep: whether it takes frames of uint16, 0..65535, and not uint8.
        notes: what of the source the format could not hold, a line each; complete after the ``with``.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        rate: Fraction,
        write: Callable[[np.ndarray, FrameTime | None], None],
        *,
        bits: int = 8,
        deep: bool = False,
        notes: list[str] | None = None,
    ) -> None:
        self.path, self.size, self.rate, self._write = path, size, rate, write
        self.bits, self.deep, self.notes = bits, deep, [] if notes is None else notes

    def write(self, frame: np.ndarray, time: FrameTime | None = None) -> None:
        """Write the next frame, [H,W,3] RGB of the writer's size and type; after the one before where no time is."""
        wanted = np.dtype(np.uint16 if self.deep else np.uint8)
        if frame.dtype != wanted or frame.shape != (*self.size, 3):
            raise ValueError(f"frame: expected {wanted} {[*self.size, 3]}, got {frame.dtype} {list(frame.shape)}")
        self._write(np.ascontiguousarray(frame), time)


def as_url(path: Path) -> str:
    """A path as FFmpeg is to be told it: whatever its name looks like, it is a file and nothing else."""
    return f"file:{path}"


def open_source(path: Path) -> Any:
    """A video file as a container of PyAV, opened for reading as what it is, and reaching nothing but itself."""
    return import_av().open(as_url(path), container_options=_OPENED)
