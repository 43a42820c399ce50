"""The table of files, its rows of time and of what stands beside the pictures."""

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.cells import cell, planes, through, video
from helpers.data_samples import film, pictures
from helpers.footage_samples import record, times

from ncfl.media.video import open_frames


def copied(source: Path, target: Path, change: Callable = lambda packet: packet, **settings: str) -> Path:
    """The packets of a video in another file, without encoding; ``change`` gives None for those that are left out."""
    with av.open(str(source)) as given, av.open(str(target), "w", options=settings) as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.size and (packet := change(packet)) is not None:
                packet.stream = stream
                made.mux(packet)
    return target


def shown(path: Path) -> list[float]:
    """The mean luma of each frame that players show: which frame it is."""
    with av.open(str(path)) as container:
        return [float(frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]


@cell("frame rate", "kept")
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi", ".y4m"])
@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(25, 2)])
def test_rates_stay(rate, suffix, tmp_path):
    source = video(tmp_path / "a.mkv", rate=rate)
    assert through(source, tmp_path / f"b{suffix}") == []
    with av.open(str(tmp_path / f"b{suffix}")) as container:
        assert float(container.streams.video[0].average_rate) == pytest.approx(float(rate), rel=1e-4)


@cell("frame rate", "noted")
def test_a_folder_has_no_rate(tmp_path):
    assert through(video(tmp_path / "a.mkv"), tmp_path / "b") == ["rate"]


@cell("frame times", "kept")
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_uneven_times_stay(suffix, tmp_path):
    given = (400, 440, 500, 520, 900)
    source = video(tmp_path / "a.mkv", times=given)
    assert through(source, tmp_path / f"b{suffix}") == []
    assert times(tmp_path / f"b{suffix}") == [Fraction(time, 1000) for time in given]


@cell("telecine", "kept")
def test_a_frame_whose_fields_are_repeated_is_shown_as_long(tmp_path):
    given = (0, 40, 120, 160)

    def later(packet: av.Packet) -> av.Packet:
        packet.pts = packet.dts = given[round(packet.pts * packet.time_base * 25)]
        return packet

    even = video(tmp_path / "even.mkv", codec="mpeg2video", frames=4, max_b_frames=0)
    source = copied(even, tmp_path / "a.mkv", later)
    data = bytearray(source.read_bytes())
    # In the second picture's coding extension of MPEG-2: show it twice. Its time in the file already says so.
    starts = [found.start() for found in re.finditer(rb"\x00\x00\x01\xb5[\x80-\x8f]", data)]
    data[starts[1] + 7] |= 0x02
    source.write_bytes(data)
    assert len(starts) == 4
    assert through(source, tmp_path / "b.mp4") == []
    assert times(tmp_path / "b.mp4") == [Fraction(time, 1000) for time in given]


@cell("frame times", "noted")
@pytest.mark.parametrize("suffix", [".avi", ".y4m"])
def test_uneven_times_are_noted_where_they_are_lost(suffix, tmp_path):
    assert through(video(tmp_path / "a.mkv", times=(0, 40, 400, 440)), tmp_path / f"b{suffix}") == ["uneven"]


