"""The table of files, its rows of pixels: samples are compared as numbers, and by ffprobe where it is there."""

import json
import shutil
import struct
import subprocess
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from helpers.cells import apart, cell, marked, planes, samples, strayed, through, video
from helpers.data_samples import film, pictures, psnr

from ncfl.common.errors import InputError
from ncfl.media import file_properties
from ncfl.media.notes import WORDS
from ncfl.media.video import open_frames

ROOT = Path(__file__).resolve().parents[3]


def test_every_cell_has_a_test():
    assert file_properties.cells() - marked() == set()


def test_every_note_has_its_row():
    assert sorted(WORDS) == sorted(name for row in file_properties.ROWS for name in row.notes)


def test_the_document_is_the_table():
    written = (ROOT / "docs" / "files.md").read_text()
    assert written == file_properties.markdown(), "python -m ncfl.media.file_properties > docs/files.md"


def probed(path: Path, *entries: str) -> dict[str, str]:
    """What ffprobe says of the pictures, another reader than the one that is marked; skips where it is not there."""
    if shutil.which("ffprobe") is None:
        pytest.skip("no ffprobe here")
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", f"stream={','.join(entries)}"]
    done = subprocess.run([*command, "-of", "json", str(path)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["streams"][0]


@cell("bits", "kept")
@cell("chroma", "kept")
@cell("range", "kept")
@pytest.mark.parametrize("full", [1, 2])
@pytest.mark.parametrize(
    "pix_fmt",
    [f"yuv{chroma}p{bits}" for chroma in ("420", "422", "444") for bits in ("", "10le", "12le")]
    + ["gray", "gray10le", "nv12"],
)
def test_samples_come_back_to_a_step_and_within_their_range(pix_fmt, full, tmp_path):
    """Through Y4M, which is not compressed; a step is that of the source's own depth."""
    codec = "rawvideo" if pix_fmt == "nv12" else "ffv1"
    source = video(tmp_path / "a.mkv", pix_fmt, codec, color_range=full)
    assert through(source, tmp_path / "b.y4m") == []
    if pix_fmt == "nv12":
        first, second = (planes(tmp_path / name)[0] for name in ("a.mkv", "b.y4m"))
        assert np.abs(first[0] - second[0]).max() <= 1
        return
    assert apart(source, tmp_path / "b.y4m") <= 1
    kept = pix_fmt.replace("gray", "yuv420p") if pix_fmt.startswith("gray") else pix_fmt
    with av.open(str(tmp_path / "b.y4m")) as container:
        frame = next(container.decode(video=0))
        assert (frame.format.name.replace("yuvj", "yuv"), int(frame.color_range)) == (kept, full)


@cell("range", "kept")
@cell("bits", "kept")
@cell("color matrix", "kept")
@cell("primaries, transfer", "kept")
@pytest.mark.parametrize(
    ("pix_fmt", "colors"),
    [("yuv420p", (6, 6, 6)), ("yuv420p", (1, 1, 1)), ("yuv422p10le", (9, 9, 18)), ("yuv420p10le", (9, 9, 16))],
)
def test_what_is_said_of_pixels_is_said_again(pix_fmt, colors, tmp_path):
    named = dict(zip(("colorspace", "color_primaries", "color_trc"), colors, strict=True))
    source = video(tmp_path / "a.mkv", pix_fmt, color_range=2, **named)
    assert through(source, tmp_path / "b.mp4") == []
    asked = ("pix_fmt", "width", "height", "color_range", "color_space", "color_primaries", "color_transfer")
    before, after = (probed(path, *asked) for path in (source, tmp_path / "b.mp4"))
    before["pix_fmt"] = before["pix_fmt"].replace("yuv420p", "yuvj420p") if pix_fmt == "yuv420p" else before["pix_fmt"]
    assert after == before


@cell("color matrix", "kept")
@pytest.mark.parametrize("matrix", [7, 8, 10])
def test_samples_of_an_unknown_matrix_stay_and_keep_its_name(matrix, tmp_path):
    source = video(tmp_path / "a.mkv", "yuv444p", colorspace=matrix, color_range=1)
    assert through(source, tmp_path / "b.mkv") == []
    assert strayed(source, tmp_path / "b.mkv") < 2  # H.264 at constant quality costs 1
    with av.open(str(tmp_path / "b.mkv")) as container:
        assert int(next(container.decode(video=0)).colorspace) == matrix


@cell("chroma", "kept")
@pytest.mark.parametrize(
    ("pix_fmt", "stored", "share"),
    [
        ("yuv440p", "yuv444p", (2, 1)),
        ("yuv440p10le", "yuv444p10le", (2, 1)),
        ("yuv411p", "yuv422p", (1, 2)),
        ("yuv410p", "yuv420p", (2, 2)),
    ],
)
def test_colors_stored_in_ways_that_players_do_not_take_find_room(pix_fmt, stored, share, tmp_path):
    source, target = video(tmp_path / "in.mkv", pix_fmt), tmp_path / "out.y4m"
    assert through(source, target) == []
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.pix_fmt == stored
    for before, after in zip(planes(source), planes(target), strict=True):
        assert np.abs(before[0] - after[0]).max() <= 1
        for small, large in zip(before[1:], after[1:], strict=True):
            assert np.abs(small.repeat(share[0], 0).repeat(share[1], 1) - large).max() <= 1


@cell("color matrix", "noted")
@pytest.mark.parametrize("target", ["b.y4m", "b.avi", "b"])
def test_an_unknown_matrix_is_noted_where_it_cannot_be_said(target, tmp_path):
    source = video(tmp_path / "a.mkv", "yuv444p", colorspace=8, color_range=1)
    assert through(source, tmp_path / target) == (["matrix", "rate"] if target == "b" else ["matrix"])


@cell("bits", "noted")
@pytest.mark.parametrize(
    ("pix_fmt", "target", "named"),
    [
        ("yuv420p10le", "b.avi", "10 bits are reduced to 8"),
        ("yuv444p16le", "b.y4m", "16 bits are reduced to 12"),
        ("yuv444p12le", "b.mp4", "12 bits are reduced to 10"),
    ],
)
def test_bits_that_are_lost_are_noted(pix_fmt, target, named, tmp_path):
    from ncfl.methods.noisy import Noisy
    from ncfl.restoring.streaming import restore

    source = video(tmp_path / "a.mkv", pix_fmt)
    (line,) = restore(source, tmp_path / target, method=Noisy(), progress=False)["notes"]
    assert line.startswith(named)


@cell("RGB", "kept")
@cell("RGB", "noted")
@pytest.mark.parametrize("pix_fmt", ["bgr0", "gbrp10le", "rgb48le"])
def test_rgb_is_exact_in_pictures_and_noted_in_videos(pix_fmt, tmp_path):
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, pix_fmt
        for image in film(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pix_fmt)))
        container.mux(stream.encode())
    with av.open(str(source)) as container:
        given = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    assert through(source, tmp_path / "b") == ["rate"]
    with open_frames(tmp_path / "b") as reader:
        assert max(np.abs(a - b).max() for a, b in zip(given, reader, strict=True)) <= (1 if "1" in pix_fmt else 0)
    assert "rgb" in through(source, tmp_path / "b.mp4")


