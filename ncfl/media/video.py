"""Frames in and out, streaming: video files through PyAV, folders of pictures through OpenCV.

One frame is in memory at a time. Frames are [H,W,3] in RGB order, whatever the file holds: uint8, or uint16 where
that is asked for and the file has more than 8 bits a sample. PyAV is imported when the first video file is opened.

Colors: the matrix that a file names is used. One that names none is read as BT.709 from 720 rows up and as
BT.601 below, as players do. What is written is as the source was and says so, or BT.709 without one; Y4M cannot say,
so it is written as it would be read.
"""

import contextlib
import shutil
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ncfl.common.errors import InputError
from ncfl.common.files import writing
from ncfl.media.frame_io import FrameReader, FrameWriter, Origin
from ncfl.media.notes import Properties, note
from ncfl.media.parts import PartsWriter, PictureParts, open_video_parts, pictures_folder
from ncfl.media.patterns import Pattern, PatternWriter
from ncfl.media.pictures import (
    IMAGE_SUFFIXES,
    PictureWriter,
    check_sequence,
    list_pictures,
    read_pages,
    read_pictures,
)
from ncfl.media.standard import is_standard
from ncfl.media.video_input import open_video
from ncfl.media.video_output import open_video_writer

VIDEO_SUFFIXES = (".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".y4m")
WRITABLE_SUFFIXES = (".mp4", ".mkv", ".avi", ".mov", ".m4v", ".y4m")
DEFAULT_RATE = Fraction(25)
_LOSSLESS, _SHALLOW = (".png", ".tif", ".tiff"), (".jpg", ".jpeg")


def open_frames(path: Path, *, deep: bool = False, allow_gaps: bool = False, skip: int = 0) -> FrameReader:
    """Open a video file, a folder of pictures in natural order, or numbered pictures.

    Args:
        path: the file or folder; a pattern such as ``frames/%05d.png``; ``-`` for Y4M from standard input.
        deep: whether frames are given as uint16, 0..65535, where the file has more than 8 bits a sample or its
            samples are not RGB, so that none is rounded on the way; else as uint8. The reader's ``deep`` says which.
        allow_gaps: whether numbers may be missing between the pictures of a folder.
        skip: how many frames at the beginning are passed over.

    Returns:
        A reader; its first frame has been decoded, so much that is wrong shows here and not later.

    Raises:
        InputError: nothing there, an unknown format, a truncated or corrupt file (with the frame's number),
            frames of several sizes. The reader raises it too, while it is iterated over.
    """
    path = Path(path)
    if is_standard(path):
        return open_video(path, deep=deep, skip=skip)
    if (pictures := pictures_at(path)) is not None:
        return _open_pictures(path, pictures, deep, allow_gaps, skip)
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder")
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        allowed = f"{' '.join(VIDEO_SUFFIXES)} or a folder of pictures ({' '.join(IMAGE_SUFFIXES)})"
        raise InputError(f"{path}: expected a format that is read ({allowed}), got {path.suffix or 'none'}")
    return open_video(path, deep=deep, skip=skip)


def kind_of(path: Path) -> str:
    """What is written to ``path``: a suffix such as ".mp4", or "folder" for pictures."""
    if is_standard(path):
        return ".y4m"
    return "folder" if Pattern.of(path) else path.suffix.lower() or "folder"


def pictures_at(path: Path) -> list[Path] | None:
    """The pictures of a folder, or those that a pattern names, in order; None where ``path`` is neither."""
    if path.is_dir():
        return list_pictures(path)
    pattern = None if is_standard(path) else Pattern.of(path)
    return None if pattern is None else pattern.pictures()


def _open_pictures(folder: Path, pictures: list[Path], deep: bool, allow_gaps: bool, skip: int) -> FrameReader:
    if not pictures and not folder.is_dir():
        raise InputError(f"{folder}: no such pictures; expected numbers where the pattern has its %d")
    if not pictures:
        raise InputError(f"{folder}: expected pictures ({' '.join(IMAGE_SUFFIXES)}), got none")
    check_sequence(pictures, allow_gaps=allow_gaps)
    first = read_pages(pictures[0])[0].pixels
    deep = deep and first.dtype == np.uint16
    losses: set[str] = set()
    frames = islice(read_pictures(pictures, deep=deep, losses=losses), skip, None)
    return FrameReader(
        folder,
        size=first.shape[:2],
        rate=None,
        frames_hint=len(pictures),
        frames=((frame, None) for frame in frames),
        bits=16 if deep else 8,
        deep=deep,
        properties=lambda: Properties(folder=True, alpha="alpha" in losses, color_profiles="profile" in losses),
    )


@contextlib.contextmanager
def open_writer(
    path: Path,
    *,
    size: tuple[int, int],
    rate: Fraction | None = None,
    quality: int = 12,
    overwrite: bool = False,
    bits: int = 8,
    origin: Origin | None = None,
    sound: bool = True,
    parts: Path | None = None,
    kept: dict[str, Any] | None = None,
) -> Iterator[FrameWriter]:
    """Open a video file, a folder of PNG (a path without suffix) or numbered pictures, to write frames to.

    MP4, MKV and MOV hold H.264, or H.265 where frames have more than 8 bits; AVI holds Motion JPEG; Y4M is raw.
    Color is stored as in ``origin``; where there is none it is halved in both directions (4:2:0), as players expect.
    It is kept whole (4:4:4) where height or width is odd.

    Args:
        path: the file or folder; missing folders above it are made. A pattern such as ``frames/%05d.png`` numbers
            PNG, TIFF or JPEG from 1; ``-`` is Y4M on standard output.
        size: (height, width) of the frames, pixels.
        rate: frames per second; 25 where it is None.
        quality: constant rate factor of H.264 and H.265: 0 (largest file) .. 51; 12 is hard to tell from the original.
        overwrite: whether something that exists may be replaced.
        bits: of a sample that are worth keeping. The writer's ``deep`` says whether it takes uint16 or uint8.
        origin: the video that the frames are of. Its frames' times, shape of pixels and colors are kept.
        sound: whether its sound, subtitles, chapters and titles are kept too.
        parts: a folder that is there, in which what is written stays until all of it is there; and
        kept: what :meth:`ncfl.media.parts.PartsWriter.keep` gave, of the frames that are in it already.

    Yields:
        A writer; a :class:`ncfl.media.parts.PartsWriter` with ``parts``. When the block fails, nothing is left behind
        but these, and what was there before stays.

    Raises:
        InputError: a format that is not written, something that exists, a full disk.
    """
    path, rate = Path(path), Fraction(rate or DEFAULT_RATE)
    if kind_of(path) == "folder":
        deep = bits > 8 and path.suffix.lower() not in _SHALLOW
        notes = [note("bits", bits=bits, fewer=8, suffix=path.suffix)] if bits > 8 and not deep else []
        kinds = {"bits": 16 if deep else 8, "deep": deep, "notes": notes}
        with _picture_writer(path, overwrite, parts and pictures_folder(parts)) as pictures:
            if parts is None:
                yield FrameWriter(path, size, rate, lambda frame, _: pictures.write(frame), **kinds)
                return
            made = PictureParts(pictures, kept)
            yield PartsWriter(made, path, size, rate, **kinds)
        shutil.rmtree(parts, ignore_errors=True)
        return
    if not is_standard(path):
        _check_file(path, overwrite)
    settings = {"size": size, "rate": rate, "quality": quality, "bits": bits, "origin": origin, "sound": sound}
    opened = open_video_writer(path, **settings) if parts is None else open_video_parts(path, parts, kept, **settings)
    with opened as writer:
        yield writer


def _check_file(path: Path, overwrite: bool) -> None:
    if path.suffix.lower() not in WRITABLE_SUFFIXES:
        allowed = f"{' '.join(WRITABLE_SUFFIXES)}, or a folder (a path without suffix) for PNG"
        raise InputError(f"{path}: expected a format that is written ({allowed}), got {path.suffix or 'none'}")
    if path.is_dir():
        raise InputError(f"{path}: expected a file's name (or a folder's without a suffix), got a folder")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists; overwriting must be asked for")


@contextlib.contextmanager
def _picture_writer(path: Path, overwrite: bool, building: Path | None) -> Iterator[PictureWriter]:
    pattern = Pattern.of(path)
    if pattern is not None and path.suffix.lower() not in (*_LOSSLESS, *_SHALLOW):
        allowed = " ".join((*_LOSSLESS, *_SHALLOW))
        raise InputError(f"{path}: expected a kind of picture that is written ({allowed}), got {path.suffix or 'none'}")
    kinds = {"overwrite": overwrite, "building": building}
    writer = PatternWriter(pattern, **kinds) if pattern else PictureWriter(path, **kinds)
    try:
        with writing(path):
            yield writer
            writer.finish()
    finally:
        if building is None:
            writer.discard()
