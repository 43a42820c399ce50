"""Video files in, through PyAV: frames in RGB with their times, upright, one in memory at a time."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ncfl.common.errors import InputError
from ncfl.common.pyav import import_av
from ncfl.media.carried_streams import OF_THE_FILE
from ncfl.media.containers import check_whole
from ncfl.media.frame_io import FrameReader, FrameTime, Origin, open_source
from ncfl.media.notes import Properties
from ncfl.media.planes import COEFFICIENTS, SHARE, Samples, planes_of, to_rgb
from ncfl.media.siting import siting_of
from ncfl.media.standard import is_standard, open_input

HD_ROWS = 720  # from here up, a file that names no color matrix is taken for BT.709
UNSPECIFIED = 2  # color matrix, primaries and transfer, as the standards number them; 1 is BT.709
FULL_RANGE = 2  # as FFmpeg numbers it; 1 is 16..235
BT709, BT601 = 1, 5
_DEFAULT_RATE = Fraction(25)
_AGAIN = "get it again, or let ffmpeg write what plays of it into another file"
_RECORDS = {
    "MASTERING_DISPLAY_METADATA": "mastering display",
    "CONTENT_LIGHT_LEVEL": "content light level",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DOVI_METADATA": "Dolby Vision",
    "DOVI_RPU_BUFFER": "Dolby Vision",
}


class _Seen:
    """What frames have that their restoration may not keep: the first one, and of fields all so far."""

    def __init__(self, frame: Any) -> None:
        names = (getattr(record.type, "name", str(record.type)) for record in frame.side_data)
        self.records = tuple(dict.fromkeys(_RECORDS[name] for name in names if name in _RECORDS))
        self.alpha = any(component.is_alpha for component in frame.format.components)
        matrix = int(frame.colorspace)
        self.interlaced = False
        self.matrix = None if frame.format.is_rgb or matrix in (*COEFFICIENTS, UNSPECIFIED) else matrix


def open_video(path: Path, *, deep: bool, skip: int = 0) -> FrameReader:
    """As :func:`ncfl.media.video.open_frames`, for a file; frames that are passed over are decoded all the same."""
    av = import_av()
    container, length = _opened(av, path)
    try:
        stream = _picture_stream(av, path, container)
        # Without it a decoder conceals damage by repeating what it has.
        stream.codec_context.options = {"err_detect": "explode"}
        frames = _decode(av, path, container, stream, deep, length, skip)
        first = next(frames, None)
        if first is None:
            raise InputError(f"{path}: no frames in it")
    except BaseException:
        container.close()
        raise
    image, time, origin, seen = first
    rate = stream.average_rate or stream.guessed_rate
    properties = _properties(av, container, stream, seen, rate)
    order = str(getattr(stream.codec_context, "field_order", "") or "")
    first_field = "bottom" if order.startswith("b") else "top"
    return FrameReader(
        path,
        size=image.shape[:2],
        rate=Fraction(rate) if rate else None,
        frames_hint=_frames_hint(stream, rate),
        frames=chain([(image, time)] if skip == 0 else [], (frame[:2] for frame in frames)),
        bits=origin.bits if deep else 8,
        deep=deep,
        origin=origin,
        properties=lambda: replace(properties, interlaced=first_field if seen.interlaced else None),
        close=container.close,
    )


def _opened(av: Any, path: Path) -> tuple[Any, Callable[[], int]]:
    """The container of PyAV, and how many bytes there are, which a pipe says at its end."""
    if is_standard(path):
        container, counted = open_input(av)
        return container, lambda: counted.bytes
    try:
        check_whole(path)
        return open_source(path), lambda: path.stat().st_size
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: not readable as video, corrupt or truncated ({reason}); {_AGAIN}") from None


def _picture_stream(av: Any, path: Path, container: Any) -> Any:
    """The first video; a cover picture of music is none."""
    cover = av.stream.Disposition.attached_pic
    moving = [stream for stream in container.streams.video if cover not in stream.disposition]
    if not moving:
        raise InputError(f"{path}: no video in it")
    if moving[0].codec_context is None:
        raise InputError(f"{path}: its video is coded in a way that nothing here decodes")
    return moving[0]


def _frames_hint(stream: Any, rate: Fraction | None) -> int | None:
    if stream.frames:
        return stream.frames
    duration = stream.duration * stream.time_base if stream.duration else None
    if duration is None and stream.container.duration:
        duration = Fraction(stream.container.duration, 1_000_000)
    return round(duration * rate) if duration and rate else None


def _decode(
    av: Any, path: Path, container: Any, stream: Any, deep: bool, length: Callable[[], int], skip: int
) -> Iterator[tuple[np.ndarray, FrameTime, Origin, _Seen]]:
    """The first frame, and those after the first ``skip``."""
    count, first, seen, end, clock = 0, None, None, 0, _Clock(stream)
    try:
        for packet, frames in _decoded(av, container, stream):
            if packet.size:
                end = packet.pos + packet.size
            for frame in frames:
                if frame.is_corrupt:
                    raise InputError(f"{path}: frame {count} is corrupt; {_AGAIN}")
                # Once: a frame whose side data were looked at holds itself, until Python's garbage is collected.
                first = first or (frame.height, frame.width, _origin(av, path, stream, frame), _display_matrix(frame))
                seen = seen or _Seen(frame)
                seen.interlaced |= bool(frame.interlaced_frame)
                if (frame.height, frame.width) != first[:2]:
                    raise InputError(
                        f"{path}: frame {count}: expected {first[0]} x {first[1]} pixels, as those before it have, got "
                        f"{frame.height} x {frame.width}"
                    )
                time = clock.read(frame)
                if count == 0 or count >= skip:
                    yield _upright(_rgb(av, frame, first[2], deep), first[3]), time, first[2], seen
                count += 1
    except (av.FFmpegError, ValueError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: frame {count} is corrupt or cut off ({reason}); {_AGAIN}") from None
    if (is_standard(path) or path.suffix.lower() == ".y4m") and end < length():
        raise InputError(f"{path}: truncated: ends within frame {count}")


def _decoded(av: Any, container: Any, stream: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Packets and the frames that come out with each.

    Where a clip was cut in an open group of pictures, frames that lean on what was cut away stand behind the first key
    frame, but would be shown before it: they can't be decoded, and are passed over.
    """
    key, leading, given = None, 0, False
    for packet in container.demux(stream):
        if key is None and packet.is_keyframe:
            key = packet.pts
        elif key is not None and packet.pts is not None and packet.pts < key:
            leading += 1
        try:
            frames = packet.decode()
        except av.FFmpegError:
            if given or leading == 0:
                raise
            leading -= 1
            continue
        given = given or bool(frames)
        yield packet, frames