@cell("interlaced frames", "noted")
def test_interlaced_frames_are_noted(tmp_path):
    source = video(tmp_path / "a.mkv", codec="libx264", options={"x264-params": "tff=1", "flags": "+ildct+ilme"})
    assert through(source, tmp_path / "b.mp4") == ["interlaced"]


@cell("telecine", "noted")
def test_fields_that_only_some_frames_have_are_noted(tmp_path):
    """Telecine shows three whole frames, then two of the fields of their neighbors; here by one clip behind another."""
    whole = video(tmp_path / "a.mkv", codec="mpeg2video", frames=3)
    fields = video(tmp_path / "b.mkv", codec="mpeg2video", frames=3, flags=1 << 18 | 1 << 29, field_order=2)
    with av.open(str(whole)) as first, av.open(str(fields)) as second, av.open(str(tmp_path / "c.mkv"), "w") as joined:
        stream = joined.add_stream_from_template(first.streams.video[0])
        packets = [packet for part in (first, second) for packet in part.demux(video=0) if packet.size]
        for number, packet in enumerate(packets):
            packet.stream, packet.pts, packet.dts = stream, 40 * number, 40 * number
            joined.mux(packet)
    with av.open(str(tmp_path / "c.mkv")) as container:
        assert [frame.interlaced_frame for frame in container.decode(video=0)] == [False] * 3 + [True] * 3
    assert through(tmp_path / "c.mkv", tmp_path / "d.mp4") == ["interlaced"]


@cell("siting of chroma", "kept")
@pytest.mark.parametrize("place", ["left", "center", "topleft"])
@pytest.mark.parametrize("target", ["b.mp4", "b.mkv", "b.y4m", "deep.mp4"])
def test_where_chroma_lies_is_said_again(place, target, tmp_path):
    deep = target.startswith("deep")
    codec, pix_fmt = ("libx265", "yuv420p10le") if deep else ("libx264", "yuv420p")
    options = {"chroma_sample_location": place, **({"x265-params": "log-level=none"} if deep else {})}
    source = video(tmp_path / "a.mp4", pix_fmt, codec, size=(64, 128), options=options)
    assert through(source, tmp_path / target) == []
    assert [probed(path, "chroma_location") for path in (source, tmp_path / target)] == [{"chroma_location": place}] * 2


