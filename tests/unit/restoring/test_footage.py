"""What cameras and phones write: bits, odd sizes, uneven times, sound, colors and shapes of pixels come out again."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.cells import cell
from helpers.data_samples import encode, film, psnr
from helpers.footage_samples import SITED, UNEVEN, deep_ramp, luma, packets, record, said, sing, times

from ncfl.common.errors import InputError
from ncfl.media.video import open_frames
from ncfl.methods.median.method import Median
from ncfl.methods.noisy import Noisy
from ncfl.restoring.streaming import Restored, restore


def run(source: Path, target: Path, method: object | None = None, **other: object) -> Restored:
    return restore(source, target, method=method or Noisy(), progress=False, **other)


# Times and sound


@pytest.mark.parametrize(("source", "target"), [("a.mp4", "b.mp4"), ("a.mov", "b.mp4"), ("a.mp4", "b.mov")])
def test_uneven_times_and_sound_are_kept_exactly(source: str, target: str, tmp_path: Path):
    given = record(tmp_path / source, times=UNEVEN)
    done = run(given, tmp_path / target, Median(3))
    assert done["notes"] == []
    assert times(tmp_path / target) == times(given) == [Fraction(t, 90000) for t in UNEVEN]
    assert packets(tmp_path / target) == packets(given)
    assert len(packets(given)) > 20


@pytest.mark.parametrize(("source", "target"), [("a.mkv", "b.mkv"), ("a.mp4", "b.mkv"), ("a.mkv", "b.mp4")])
def test_matroska_counts_milliseconds(source: str, target: str, tmp_path: Path):
    given = record(tmp_path / source, times=UNEVEN)
    run(given, tmp_path / target)
    apart = np.float64(times(tmp_path / target)) - np.float64(times(given))
    assert np.abs(apart - apart[0]).max() < 0.0011
    found, expected = packets(tmp_path / target), packets(given)
    assert [content for _, content in found] == [content for _, content in expected]
    # Sound and pictures move together where the container cannot begin before zero.
    late = np.float64([time for time, _ in found]) - np.float64([time for time, _ in expected])
    assert np.abs(late - apart[0]).max() < 0.0025


def test_pictures_that_begin_after_the_sound(tmp_path: Path):
    late = tuple(45000 + time for time in UNEVEN)
    given = record(tmp_path / "a.mp4", times=late)
    run(given, tmp_path / "b.mp4")
    assert times(tmp_path / "b.mp4") == [Fraction(t, 90000) for t in late]
    assert packets(tmp_path / "b.mp4") == packets(given)


def test_even_times_that_were_rounded_to_milliseconds_are_even_again(tmp_path: Path):
    given = record(tmp_path / "a.mkv", sound=None)
    run(given, tmp_path / "b.mp4")
    assert times(given)[1] == Fraction(33, 1000)
    assert times(tmp_path / "b.mp4") == [Fraction(t, 30) for t in range(8)]


@pytest.mark.parametrize("suffix", [".avi", ".y4m"])
def test_formats_with_one_rate_say_what_is_lost(suffix: str, tmp_path: Path):
    given = record(tmp_path / "a.mp4", times=UNEVEN, sound="libmp3lame")
    done = run(given, tmp_path / f"b{suffix}")
    assert done["frames"] == len(times(tmp_path / f"b{suffix}")) == 8
    assert [note for note in done["notes"] if f"uneven times: {suffix} knows one rate" in note]
    assert ("sound (mp3) is left out: .y4m does not hold it" in done["notes"]) == (suffix == ".y4m")
    assert len(done["notes"]) == 2
    assert [note for note in done["notes"] if note.startswith("chroma")] == SITED.get(suffix, [])
    even = record(tmp_path / "c.mp4", sound=None)
    assert run(even, tmp_path / f"d{suffix}")["notes"] == SITED.get(suffix, [])


def test_a_rate_of_ones_own_takes_no_sound(tmp_path: Path):
    given = record(tmp_path / "a.mp4", times=UNEVEN)
    run(given, tmp_path / "b.mp4", rate=Fraction(10))
    assert times(tmp_path / "b.mp4") == [Fraction(t, 10) for t in range(8)]
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert not container.streams.audio


@cell("sound", "kept")
@pytest.mark.parametrize("target", ["b.mkv", "b.mov", "b.avi"])
def test_sound_that_fits_is_copied(target: str, tmp_path: Path):
    given = record(tmp_path / "a.mkv", sound="pcm_s16le")
    assert run(given, tmp_path / target)["notes"] == SITED.get(target[1:], [])
    assert b"".join(c for _, c in packets(tmp_path / target)) == b"".join(c for _, c in packets(given))


@pytest.mark.parametrize(
    ("coder", "codec", "suffix"), [("libopus", "opus", ".avi"), ("pcm_s16le", "pcm_s16le", ".mp4")]
)
def test_sound_that_does_not_fit_is_encoded_again(coder: str, codec: str, suffix: str, tmp_path: Path):
    given = record(tmp_path / "a.mkv", sound=coder)
    done = run(given, tmp_path / f"b{suffix}")
    again = f"sound is encoded again ({codec} to aac): {suffix} does not hold {codec}"
    assert done["notes"] == [*SITED.get(suffix, []), again]
    with av.open(str(tmp_path / f"b{suffix}")) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        heard = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    spectrum = np.abs(np.fft.rfft(heard[2048 : 2048 + 9600]))
    assert np.argmax(spectrum) * 48000 / 9600 == pytest.approx(440, abs=10)
    assert len(heard) / 48000 == pytest.approx(21000 / 90000 + 0.1, abs=0.06)


@cell("subtitles", "kept")
@cell("subtitles", "noted")
def test_subtitles_are_copied_or_noted(tmp_path: Path):
    record(tmp_path / "a.mp4")
    (tmp_path / "a.srt").write_text("1\n00:00:00,050 --> 00:00:00,150\nhello\n\n")
    with (
        av.open(str(tmp_path / "a.mp4")) as film_,
        av.open(str(tmp_path / "a.srt")) as words,
        av.open(str(tmp_path / "b.mkv"), "w") as both,
    ):
        sources = [(file, file.streams[0], both.add_stream_from_template(file.streams[0])) for file in (film_, words)]
        for file, stream, copy in sources:
            for packet in file.demux(stream):
                if packet.size:
                    packet.stream = copy
                    both.mux(packet)
    assert run(tmp_path / "b.mkv", tmp_path / "c.mkv")["notes"] == []
    with av.open(str(tmp_path / "c.mkv")) as container:
        (said_,) = [bytes(p) for p in container.demux(container.streams.subtitles[0]) if p.size]
    assert said_ == b"hello"
    notes = run(tmp_path / "b.mkv", tmp_path / "d.mp4")["notes"]
    assert notes == ["a subtitle track (subrip) is left out: .mp4 does not hold it"]


@cell("chapters", "kept")
@cell("title, tags", "kept")
def test_title_and_chapters_are_kept(tmp_path: Path):
    given = record(tmp_path / "a.mp4", title="our film")
    with av.open(str(given)) as source, av.open(str(tmp_path / "c.mkv"), "w") as marked:
        copy = marked.add_stream_from_template(source.streams.video[0])
        marked.metadata["title"] = "our film"
        marked.set_chapters(
            [{"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}]
        )
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = copy
                marked.mux(packet)
    run(tmp_path / "c.mkv", tmp_path / "d.mkv")
    with av.open(str(tmp_path / "d.mkv")) as container:
        assert container.metadata["title"] == "our film"
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["one"]


# Bits, colors, sizes


@pytest.mark.parametrize(
    ("target", "pix_fmt"), [("b.mp4", "yuv420p10le"), ("b.mkv", "yuv420p10le"), ("b.y4m", "yuv420p10le")]
)
def test_ten_bits_stay_ten(target: str, pix_fmt: str, tmp_path: Path):
    frames = deep_ramp()
    given = record(
        tmp_path / "a.mkv",
        frames=frames,
        video="libx265",
        pix_fmt="yuv420p10le",
        times=(0, 3000, 6000, 9000),
        sound=None,
    )
    done = run(given, tmp_path / target)
    assert done["notes"] == []
    assert said(tmp_path / target)["pix_fmt"] == pix_fmt
    with open_frames(tmp_path / target, deep=True) as reader:
        assert reader.bits == 10
        seen = list(reader)
    for frame, made in zip(seen, frames, strict=True):
        assert frame.dtype == np.uint16
        # Steps of 10 bits are 65535 / 876 = 75 apart, and two roundings are to be expected; those of 8 bits are 299.
        assert np.abs(frame.astype(int) - made).mean() < 75
        assert len(np.unique(frame[..., 1])) > 150


def test_ten_bits_are_reduced_where_the_format_has_eight(tmp_path: Path):
    given = record(
        tmp_path / "a.mkv",
        frames=deep_ramp(),
        video="libx265",
        pix_fmt="yuv420p10le",
        times=(0, 3000, 6000, 9000),
        sound=None,
    )
    done = run(given, tmp_path / "b.avi")
    assert done["notes"] == ["10 bits are reduced to 8: .avi is written with 8", *SITED[".avi"]]
    assert said(tmp_path / "b.avi")["pix_fmt"] == "yuvj420p"
    with open_frames(given) as reader:  # and for whoever asks for no more
        assert reader.bits == 8
        assert next(iter(reader)).dtype == np.uint8


@pytest.mark.parametrize("white", [(64, 64, 64), (940, 940, 940)])
def test_black_and_white_of_ten_bits_are_the_ends_of_the_range(white: tuple[int, ...], tmp_path: Path):
    frame = av.VideoFrame(64, 48, "yuv420p10le")
    for plane, value in zip(frame.planes, (white[0], 512, 512), strict=True):
        plane.update(np.full(plane.buffer_size // 2, value, np.uint16).tobytes())
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p10le"
        stream.codec_context.colorspace = 1
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with open_frames(tmp_path / "a.mkv", deep=True) as reader:
        image = next(iter(reader))
    assert np.abs(image.astype(int) - (0 if white[0] == 64 else 65535)).max() <= 16  # a quarter of a 10-bit step
    run(tmp_path / "a.mkv", tmp_path / "b.y4m")
    with av.open(str(tmp_path / "b.y4m")) as container:
        seen = next(container.decode(video=0))
        assert np.frombuffer(bytes(seen.planes[0]), np.uint16)[0] == white[0]


def test_a_folder_of_sixteen_bit_pictures_stays_so(tmp_path: Path):
    import cv2

    (tmp_path / "f").mkdir()
    for t, frame in enumerate(deep_ramp()):
        cv2.imwrite(str(tmp_path / "f" / f"{t}.png"), frame[..., ::-1])
    run(tmp_path / "f", tmp_path / "g")
    for t, frame in enumerate(deep_ramp()):
        seen = cv2.imread(str(tmp_path / "g" / f"{t:05d}.png"), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(seen[..., ::-1], frame)
    run(tmp_path / "f", tmp_path / "h.mp4")
    assert said(tmp_path / "h.mp4")["pix_fmt"] == "yuv420p10le"


@pytest.mark.parametrize("pix_fmt", ["yuv444p", "bgr0"])
def test_odd_sizes(pix_fmt: str, tmp_path: Path):
    frames = film(8, 47, 63)
    given = record(tmp_path / "a.mkv", frames=frames, video="ffv1" if pix_fmt == "bgr0" else "libx264", pix_fmt=pix_fmt)
    run(given, tmp_path / "b.mp4")
    assert said(tmp_path / "b.mp4")["size"] == (47, 63)
    with open_frames(tmp_path / "b.mp4") as reader:
        assert min(psnr(a, b) for a, b in zip(reader, frames, strict=True)) > 36
    assert packets(tmp_path / "b.mp4")[5][1] == packets(given)[5][1]


@pytest.mark.parametrize(
    ("pix_fmt", "kept"), [("yuv420p", "yuv420p"), ("yuv422p", "yuv422p"), ("yuv444p", "yuv444p"), ("gray", "yuv420p")]
)
def test_color_is_stored_as_in_the_source(pix_fmt: str, kept: str, tmp_path: Path):
    run(record(tmp_path / "a.mkv", pix_fmt=pix_fmt, sound=None), tmp_path / "b.mp4")
    assert said(tmp_path / "b.mp4")["pix_fmt"] == kept


@pytest.mark.parametrize(("matrix", "primaries", "transfer"), [(1, 1, 1), (6, 6, 6), (9, 9, 18)])
@pytest.mark.parametrize("full", [1, 2])
def test_named_colors_are_kept(matrix: int, primaries: int, transfer: int, full: int, tmp_path: Path):
    """What the numbers mean is a matter of the file; a gray axis is the same under every matrix."""
    gray = [np.full((48, 64, 3), 40 * t + 30, np.uint8) for t in range(4)]
    named = {"colorspace": matrix, "color_primaries": primaries, "color_trc": transfer, "color_range": full}
    given = record(tmp_path / "a.mp4", frames=gray, times=(0, 3000, 6000, 9000), sound=None, **named)
    before = said(given)
    assert (before["colors"], before["range"]) == ((matrix, primaries, transfer), full)
    run(given, tmp_path / "b.mp4")
    after = said(tmp_path / "b.mp4")
    assert (after["colors"], after["range"]) == (before["colors"], before["range"])
    assert np.abs(luma(tmp_path / "b.mp4") - luma(given)).max() <= 1


def test_colors_of_an_unnamed_matrix_are_not_shifted(tmp_path: Path):
    red = [np.full((48, 64, 3), (200, 40, 60), np.uint8)] * 3
    given = encode(tmp_path / "a.mp4", red, crf="1")
    run(given, tmp_path / "b.mp4")
    with open_frames(given) as first, open_frames(tmp_path / "b.mp4") as second:
        assert np.abs(next(iter(first)).astype(int) - next(iter(second))).max() <= 4
    assert said(tmp_path / "b.mp4")["colors"] == (1, 1, 1)


@cell("shape of pixels", "kept")
@cell("shape of pixels", "noted")
@pytest.mark.parametrize("target", ["b.mp4", "b.mkv", "b.mov", "b.avi", "b.y4m"])
def test_shape_of_pixels(target: str, tmp_path: Path):
    given = record(tmp_path / "a.mp4", sound=None, sample_aspect_ratio=Fraction(16, 11))
    notes = run(given, tmp_path / target)["notes"]
    if target == "b.y4m":
        assert notes == ["pixels of 16:11 are written as square ones: .y4m does not say their shape here"]
    else:
        assert (said(tmp_path / target)["aspect"], notes) == (Fraction(16, 11), SITED.get(target[1:], []))


def test_a_turned_phone_video_comes_out_upright(tmp_path: Path):
    given = record(tmp_path / "a.mp4", sample_aspect_ratio=Fraction(4, 3))
    data, one = given.read_bytes(), 1 << 16
    identity = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    at = data.index(identity, data.index(b"tkhd"))
    turned = struct.pack(">9i", 0, one, 0, -one, 0, 0, 48 * one, 0, 1 << 30)
    given.write_bytes(data[:at] + turned + data[at + len(turned) :])
    run(given, tmp_path / "b.mp4")
    assert said(tmp_path / "b.mp4")["size"] == (64, 48)
    assert said(tmp_path / "b.mp4")["aspect"] == Fraction(3, 4)
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert next(container.decode(video=0)).rotation == 0
    with open_frames(tmp_path / "b.mp4") as reader:
        assert psnr(next(iter(reader)), np.rot90(film(8)[0], -1)) > 30


def test_m4v_holds_what_mp4_does(tmp_path: Path):
    given = record(tmp_path / "a.m4v", sound="libmp3lame", times=UNEVEN)
    assert run(given, tmp_path / "b.m4v")["notes"] == []
    assert packets(tmp_path / "b.m4v") == packets(given)
    assert times(tmp_path / "b.m4v") == times(given)


# Refusals


def test_music_with_a_cover_has_no_video(tmp_path: Path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.height, cover.width, cover.pix_fmt = 48, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        tone = container.add_stream("aac", rate=48000, layout="stereo")
        container.mux(cover.encode(av.VideoFrame.from_ndarray(film(1)[0], format="rgb24")))
        container.mux(cover.encode())
        sing(container, tone, 0.2)
    with pytest.raises(InputError, match=r"a\.mp4: no video in it"):
        run(path, tmp_path / "b.mp4")
    assert not (tmp_path / "b.mp4").exists()


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_truncated_file_leaves_nothing(share: float, tmp_path: Path):
    path = record(tmp_path / "a.mkv")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"a\.mkv: .*(truncated|cut off|corrupt)"):
        run(path, tmp_path / "b.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["a.mkv"]


def test_outputs_that_cannot_be(tmp_path: Path):
    given = record(tmp_path / "a.mp4")
    before = given.read_bytes()
    (tmp_path / "file").write_text("not a folder")
    for target, found in {
        "a.mp4": "which is never overwritten",
        "b.gif": r"expected a format that is written \(.mp4",
        "b.webm": r"expected a format that is written \(.mp4",
        "file/b.mp4": r"file/b\.mp4: cannot be written \(",
    }.items():
        with pytest.raises(InputError, match=found):
            run(given, tmp_path / target, overwrite=True)
    assert given.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "file"]
