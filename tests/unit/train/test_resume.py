"""Resuming: killed at any instant and started again, a training ends with the bytes of one that was not."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from helpers.train_samples import Sampler, cut, made, numbers, run, tiny

from ncfl.train.config import two_stages
from ncfl.train.interruption import Interrupted, Interruption
from ncfl.train.resume import key_of
from ncfl.weights.archive import read_archive
from ncfl.weights.checkpoint import load

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "tests" / "helpers" / "train_samples.py"
ITERATIONS = 14


def finished(folder, stage="stage1"):
    return [(folder / stage / name).read_bytes() for name in ("checkpoint.pt", "metrics.json", "history.csv")]


def every(**changes):
    return numbers(checkpoint_seconds=0, **changes)


def test_sigkill_changes_no_byte(tmp_path):
    training = numbers(stages=two_stages(ITERATIONS, 0))
    run(tmp_path / "whole", training)

    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(SCRIPT), str(tmp_path / "killed"), str(ITERATIONS), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        for line in process.stdout:
            if line.strip() == "6":
                break
        time.sleep(0.013)  # somewhere in an iteration or in a write
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed/stage1/checkpoint.pt").exists()

    run(tmp_path / "killed", training)
    assert made[-1].start >= 5  # it went on, and did not start anew
    assert finished(tmp_path / "killed") == finished(tmp_path / "whole")
    assert not (tmp_path / "killed/resume").exists()


def test_sigterm_saves_and_leaves_with_143(tmp_path):
    class Terminated(Sampler):
        def batch(self, iteration):
            if iteration == 3:
                signal.raise_signal(signal.SIGTERM)
            return super().batch(iteration)

    with pytest.raises(Interrupted) as caught:
        run(tmp_path / "stopped", numbers(), sampler=Terminated())  # it would not save by itself
    assert caught.value.code == 143
    (saved,) = (tmp_path / "stopped/resume").glob("*.pt")
    assert read_archive(saved)["done"] == 4

    run(tmp_path / "stopped")
    assert made[-1].start == 4
    run(tmp_path / "whole")
    assert finished(tmp_path / "stopped") == finished(tmp_path / "whole")


@pytest.mark.parametrize("at", [1, 3, 5])
@pytest.mark.parametrize("changes", [{}, {"precision": "float16"}, {"channels_last": True}, {"workers": 2}])
def test_going_on_at_any_iteration_changes_no_byte(tmp_path, at, changes):
    training = every(**changes)
    cut(tmp_path / "cut", training, at)
    run(tmp_path / "cut", training)
    assert made[-1].start == at
    run(tmp_path / "whole", training)
    assert finished(tmp_path / "cut") == finished(tmp_path / "whole")


def test_second_stage_goes_on_too(tmp_path):
    training = every()
    run(tmp_path, training)
    before = load(tmp_path / "stage1/checkpoint.pt")
    cut(tmp_path / "cut", training, 9, stage=1, initial=before)
    run(tmp_path / "cut", training, stage=1, initial=before)
    assert made[-1].start == 3
    run(tmp_path / "whole", training, stage=1, initial=before)
    assert finished(tmp_path / "cut", "stage2") == finished(tmp_path / "whole", "stage2")


def test_logged_means_are_the_same_after_going_on(tmp_path):
    lines = {"cut": [], "whole": []}
    training = every()
    cut(tmp_path / "cut", training, 3, log=lambda *line: lines["cut"].append(line))
    run(tmp_path / "cut", training, log=lambda *line: lines["cut"].append(line))
    run(tmp_path / "whole", training, log=lambda *line: lines["whole"].append(line))
    assert lines["cut"] == lines["whole"]


def test_another_configuration_is_not_looked_at(tmp_path):
    cut(tmp_path, every(), 3)
    for changes in (
        {"training": every(learning_rate=5e-3)},
        {"training": every(precision="bfloat16")},
        {"training": every(), "model": tiny(seed=1)},
        {"training": every(), "sampler": Sampler(seed=1)},
        {"training": every(), "sampler": Sampler(sigma=26.0)},
    ):
        run(tmp_path, **changes)
        assert made[-1].start == 0
    run(tmp_path, every())
    assert made[-1].start == 3


def test_the_machine_may_change(tmp_path):
    cut(tmp_path, every(), 3)
    run(tmp_path, numbers(workers=1, log_every=1))
    assert made[-1].start == 3


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_file_is_ignored_with_a_warning(tmp_path, caplog, damage):
    training = every()
    cut(tmp_path / "cut", training, 3)
    (file,) = (tmp_path / "cut/resume").glob("*.pt")
    file.write_bytes(file.read_bytes()[:-100] if damage is None else damage)
    run(tmp_path / "cut", training)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert str(file) in record.getMessage()
    assert "the training starts over" in record.getMessage()
    assert made[-1].start == 0
    run(tmp_path / "whole", training)
    assert finished(tmp_path / "cut") == finished(tmp_path / "whole")


def test_a_file_under_the_wrong_name_is_ignored(tmp_path, caplog):
    cut(tmp_path, every(), 3)
    (file,) = (tmp_path / "resume").glob("*.pt")
    other = every(learning_rate=5e-3)
    cut(tmp_path / "other", other, 3)
    (target,) = (tmp_path / "other/resume").glob("*.pt")
    target.write_bytes(file.read_bytes())
    run(tmp_path / "other", other)
    assert made[-1].start == 0
    assert "not the resume state of this training" in caplog.text


def test_left_over_temporary_files_are_swept(tmp_path):
    training = every()
    cut(tmp_path, training, 3)
    (file,) = (tmp_path / "resume").glob("*.pt")
    half = file.with_name(f".{file.stem}.1.pt")
    half.write_bytes(b"half a file")
    run(tmp_path, training)
    assert not (tmp_path / "resume").exists()


def test_a_shared_folder_keeps_what_others_have_there(tmp_path):
    (tmp_path / "resume").mkdir()
    (tmp_path / "resume/other.pt").write_bytes(b"of another training")
    run(tmp_path, every())
    assert [path.name for path in (tmp_path / "resume").iterdir()] == ["other.pt"]


def test_key_depends_on_every_part():
    weights = {"a": torch.zeros(2), "b": torch.ones(2, 2)}
    base = key_of({"x": 1}, weights=weights)
    assert base == key_of({"x": 1}, weights={"a": torch.zeros(2), "b": torch.ones(2, 2)})
    others = [
        key_of({"x": 2}, weights=weights),
        key_of({"x": 1}, weights={**weights, "a": torch.tensor([0.0, 1e-45])}),
        key_of({"x": 1}, weights={**weights, "b": torch.ones(4)}),
        key_of({"x": 1}, batch=weights),
        key_of({"x": 1}, weights={"c": weights["a"], "b": weights["b"]}),
    ]
    assert len({base, *others}) == 6
    assert len(base) == 32


@pytest.fixture
def interruptible():
    """As in a terminal: a test run that was started in the background ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_second_signal_is_not_held_back(interruptible):
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        assert not interruption
        signal.raise_signal(signal.SIGINT)
        assert interruption
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    assert Interrupted(signal.SIGINT).code == 130


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGINT)
            assert not interruption
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_trains_in_a_thread(tmp_path):
    failures = []

    def work():
        try:
            run(tmp_path, every())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failures == []
    assert (tmp_path / "stage1/checkpoint.pt").exists()
