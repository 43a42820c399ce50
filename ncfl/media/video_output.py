"""Video files out, through PyAV: as the file that the frames came from, where there is one and the format can.

MP4, MKV and MOV hold H.264; H.265 where samples have more than 8 bits, which few players take in H.264. AVI holds
Motion JPEG; Y4M is raw. Those two know one frame rate and no color matrix. Frames that were turned stay upright.
"""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path
from ncfl.media.frame_io import FrameTime, FrameWriter, Origin, as_url, import_av
from ncfl.media.notes import note
from ncfl.media.passengers import Passengers
from ncfl.media.planes import COEFFICIENTS, Samples, frame_of, from_rgb
from ncfl.media.standard import SUFFIX, is_standard, open_output
from ncfl.media.video_input import FULL_RANGE, HD_ROWS, UNSPECIFIED

_EVEN_RATE = (".avi", ".y4m")
_BT709 = 1
_X265_BLOCK = 64  # pixels
_FINEST = Fraction(1, 1_000_000)  # seconds


@dataclass(frozen=True)
class _Coding:
    """How the frames are stored.

    Attributes:
        codec: FFmpeg's name of the encoder; and
        options: its options.
        pix_fmt: FFmpeg's name of the samples' order; and
        chroma: "420", "422" or "444" in it.
        bits: per sample.
        matrix: number of the color matrix in the standards, as the file will say.
        full_range: as in Origin.
    """

    codec: str
    options: dict[str, str]
    pix_fmt: str
    chroma: str
    bits: int
    matrix: int
    full_range: bool

    @property
    def samples(self) -> Samples:
        """How frames become samples; an unknown matrix is taken for BT.709 both ways, which keeps the samples."""
        known = self.matrix if self.matrix in COEFFICIENTS else _BT709
        return Samples(self.chroma, self.bits, known, self.full_range)


@contextlib.contextmanager
def open_video_writer(
    path: Path, *, size: tuple[int, int], rate: Fraction, quality: int, bits: int, origin: Origin | None, sound: bool
) -> Iterator[FrameWriter]:
    """As :func:`ncfl.media.video.open_writer`, for a file whose suffix and place are known to be good."""
    av, suffix, notes = import_av(), SUFFIX if is_standard(path) else path.suffix.lower(), []
    coding = _coding(suffix, size, quality, bits, origin)
    deep = bits > 8 or origin is not None
    if coding.bits < bits:
        notes.append(note("bits", bits=bits, fewer=coding.bits, suffix=suffix))
    if origin and origin.chroma is None and coding.chroma != "444":
        notes.append(note("rgb"))
    if origin and origin.aspect not in (None, 1) and suffix == ".y4m":
        shape = f"{origin.aspect.numerator}:{origin.aspect.denominator}"
        notes.append(note("aspect", shape=shape, suffix=suffix))
    with _refusing(av, path, coding.codec), _container(av, path, suffix) as container, contextlib.ExitStack() as stack:
        encoder = _Encoder(av, container, suffix, size, rate, coding, origin)
        passengers = Passengers(origin.path, container, suffix, notes) if origin and sound else None
        if passengers:
            stack.callback(passengers.close)

        def write(frame: np.ndarray, time: FrameTime | None) -> None:
            encoder.write(frame, time)
            if passengers and time:
                passengers.until(time.start)

        yield FrameWriter(path, size, rate, write, bits=coding.bits, deep=deep, notes=notes)
        encoder.finish()
        if passengers:
            passengers.finish()
        if encoder.uneven:
            notes.append(note("uneven", suffix=suffix, rate=float(rate)))


@contextlib.contextmanager
def _container(av: Any, path: Path, suffix: str) -> Iterator[Any]:
    """Of PyAV: a file that appears under its name when it is whole, or standard output."""
    # FFmpeg's own idea of .m4v is a player of 2005, with H.264 and AAC alone; 10 bits are no standard Y4M.
    form, strict = {".m4v": "mp4"}.get(suffix), {"strict": "-1"} if suffix == ".y4m" else {}
    if is_standard(path):
        with open_output(av, strict) as container:
            yield container
        return
    with (
        atomic_path(path) as temporary,
        av.open(as_url(temporary), "w", format=form, container_options=strict) as container,
    ):
        yield container


@contextlib.contextmanager
def _refusing(av: Any, path: Path, codec: str) -> Iterator[None]:
    """What an encoder or container does not take is bad input; a full disk has its own message."""
    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise InputError(f"{path}: cannot be written as {codec} ({error.strerror})") from None


