"""A process that is told to end removes what it has half written."""

import signal
import subprocess
import sys

import pytest

CODE = """
import sys, time
from pathlib import Path
from ncfl.common.files import atomic_path
from ncfl.common.signals import ending_tidily
with ending_tidily(), atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left(tmp_path, number):
    command = [sys.executable, "-c", CODE, str(tmp_path / "out")]
    # Under nohup the tests, and with them what they start, would never hear of a hang-up.
    before = signal.signal(number, signal.SIG_DFL)
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    finally:
        signal.signal(number, before)
    assert process.stdout.readline() == "ready\n"
    assert len(list(tmp_path.iterdir())) == 1
    process.send_signal(number)
    process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert list(tmp_path.iterdir()) == []
