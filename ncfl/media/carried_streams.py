"""Sound and subtitles of a video, carried into another file beside its frames: copied, without loss.

Sound in a form that the other container cannot hold is encoded again as AAC; subtitles in such a form are left out.
The source is read once more for them, a little ahead of the frames, so memory does not grow with the length.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from ncfl.common.errors import InputError
from ncfl.common.pyav import import_av
from ncfl.media.frame_io import open_source
from ncfl.media.notes import note

_AUDIO = "aac"
_NO_PCM = (".mp4", ".m4v")  # FFmpeg begins such a file and then cannot end it; few players would take it
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
# Of the container itself and not of its content; the writer puts its own there.
OF_THE_FILE = ("major_brand", "minor_version", "compatible_brands", "encoder")


class CarriedStreams:
    """Everything of ``source`` beside its frames that ``output`` can hold.

    Args:
        source: the file.
        output: an open container of PyAV to which nothing has been written yet.
        suffix: of the output's format, such as ".mp4".
        notes: where what is not carried over is noted, a line each.
    """

    def __init__(self, source: Path, output: Any, suffix: str, notes: list[str]) -> None:
        self._av = import_av()
        self._source, self._output, self._suffix, self._notes = source, output, suffix, notes
        self._input = open_source(source)
        output.metadata.update({k: v for k, v in self._input.metadata.items() if k.lower() not in OF_THE_FILE})
        self._carriers: dict[int, _Copied | _Encoded] = {}
        for stream in self._input.streams:
            carrier = self._carrier(stream) if stream.type in ("audio", "subtitle") else None
            if carrier is not None:
                self._carriers[stream.index] = carrier
        if chapters := self._input.chapters():
            output.set_chapters(chapters)
        self._packets = self._demux()
        self._waiting: Any = None

    def until(self, time: Fraction) -> None:
        """Write what is heard or read up to ``time``, seconds in the source."""
        while True:
            packet = self._waiting or next(self._packets, None)
            self._waiting = None
            if packet is None:
                return
            if packet.dts * packet.time_base > time:
                self._waiting = packet
                return
            self._write(packet)

    def finish(self) -> None:
        """Write the rest."""
        if self._waiting is not None:
            self._write(self._waiting)
            self._waiting = None
        for packet in self._packets:
            self._write(packet)
        for carrier in self._carriers.values():
            self._output.mux(list(carrier.end()))

    def close(self) -> None:
        """Let go of the source."""
        self._input.close()

    def _carrier(self, stream: Any) -> "_Copied | _Encoded | None":
        context, suffix = stream.codec_context, self._suffix
        codec = None if context is None else context.codec.canonical_name
        if codec in self._output.supported_codecs and not (codec.startswith("pcm_") and suffix in _NO_PCM):
            return _Copied(self._output.add_stream_from_template(stream), stream)
        if codec is None or stream.type != "audio" or _AUDIO not in self._output.supported_codecs:
            what = "sound" if stream.type == "audio" else "subtitle"
            self._notes.append(note(what, codec=codec or "of an unknown kind", suffix=suffix))
            return None
        self._notes.append(note("encoded sound", codec=codec, other=_AUDIO, suffix=suffix))
        return _Encoded(self._av, self._output, stream)

    def _demux(self) -> Iterator[Any]:
        streams = [self._input.streams[index] for index in self._carriers]
        if not streams:
            return
        try:
            yield from (packet for packet in self._input.demux(streams) if packet.dts is not None)
        except self._av.FFmpegError as error:
            raise InputError(f"{self._source}: its sound is corrupt or cut off ({error.strerror})") from None

    def _write(self, packet: Any) -> None:
        try:
            packets = list(self._carriers[packet.stream.index].carry(packet))
        except self._av.FFmpegError as error:
            reason = f"its sound cannot be read or encoded again ({error.strerror})"
            raise InputError(f"{self._source}: {reason}") from None
        self._output.mux(packets)


class _Copied:
    def __init__(self, target: Any, source: Any) -> None:
        self._target = target
        target.metadata.update(source.metadata)
        target.disposition = source.disposition

    def carry(self, packet: Any) -> Iterable[Any]:
        packet.stream = self._target
        return [packet]

    def end(self) -> Iterable[Any]:
        return []


class _Encoded:
    def __init__(self, av: Any, output: Any, source: Any) -> None:
        context = source.codec_context
        # Some files say how many channels there are, but not where they stand.
        layout = _LAYOUTS.get(context.channels, context.layout)
        self._target = output.add_stream(_AUDIO, rate=context.sample_rate, layout=layout)
        self._target.metadata.update(source.metadata)
        self._target.disposition = source.disposition
        self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=context.sample_rate)

    def carry(self, packet: Any) -> Iterable[Any]:
        for frame in packet.decode():
            for fitting in self._resampler.resample(frame):
                yield from self._target.encode(fitting)

    def end(self) -> Iterable[Any]:
        for fitting in self._resampler.resample(None):
            yield from self._target.encode(fitting)
        yield from self._target.encode(None)