def gops(path: Path, more: str = "") -> Path:
    """Twelve frames, each darker than the one before it, in groups of four with B-frames between."""
    frames = [np.full((48, 64, 3), 230 - 15 * number, np.uint8) for number in range(12)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.options = {"x264-params": f"keyint=4:min-keyint=4:scenecut=0:bframes=2:b-adapt=0{more}"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


@cell("B-frames, negative decoding times", "kept")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_frames_come_as_they_are_shown(suffix, tmp_path):
    source = gops(tmp_path / f"a{suffix}")
    with av.open(str(source)) as container:
        order = [packet.pts for packet in container.demux(video=0) if packet.size]
    assert order != sorted(order)  # stored in another order
    assert through(source, tmp_path / "b.mkv") == []
    assert shown(tmp_path / "b.mkv") == pytest.approx(shown(source), abs=1.5)
    assert len(shown(source)) == 12


@cell("edit lists", "kept")
def test_what_an_edit_list_hides_stays_hidden(tmp_path):
    def earlier(packet: av.Packet) -> av.Packet:
        packet.pts -= 3 * packet.duration
        packet.dts -= 3 * packet.duration
        return packet

    source = copied(gops(tmp_path / "all.mp4"), tmp_path / "a.mp4", earlier, avoid_negative_ts="disabled")
    assert b"elst" in source.read_bytes()
    assert len(shown(source)) == 9
    assert through(source, tmp_path / "b.mp4") == []
    assert shown(tmp_path / "b.mp4") == pytest.approx(shown(gops(tmp_path / "c.mp4"))[3:], abs=1.5)


def from_the_second_key_frame() -> Callable[[av.Packet], av.Packet | None]:
    keys = []

    def late(packet: av.Packet) -> av.Packet | None:
        keys.append(packet.is_keyframe)
        return packet if sum(keys) >= 2 else None

    return late


@cell("clips cut without encoding, open GOPs", "kept")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("more", ["", ":open-gop=1"])
def test_a_clip_that_was_cut_without_encoding(more, suffix, tmp_path):
    """From the second key frame on: in an open group, frames before it lean on what was cut away, and can't be made."""
    whole = gops(tmp_path / f"all{suffix}", more=more)
    source = copied(whole, tmp_path / f"a{suffix}", from_the_second_key_frame())
    with av.open(str(source)) as container:
        assert sum(packet.size > 0 for packet in container.demux(video=0)) == 8 if not more else True
    assert through(source, tmp_path / "b.mkv") == []
    seen, expected = shown(tmp_path / "b.mkv"), shown(whole)
    assert len(seen) >= 8
    assert seen[-8:] == pytest.approx(expected[-8:], abs=1.5)


@cell("length that the file does not say", "kept")
@pytest.mark.parametrize(
    ("name", "settings"),
    [("a.mp4", {"movflags": "frag_keyframe+empty_moov"}), ("a.mkv", {"live": "1"}), ("a.avi", {})],
)
def test_a_file_that_says_no_length(name, settings, tmp_path):
    source = video(tmp_path / name, codec="ffv1" if name == "a.avi" else "libx264", frames=5, settings=settings)
    if name == "a.avi":  # as a recorder leaves it that was switched off: no frames
        data = source.read_bytes()
        at = data.index(b"avih") + 8 + 16
        source.write_bytes(data[:at] + bytes(4) + data[at + 4 :])
    assert [name for name in through(source, tmp_path / "b.y4m") if name != "tags"] == []
    assert len(planes(tmp_path / "b.y4m")) == 5


@cell("clips cut without encoding, open GOPs", "kept")
def test_a_clip_that_begins_with_frames_which_lean_on_others_before_it(tmp_path):
    """B-frames that others lean on: a decoder which conceals nothing has an error for each that lost its own."""
    options = {"x264-params": "open-gop=1:keyint=20:min-keyint=20:bframes=3:b-adapt=0:scenecut=0"}
    whole = video(tmp_path / "all.mkv", codec="libx264", frames=60, size=(240, 320), options=options)
    source = copied(whole, tmp_path / "a.mkv", from_the_second_key_frame())
    with av.open(str(source)) as container:
        pts = [packet.pts for packet in container.demux(video=0) if packet.size]
    leading = sum(time < pts[0] for time in pts)
    assert leading > 0
    assert through(source, tmp_path / "b.mp4") == []
    assert len(shown(tmp_path / "b.mp4")) >= len(pts) - leading
    assert shown(tmp_path / "b.mp4")[leading - len(pts) :] == pytest.approx(shown(whole)[leading - len(pts) :], abs=1.5)


@cell("sound", "kept")
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_sounds_keep_their_layout_language_default_and_offset(suffix, tmp_path):
    source = tmp_path / f"a{suffix}"
    with av.open(str(source), "w") as container:
        picture = container.add_stream("libx264", rate=25)
        picture.height, picture.width, picture.pix_fmt = 48, 64, "yuv420p"
        tones = [container.add_stream("aac", rate=48000, layout=layout) for layout in ("stereo", "5.1")]
        for tone, language in zip(tones, ("eng", "fra"), strict=True):
            tone.metadata["language"] = language
        tones[0].disposition, tones[1].disposition = 0, av.stream.Disposition.default
        for frame in film(8):
            container.mux(picture.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(picture.encode())
        for tone, channels in zip(tones, (2, 6), strict=True):
            for start in range(0, 14 * 1024, 1024):
                data = np.ascontiguousarray(np.tile(np.sin(np.arange(1024, dtype=np.float32) / 9), (channels, 1)))
                sound = av.AudioFrame.from_ndarray(data, format="fltp", layout=tone.codec_context.layout.name)
                sound.rate, sound.time_base, sound.pts = 48000, Fraction(1, 48000), 4800 * channels + start
                container.mux(tone.encode(sound))
            container.mux(tone.encode(None))
    assert through(source, tmp_path / f"b{suffix}") == []
    before, after = (_sounds(path) for path in (source, tmp_path / f"b{suffix}"))
    assert [row[:3] for row in after] == [row[:3] for row in before] == [("stereo", "eng", False), ("5.1", "fra", True)]
    assert [row[3] for row in after] == pytest.approx([row[3] for row in before], abs=0.0015)
    assert before[1][3] - before[0][3] == pytest.approx(0.4, abs=0.03)


def _sounds(path: Path) -> list[tuple[str, str, bool, float]]:
    with av.open(str(path)) as container:
        first = {}
        for packet in container.demux(audio=tuple(range(len(container.streams.audio)))):
            if packet.size:
                first.setdefault(packet.stream.index, float(packet.pts * packet.time_base))
        default = av.stream.Disposition.default
        return [
            (sound.layout.name, sound.metadata["language"], default in sound.disposition, first[sound.index])
            for sound in container.streams.audio
        ]


@cell("sound", "noted")
def test_sound_that_is_left_out_is_noted(tmp_path):
    source = record(tmp_path / "a.mp4", sound="aac")
    assert through(source, tmp_path / "b.y4m") == ["sound"]
    assert through(source, tmp_path / "b") == ["rate", "sounds"]
    assert through(source, tmp_path / "c.mp4", rate=Fraction(10)) == ["sounds"]
    assert through(record(tmp_path / "p.mkv", sound="pcm_s16le"), tmp_path / "p.mp4") == ["encoded sound"]


def test_what_several_tracks_lose_is_said_once(tmp_path):
    source = video(tmp_path / "v.mkv")
    with av.open(str(source)) as given, av.open(str(tmp_path / "a.mkv"), "w") as made:
        tracks = [made.add_stream_from_template(given.streams.video[0])]
        for _ in range(2):
            tracks.append(made.add_stream("pcm_s16le", rate=48000, layout="mono"))
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = tracks[0]
                made.mux(packet)
        for track in tracks[1:]:
            made.mux(track.encode(silence()))
            made.mux(track.encode())
    assert through(tmp_path / "a.mkv", tmp_path / "b.mp4") == ["encoded sound"]


def silence() -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.int16), format="s16", layout="mono")
    frame.sample_rate, frame.pts = 48000, 0
    return frame


def beside(path: Path, add: Callable, codec: str = "libx264") -> Path:
    return video(path, codec=codec, prepare=add)


@cell("chapters", "noted")
@cell("title, tags", "noted")
@pytest.mark.parametrize(
    ("target", "notes"), [("b.y4m", ["chapters", "tags"]), ("b.avi", ["chapters", "siting"]), ("b.mp4", [])]
)
def test_chapters_and_titles_are_noted_where_they_are_lost(target, notes, tmp_path):
    def add(container: av.container.OutputContainer) -> None:
        container.metadata["title"] = "our film"
        part = {"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}
        container.set_chapters([part])

    assert through(beside(tmp_path / "a.mkv", add), tmp_path / target) == notes


@cell("subtitles", "noted")
def test_attached_fonts_are_noted(tmp_path):
    def add(container: av.container.OutputContainer) -> None:
        container.add_attachment("font.ttf", "font/ttf", b"\0" * 32)

    assert through(beside(tmp_path / "a.mkv", add), tmp_path / "b.mkv") == ["attachments"]


@cell("time code, covers, data, further pictures", "noted")
@pytest.mark.parametrize("what", ["timecode", "covers", "pictures", "data"])
def test_further_tracks_are_noted(what, tmp_path):
    source = tmp_path / ("a.mov" if what == "timecode" else "a.mp4")
    with av.open(str(source), "w") as container:
        streams = [container.add_stream("libx264", rate=25)]
        if what == "timecode":
            streams[0].metadata["timecode"] = "10:11:12:05"
        if what in ("covers", "pictures"):
            streams.append(container.add_stream("libx264" if what == "pictures" else "mjpeg", rate=25))
        if what == "covers":
            streams[1].disposition = av.stream.Disposition.attached_pic
        clock = container.add_data_stream("bin_data") if what == "data" else None
        for stream in streams:
            stream.height, stream.width = 48, 64
            stream.pix_fmt = "yuvj420p" if stream.codec_context.name == "mjpeg" else "yuv420p"
        for stream in streams:
            for frame in film(1 if stream is streams[-1] and what == "covers" else 3):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
        if clock is not None:
            packet = av.Packet(b"here")
            packet.stream, packet.pts, packet.dts, packet.time_base = clock, 0, 0, Fraction(1, 1000)
            container.mux(packet)
    assert through(source, tmp_path / "b.mp4") == [what]


@cell("folders", "kept")
def test_folders_in_natural_order_with_other_systems_files(tmp_path):
    frames = film(11)
    folder = pictures(tmp_path / "f", frames, ".PNG")  # 10 comes after 9, not after 1
    (folder / ".DS_Store").write_bytes(b"")
    (folder / "._0.PNG").write_bytes(b"no picture")
    (folder / "Thumbs.db").write_bytes(b"")
    assert through(folder, tmp_path / "g") == []
    with open_frames(tmp_path / "g") as reader:
        assert np.array_equal(list(reader), frames)
