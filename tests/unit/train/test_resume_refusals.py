"""Resume states that a training must not go on from: damaged ones, and those of other code."""

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.train_samples import cut, made, numbers, run, tiny

from ncfl.train import resume
from ncfl.train.resume import source_digest
from ncfl.weights.archive import read_archive
from ncfl.weights.checkpoint import write

ROOT = Path(__file__).resolve().parents[3]
EVERY = numbers(checkpoint_seconds=0)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("snapshot")
    cut(folder, EVERY, 3)
    (file,) = (folder / "resume").glob("*.pt")
    return folder, read_archive(file)


def changed(value, rng):
    """Another value, of another kind or of the same."""
    if isinstance(value, torch.Tensor):
        broken = value.clone().flatten().float()
        broken[:1] = float("nan")
        choices = [value[None], value.double(), torch.zeros(0), None, "text"]
        return rng.choice(
            [*choices, value.flatten()[:2].clone(), broken.reshape(value.shape)][: 7 if value.dim() else 5]
        )
    if isinstance(value, dict) and value:
        key = rng.choice(list(value))
        less = {name: one for name, one in value.items() if name != key}
        return rng.choice([less, {**value, "other": 1}, {**value, key: changed(value[key], rng)}, [], 3])
    if isinstance(value, list | tuple) and value:
        at = rng.randrange(len(value))
        return rng.choice([[*value[:at], changed(value[at], rng), *value[at + 1 :]], {}, None, "text"])
    return rng.choice([-1, 10**6, float("nan"), "text", None, [1, 2], {"a": []}, torch.zeros(2)])


@pytest.mark.parametrize("seed", range(60))
def test_whatever_a_damaged_state_holds_the_training_ends_well(tmp_path, caplog, snapshot, seed):
    folder, content = snapshot
    rng = random.Random(seed)
    name = rng.choice([name for name in content if name != "key"])
    shutil.copytree(folder, tmp_path / "cut")
    (file,) = (tmp_path / "cut/resume").glob("*.pt")
    write(file, {**content, name: changed(content[name], rng)})
    result = run(tmp_path / "cut", numbers())
    assert result.checkpoint.exists()
    if made[-1].start:  # something that a training can go on with, such as another logged value
        assert name in ("recent", "history", "scaler", "random_cuda", "moments")
    else:
        assert file.with_suffix(".damaged").exists()
        (record,) = caplog.records
        assert "the training starts over" in record.getMessage()
        assert "\n" not in record.getMessage()


@pytest.mark.parametrize("name", ["model", "moments", "done", "random", "recent"])
def test_a_state_without_a_part_is_named_and_set_aside(tmp_path, caplog, snapshot, name):
    folder, content = snapshot
    shutil.copytree(folder, tmp_path / "cut")
    (file,) = (tmp_path / "cut/resume").glob("*.pt")
    write(file, {key: value for key, value in content.items() if key != name})
    run(tmp_path / "cut", numbers())
    assert made[-1].start == 0
    assert f"{file}: the resume state is damaged (expected " in caplog.text
    assert ", got the parts " in caplog.text
    assert file.with_suffix(".damaged").exists()


def test_another_source_file_is_another_training(tmp_path, monkeypatch):
    copied = tmp_path / "ncfl"
    shutil.copytree(ROOT / "ncfl", copied, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(resume.ncfl, "__file__", str(copied / "__init__.py"))
    before = source_digest(tiny())
    assert before == source_digest(tiny())
    for file in ("train/losses.py", "models/motion.py", "data/sampler.py", "weights/checkpoint.py"):
        content = (copied / file).read_text()
        (copied / file).write_text(content + "# edited\n")
        assert source_digest(tiny()) != before
        (copied / file).write_text(content)
    (copied / "report/edited.py").write_text("# edited\n")
    assert source_digest(tiny()) == before

    cut(tmp_path / "run", EVERY, 3)
    with (copied / "train/losses.py").open("a") as file:
        file.write("# edited\n")
    run(tmp_path / "run", numbers())
    assert made[-1].start == 0


SLOW = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from helpers.train_samples import Tiny, numbers, run
from ncfl.train import interruption
interruption.GRACE = 0.2

class Slow(Tiny):
    count = 0
    def forward(self, x_t, state=None):
        Slow.count += 1
        if Slow.count > 6:  # the third iteration
            print("slow", flush=True)
            time.sleep(600)
        return super().forward(x_t, state)

run(Path(sys.argv[2]), numbers(checkpoint_seconds=0), model=Slow())
"""


def test_a_long_iteration_is_not_waited_for(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SLOW, str(ROOT / "tests"), str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout.readline() == "slow\n"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=120)  # long before the iteration would end
    assert process.returncode == 143
    assert "goes on from the last saved state" in errors
    (saved,) = (tmp_path / "resume").glob("*.pt")
    assert read_archive(saved)["done"] == 2
