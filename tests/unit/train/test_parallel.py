"""Two processes train as one does: the same curve, wherever it was killed, and the same refusals."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.parallel_training import COUNT, train, train_together
from helpers.train_samples import curve

from ncfl.common.errors import InputError
from ncfl.train.trainer import NonFiniteLoss
from ncfl.weights import checkpoint

ROOT = Path(__file__).resolve().parents[3]


def assert_alike(found: Path, expected: Path) -> None:
    assert len(curve(found)) == COUNT
    for one, other in zip(curve(found), curve(expected), strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    states = [checkpoint.load(folder / "stage1/checkpoint.pt").state for folder in (found, expected)]
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    train(folder)
    return folder


@pytest.mark.parametrize("changes", [{}, {"accumulate": 2}])
def test_two_processes_give_the_curve_of_one(tmp_path, alone, changes):
    train_together(tmp_path, 2, **changes)
    assert_alike(tmp_path, alone)
    assert curve(alone)[0]["loss"] != pytest.approx(curve(alone)[-1]["loss"], rel=2e-3)  # it did learn
    assert "WORLD_SIZE" not in os.environ


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from helpers import parallel_training, train_samples
from ncfl.train.parallel import followed

class Ending(train_samples.Silent):
    def update(self, step, values):
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

train_samples.Silent = Ending
if __name__ == "__main__":
    folder = Path(sys.argv[2])
    changes = {"checkpoint_seconds": 1e9}
    with followed(2, parallel_training.follow, folder, changes):
        parallel_training.train(folder, **changes)
"""


@pytest.mark.parametrize("count", [1, 2])
def test_what_two_began_another_number_of_processes_ends(tmp_path, alone, count):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), str(ROOT / "tests"), str(tmp_path / "run")]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 128 + signal.SIGTERM, ended.stderr
    assert len(list((tmp_path / "run/resume").glob("*.pt"))) == 1
    train_together(tmp_path / "run", count)
    assert_alike(tmp_path / "run", alone)


def test_a_loss_that_is_no_number_ends_all_of_them(tmp_path):
    with pytest.raises(NonFiniteLoss, match=r"iteration 2 of the whole training.*clip-5-a"):
        train_together(tmp_path, 2, broken=5)


def test_shares_that_are_not_equal_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"machine\.processes: expected a divisor of training\.batch.*, got 3"):
        train_together(tmp_path, 3)
