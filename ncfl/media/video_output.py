"""Video files out, through PyAV: as the file that the frames came from, where there is one and the format can.

MP4, MKV and MOV hold H.264; H.265 where samples have more than 8 bits, which few players take in H.264. AVI holds
Motion JPEG; Y4M is raw. Those two know one frame rate and no color matrix. Frames that were turned stay upright.
"""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path
from ncfl.common.pyav import import_av
from ncfl.media.carried_streams import CarriedStreams
from ncfl.media.coding import BT709, Coding, coding_notes, coding_of
from ncfl.media.frame_io import FrameTime, FrameWriter, Origin, as_url
from ncfl.media.notes import note
from ncfl.media.planes import frame_of, from_rgb
from ncfl.media.standard import SUFFIX, is_standard, open_output
from ncfl.media.timetable import EVEN_RATE, TimePlace, Timetable
from ncfl.media.video_input import FULL_RANGE, UNSPECIFIED


@contextlib.contextmanager
def open_video_writer(
    path: Path, *, size: tuple[int, int], rate: Fraction, quality: int, bits: int, origin: Origin | None, sound: bool
) -> Iterator[FrameWriter]:
    """As :func:`ncfl.media.video.open_writer`, for a file whose suffix and place are known to be good."""
    av, suffix = import_av(), SUFFIX if is_standard(path) else path.suffix.lower()
    coding, times = coding_of(suffix, size, quality, bits, origin), Timetable(rate, suffix, origin)
    notes = coding_notes(coding, suffix, bits, origin)
    with refusing(av, path, coding.codec), container_of(av, path, suffix) as container, contextlib.ExitStack() as stack:
        encoder = VideoEncoder(av, container, suffix, size, rate, times.base, coding, origin)
        carried = CarriedStreams(origin.path, container, suffix, notes) if origin and sound else None
        if carried:
            stack.callback(carried.close)

        def write(frame: np.ndarray, time: FrameTime | None) -> None:
            encoder.write(frame, times.place(time))
            if carried and time:
                carried.until(time.start)

        deep = takes_deep(bits, origin)
        yield FrameWriter(path, size, rate, write, bits=coding.bits, deep=deep, notes=notes)
        encoder.finish()
        if carried:
            carried.finish()
        notes.extend(time_notes(times, suffix, rate))


def takes_deep(bits: int, origin: Origin | None) -> bool:
    """Whether a writer takes frames of 16 bits: where they have more than 8, and where they are turned into luma."""
    return bits > 8 or origin is not None


def time_notes(times: Timetable, suffix: str, rate: Fraction) -> list[str]:
    """What of the frames' times is not in the file, a line each."""
    return [note("uneven", suffix=suffix, rate=float(rate))] if times.uneven else []


@contextlib.contextmanager
def container_of(av: Any, path: Path, suffix: str) -> Iterator[Any]:
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
def refusing(av: Any, path: Path, codec: str) -> Iterator[None]:
    """What an encoder or container does not take is bad input; a full disk has its own message."""
    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise InputError(f"{path}: cannot be written as {codec} ({error.strerror})") from None


class VideoEncoder:
    """One stream of frames in a container, whose clock counts in ``base`` seconds."""

    def __init__(
        self,
        av: Any,
        container: Any,
        suffix: str,
        size: tuple[int, int],
        rate: Fraction,
        base: Fraction,
        coding: Coding,
        origin: Origin | None,
    ) -> None:
        self._av, self._container, self._coding, self._base = av, container, coding, base
        self._stream = stream = container.add_stream(coding.codec, rate=rate)
        stream.height, stream.width = size
        stream.pix_fmt, stream.options = coding.pix_fmt, coding.options
        context = stream.codec_context
        context.time_base = stream.time_base = base
        if origin and origin.aspect:
            context.sample_aspect_ratio = origin.aspect
        if suffix in (".mp4", ".m4v", ".mov") and coding.codec == "libx265":
            context.codec_tag = "hvc1"  # which Apple's players ask for
        context.color_range = FULL_RANGE if coding.full_range else 1
        if suffix not in EVEN_RATE:
            self._name_colors(context, origin)

    def _name_colors(self, context: Any, origin: Origin | None) -> None:
        matrix = self._coding.matrix
        named = [origin.primaries, origin.transfer] if origin else [UNSPECIFIED, UNSPECIFIED]
        context.colorspace = matrix
        context.color_primaries, context.color_trc = (
            BT709 if value == UNSPECIFIED and matrix == BT709 else value for value in named
        )

    def write(self, frame: np.ndarray, place: TimePlace) -> None:
        """Encode a frame that is shown then."""
        coding = self._coding
        deep = frame if frame.dtype == np.uint16 else frame.astype(np.uint16) * 257
        picture = frame_of(self._av, from_rgb(deep, coding.samples), coding.pix_fmt)
        picture.colorspace = coding.matrix
        picture.color_range = FULL_RANGE if coding.full_range else 1
        picture.time_base = self._base
        picture.pts, picture.duration = place
        self._container.mux(self._stream.encode(picture))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._stream.encode())
