"""A restoration in parts, which stay when its program ends too soon: ``OUTPUT.parts`` beside the output.

A video's parts are videos of some frames each, which play by themselves; one appears when it is whole. In the end their
frames go into one file as they were encoded, at the times that were kept of them, with the source's sound and the like
beside them. Pictures are parts by themselves.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ncfl.common.errors import InputError
from ncfl.common.pyav import import_av
from ncfl.media.carried_streams import CarriedStreams
from ncfl.media.coding import coding_notes, coding_of
from ncfl.media.frame_io import FrameTime, FrameWriter, Origin, as_url
from ncfl.media.pictures import PictureWriter
from ncfl.media.timetable import EVEN_RATE, TimePlace, Timetable
from ncfl.media.video_output import VideoEncoder, container_of, refusing, takes_deep, time_notes

_PICTURES = "frames"


class Parts(Protocol):
    """Where frames go until all are there."""

    def write(self, frame: np.ndarray, time: FrameTime | None) -> None:
        """The next frame, as :meth:`ncfl.media.frame_io.FrameWriter.write` takes it."""

    def keep(self) -> dict[str, Any]:
        """End a part; what is whole now, as plain data from which the same class goes on."""


class PartsWriter(FrameWriter):
    """A :class:`FrameWriter` whose frames stay in parts until all are there."""

    def __init__(self, parts: Parts, path: Path, size: tuple[int, int], rate: Fraction, **kinds: Any) -> None:
        super().__init__(path, size, rate, parts.write, **kinds)
        self.keep: Callable[[], dict[str, Any]] = parts.keep


class VideoParts:
    """Parts of a video file.

    Args:
        folder: where they are.
        path: the file that they become.
        size, rate, quality, bits, origin, sound: as for :func:`ncfl.media.video.open_writer`.
        kept: what :meth:`keep` gave before; None for the first part.

    Raises:
        InputError: a part that is missing or was changed.
    """

    def __init__(
        self,
        folder: Path,
        path: Path,
        *,
        size: tuple[int, int],
        rate: Fraction,
        quality: int,
        bits: int,
        origin: Origin | None,
        sound: bool,
        kept: dict[str, Any] | None,
    ) -> None:
        self._av, self._folder, self._path, self._suffix = import_av(), folder, path, path.suffix.lower()
        self._size, self._rate, self._origin, self._sound = size, rate, origin, sound
        self.coding = coding_of(self._suffix, size, quality, bits, origin)
        self.notes = coding_notes(self.coding, self._suffix, bits, origin)
        self._times = Timetable(rate, self._suffix, origin)
        self._places: list[list[int]] = []  # of all frames
        self._parts: list[list[Any]] = []  # name, frames, bytes
        self._count = 0  # frames in the part that is written to
        self._open = contextlib.ExitStack()
        self._encoder: VideoEncoder | None = None
        if kept is not None:
            self._times.resume(kept["times"])
            self._places, self._parts = kept["places"], kept["parts"]
            self._check()

    def write(self, frame: np.ndarray, time: FrameTime | None) -> None:
        """See :class:`Parts`."""
        if self._encoder is None:
            self._begin()
        self._places.append([*self._times.place(time)])
        self._encoder.write(frame, TimePlace(self._count, 1))
        self._count += 1

    def keep(self) -> dict[str, Any]:
        """See :class:`Parts`."""
        if self._encoder is not None:
            with refusing(self._av, self._path, self.coding.codec):
                self._encoder.finish()
                self._open.close()
            part = self._part(len(self._parts))
            self._parts.append([part.name, self._count, part.stat().st_size])
            self._encoder, self._count = None, 0
        return {"times": self._times.keep(), "places": self._places, "parts": self._parts}

    def join(self) -> list[str]:
        """Make the output of all parts; what of the source it could not hold, a line each."""
        self.keep()
        passed: list[str] = []
        with refusing(self._av, self._path, self.coding.codec):
            self._join(passed)
        return [*passed, *time_notes(self._times, self._suffix, self._rate)]

    def leave(self) -> None:
        """Let go of what is open: a part that has not ended is lost."""
        self._open.__exit__(InputError, InputError("left"), None)  # no part of it appears

    def _begin(self) -> None:
        part = self._part(len(self._parts))
        container = self._open.enter_context(container_of(self._av, part, part.suffix))
        self._encoder = VideoEncoder(
            self._av, container, self._suffix, self._size, self._rate, 1 / self._rate, self.coding, self._origin
        )

    def _part(self, number: int) -> Path:
        suffix = self._suffix if self._suffix in EVEN_RATE else ".mp4"
        return self._folder / f"{number:05d}{suffix}"

    def _check(self) -> None:
        for name, _, size in self._parts:
            part = self._folder / name
            found = part.stat().st_size if part.is_file() else None
            if found != size:
                what = "it is missing" if found is None else f"expected {size} bytes, which were written, got {found}"
                raise InputError(f"{part}: {what}; remove {self._folder} to begin anew")

    def _join(self, notes: list[str]) -> None:
        with container_of(self._av, self._path, self._suffix) as container, contextlib.ExitStack() as stack:
            stream = self._stream_like_parts(container)
            carried = None
            if self._origin and self._sound:
                carried = CarriedStreams(self._origin.path, container, self._suffix, notes)
                stack.callback(carried.close)
            for packet, place in self._packets():
                packet.stream = stream
                container.mux(packet)
                if carried:
                    carried.until(place.start * self._times.base)
            if carried:
                carried.finish()

    def _stream_like_parts(self, container: Any) -> Any:
        with self._av.open(as_url(self._folder / self._parts[0][0])) as part:
            like = part.streams.video[0]
            stream = container.add_stream_from_template(like)
            stream.codec_context.codec_tag = like.codec_context.codec_tag
        stream.time_base = self._times.base
        return stream

    def _packets(self) -> Iterator[tuple[Any, TimePlace]]:
        """The encoded frames in the order of decoding, and their places in the whole.

        A frame is decoded when the one is shown that is as many before it as the encoder looks ahead: with one unit
        for all parts, decoding times grow across their joints too.
        """
        ahead = max(self._ahead(self._folder / name) for name, *_ in self._parts)
        first, step = self._places[0][0], round(1 / self._rate / self._times.base)
        done = 0
        for name, count, _ in self._parts:
            with self._av.open(as_url(self._folder / name)) as part:
                stream = part.streams.video[0]
                packets = (packet for packet in part.demux(stream) if packet.size)
                for number, packet in enumerate(packets, start=done):
                    place = TimePlace(*self._places[done + round(packet.pts * packet.time_base * self._rate)])
                    earlier = number - ahead
                    packet.dts = self._places[earlier][0] if earlier >= 0 else first + earlier * max(1, step)
                    packet.pts, packet.duration = place
                    packet.time_base = self._times.base
                    yield packet, place
            done += count

    def _ahead(self, part: Path) -> int:
        """How many frames before it is shown the first frame of a part is decoded."""
        with self._av.open(as_url(part)) as container:
            packet = next(container.demux(container.streams.video[0]))
            return max(0, round((packet.pts - packet.dts) * packet.time_base * self._rate))


class PictureParts:
    """Pictures, which appear in their place when all are there.

    Args:
        writer: what writes them, beside their place.
        kept: what :meth:`keep` gave before; None for the first picture.
    """

    def __init__(self, writer: PictureWriter, kept: dict[str, Any] | None) -> None:
        self._writer = writer
        if kept is not None:
            writer.count = kept["count"]

    def write(self, frame: np.ndarray, time: FrameTime | None) -> None:
        """See :class:`Parts`."""
        self._writer.write(frame)

    def keep(self) -> dict[str, Any]:
        """See :class:`Parts`."""
        return {"count": self._writer.count}


@contextlib.contextmanager
def open_video_parts(
    path: Path, folder: Path, kept: dict[str, Any] | None, *, bits: int, origin: Origin | None, **settings: Any
) -> Iterator[PartsWriter]:
    """As :func:`ncfl.media.video.open_writer` with parts, for a file whose suffix and place are known to be good."""
    parts = VideoParts(folder, path, kept=kept, bits=bits, origin=origin, **settings)
    writer = PartsWriter(
        parts,
        path,
        settings["size"],
        settings["rate"],
        bits=parts.coding.bits,
        deep=takes_deep(bits, origin),
        notes=parts.notes,
    )
    try:
        yield writer
        writer.notes.extend(parts.join())
    finally:
        parts.leave()
    shutil.rmtree(folder, ignore_errors=True)


def pictures_folder(folder: Path) -> Path:
    """Where pictures wait in the folder of parts."""
    return folder / _PICTURES
