"""Restoring a user's own video: pixels, order, refusals, and memory that does not grow."""

import itertools
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from helpers.cells import cell
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.media.video import open_frames, open_writer
from ncfl.methods.median.method import Median
from ncfl.methods.noisy import Noisy
from ncfl.restoring.streaming import restore

ROOT = Path(__file__).resolve().parents[3]


class Negative:
    """Recurrent stand-in: 1 - frame, plus a thousandth per frame seen, so that state and order show."""

    name, blind, channels = "negative", True, 3

    def step(self, frame: Tensor, state: int | None, sigma: Tensor | None) -> tuple[Tensor, int]:
        assert frame.dtype == torch.float32
        state = state or 0
        return 1 - frame + state / 255, state + 1


class Middle:
    """Window stand-in: the middle frame; it must be told sigma."""

    name, blind, channels, radius, border = "middle", False, None, 2, "reflect"

    def apply(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        assert sigma.tolist() == [25]
        return frames[:, 2]


class Fails(Negative):
    def step(self, frame: Tensor, state: int | None, sigma: Tensor | None) -> tuple[Tensor, int]:
        if state == 3:
            raise RuntimeError("fault of ours")
        return super().step(frame, state, sigma)


def pictures(count: int = 6, height: int = 20, width: int = 34) -> Iterator[np.ndarray]:
    y, x = np.mgrid[:height, :width]
    for t in range(count):
        yield np.stack([x * 5 + 3 * t, y * 7, np.full_like(x, 10 * t)], axis=-1).clip(0, 255).astype(np.uint8)


def make_folder(folder: Path, frames: Iterator[np.ndarray]) -> Path:
    folder.mkdir(parents=True)
    for t, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{t:03d}.png"), frame[..., ::-1])
    return folder


def make_video(path: Path, frames: Iterator[np.ndarray], rate: Fraction = Fraction(30000, 1001)) -> Path:
    first = next(frames)
    with open_writer(path, size=first.shape[:2], rate=rate) as writer:
        for frame in itertools.chain([first], frames):
            writer.write(frame)
    return path


def run(input: Path, output: Path, method: object | None = None, **other: object):
    return restore(input, output, method=method or Negative(), progress=False, **other)


def read(path: Path) -> np.ndarray:
    with open_frames(path) as reader:
        return np.stack(list(reader))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "input", pictures())


def test_folder_to_folder_is_exact_and_in_order(folder: Path, tmp_path: Path):
    done = run(folder, tmp_path / "output")
    expected = [np.clip(255 - frame.astype(int) + t, 0, 255) for t, frame in enumerate(pictures())]
    np.testing.assert_array_equal(read(tmp_path / "output"), expected)
    assert done == {
        "output": str(tmp_path / "output"),
        "frames": 6,
        "height": 20,
        "width": 34,
        "seconds": done["seconds"],
        "frames_per_second": pytest.approx(6 / done["seconds"]),
        "notes": [],
    }
    assert done["seconds"] > 0
    np.testing.assert_array_equal(read(folder), list(pictures()))


def test_window_method_gives_every_frame_in_order(folder: Path, tmp_path: Path):
    run(folder, tmp_path / "output", Middle(), sigma=25)
    np.testing.assert_array_equal(read(tmp_path / "output"), list(pictures()))


@pytest.mark.parametrize("count", [1, 2])
def test_a_clip_shorter_than_the_window(count: int, tmp_path: Path):
    folder = make_folder(tmp_path / "input", pictures(count))
    assert run(folder, tmp_path / "output", Middle(), sigma=25)["frames"] == count


def test_values_outside_the_range_are_clipped_and_rounded(folder: Path, tmp_path: Path):
    method = Negative()
    method.step = lambda frame, state, sigma: (2 * frame - 0.5 + 0.4 / 255, None)
    run(folder, tmp_path / "output", method)
    expected = [np.rint(np.clip(2.0 * frame - 127.5 + 0.4, 0, 255)) for frame in pictures()]
    np.testing.assert_array_equal(read(tmp_path / "output"), expected)


