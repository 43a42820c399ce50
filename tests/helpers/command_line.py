"""The command line, as a process of its own and, where the process is not the point, within that of the tests."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

from ncfl.cli.main import main
from ncfl.release import command

ROOT = Path(__file__).resolve().parents[2]


def ncfl(*arguments: object, cwd: Path) -> subprocess.CompletedProcess:
    """A process: what a user starts."""
    return subprocess.run(
        [sys.executable, "-m", "ncfl.cli.main", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def within(*arguments: object, cwd: Path) -> subprocess.CompletedProcess:
    """The same without a process: importing PyTorch anew takes longer than most that is asked for here.

    A traceback there is an exception here, which ends the test.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        patch.object(sys, "argv", ["ncfl", *map(str, arguments)]),
    ):
        try:
            main()
            code = 0
        except SystemExit as error:
            code = error.code or 0
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def pretrain(*words: object) -> int:
    """``tools/pretrain`` within this process: its exit code."""
    return command.main([str(word) for word in words])
