"""Options of ``ncfl restore`` that say how a source is to be read, and files that are not what they are called."""

from fractions import Fraction

import av
import numpy as np
import pytest
from helpers.cells import cell
from helpers.data_samples import film, pictures

from ncfl.common.errors import InputError
from ncfl.media.video import open_frames
from ncfl.steps.restoring import frame_rate, restore


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("25", 25),
        ("23.976", Fraction(24000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("30000/1001", Fraction(30000, 1001)),
        ("12.5", Fraction(25, 2)),
    ],
)
def test_rates_as_people_write_them(text, rate):
    assert frame_rate(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "0", "-5", "1/0", "nan", "1e9"])
def test_refuses_other_rates(text):
    with pytest.raises(InputError, match="--rate: expected frames per second"):
        frame_rate(text)


@cell("folders", "noted")
def test_the_rate_of_a_folder_is_said_or_given(tmp_path, capsys):
    frames = pictures(tmp_path / "in", film(3, 32, 48))
    restore(frames, tmp_path / "a.mkv", method="noisy")
    assert "written at 25 frames/s; --rate gives another" in capsys.readouterr().err
    restore(frames, tmp_path / "b.mkv", method="noisy", rate="30")
    assert "--rate gives" not in capsys.readouterr().err
    with av.open(str(tmp_path / "b.mkv")) as written:
        assert written.streams.video[0].average_rate == 30


def test_sigma_for_a_method_that_takes_none_is_noted(tmp_path, capsys):
    restore(pictures(tmp_path / "in", film(2, 32, 48)), tmp_path / "out", method="noisy", sigma=20)
    assert "note: --sigma is not used" in capsys.readouterr().err


@cell("folders", "refused")
def test_gaps_are_refused_or_allowed(tmp_path):
    frames = pictures(tmp_path / "in", film(6, 32, 48))
    sorted(frames.iterdir())[3].unlink()
    with pytest.raises(InputError, match="1 frame is missing"):
        restore(frames, tmp_path / "out", method="noisy")
    restore(frames, tmp_path / "out", method="noisy", allow_gaps=True)
    assert len(list((tmp_path / "out").iterdir())) == 5


@cell("names", "kept")
def test_names_that_look_like_protocols_are_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frames = pictures(tmp_path / "in", film(3, 32, 48))
    for name in ("2024-01-02T12:30:05.mp4", "http:x.mkv", "-a b ü.mkv", "漢" * 83 + ".mkv"):
        restore(frames, tmp_path / name, method="noisy")
        with open_frames(tmp_path / name) as reader:
            assert len(list(reader)) == 3


@cell("scripts that are called videos", "refused")
def test_a_script_that_is_called_a_video_reads_no_other_file(tmp_path):
    secret = tmp_path / "secret.mkv"
    restore(pictures(tmp_path / "in", film(3, 32, 48)), secret, method="noisy")
    for text in (f"ffconcat version 1.0\nfile {secret}\n", f"#EXTM3U\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n"):
        script = tmp_path / "cat.mp4"
        script.write_text(text)
        with pytest.raises(InputError, match=r"cat\.mp4: not readable as video"):
            open_frames(script)


def test_ten_bits_and_full_range_come_back_as_they_were(tmp_path):
    """Lossless files of both: the identity's greatest error is a step of the encoder's own loss."""
    y, x = np.mgrid[:64, :96]
    frame = np.dstack((120 + 60 * np.sin(x / 9), 128 + 30 * np.cos(y / 7), 100 + x)).astype(np.uint8)
    for codec, pix_fmt in (("ffv1", "yuv420p10le"), ("ffv1", "yuv422p12le"), ("mjpeg", "yuvj420p"), ("ffv1", "gray")):
        path = tmp_path / f"{pix_fmt}.mkv"
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 64, pix_fmt
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=pix_fmt)))
            container.mux(stream.encode())
        restore(path, tmp_path / f"{pix_fmt}-out", method="noisy")
        with open_frames(path, deep=True) as source, open_frames(tmp_path / f"{pix_fmt}-out", deep=True) as target:
            before, after = next(iter(source)), next(iter(target))
        depth = 65535 if after.dtype == np.uint16 else 255
        assert np.abs(before / 65535 - after / depth).max() <= 0.5 / depth + 1e-9


@pytest.mark.parametrize(
    ("threads", "environment", "used"), [(3, None, 3), (3, "1", 3), (None, None, 5), (None, "1", 0)]
)
def test_threads(monkeypatch, threads, environment, used):
    """Asked for, or of the environment, or as many as the machine has cores."""
    import cv2
    import torch

    from ncfl.steps import restoring

    told = []
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    monkeypatch.setattr(cv2, "setNumThreads", told.append)
    monkeypatch.setattr(restoring, "physical_cores", lambda: 5)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if environment:
        monkeypatch.setenv("OMP_NUM_THREADS", environment)
    restoring._use(threads)
    assert told == ([used, used] if used else [])


def test_bands_of_rows_are_for_the_network_of_this_project(tmp_path):
    source = pictures(tmp_path / "in", film(2, 32, 48))
    with pytest.raises(InputError, match="--bands: expected one of auto, on, off, got 'wide'"):
        restore(source, tmp_path / "out", method="noisy", bands="wide")
    with pytest.raises(InputError, match="--bands: expected auto or off, as noisy is no network that can, got on"):
        restore(source, tmp_path / "out", method="noisy", bands="on")
    for bands in ("on", "off"):
        restore(source, tmp_path / bands, bands=bands)
    names = sorted(path.name for path in (tmp_path / "on").iterdir())
    assert len(names) == 2
    assert all((tmp_path / "on" / name).read_bytes() == (tmp_path / "off" / name).read_bytes() for name in names)