@pytest.mark.parametrize("size", [(20, 34), (21, 35)])
def test_video_to_video_keeps_size_rate_and_content(size: tuple[int, int], tmp_path: Path):
    video = make_video(tmp_path / "in.mkv", pictures(5, *size))
    done = run(video, tmp_path / "out.mp4", Noisy())
    with open_frames(tmp_path / "out.mp4") as reader:
        assert reader.size == size
        assert reader.rate == Fraction(30000, 1001)
        frames = list(reader)
    assert done["frames"] == len(frames) == 5
    assert np.abs(np.stack(frames).astype(int) - read(video)).mean() < 4


def test_folder_to_video_at_a_rate_and_back(folder: Path, tmp_path: Path):
    run(folder, tmp_path / "new/folder/out.mkv", Noisy(), rate=Fraction(12))
    with open_frames(tmp_path / "new/folder/out.mkv") as reader:
        assert reader.rate == 12
    assert run(tmp_path / "new/folder/out.mkv", tmp_path / "back", Median(3))["frames"] == 6


def test_overwriting_when_asked(folder: Path, tmp_path: Path):
    for output in (tmp_path / "out.mkv", tmp_path / "output"):
        run(folder, output, Noisy())
        with pytest.raises(InputError, match=f"{output.name}: exists"):
            run(folder, output)
        run(folder, output, overwrite=True)
        assert np.abs(read(output)[0].astype(int) - (255 - read(folder)[0])).mean() < 6


@cell("an end before the end", "refused")
@pytest.mark.parametrize("overwrite", [False, True])
def test_never_overwrites_its_input(overwrite: bool, folder: Path, tmp_path: Path):
    video = make_video(tmp_path / "in.mkv", pictures())
    (tmp_path / "soft.mkv").symlink_to(video)
    os.link(video, tmp_path / "hard.mkv")
    (tmp_path / "soft").symlink_to(folder)
    # A folder of links: the frames themselves lie in the output.
    (tmp_path / "links").mkdir()
    for picture in folder.iterdir():
        (tmp_path / "links" / picture.name).symlink_to(picture)
    before = {path: path.read_bytes() for path in [video, *folder.iterdir()]}
    pairs = [
        (video, video),
        (video, folder / ".." / "in.mkv"),
        (video, tmp_path / "soft.mkv"),
        (tmp_path / "soft.mkv", video),
        (video, tmp_path / "hard.mkv"),
        (folder, folder),
        (folder, tmp_path / "soft"),
        (tmp_path / "soft", folder),
        (tmp_path / "links", folder),
    ]
    for given, output in pairs:
        with pytest.raises(InputError, match="which is never overwritten"):
            run(given, output, overwrite=overwrite)
    assert before == {path: path.read_bytes() for path in [video, *folder.iterdir()]}


@pytest.mark.parametrize("name", ["out.mkv", "output"])
def test_a_failure_leaves_nothing_and_keeps_what_was_there(name: str, folder: Path, tmp_path: Path):
    output = tmp_path / "place" / name
    with pytest.raises(RuntimeError, match="fault of ours"):
        run(folder, output, Fails())
    assert not list(output.parent.iterdir())
    run(folder, output, Noisy())
    before = read(output)
    with pytest.raises(RuntimeError):
        run(folder, output, Fails(), overwrite=True)
    np.testing.assert_array_equal(read(output), before)
    assert [path.name for path in output.parent.iterdir()] == [name]


def test_a_damaged_input_leaves_nothing(folder: Path, tmp_path: Path):
    damaged = folder / "004.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    with pytest.raises(InputError, match=r"004\.png"):
        run(folder, tmp_path / "output")
    assert [path.name for path in tmp_path.iterdir()] == ["input"]


