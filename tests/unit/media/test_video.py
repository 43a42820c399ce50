"""Reading and writing video: what comes out is what went in, and what is broken is refused by name."""

import errno
import os
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from helpers.cells import cell
from helpers.data_samples import encode, film, pictures, psnr
from helpers.footage_samples import record

from ncfl.common.errors import InputError
from ncfl.media.pictures import natural_key
from ncfl.media.video import open_frames, open_writer

# name: (codec, pixel format, options), each written by PyAV alone
KINDS = {
    "a.mp4": ("libx264", "yuv420p", {"crf": "10"}),
    "a.mov": ("libx264", "yuv420p", {"crf": "10"}),
    "a.mkv": ("ffv1", "bgr0", {}),
    "b.mkv": ("libx264", "yuv420p", {"crf": "10"}),
    "a.avi": ("mjpeg", "yuvj444p", {"qmin": "2", "qmax": "2"}),
    "a.webm": ("libvpx-vp9", "yuv420p", {"crf": "10", "b": "0", "cpu-used": "8"}),
    "a.y4m": ("wrapped_avframe", "yuv420p", {}),
}


def make(folder, name, frames):
    codec, pix_fmt, options = KINDS[name]
    return encode(folder / name, frames, codec, pix_fmt, Fraction(24000, 1001), **options)


def read(path):
    with open_frames(path) as reader:
        return list(reader)


# Reading


@pytest.mark.parametrize("name", KINDS)
def test_reads(tmp_path, name):
    frames = film(9)
    with open_frames(make(tmp_path, name, frames)) as reader:
        assert reader.size == (48, 64)
        assert isinstance(reader.rate, Fraction)
        assert float(reader.rate) == pytest.approx(24000 / 1001, rel=1e-3)
        assert reader.frames_hint == 9
        seen = list(reader)
    assert len(seen) == 9
    for frame, made in zip(seen, frames, strict=True):
        assert frame.dtype == np.uint8
        assert frame.shape == made.shape
        assert psnr(frame, made) > 36
    if name == "a.mkv":  # lossless
        assert np.array_equal(seen, frames)


def test_streams(tmp_path):
    """The first frame is there before the last is decoded: the file may be far longer than memory."""
    with open_frames(make(tmp_path, "a.mkv", film(200, 32, 32))) as reader:
        first = next(iter(reader))
    assert first.shape == (32, 32, 3)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".jpg"])
def test_folder_of_pictures_in_natural_order(tmp_path, suffix):
    frames = film(12)
    folder = pictures(tmp_path / "f", frames, suffix, first=3)  # 3 ... 14: by letters, 10 comes before 3
    (folder / ".hidden.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not a frame")
    with open_frames(folder) as reader:
        assert (reader.size, reader.rate, reader.frames_hint) == ((48, 64), None, 12)
        seen = list(reader)
    assert all(psnr(a, b) > (30 if suffix == ".jpg" else 100) for a, b in zip(seen, frames, strict=True))


def test_gray_sixteen_bit_and_transparent_pictures(tmp_path):
    ramp = np.arange(256, dtype=np.uint8)[None].repeat(32, axis=0)
    for name, image in {
        "gray": ramp,
        "deep": ramp.astype(np.uint16) * 257,
        "clear": np.dstack([ramp, ramp, ramp, 255 - ramp]),
    }.items():
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "0.png"), image)
        (frame,) = read(tmp_path / name)
        assert np.array_equal(frame, np.dstack([ramp] * 3)), name


def test_natural_order():
    names = ["f10", "f9", "f09", "F1", "a", "10", "9", "f9b", "f9-2", ""]
    assert sorted(names, key=natural_key) == ["", "9", "10", "a", "F1", "f09", "f9", "f9-2", "f9b", "f10"]


def test_upright_phone_video_is_turned(tmp_path):
    """The display matrix of a phone held upright, written into the file by hand: a quarter turn clockwise."""
    frames = film(4, 48, 64)
    path = encode(tmp_path / "a.mp4", frames, crf="10")
    data = path.read_bytes()
    one, identity = 1 << 16, struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    at = data.index(identity, data.index(b"tkhd"))
    turned = struct.pack(">9i", 0, one, 0, -one, 0, 0, 48 * one, 0, 1 << 30)
    path.write_bytes(data[:at] + turned + data[at + len(turned) :])
    with open_frames(path) as reader:
        assert reader.size == (64, 48)
        assert psnr(next(iter(reader)), np.rot90(frames[0], -1)) > 36