def _properties(av: Any, container: Any, stream: Any, seen: _Seen, rate: Any) -> Properties:
    """What the file has beside the frames of ``stream``."""
    kinds = [other.type for other in container.streams]
    cover = av.stream.Disposition.attached_pic
    covers = sum(cover in other.disposition for other in container.streams.video)
    timecodes = [other.metadata.get("timecode") for other in container.streams]
    timecode = next(filter(None, [container.metadata.get("timecode"), *timecodes]), None)
    clocks = sum(other.type == "data" and "timecode" in other.metadata for other in container.streams)
    return Properties(
        rate=Fraction(rate) if rate else None,
        alpha=seen.alpha,
        matrix=seen.matrix,
        records=seen.records,
        sounds=kinds.count("audio"),
        subtitles=kinds.count("subtitle"),
        pictures=kinds.count("video") - covers - 1,
        covers=covers,
        attachments=kinds.count("attachment"),
        timecode=timecode,
        data=kinds.count("data") - clocks,
        chapters=len(container.chapters()),
        tags=tuple(sorted(k for k in container.metadata if k.lower() not in (*OF_THE_FILE, "timecode"))),
    )


class _Clock:
    """Frames' times; a frame without one follows the frame before it."""

    def __init__(self, stream: Any) -> None:
        self._apart = 1 / Fraction(stream.average_rate or stream.guessed_rate or _DEFAULT_RATE)
        self._next = Fraction(0)

    def read(self, frame: Any) -> FrameTime:
        start = self._next if frame.pts is None else frame.pts * frame.time_base
        duration = frame.duration * frame.time_base if frame.duration else None
        self._next = start + (duration or self._apart)
        return FrameTime(start, duration)


