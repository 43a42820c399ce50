"""From a user's own video files to a restored video, through the command line, with a kill on the way."""

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ncfl.cli.main", *map(str, arguments)]


def ncfl(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(command(*arguments), cwd=cwd, capture_output=True, text=True, timeout=300, env=environment())
    assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def moving_picture(frames: int, height: int, width: int, seed: int) -> list[np.ndarray]:
    """Smooth random texture that moves by a pixel and a half a frame."""
    rng = np.random.default_rng(seed)
    texture = cv2.resize(
        rng.integers(0, 256, (24, 40, 3), dtype=np.uint8), (width + 60, height + 60), interpolation=cv2.INTER_CUBIC
    )
    shifts = [np.float32([[1, 0, -1.5 * t - 4], [0, 1, -0.5 * t - 4]]) for t in range(frames)]
    return [cv2.warpAffine(texture, shift, (width, height)) for shift in shifts]


def write_video(path: Path, frames: list[np.ndarray]) -> None:
    import av

    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(24))
        stream.height, stream.width = frames[0].shape[:2]
        stream.bit_rate = 4_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def read_video(path: Path) -> list[np.ndarray]:
    import av

    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture
def project(tmp_path):
    footage = tmp_path / "data" / "footage"
    footage.mkdir(parents=True)
    write_video(footage / "street.mp4", moving_picture(6, 64, 80, 1))
    write_video(footage / "river.avi", moving_picture(6, 64, 80, 2))
    (footage / "test").mkdir()
    for t, frame in enumerate(moving_picture(5, 64, 80, 3)):
        cv2.imwrite(str(footage / "test" / f"{t:05d}.png"), frame[..., ::-1])
    text = (ROOT / "tests" / "tiny.yaml").read_text()
    before, after = text[: text.index("datasets:")], text[text.index("model:") :]
    clips = "source: clips, root: data/footage, max_frames: 5, height: null, stand_in: true"
    datasets = (
        f"datasets:\n  davis: {{{clips}, train: rest, test: [test]}}\n  set8: {{{clips}, train: [], test: [test]}}\n"
    )
    # Videos have no degraded frames: what is trained on such data is left out.
    after = after[: after.index("  ncfl-crvd:")] + after[after.index("  clean-adapq:") :]
    after = after[: after.index("  msbdn-ntu-rain:")] + after[after.index("  basicvsr-davis:") :]
    text = before.replace("preset: demo", "preset: clips") + datasets + after
    text = text.replace("stage1: 2,", "stage1: 30,").replace("mlflow_experiment: ncfl", "mlflow_experiment: null")
    (tmp_path / "params.yaml").write_text(text)
    return tmp_path


def test_own_videos_through_every_step_with_a_kill(project):
    for dataset in ("davis", "set8"):
        ncfl("fetch", "--dataset", dataset, cwd=project)
        ncfl("prepare", "--dataset", dataset, cwd=project)
    listed = ncfl("datasets", cwd=project).splitlines()
    assert "3 clips, 15 frames" in listed[-2]
    assert "1 clips, 5 frames" in listed[-1]
    ncfl("pretrain-flow", cwd=project)

    train = ("train", "--experiment", "ncfl-davis", "--stage", "1")
    ncfl(*train, cwd=project)
    weights = project / "results/experiments/ncfl-davis/stage1/checkpoint.pt"
    history = weights.with_name("history.csv")
    uninterrupted = weights.read_bytes(), history.read_bytes()
    weights.unlink()
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("checkpoint_seconds: 60", "checkpoint_seconds: 0.01"))
    kill_when_resumable(project, train)
    assert not weights.exists()
    ncfl(*train, cwd=project)
    assert (weights.read_bytes(), history.read_bytes()) == uninterrupted

    ncfl("train", "--experiment", "ncfl-davis", "--stage", "2", cwd=project)
    ncfl("evaluate", "--experiment", "ncfl-davis", cwd=project)
    source, target = project / "data/footage/street.mp4", project / "restored.mp4"
    checkpoint = "results/experiments/ncfl-davis/stage2/checkpoint.pt"
    ncfl("restore", source, target, "--checkpoint", checkpoint, cwd=project)
    restored, given = read_video(target), read_video(source)
    assert len(restored) == len(given) == 6
    assert restored[0].shape == given[0].shape
    # Two iterations teach nothing, and the network starts as the identity: what comes out is close to what went in.
    assert np.abs(restored[3].astype(float) - given[3]).mean() < 12


def kill_when_resumable(project: Path, arguments: tuple[str, ...]) -> None:
    """Start the step, and kill it the hard way once it has left something to go on from."""
    process = subprocess.Popen(
        command(*arguments), cwd=project, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    resume = project / "results/resume"
    deadline = time.monotonic() + 200
    while not (resume.is_dir() and any(p.is_file() and p.suffix != ".lock" for p in resume.rglob("*.pt"))):
        assert process.poll() is None, "ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
