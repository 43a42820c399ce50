"""Both engines as a user starts them."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent


def run(command: str, root: Path, timeout: float = 1200, code: int = 0) -> str:
    """Run a command as a user in the activated environment would; its output, if it ends with this exit code.

    The timeout only ends what hangs: on a machine that does other things too, a graph may take ten minutes.
    """
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "true"}
    for name in ("DVC_STAGE", "DVC_ROOT"):
        environment.pop(name, None)
    done = subprocess.run(
        shlex.split(command), cwd=root, capture_output=True, text=True, timeout=timeout, env=environment
    )
    assert done.returncode == code, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def due_in_dvc(root: Path) -> set[str]:
    """The stages that DVC finds changed by themselves (not by a stage before them)."""
    status = run("dvc status --json", root)
    return set(json.loads(status[status.index("{") :]))


def edit(root: Path, old: str, new: str) -> None:
    path = root / "params.yaml"
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
    path.write_text(text.replace(old, new))


def assert_nothing_due(root: Path) -> None:
    assert "Nothing to be done" in run("snakemake", root)
    assert due_in_dvc(root) == set()