@pytest.mark.parametrize("size", [(15, 40), (40, 15)])
def test_refuses_small_frames(size: tuple[int, int], tmp_path: Path):
    folder = make_folder(tmp_path / "input", pictures(2, *size))
    with pytest.raises(InputError, match=f"expected at least 16 pixels in height and width, got {size[0]} x {size[1]}"):
        run(folder, tmp_path / "output")


@pytest.mark.parametrize("name", ["out.gif", "out.mp5", "out.png"])
def test_refuses_an_unknown_container(name: str, folder: Path, tmp_path: Path):
    with pytest.raises(InputError, match=rf"{name}.*expected a format .*\.mp4.*\.mkv"):
        run(folder, tmp_path / name)


def test_refuses_a_missing_input(tmp_path: Path):
    with pytest.raises(InputError, match=r"none\.mp4: no such file"):
        run(tmp_path / "none.mp4", tmp_path / "out.mp4")


def test_refuses_a_missing_or_impossible_sigma(folder: Path, tmp_path: Path):
    with pytest.raises(InputError, match=r"sigma: expected 0..255, which method middle must be told, got none"):
        run(folder, tmp_path / "output", Middle())
    for sigma in (-1, 256, float("nan")):
        with pytest.raises(InputError, match=f"sigma: expected 0..255, got {sigma}"):
            run(folder, tmp_path / "output", sigma=sigma)
    assert run(folder, tmp_path / "output", sigma=30)["frames"] == 6


def test_refuses_a_method_for_raw_frames(folder: Path, tmp_path: Path):
    method = Negative()
    method.channels = 4
    with pytest.raises(
        InputError, match=r"method negative: expected one that takes 3 channels \(RGB\), got one that takes 4"
    ):
        run(folder, tmp_path / "output", method)


def test_progress_goes_to_standard_error_and_only_when_asked(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    restore(folder, tmp_path / "shown", method=Noisy())
    shown = capsys.readouterr()
    run(folder, tmp_path / "quiet", Noisy())
    quiet = capsys.readouterr()
    assert "restore input: 6/6 frame" in shown.err
    assert shown.out == quiet.out == quiet.err == ""


MEASURE = """
    import resource, sys
    from pathlib import Path
    import numpy as np, torch
    from ncfl.media.video import open_writer
    from ncfl.restoring.streaming import restore
    from ncfl.methods.median.method import Median

    class Mean:
        name, blind, channels, radius, border = "mean", True, None, 2, "reflect"
        def apply(self, frames, sigma):
            return frames.mean(dim=1)

    def peak():
        # VmHWM is this program's own; ru_maxrss starts at what the parent had when it forked.
        status = Path("/proc/self/status")
        if status.exists():
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
            return int(lines["VmHWM"].split()[0]) * 1024
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

    torch.set_num_threads(1)
    folder, lengths, cases = Path(sys.argv[1]), (30, 120), ((".y4m", Median(3)), ("", Mean()))
    y, x = np.mgrid[:192, :192]
    for suffix, _ in cases:
        for length in lengths:
            with open_writer(folder / f"in{length}{suffix}", size=(192, 192)) as writer:
                for t in range(length):
                    writer.write(np.stack([x + t, y, x + y], axis=-1).astype(np.uint8))
    peaks = []
    for length in lengths:
        for suffix, method in cases:
            source, target = folder / f"in{length}{suffix}", folder / f"out{length}{suffix}"
            assert restore(source, target, method=method, progress=False)["frames"] == length
        peaks.append(peak())
    print((peaks[1] - peaks[0]) / 2**20)
"""


def test_memory_does_not_grow_with_the_length(tmp_path: Path):
    """Four times the frames need no more room; the ninety more, kept as bytes, would be 9.5 MiB.

    The video is Y4M, because H.264's encoder looks some forty frames ahead, and so grows up to that length.
    """
    # Large blocks go back to the system at once, so that the peak does not depend on how the heap is cut up.
    environment = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEASURE), str(tmp_path)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 4, f"peak memory grew by {done.stdout.strip()} MiB"
