"""Which device a process takes."""

import subprocess
import sys
from pathlib import Path

import pytest

from ncfl.common import device
from ncfl.common.errors import InputError

HOLD = """
import sys
from pathlib import Path
from ncfl.common.device import claim
print(claim(sys.argv[2:], Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holders(tmp_path: Path):
    """Starts processes that claim one of three devices, say which, and keep it until they are ended."""
    started = []

    def start() -> tuple[int, subprocess.Popen]:
        command = [sys.executable, "-c", HOLD, str(tmp_path), "first", "second", "third"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return int(process.stdout.readline()), process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_processes_side_by_side_take_one_device_each(holders):
    first, killed = holders()
    assert (first, holders()[0]) == (0, 1)
    killed.kill()  # without a chance to clean up
    killed.wait()
    assert holders()[0] == 0
    assert holders()[0] == 2
    assert holders()[0] == 0  # more processes than devices share the first


def test_refuses_names_of_no_device_and_gpus_that_are_not_there(monkeypatch):
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: False)
    assert device.pick_device("auto").type == "cpu"
    with pytest.raises(InputError, match="no GPU here"):
        device.pick_device("cuda")
    with pytest.raises(InputError, match="tpu"):
        device.pick_device("tpu")