@cell("siting of chroma", "noted")
@pytest.mark.parametrize(("place", "target"), [("left", "b.avi"), ("topleft", "b.avi"), ("bottom", "b.y4m")])
def test_where_chroma_lies_is_noted_where_it_cannot_be_said(place, target, tmp_path):
    source = video(tmp_path / "a.mp4", codec="libx264", options={"chroma_sample_location": place})
    assert through(source, tmp_path / target) == ["siting"]
    assert through(source, tmp_path / "c") == ["rate"]


@cell("siting of chroma", "noted")
def test_colors_of_a_camera_s_jpegs_lie_elsewhere_in_other_files(tmp_path):
    source = video(tmp_path / "a.mov", "yuvj422p", "mjpeg", color_range=2)
    assert probed(source, "chroma_location") == {"chroma_location": "center"}
    assert through(source, tmp_path / "b.mp4") == ["siting"]
    assert through(source, tmp_path / "b.avi") == []


@cell("transparency", "noted")
def test_transparency_is_noted(tmp_path):
    assert through(video(tmp_path / "a.mkv", "yuva444p"), tmp_path / "b.mp4") == ["alpha"]
    (tmp_path / "f").mkdir()
    cv2.imwrite(str(tmp_path / "f" / "0.png"), np.dstack([film(1)[0], np.full((48, 64), 90, np.uint8)]))
    assert through(tmp_path / "f", tmp_path / "g") == ["alpha"]


@cell("size", "kept")
@pytest.mark.parametrize("size", [(16, 16), (17, 33), (16, 35)])
def test_odd_and_tiny_sizes(size, tmp_path):
    source = video(tmp_path / "a.mkv", "yuv444p", size=size)
    assert through(source, tmp_path / "b.y4m") == []
    assert apart(source, tmp_path / "b.y4m") <= 1


@cell("size", "refused")
def test_smaller_and_several_sizes_are_refused(tmp_path):
    with pytest.raises(InputError, match="expected at least 16 pixels in height and width, got 15 x 40"):
        through(video(tmp_path / "a.mkv", "yuv444p", size=(15, 40)), tmp_path / "b.mp4")
    pictures(tmp_path / "f", film(2))
    pictures(tmp_path / "f", film(1, 40, 64), first=2)
    with pytest.raises(InputError, match=r"2\.png: expected 48 x 64 pixels, as the frames before it have, got 40 x 64"):
        through(tmp_path / "f", tmp_path / "c.mp4")


# How a pixel (x, y) of a 64 x 48 picture is to be shown, by EXIF's number, and what NumPy calls it.
ORIENTATIONS = {
    1: ((1, 0, 0, 1), lambda image: image),
    2: ((-1, 0, 0, 1), np.fliplr),
    3: ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    4: ((1, 0, 0, -1), np.flipud),
    5: ((0, 1, 1, 0), lambda image: image.swapaxes(0, 1)),
    6: ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    7: ((0, -1, -1, 0), lambda image: np.rot90(image, 2).swapaxes(0, 1)),
    8: ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
}


@cell("orientation", "kept")
@pytest.mark.parametrize("number", ORIENTATIONS)
def test_videos_of_all_eight_orientations_come_out_upright(number, tmp_path):
    frame = film(1)[0]
    source = tmp_path / "a.mp4"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt, stream.options = 48, 64, "yuv420p", {"crf": "4"}
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    (a, b, c, d), turned = ORIENTATIONS[number]
    data, one = source.read_bytes(), 1 << 16
    at = data.index(struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 1 << 30), data.index(b"tkhd"))
    # The picture is moved back to where its corner is zero, as phones write it.
    move = (64 * (a < 0) + 48 * (c < 0), 64 * (b < 0) + 48 * (d < 0))
    matrix = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, move[0] * one, move[1] * one, 1 << 30)
    source.write_bytes(data[:at] + matrix + data[at + len(matrix) :])
    assert through(source, tmp_path / "b") == ["rate"]
    with open_frames(tmp_path / "b") as reader:
        assert psnr(next(iter(reader)), turned(frame)) > 30
    assert through(source, tmp_path / "b.mp4") == []
    with open_frames(tmp_path / "b.mp4") as reader:
        assert psnr(next(iter(reader)), turned(frame)) > 28


@cell("HDR records", "noted")
def test_hdr_records_are_noted(tmp_path):
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    options = {"x265-params": f"log-level=none:hdr-opt=1:master-display={display}:max-cll=1000,400"}
    # x265 writes beyond its memory in frames that are narrower than 64.
    source = video(tmp_path / "a.mkv", "yuv420p10le", "libx265", size=(64, 64), options=options)
    assert through(source, tmp_path / "b.mp4") == ["records"]


def test_samples_are_what_they_are_thought_to_be():
    """Of the helper: planes differ from each other and from frame to frame."""
    first, second = samples("yuv420p", 32, 48), samples("yuv420p", 32, 48, 1)
    assert bytes(first.planes[1]) != bytes(first.planes[2])
    assert bytes(first.planes[0]) != bytes(second.planes[0])
