"""A tenth of what `tools/fuzz 5000` does: damaged files are read or refused in a line, whatever they are."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_damaged_files_are_read_or_refused():
    command = [sys.executable, "tools/fuzz", "500", "7"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=580)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-1000:]
    assert " inputs, 0 errors" in ended.stdout
    rows = [line.split("  ") for line in ended.stdout.splitlines()[2:-1]]
    assert len(rows) > 20, "kinds of files"