@pytest.mark.parametrize("matrix", ["ITU709", "ITU601"])
def test_stated_color_matrix_is_used(tmp_path, matrix):
    red = np.full((48, 64, 3), (200, 40, 60), np.uint8)
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt, stream.options = 48, 64, "yuv444p", {"crf": "1"}
        stream.codec_context.colorspace = 1 if matrix == "ITU709" else 5
        frame = av.VideoFrame.from_ndarray(red, format="rgb24")
        frame = frame.reformat(format="yuv444p", dst_colorspace=matrix)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert np.abs(read(tmp_path / "a.mp4")[0].astype(int) - red).max() <= 3


# Writing


@pytest.mark.parametrize("size", [(48, 64), (47, 63), (48, 63), (720, 32)])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.avi", "a.y4m", "folder"])
def test_written_frames_are_read_again(tmp_path, name, size):
    frames = film(5, *size)
    with open_writer(tmp_path / "sub" / name, size=size, rate=Fraction(30000, 1001)) as writer:
        for frame in frames:
            writer.write(frame)
    with open_frames(tmp_path / "sub" / name) as reader:
        assert reader.size == size
        rate = 29.97 if reader.rate is None else float(reader.rate)
        assert rate == pytest.approx(29.97, rel=1e-3)
        assert (reader.rate is None) == (name == "folder")
        seen = list(reader)
    worst = min(psnr(a, b) for a, b in zip(seen, frames, strict=True))
    halved = all(n % 2 == 0 for n in size)  # 4:2:0 costs this colorful film several dB; the code costs little
    assert worst > (100 if name == "folder" else 30 if halved else 38), worst
    assert [p.name for p in (tmp_path / "sub").iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.y4m"])
@pytest.mark.parametrize("size", [(48, 64), (720, 64)])
def test_colors_survive(tmp_path, name, size):
    red = np.full((*size, 3), (200, 40, 60), np.uint8)
    with open_writer(tmp_path / name, size=size) as writer:
        writer.write(red)
        writer.write(red)
    assert np.abs(read(tmp_path / name)[0].astype(int) - red).max() <= 4


def test_mp4_says_its_matrix_and_plays_everywhere(tmp_path):
    with open_writer(tmp_path / "a.mp4", size=(48, 64)) as writer:
        writer.write(film(1)[0])
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.colorspace) == ("h264", "yuv420p", 1)


def fail(path, error):
    """Write a frame, and then let the block fail."""
    with open_writer(path, size=(48, 64)) as writer:
        writer.write(film(1)[0])
        raise error


@pytest.mark.parametrize("name", ["a.mp4", "folder"])
def test_failure_leaves_nothing(tmp_path, name):
    with pytest.raises(RuntimeError, match="stop"):
        fail(tmp_path / name, RuntimeError("stop"))
    assert not list(tmp_path.iterdir())


@cell("an end before the end", "refused")
@pytest.mark.parametrize("name", ["a.mp4", "folder"])
def test_full_disk(tmp_path, name):
    with pytest.raises(InputError, match=f"{name}: no space left on the device"):
        fail(tmp_path / name, OSError(errno.ENOSPC, "No space left on device"))
    assert not list(tmp_path.iterdir())


def test_wrong_frame(tmp_path):
    with (
        pytest.raises(ValueError, match=r"frame: expected uint8 \[48, 64, 3\], got uint8 \[20, 30, 3\]"),
        open_writer(tmp_path / "a.mkv", size=(48, 64)) as writer,
    ):
        writer.write(film(1, 20, 30)[0])


# Refusals


@cell("damage", "refused")
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "b.mkv", "a.avi", "a.webm", "a.y4m"])
@pytest.mark.parametrize("share", [0.03, 0.5, 0.97])
def test_truncated_video(tmp_path, name, share):
    path = make(tmp_path, name, film(20))
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match=rf"{name}: .*(truncated|cut off|corrupt)"):
        read(path)


def test_truncated_mp4_with_its_index_in_front(tmp_path):
    """As web servers like it; cut off, such a file opens and plays what is left."""
    path = encode(tmp_path / "a.mp4", film(20), options={"movflags": "+faststart"})
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert len(read(path)) == 20
    path.write_bytes(data[:-300])
    said = rf"a\.mp4: expected {len(data)} bytes or more, by its header, got {len(data) - 300}: it is truncated"
    with pytest.raises(InputError, match=said):
        read(path)


