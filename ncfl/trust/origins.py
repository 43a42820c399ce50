"""What a record says of how its outputs came to be."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from ncfl.tracking import provenance
from ncfl.tracking.run import Run

MOST_BYTES = 100_000  # of a difference to the commit; a larger one is only told of


def made_by(run: Run, seed: int) -> dict[str, Any]:
    """Parameters, code, machine and cost of a run that has ended well."""
    spool = getattr(run, "_spool", None)
    return {
        "parameters": run.parameters,
        "seed": seed,
        "code": {
            **{name: run.tags.get(name, "unknown") for name in ("commit", "modified")},
            "difference": difference(),
        },
        "versions": provenance.versions(),
        "machine": {**provenance.machine(), "processor": _processor(), "device": _device()},
        "seconds": run.figures.get("seconds"),
        "run": None if spool is None else spool.id,
    }


def difference() -> str:
    """What the working tree has that the commit has not, of the files that git knows; empty where there is nothing."""
    command = ["git", "diff", "HEAD", "--no-color", "--no-ext-diff", "--", ":!dvc.lock"]
    try:
        found = subprocess.run(command, capture_output=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    if len(found) > MOST_BYTES:
        return f"({len(found)} bytes: too long to be kept here)"
    return found.decode("utf-8", "replace")


def _processor() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _device() -> str:
    """The GPU that the step used, by name; ``cpu`` where it used none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return "cpu"
    return torch.cuda.get_device_name()
