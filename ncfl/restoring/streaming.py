"""Restore one's own video: frames stream from a file or folder, through a method, into a file or folder.

No ground truth is needed, and memory does not grow with the length: a few frames wait to be restored and a few to be
encoded (:mod:`ncfl.restoring.overlap`; a window method keeps as many as its window has). A video stays what it was
beside its pixels: frame times, bits a sample, shape of the pixels, colors, sound, as far as the output's format can
hold them.
"""

import contextlib
import io
import time
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TypedDict

import cv2
import numpy as np
import torch
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.common.progress import Progress
from ncfl.media.frame_io import FrameReader, FrameTime, FrameWriter
from ncfl.media.notes import Target, lost
from ncfl.media.parts import PartsWriter
from ncfl.media.standard import is_standard
from ncfl.media.video import kind_of, open_frames, open_writer, pictures_at
from ncfl.methods.interface import Method
from ncfl.restoring.limits import MIN_SIZE
from ncfl.restoring.overlap import ahead, behind, depth_for
from ncfl.restoring.resuming import PART, Kept, keeping
from ncfl.restoring.shots import Shots


class Restored(TypedDict):
    """What was done: plain data.

    ``notes`` says what of the input the output's format could not hold, and what else people should know, a line each.
    """

    output: str
    frames: int
    height: int  # pixels
    width: int
    seconds: float  # reading, restoring and writing together
    frames_per_second: float
    notes: list[str]


def restore(
    input: Path,
    output: Path,
    *,
    method: Method,
    sigma: float | None = None,
    device: str | torch.device = "cpu",
    rate: Fraction | None = None,
    overwrite: bool = False,
    allow_gaps: bool = False,
    cuts: bool = True,
    progress: bool = True,
    resume: bool = False,
) -> Restored:
    """Restore ``input`` into ``output``, which appears under its name only when it is whole.

    Args:
        input: a video file, a folder of pictures (in natural order), a pattern such as ``frames/%05d.png``, or ``-``
            (Y4M on standard input).
        output: a video file, its format chosen by the suffix, a folder for PNG files (no suffix), a pattern, or ``-``.
        method: what restores RGB frames.
        sigma: the noise level in 0..255, or None where it is unknown, which a blind method allows.
        device: where the frames are put.
        rate: frames per second of the output, which then has no sound; the input's own frame times where it is None.
        allow_gaps: whether numbers may be missing between the pictures of a folder.
        cuts: whether what the method remembers ends where the scene changes (:mod:`ncfl.restoring.cuts`).
        overwrite: whether an output that exists may be replaced. The input never is.
        progress: whether to show how far it is.
        resume: whether what is done is kept beside the output until all of it is (:mod:`ncfl.restoring.resuming`), and
            gone on from where it is there.

    Raises:
        InputError: an input that can't be read or is too small, an output that is the input, exists or is of no known
            format, a missing or wrong noise level, a full disk. Nothing is left but, with ``resume``, what is done.
    """
    input, output = Path(input), Path(output)
    _check_method(method, sigma)
    shots = Shots(method, sigma, device=device, cuts=cuts)
    settings = {"sigma": sigma, "rate": rate and str(rate), "allow_gaps": allow_gaps, "cuts": cuts}
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(keeping(input, output, method, settings)) if resume else Kept()
        if resume:
            shots.go_on(kept.shots)
        reader = stack.enter_context(open_frames(input, deep=True, allow_gaps=allow_gaps, skip=shots.first))
        _check_files(reader, input, output)
        began = time.perf_counter()
        shown = {"start": kept.frames, "unit": "frame", "stream": None if progress else io.StringIO()}
        written = {"size": reader.size, "rate": rate or reader.rate, "bits": reader.bits, "origin": reader.origin}
        written |= {"overwrite": overwrite, "sound": rate is None and not is_standard(input)}
        with (
            open_writer(output, **written, parts=kept.folder, kept=kept.writer) as writer,
            Progress(reader.frames_hint, f"restore {input.name}", **shown) as bar,
        ):
            piped = is_standard(input) or is_standard(output)
            count = _restore(reader, shots, writer, kept, bar, timed=rate is None, piped=piped)
    seconds = time.perf_counter() - began
    height, width = reader.size
    speed = {"seconds": seconds, "frames_per_second": (count - kept.frames) / seconds}
    notes = dict.fromkeys([*lost(reader.properties, _target(writer, rate)), *writer.notes, *shots.notes()])
    return Restored(output=str(output), frames=count, height=height, width=width, **speed, notes=[*notes])