@cell("damage", "refused")
def test_corrupt_frame_is_named(tmp_path):
    path = make(tmp_path, "a.avi", film(20))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = np.random.default_rng(0).integers(0, 256, 400, dtype=np.uint8).tobytes()
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.avi: frame \d+ is corrupt"):
        read(path)


@cell("other formats", "refused")
def test_no_video_at_all(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"hello" * 100)
    (tmp_path / "b.mkv").write_bytes(b"")
    (tmp_path / "c.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    for name, found in {
        "a.mp4": "not readable as video",
        "b.mkv": "not readable as video",
        "c.txt": r"expected a format that is read \(.mp4",
        "empty": r"expected pictures \(.png",
        "none.mp4": "no such file or folder",
    }.items():
        with pytest.raises(InputError, match=f"{name}: {found}"):
            open_frames(tmp_path / name)


def test_sound_without_pictures(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(InputError, match=r"a\.mkv: no video in it"):
        open_frames(tmp_path / "a.mkv")


def test_frames_of_several_sizes(tmp_path):
    pictures(tmp_path / "f", film(3))
    pictures(tmp_path / "f", film(1, 40, 64), first=3)
    with pytest.raises(InputError, match=r"3\.png: expected 48 x 64 pixels, as the frames before it have, got 40 x 64"):
        read(tmp_path / "f")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tiff"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.98])
def test_truncated_picture(tmp_path, suffix, share, capfd, recwarn):
    path = pictures(tmp_path / "f", film(3), suffix) / f"1{suffix}"
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match=rf"1\{suffix}: truncated or not readable as a picture"):
        read(tmp_path / "f")
    # The libraries below keep quiet: one line is enough.
    assert (capfd.readouterr().err, [*recwarn]) == ("", [])


def test_outputs_that_are_not_written(tmp_path):
    (tmp_path / "there.mp4").write_bytes(b"mine")
    pictures(tmp_path / "full", film(1))
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "thesis.doc").write_text("mine")
    for name, options, found in [
        ("a.gif", {}, r"expected a format that is written \(.mp4"),
        ("a.webm", {}, r"expected a format that is written \(.mp4.*, got .webm"),
        ("there.mp4", {}, "exists; overwriting must be asked for"),
        ("full", {}, "exists and is not empty"),
        ("mixed", {"overwrite": True}, r"mixed: expected pictures alone, got thesis\.doc; the folder is not replaced"),
    ]:
        with pytest.raises(InputError, match=found), open_writer(tmp_path / name, size=(48, 64), **options):
            pass
    assert (tmp_path / "there.mp4").read_bytes() == b"mine"
    assert (tmp_path / "mixed" / "thesis.doc").read_text() == "mine"


def test_overwriting_that_was_asked_for(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"old")
    pictures(tmp_path / "f", film(9))
    for name in ("a.mp4", "f"):
        with open_writer(tmp_path / name, size=(48, 64), overwrite=True) as writer:
            writer.write(film(1)[0])
        assert len(read(tmp_path / name)) == 1


@pytest.mark.parametrize("width", [96, 144, 256])
def test_equal_frames_give_equal_files_whatever_was_in_memory_before(width, tmp_path):
    """glibc fills memory that is given out with what it is told to: an encoder that reads it writes other files."""
    program = (
        "import sys; from pathlib import Path; from helpers.data_samples import film\n"
        "from ncfl.media.video import open_writer\n"
        f"with open_writer(Path(sys.argv[1]), size=(64, {width})) as writer:\n"
        f"    for t, frame in enumerate(film(12, 64, {width})):\n"
        "        writer.write(((255 - frame if t == 6 else frame) * (1 - t / 40)).astype('uint8'))\n"
    )
    written = []
    for filler in ("0", "77", "170"):
        target, tests = tmp_path / f"{filler}.mp4", str(Path(__file__).parents[2])
        environment = {**os.environ, "MALLOC_PERTURB_": filler, "PYTHONPATH": tests}
        subprocess.run([sys.executable, "-c", program, target], env=environment, check=True)
        written.append(target.read_bytes())
    assert written[0] == written[1] == written[2]


def test_a_coding_without_a_decoder_is_refused(tmp_path):
    path = record(tmp_path / "a.mp4", sound=None)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz").replace(b"avcC", b"zzzC"))
    with pytest.raises(InputError, match=r"a\.mp4: its video is coded in a way that nothing here decodes"):
        open_frames(path)
