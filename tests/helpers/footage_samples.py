"""Videos as cameras and phones write them, made and looked into with PyAV alone."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from helpers.data_samples import film

# What is noted of H.264, whose chroma lies left where nothing else is said, in a file of JPEGs.
SITED = {
    ".avi": [
        "chroma samples lie as they did (left), but .avi is taken for center: players may show colors moved by half a "
        "pixel"
    ]
}
UNEVEN = (0, 3003, 3003 + 1501, 9009, 20020, 21021, 30030, 40040)  # in units of 1/90000 s


def record(
    path: Path,
    *,
    frames: list[np.ndarray] | None = None,
    video: str = "libx264",
    pix_fmt: str = "yuv420p",
    times: tuple[int, ...] = tuple(3000 * t for t in range(8)),
    sound: str | None = "aac",
    rate: int = 30,
    title: str | None = None,
    **context: object,
) -> Path:
    """A video with a sine tone, by PyAV alone. ``times`` in units of 1/90000 s; ``context``: of the video's coder."""
    frames = film(len(times)) if frames is None else frames
    with av.open(str(path), "w", format="mp4" if path.suffix == ".m4v" else None) as container:
        stream = container.add_stream(video, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.options = {"crf": "4", "x265-params": "log-level=error"} if "264" in video or "265" in video else {}
        stream.codec_context.time_base = stream.time_base = Fraction(1, 90000)
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        tone = container.add_stream(sound, rate=48000, layout="stereo") if sound else None
        if title:
            container.metadata["title"] = title
        for frame, time in zip(frames, times, strict=True):
            if frame.dtype == np.uint16:  # whose white is 255 * 256 to FFmpeg
                picture = av.VideoFrame.from_ndarray((frame * (255 / 256)).astype(np.uint16), format="rgb48le")
            else:
                picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture = picture.reformat(
                format=pix_fmt, dst_colorspace="ITU709", dst_color_range=context.get("color_range", 1)
            )
            picture.pts, picture.time_base = time, Fraction(1, 90000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
        if tone:
            sing(container, tone, seconds=times[-1] / 90000 + 0.1)
    return path


def sing(container: av.container.OutputContainer, tone: av.AudioStream, seconds: float) -> None:
    wave = np.sin(np.arange(int(48000 * seconds)) * 2 * np.pi * 440 / 48000).astype(np.float32) / 4
    planar = tone.codec_context.format.is_planar
    form = "fltp" if planar else "s16"
    for start in range(0, len(wave) - 1023, 1024):
        part = np.stack([wave[start : start + 1024]] * 2)
        data = part if planar else (part.T.reshape(1, -1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(data), format=form, layout="stereo")
        frame.rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        container.mux(tone.encode(frame))
    container.mux(tone.encode(None))


def times(path: Path) -> list[Fraction]:
    """Of the frames as they are shown, seconds."""
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def packets(path: Path) -> list[tuple[Fraction, bytes]]:
    """The sound as it is stored: time in seconds and content."""
    with av.open(str(path)) as container:
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(audio=0) if p.size]


def said(path: Path) -> dict[str, object]:
    """What a file says of its pictures."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context, frame = stream.codec_context, next(container.decode(stream))
        return {
            "codec": context.name,
            "pix_fmt": frame.format.name,
            "size": (frame.height, frame.width),
            "aspect": stream.sample_aspect_ratio,
            "colors": (int(frame.colorspace), int(context.color_primaries), int(context.color_trc)),
            "range": int(frame.color_range),
        }


def luma(path: Path) -> np.ndarray:
    """The stored values of 8-bit luma, [frames,H,W]; no conversion has a hand in it."""
    with av.open(str(path)) as container:
        frames = [(frame, frame.planes[0]) for frame in container.decode(video=0)]
        rows = [np.frombuffer(bytes(y), np.uint8).reshape(frame.height, y.line_size) for frame, y in frames]
        return np.stack([row[:, : frame.width] for row, (frame, _) in zip(rows, frames, strict=True)]).astype(int)


def deep_ramp(count: int = 4, height: int = 48, width: int = 256) -> list[np.ndarray]:
    """A gray ramp far finer than 8 bits: four steps of a 10-bit scale apart, and moving."""
    steps = 300 + np.arange(width)[None] + np.zeros((height, 1), int)
    return [np.repeat(((steps + t) * 64)[..., None], 3, axis=2).astype(np.uint16) for t in range(count)]
