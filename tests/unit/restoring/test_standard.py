"""``-`` and ``frames/%05d.png``, as FFmpeg's users expect them."""

import io
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from helpers.cells import cell
from helpers.data_samples import film, pictures
from typer.testing import CliRunner

from ncfl.cli.main import app
from ncfl.common.errors import InputError
from ncfl.media.patterns import Pattern
from ncfl.media.video import open_frames
from ncfl.methods.noisy import Noisy
from ncfl.restoring.streaming import restore


class Pipe(io.BytesIO):
    """What a pipe gives: nothing of it can be read twice, and it is no terminal."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise io.UnsupportedOperation("seek")

    def close(self) -> None:
        """Kept, so that a test can look into it."""


def y4m(folder: Path, frames: list[np.ndarray]) -> bytes:
    restore(pictures(folder / "in", frames), folder / "in.y4m", method=Noisy(), progress=False)
    return (folder / "in.y4m").read_bytes()


def give(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Pipe(data)))


def take(monkeypatch: pytest.MonkeyPatch) -> Pipe:
    pipe = Pipe()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(pipe))
    return pipe


@cell("`-`", "kept")
def test_a_video_goes_through_a_pipe_as_through_files(tmp_path, monkeypatch):
    data = y4m(tmp_path, film(4))
    give(monkeypatch, data)
    out = take(monkeypatch)
    done = restore(Path("-"), Path("-"), method=Noisy(), progress=False)
    assert (done["frames"], done["notes"]) == (4, [])
    assert out.getvalue() == data


def test_only_the_video_goes_to_standard_output(tmp_path, monkeypatch):
    source = pictures(tmp_path / "in", film(3))
    done = CliRunner().invoke(app, ["restore", str(source), "-", "--method", "noisy"])
    assert done.exit_code == 0
    assert done.stdout_bytes.startswith(b"YUV4MPEG2 W64 H48 F25:1")
    assert "note: pictures have no frame rate" in done.stderr
    assert "standard output: 3 frames" in done.stderr


@cell("`-`", "refused")
@pytest.mark.parametrize("share", [0.0, 0.4, 0.999])
def test_a_pipe_that_ends_too_soon_is_refused(share, tmp_path, monkeypatch):
    data = y4m(tmp_path, film(4))
    give(monkeypatch, data[: int(share * len(data))])
    with pytest.raises(InputError, match=r"^-: (truncated: ends within frame \d|expected Y4M on standard input)"):
        restore(Path("-"), tmp_path / "out.mp4", method=Noisy(), progress=False)
    assert not (tmp_path / "out.mp4").exists()


def test_anything_but_y4m_is_refused_with_the_command_that_makes_it(tmp_path, monkeypatch):
    give(monkeypatch, b"\x89PNG" * 100)
    with pytest.raises(InputError, match=r"expected Y4M on standard input, got .* ffmpeg -i in\.mp4 -f yuv4mpegpipe"):
        restore(Path("-"), tmp_path / "out.mp4", method=Noisy(), progress=False)


def test_a_reader_that_leaves_is_no_fault_of_the_video(tmp_path, monkeypatch):
    source = pictures(tmp_path / "in", film(3))
    pipe = take(monkeypatch)
    monkeypatch.setattr(pipe, "write", lambda data: (_ for _ in ()).throw(BrokenPipeError()))
    with pytest.raises(BrokenPipeError):
        restore(source, Path("-"), method=Noisy(), progress=False)


def test_a_file_called_minus(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").mkdir()
    pictures(tmp_path / "-", film(2))
    assert CliRunner().invoke(app, ["restore", "./-", "out", "--method", "noisy"]).exit_code == 0
    assert len(list((tmp_path / "out").iterdir())) == 2


# Patterns


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("%05d.png", {1: "00001.png", 123456: "123456.png"}),
        ("a%d.tif", {7: "a7.tif"}),
        ("100%%-%02d.png", {3: "100%-03.png"}),
    ],
)
def test_names_of_a_pattern(pattern, names):
    found = Pattern.of(Path("f") / pattern)
    assert {number: found.name(number) for number in names} == names


@pytest.mark.parametrize("name", ["a.png", "100%.png", "%s.png", "%5x.png", "%d-%d.png"])
def test_other_names_are_no_pattern(name):
    assert Pattern.of(Path("f") / name) is None


@cell("`frames/%05d.png`", "refused")
def test_a_pattern_takes_its_own_pictures_in_the_order_of_their_numbers(tmp_path):
    frames = film(12)
    pictures(tmp_path / "f", frames, first=3)
    pictures(tmp_path / "f", film(2, 40, 64), ".jpg")
    cv2.imwrite(str(tmp_path / "f" / "007.png"), frames[0])  # of %03d, not of %d
    with open_frames(tmp_path / "f" / "%d.png") as reader:
        assert np.array_equal(list(reader), frames)
    with pytest.raises(InputError, match=r"x%d\.png: no such pictures"):
        open_frames(tmp_path / "f" / "x%d.png")
    (tmp_path / "f" / "5.png").unlink()
    with pytest.raises(InputError, match=r"1 frame is missing between 4\.png and 6\.png"):
        open_frames(tmp_path / "f" / "%d.png")


@cell("`frames/%05d.png`", "kept")
@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_pictures_are_written_by_a_pattern_beside_what_is_there(suffix, tmp_path):
    frames = film(3)
    source = pictures(tmp_path / "in", frames)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.doc").write_text("mine")
    target = tmp_path / "out" / f"%04d.{suffix}"
    restore(source, target, method=Noisy(), progress=False)
    names = [f"000{n}.{suffix}" for n in (1, 2, 3)]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [*names, "thesis.doc"]
    seen = np.stack([cv2.imread(str(tmp_path / "out" / name))[..., ::-1] for name in names])
    assert np.abs(seen.astype(int) - frames).max() <= (12 if suffix == "jpg" else 0)
    with pytest.raises(InputError, match=rf"0001\.{suffix}: exists; overwriting must be asked for"):
        restore(source, target, method=Noisy(), progress=False)
    (source / "2.png").unlink()
    restore(source, target, method=Noisy(), progress=False, overwrite=True)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [*names[:2], "thesis.doc"]
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_pattern_never_replaces_its_input(tmp_path):
    source = pictures(tmp_path / "in", film(3))
    with pytest.raises(InputError, match="never overwritten"):
        restore(source / "%d.png", source / "%d.png", method=Noisy(), progress=False, overwrite=True)
    restore(source / "%d.png", source / "%d.jpg", method=Noisy(), progress=False)
    assert len(list(source.glob("*.png"))) == len(list(source.glob("*.jpg"))) == 3


def test_sixteen_bits_in_jpeg_are_noted(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(2):
        cv2.imwrite(str(tmp_path / "in" / f"{number}.png"), np.full((32, 32, 3), 30000, np.uint16))
    done = restore(tmp_path / "in", tmp_path / "out" / "%d.jpg", method=Noisy(), progress=False)
    assert done["notes"] == ["16 bits are reduced to 8: .jpg is written with 8"]
    with pytest.raises(InputError, match=r"%d\.webp: expected a kind of picture that is written \(\.png.*, got \.webp"):
        restore(tmp_path / "in", tmp_path / "out" / "%d.webp", method=Noisy(), progress=False)
    with av.open(str(tmp_path / "out" / "1.jpg")) as picture:
        assert picture.streams.video[0].codec_context.name == "mjpeg"