def _restore(
    reader: FrameReader, shots: Shots, writer: FrameWriter, kept: Kept, bar: Progress, *, timed: bool, piped: bool
) -> int:
    """Write all frames that are not written yet, at their own times if ``timed``; how many the output then has."""
    depth = 0 if piped else depth_for(*reader.size)  # a thread that waits for a pipe could not be ended
    count, times = kept.frames, deque[FrameTime | None]()  # times of the frames that wait within the method

    def frames(read: Iterator[tuple[np.ndarray, FrameTime | None]]) -> Iterator[np.ndarray]:
        for number, (frame, time_of_it) in enumerate(read, start=shots.first):
            if number >= kept.frames:
                times.append(time_of_it)
            yield frame

    with ahead(((frame, reader.time) for frame in reader), depth) as read, behind(writer.write, depth) as write:
        for frame in shots.restore(frames(read)):
            time_of_it = times.popleft()
            write(_to_array(frame, writer.deep), time_of_it if timed else None)
            count += 1
            bar.update(count)
            if isinstance(writer, PartsWriter) and count % PART == 0:
                write.wait()
                kept.keep(count, shots.keep(count), writer.keep())
    return count


def _target(writer: FrameWriter, rate: Fraction | None) -> Target:
    """What was written, where the user asked for this rate or for none."""
    kind = kind_of(writer.path)
    return Target(
        kind,
        rate=None if kind == "folder" else writer.rate,
        rate_given=rate is not None,
        streams=rate is None,
    )


def _to_array(frame: Tensor, deep: bool) -> np.ndarray:
    peak, depth = (65535, cv2.CV_16U) if deep else (255, cv2.CV_8U)
    # Scaled, rounded and clipped in one pass.
    planes = (cv2.addWeighted(plane, peak, plane, 0, 0, dtype=depth) for plane in frame[0].cpu().numpy())
    return cv2.merge([*planes])


def _check_method(method: Method, sigma: float | None) -> None:
    if method.channels not in (None, 3):
        raise InputError(
            f"method {method.name}: expected one that takes 3 channels (RGB), got one that takes {method.channels}"
        )
    if sigma is None and not method.blind:
        raise InputError(f"sigma: expected 0..255, which method {method.name} must be told, got none")
    if sigma is not None and not 0 <= sigma <= 255:
        raise InputError(f"sigma: expected 0..255, got {sigma}")


def _check_files(reader: FrameReader, input: Path, output: Path) -> None:
    """Refuse frames that are too small, and an output that would replace them."""
    height, width = reader.size
    if min(height, width) < MIN_SIZE:
        raise InputError(
            f"{reader.path}: expected at least {MIN_SIZE} pixels in height and width, got {height} x {width}"
        )
    _protect(input, output)


def _protect(input: Path, output: Path) -> None:
    """Refuse an output that is the input, by whatever name, or holds what the input's frames are links to."""
    if is_standard(input) or is_standard(output):
        return
    given = {picture.resolve() for picture in pictures_at(input) or []}
    replaced = {picture.resolve() for picture in pictures_at(output) or []}
    same = output.exists() and input.exists() and output.samefile(input)
    if same or given & replaced or output.resolve() in {picture.parent for picture in given}:
        raise InputError(f"{output}: it holds the input {input}, which is never overwritten; name another output")