def _coding(suffix: str, size: tuple[int, int], quality: int, bits: int, origin: Origin | None) -> _Coding:
    odd = size[0] % 2 or size[1] % 2
    chroma = "444" if odd else (origin and origin.chroma) or "420"
    if suffix == ".avi":  # JPEG is BT.601 and full range by definition
        return _Coding("mjpeg", {"qmin": "2", "qmax": "2"}, f"yuvj{chroma}p", chroma, 8, 5, True)
    # Pictures of 16 bits become 10, which players know.
    depth = 8 if bits == 8 else 12 if origin and origin.bits > 10 else 10
    # x265 writes beyond its memory where a frame is narrower than its largest block; x264 has no 12 bits.
    tiny = min(size) < _X265_BLOCK and suffix != ".y4m"
    depth = min(depth, 10) if tiny else depth
    pix_fmt = f"yuv{chroma}p" + ("" if depth == 8 else f"{depth}le")
    full_range = bool(origin and origin.full_range)
    if suffix == ".y4m":  # read by the rule for files that name no matrix
        return _Coding("wrapped_avframe", {}, pix_fmt, chroma, depth, _BT709 if size[0] >= HD_ROWS else 5, full_range)
    named = origin is not None and origin.chroma is not None and origin.matrix != UNSPECIFIED
    matrix = origin.matrix if named else _BT709
    if depth == 8 or tiny:
        return _Coding("libx264", {"crf": str(quality)}, pix_fmt, chroma, depth, matrix, full_range)
    options = {"crf": str(quality), "x265-params": "log-level=error"}
    return _Coding("libx265", options, pix_fmt, chroma, depth, matrix, full_range)


class _Encoder:
    """One stream of frames.

    Attributes:
        uneven: whether frames came at times that one rate does not give, where the format knows one rate alone.
    """

    def __init__(
        self,
        av: Any,
        container: Any,
        suffix: str,
        size: tuple[int, int],
        rate: Fraction,
        coding: _Coding,
        origin: Origin | None,
    ) -> None:
        self._av, self._container, self._coding, self._rate = av, container, coding, rate
        self._stream = stream = container.add_stream(coding.codec, rate=rate)
        stream.height, stream.width = size
        stream.pix_fmt, stream.options = coding.pix_fmt, coding.options
        self._even = suffix in _EVEN_RATE
        self._unit = origin.time_base if origin else Fraction(0)
        self._base = 1 / rate if self._even or origin is None else _common(self._unit, 1 / rate)
        self._count, self._last, self._first = 0, None, None
        self.uneven = False
        context = stream.codec_context
        context.time_base = stream.time_base = self._base
        if origin and origin.aspect:
            context.sample_aspect_ratio = origin.aspect
        if suffix in (".mp4", ".m4v", ".mov") and coding.codec == "libx265":
            context.codec_tag = "hvc1"  # which Apple's players ask for
        context.color_range = FULL_RANGE if coding.full_range else 1
        if not self._even:
            self._name_colors(context, origin)

    def _name_colors(self, context: Any, origin: Origin | None) -> None:
        matrix = self._coding.matrix
        named = [origin.primaries, origin.transfer] if origin else [UNSPECIFIED, UNSPECIFIED]
        context.colorspace = matrix
        context.color_primaries, context.color_trc = (
            _BT709 if value == UNSPECIFIED and matrix == _BT709 else value for value in named
        )

    def write(self, frame: np.ndarray, time: FrameTime | None) -> None:
        coding = self._coding
        deep = frame if frame.dtype == np.uint16 else frame.astype(np.uint16) * 257
        picture = frame_of(self._av, from_rgb(deep, coding.samples), coding.pix_fmt)
        picture.colorspace = coding.matrix
        picture.color_range = FULL_RANGE if coding.full_range else 1
        picture.time_base = self._base
        picture.pts, picture.duration = self._place(time)
        self._container.mux(self._stream.encode(picture))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._stream.encode())

    def _place(self, time: FrameTime | None) -> tuple[int, int]:
        """A frame's time and duration in the stream's unit; times grow, which encoders insist on."""
        usual = 1 / self._rate
        start, duration = self._count * usual, usual
        if time is not None:
            self._first = time.start if self._first is None else self._first
            apart = abs(time.start - self._first - start)
            self.uneven |= self._even and apart > usual
            if not self._even:
                # A file that counts milliseconds says 33, 67, 100 and means 30 a second.
                start = self._first + start if apart <= self._unit / 2 else time.start
                duration = time.duration or usual
        self._count += 1
        pts = round(start / self._base)
        self._last = pts if self._last is None else max(pts, self._last + 1)
        return self._last, max(1, round(duration / self._base))


def _common(a: Fraction, b: Fraction) -> Fraction:
    """The largest unit that both are multiples of; ``a`` where it would be too small for containers."""
    common = Fraction(math.gcd(a.numerator * b.denominator, b.numerator * a.denominator), a.denominator * b.denominator)
    return common if common >= _FINEST else a
