"""Cells of the table of files: tests that say which cell they are of, and videos whose samples are known."""

import ast
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ncfl.media.file_properties import cells
from ncfl.media.notes import WORDS
from ncfl.methods.noisy import Noisy
from ncfl.restoring.streaming import restore

ROOMS = (Path(__file__).parents[1] / "unit" / "media", Path(__file__).parents[1] / "unit" / "restoring")
ROWS, COLUMNS, FRAMES = 32, 48, 3


def cell(name: str, outcome: str) -> Callable:
    """Marks a test of a cell; one that the table does not have is an error."""
    assert (name, outcome) in cells(), f"the table has no cell {name!r}, {outcome}"
    return lambda test: test


def marked() -> set[tuple[str, str]]:
    """The cells that tests are marked with, read from their sources."""
    return {found for room in ROOMS for path in room.glob("test_*.py") for found in _marks(path)}


def _marks(path: Path) -> Iterator[tuple[str, str]]:
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef) and function.name.startswith("test_"):
            for mark in function.decorator_list:
                if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "cell":
                    yield tuple(argument.value for argument in mark.args)


def through(source: Path, target: Path, **options: object) -> list[str]:
    """Restore by the identity method; the names of the notes that were given."""
    return [note_name(line) for line in restore(source, target, method=Noisy(), progress=False, **options)["notes"]]


def note_name(line: str) -> str:
    """Which note a line is; the line itself where it is none that the table knows."""
    patterns = {name: re.sub(r"\\\{[^}]*\\\}", ".+", re.escape(words)) for name, words in WORDS.items()}
    return next((name for name, pattern in patterns.items() if re.fullmatch(pattern, line)), line)


def samples(pix_fmt: str, height: int, width: int, number: int = 0) -> av.VideoFrame:
    """A frame with smooth planes within the legal range, made without any conversion of colors."""
    frame = av.VideoFrame(width, height, pix_fmt)
    bits = frame.format.components[0].bits
    kind = np.uint8 if bits == 8 else np.uint16
    for index, plane in enumerate(frame.planes):
        y, x = np.mgrid[: plane.height, : plane.line_size // np.dtype(kind).itemsize]
        wave = 0.5 + (0.3 if index == 0 else 0.06) * np.sin(x / 5 + y / 7 + index + number / 4)
        plane.update((wave * ((1 << bits) - 1)).round().astype(kind).tobytes())
    return frame


def video(
    path: Path,
    pix_fmt: str = "yuv420p",
    codec: str = "ffv1",
    *,
    size: tuple[int, int] = (ROWS, COLUMNS),
    frames: int = FRAMES,
    rate: Fraction | int = 25,
    times: tuple[int, ...] | None = None,
    options: dict[str, str] | None = None,
    settings: dict[str, str] | None = None,
    prepare: Callable = lambda container: None,
    **context: object,
) -> Path:
    """A video of such frames. ``times`` in 1/1000 s; ``context``: of the coder; ``settings``: of the container."""
    with av.open(str(path), "w", options=settings or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width, stream.pix_fmt, stream.options = *size, pix_fmt, options or {}
        if times:
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        prepare(container)
        for number in range(frames if times is None else len(times)):
            frame = samples(pix_fmt, *size, number)
            if times:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            for name in ("colorspace", "color_range"):
                if name in context:
                    setattr(frame, name, context[name])
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def planes(path: Path) -> list[list[np.ndarray]]:
    """The samples of each frame as they are stored, a plane each; no conversion has a hand in it."""
    with av.open(str(path)) as container:
        return [_planes(frame) for frame in container.decode(video=0)]


def _planes(frame: av.VideoFrame) -> list[np.ndarray]:
    kind = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    found = []
    for plane in frame.planes:
        rows = np.frombuffer(bytes(plane), kind).reshape(-1, plane.line_size // np.dtype(kind).itemsize)
        found.append(rows[: plane.height, : plane.width].astype(int))
    return found


def apart(one: Path, other: Path) -> int:
    """The greatest difference of two videos' samples, in steps of their own depth."""
    pairs = zip(planes(one), planes(other), strict=True)
    return max(int(np.abs(a - b).max()) for p, q in pairs for a, b in zip(p, q, strict=False))


def strayed(one: Path, other: Path) -> float:
    """The greatest mean difference of a plane: a conversion moves all of it, a lossy coder single samples.

    How far a single sample goes at a constant quality differs from one processor to another.
    """
    pairs = zip(planes(one), planes(other), strict=True)
    return max(float(np.abs(a - b).mean()) for p, q in pairs for a, b in zip(p, q, strict=False))