def _origin(av: Any, path: Path, stream: Any, frame: Any) -> Origin:
    form, context = frame.format, stream.codec_context
    aspect = stream.sample_aspect_ratio or None
    if aspect and _turned(_display_matrix(frame)):
        aspect = 1 / aspect
    share = (64 // form.chroma_height(64), 64 // form.chroma_width(64))
    chroma = next((name for name, known in SHARE.items() if known == share), "420")
    colored = len(form.components) >= 3 and not form.is_rgb and not form.has_palette
    return Origin(
        path=path,
        time_base=Fraction(stream.time_base),
        bits=max(8, *(component.bits for component in form.components)),
        chroma=None if form.is_rgb or form.has_palette else "420" if len(form.components) < 3 else chroma,
        aspect=Fraction(aspect) if aspect else None,
        matrix=int(frame.colorspace),
        primaries=int(context.color_primaries),
        transfer=int(context.color_trc),
        full_range=not form.is_rgb and (int(frame.color_range) == FULL_RANGE or form.name.startswith("yuvj")),
        siting=siting_of(av, stream, frame) if colored and chroma in ("420", "422") else None,
    )


def _rgb(av: Any, frame: Any, origin: Origin, deep: bool) -> np.ndarray:
    unnamed = frame.colorspace == UNSPECIFIED and frame.height >= HD_ROWS
    if deep and not (origin.chroma is None or frame.format.has_palette):
        return to_rgb(planes_of(frame, samples := samples_of(frame, origin)), samples)
    if deep:
        return stretch(frame.to_ndarray(format="rgb48le"))
    return frame.to_ndarray(
        format="rgb24",
        src_colorspace="ITU709" if unnamed else None,
        interpolation=accurate(av, origin.full_range),
    )


def _display_matrix(frame: Any) -> tuple[int, int, int, int]:
    """How players are to show a frame: (a, b, c, d), by which a pixel (x, y) goes to (ax + cy, bx + dy)."""
    for record in frame.side_data:
        if getattr(record.type, "name", "") == "DISPLAYMATRIX":
            a, b, _, c, d, *_ = np.frombuffer(record, np.int32).tolist()
            return a, b, c, d
    return 1, 0, 0, 1


def _turned(matrix: tuple[int, int, int, int]) -> bool:
    """Whether height and width change places."""
    a, b, c, d = map(abs, matrix)
    return b + c > a + d


def _upright(image: np.ndarray, matrix: tuple[int, int, int, int]) -> np.ndarray:
    """As it is to be seen: phones film lying frames, or mirrored ones of their owner, and note how to turn them."""
    a, b, c, d = matrix
    if _turned(matrix):
        image, across, down = image.swapaxes(0, 1), c, b
    else:
        across, down = a, d
    return np.ascontiguousarray(image[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1])


def samples_of(frame: Any, origin: Origin) -> Samples:
    """How the samples of a frame are to be read; a matrix that is not named follows from the size, as players do it."""
    matrix = int(frame.colorspace)
    if matrix not in COEFFICIENTS:
        matrix = BT709 if matrix != UNSPECIFIED or frame.height >= HD_ROWS else BT601
    return Samples(origin.chroma or "444", origin.bits, matrix, origin.full_range)


def accurate(av: Any, full_range: bool) -> Any:
    """FFmpeg's flags of conversion: its usual ones are two levels off where luma has the full range."""
    flags = av.video.reformatter.Interpolation
    return flags.BICUBIC | flags.ACCURATE_RND | flags.FULL_CHR_H_INT | flags.FULL_CHR_H_INP if full_range else None


def stretch(image: np.ndarray) -> np.ndarray:
    """FFmpeg's 16-bit RGB has its white at 255 * 256; here it is 65535. uint16 -> uint16."""
    return np.minimum(image.astype(np.uint32) * 257 // 256, 65535).astype(np.uint16)
