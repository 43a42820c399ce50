"""A restoration that was interrupted goes on as if nothing had been: its frames, times, sound and memory."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from helpers.cells import cell
from helpers.command_line import ROOT, within
from helpers.data_samples import film, pictures
from helpers.footage_samples import UNEVEN, packets, record, times
from helpers.small_methods import small
from helpers.tiny_networks import SIZES

from ncfl.common.errors import InputError
from ncfl.media.parts import VideoParts
from ncfl.media.video import open_frames
from ncfl.methods.interface import stream
from ncfl.methods.median.method import Median
from ncfl.methods.networks import method_of
from ncfl.methods.noisy import Noisy
from ncfl.models.variants import m_f
from ncfl.restoring import streaming
from ncfl.restoring.memory import Memory
from ncfl.restoring.resuming import PART
from ncfl.restoring.shots import Shots
from ncfl.restoring.streaming import restore

FRAMES = film(10, seed=0) + film(13, seed=1)  # a new scene within a part
TIMES = tuple(3000 * t + (1500 if t % 5 == 3 else 0) for t in range(len(FRAMES)))
STOP = 17  # frames that a method gives before it is interrupted
TARGETS = ("out.mp4", "out.mkv", "out.mov", "out.avi", "out.y4m", "out", "out/%03d.png")


@pytest.fixture(autouse=True)
def short_parts(monkeypatch):
    monkeypatch.setattr(streaming, "PART", 5)


class Fades:
    """Recurrent stand-in: the mean of a frame and what it gave before; interrupted after ``left`` frames."""

    name, blind, channels, left = "fades", True, None, None

    def step(self, frame: torch.Tensor, state: tuple | None, sigma: None) -> tuple[torch.Tensor, tuple]:
        if type(self).left is not None:
            if type(self).left == 0:
                raise KeyboardInterrupt
            type(self).left -= 1
        mean, count = (frame, 0) if state is None else ((frame + state[0]) / 2, state[1])
        return mean + count / 2550, (mean, count + 1)


class Wide:
    """Window stand-in: the mean of five frames."""

    name, blind, channels, radius, border = "wide", True, None, 2, "reflect"

    def apply(self, frames: torch.Tensor, sigma: None) -> torch.Tensor:
        return frames.mean(dim=1)


class Long:
    """Chunk stand-in: frames less the mean of the chunk and its context."""

    name, blind, channels, chunk, overlap = "long", True, None, 4, 3

    def restore(self, frames: torch.Tensor, sigma: None) -> torch.Tensor:
        return frames - frames.mean(dim=1, keepdim=True)


def run(source: Path, target: Path, method: object | None = None, **other: object) -> streaming.Restored:
    return restore(source, target, method=method or Fades(), progress=False, **other)


def interrupted(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch, after: int = STOP) -> None:
    monkeypatch.setattr(Fades, "left", after)
    with pytest.raises(KeyboardInterrupt):
        run(source, target, resume=True)
    monkeypatch.setattr(Fades, "left", None)


def read(path: Path) -> np.ndarray:
    with open_frames(path, deep=True) as reader:
        return np.stack(list(reader))


def decoding_times(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [packet.dts for packet in container.demux(video=0) if packet.dts is not None]


@pytest.mark.parametrize("name", TARGETS)
def test_a_resumed_run_is_an_undisturbed_one(name, tmp_path, monkeypatch):
    source = record(tmp_path / "in.mkv", frames=FRAMES, times=TIMES, title="Walk")
    undisturbed, target, plain = (tmp_path / folder / name for folder in ("one", "two", "three"))
    whole = run(source, undisturbed, resume=True)
    interrupted(source, target, monkeypatch)
    assert not target.exists() or "%" in name
    resumed = run(source, target, resume=True)
    without = run(source, plain)
    assert not [*tmp_path.rglob("*.parts"), *tmp_path.rglob(".*")]
    assert resumed["frames"] == whole["frames"] == without["frames"] == len(FRAMES)
    assert resumed["notes"] == whole["notes"] == without["notes"]
    assert (read(target) == read(undisturbed)).all()
    if target.suffix in (".y4m", ".png", ""):  # nothing is lost in coding: parts leave no trace
        assert (read(target) == read(plain)).all()
    if target.suffix in (".mp4", ".mkv", ".mov"):
        assert times(target) == times(plain)
        assert packets(target) == packets(plain)
        assert decoding_times(target) == sorted(set(decoding_times(target)))
        with av.open(str(target)) as one, av.open(str(plain)) as other:
            for container in (one, other):
                assert container.metadata["title"] == "Walk"
            facts = [
                (v.codec_context.codec_tag, v.codec_context.color_range, v.codec_context.colorspace, v.average_rate)
                for v in (one.streams.video[0], other.streams.video[0])
            ]
            assert facts[0] == facts[1]


@cell("an end before the end", "kept")
def test_what_is_kept_plays_and_is_named(tmp_path, monkeypatch):
    source = record(tmp_path / "in.mp4", frames=FRAMES, times=TIMES)
    interrupted(source, tmp_path / "out.mp4", monkeypatch)
    parts = sorted((tmp_path / "out.mp4.parts").glob("*.mp4"))
    assert [len(read(part)) for part in parts] == [5, 5, 5]
    assert sorted(path.name for path in (tmp_path / "out.mp4.parts").iterdir()) == [
        *(part.name for part in parts),
        "state.pt",
    ]


@pytest.mark.parametrize("after", [0, 4, 5, 10, len(FRAMES) - 1])
def test_an_end_at_any_frame(after, tmp_path, monkeypatch):
    source = pictures(tmp_path / "in", FRAMES)
    run(source, tmp_path / "plain")
    interrupted(source, tmp_path / "out", monkeypatch, after)
    run(source, tmp_path / "out", resume=True)
    assert (read(tmp_path / "out") == read(tmp_path / "plain")).all()


def test_an_end_when_only_joining_is_left(tmp_path, monkeypatch):
    source = record(tmp_path / "in.mkv", frames=FRAMES[:15], times=TIMES[:15])
    run(source, tmp_path / "plain.y4m")
    with monkeypatch.context() as patch:
        patch.setattr(Fades, "left", 15)
        patch.setattr(VideoParts, "join", lambda _: Fades().step(None, None, None))
        with pytest.raises(KeyboardInterrupt):
            run(source, tmp_path / "out.y4m", resume=True)
    monkeypatch.setattr(Fades, "left", 0)  # no frame is restored again
    assert run(source, tmp_path / "out.y4m", resume=True)["frames"] == 15
    assert (read(tmp_path / "out.y4m") == read(tmp_path / "plain.y4m")).all()


def test_ten_bits_keep_their_code_and_its_name(tmp_path, monkeypatch):
    frames = [frame.repeat(2, 0).repeat(2, 1) for frame in FRAMES]
    deep = {"video": "libx265", "pix_fmt": "yuv420p10le"}
    source = record(tmp_path / "in.mp4", frames=frames, times=TIMES, **deep)
    interrupted(source, tmp_path / "out.mp4", monkeypatch)
    run(source, tmp_path / "out.mp4", resume=True)
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.codec_tag, context.pix_fmt) == ("hvc1", "yuv420p10le")
        assert sum(1 for _ in container.decode(video=0)) == len(FRAMES)
    assert times(tmp_path / "out.mp4") == times(source)


@pytest.mark.parametrize("method", [Fades(), Wide(), Long(), Noisy(), Median(3)], ids=lambda m: m.name)
@pytest.mark.parametrize("done", [1, 4, 8, 9, 10, 11, 14, 17, 22])
def test_shots_go_on_anywhere(method, done):
    whole = Shots(method, None, device="cpu")
    expected = list(whole.restore(FRAMES))
    before, after = Shots(method, None, device="cpu"), Shots(method, None, device="cpu")
    before.go_on(None)
    answers = before.restore(iter(FRAMES))
    for _ in range(done):
        next(answers)
    after.go_on(before.keep(done))
    rest = list(after.restore(FRAMES[after.first :]))
    assert after.cuts == whole.cuts == [10]
    assert len(rest) == len(FRAMES) - done
    assert all(torch.equal(a, b) for a, b in zip(rest, expected[done:], strict=True))


@pytest.mark.parametrize("name", ["ncfl", "emvd-l", "emvd-s", "fcrvd", "msbdn"])
def test_memories_of_networks_are_kept_exactly(name, tmp_path):
    torch.manual_seed(0)
    model = m_f(**SIZES) if name == "ncfl" else small(name)
    method = method_of(model, name=name, channels_last=True)
    sigma = None if method.blind else 20.0
    frames = [torch.from_numpy(frame).permute(2, 0, 1)[None] / 255 for frame in film(6)]
    expected = list(stream(method, frames, sigma))
    before, after = Memory(method), Memory(method)
    list(stream(before, frames[:3], sigma))
    torch.save(before.keep(), tmp_path / "kept.pt")
    after.resume(torch.load(tmp_path / "kept.pt", weights_only=True))
    found = list(stream(after, frames[3:], sigma))
    assert all(torch.equal(a, b) for a, b in zip(found, expected[3:], strict=True))


def test_a_memory_of_another_form_is_refused():
    memory = Memory(Fades())
    for kept in ([torch.zeros(1, 3, 9, 9), 4], [4], [torch.zeros(1, 3, 8, 8), 4, 4]):
        memory.resume(kept)
        with pytest.raises(InputError, match="another method or of frames of another size"):
            memory.step(torch.zeros(1, 3, 8, 8), None, None)


def test_gray_clips_get_the_same_noise(tmp_path, monkeypatch):
    monkeypatch.setattr(Fades, "channels", 3)
    noise = np.random.default_rng(0).normal(0, 25, (20, 48, 64))
    gray = [
        (frame.mean(-1) + n).clip(0, 255).astype(np.uint8)[..., None].repeat(3, 2)
        for frame, n in zip(FRAMES, noise, strict=False)
    ]
    source = pictures(tmp_path / "in", gray)
    whole = run(source, tmp_path / "plain")
    interrupted(source, tmp_path / "out", monkeypatch)
    assert run(source, tmp_path / "out", resume=True)["notes"] == whole["notes"]
    assert any(line.startswith("gray frames") for line in whole["notes"])
    assert (read(tmp_path / "out") == read(tmp_path / "plain")).all()


def test_another_restoration_is_refused(tmp_path, monkeypatch):
    source = pictures(tmp_path / "in", FRAMES)
    interrupted(source, tmp_path / "out", monkeypatch)
    with pytest.raises(InputError, match=r"out\.parts: method: expected fades .*, as the kept .*, got noisy"):
        run(source, tmp_path / "out", Noisy(), resume=True)
    with pytest.raises(InputError, match="cuts: expected True, as the kept restoration has it, got False"):
        run(source, tmp_path / "out", cuts=False, resume=True)
    os.utime(next(source.iterdir()), (1, 2e9))
    with pytest.raises(InputError, match=r"input: expected .*, as the kept restoration has it, got "):
        run(source, tmp_path / "out", resume=True)


def test_damage_is_refused_by_name(tmp_path, monkeypatch):
    source = record(tmp_path / "in.mp4", frames=FRAMES, times=TIMES)
    interrupted(source, tmp_path / "out.mp4", monkeypatch)
    part, state = (tmp_path / "out.mp4.parts" / name for name in ("00001.mp4", "state.pt"))
    content = part.read_bytes()
    part.write_bytes(content[:-1])
    with pytest.raises(InputError, match=rf"{part.name}: expected {len(content)} bytes, .*, got {len(content) - 1}"):
        run(source, tmp_path / "out.mp4", resume=True)
    part.unlink()
    with pytest.raises(InputError, match=rf"{part.name}: it is missing; remove .*out\.mp4\.parts to begin anew"):
        run(source, tmp_path / "out.mp4", resume=True)
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(InputError, match=r"state\.pt: damaged .*remove .*out\.mp4\.parts to begin anew"):
        run(source, tmp_path / "out.mp4", resume=True)


def test_bad_input_leaves_no_folder(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        run(tmp_path / "none.mp4", tmp_path / "out.mp4", resume=True)
    with pytest.raises(InputError, match="--resume: expected files or folders, which can be read again, got -"):
        run(tmp_path / "none.mp4", Path("-"), resume=True)
    assert not list(tmp_path.iterdir())


def test_uneven_times_are_noted_as_without_parts(tmp_path):
    source = record(tmp_path / "in.mp4", times=UNEVEN)
    assert run(source, tmp_path / "one.avi", resume=True)["notes"] == run(source, tmp_path / "two.avi")["notes"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_command_goes_on(number, tmp_path, monkeypatch):
    monkeypatch.setattr(streaming, "PART", PART)  # as in the process
    source = record(tmp_path / "in.mp4", frames=film(240), times=tuple(3000 * t for t in range(240)))
    command = ["restore", source, "out.mkv", "--method", "median-3x3", "--resume"]
    with subprocess.Popen(
        [sys.executable, "-m", "ncfl.cli.main", *map(str, command)],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        deadline = time.monotonic() + 100
        while not (tmp_path / "out.mkv.parts" / "state.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        said = process.communicate(timeout=120)[1]
    assert process.returncode != 0
    assert not (tmp_path / "out.mkv").exists()
    assert (number == signal.SIGKILL) or "out.mkv.parts: what is done is kept; the same command goes on" in said
    done = within(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    command[2] = "undisturbed.mkv"
    assert within(*command, cwd=tmp_path).returncode == 0
    assert times(tmp_path / "out.mkv") == times(tmp_path / command[2])
    assert (read(tmp_path / "out.mkv") == read(tmp_path / command[2])).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mkv", "undisturbed.mkv"]
