"""What made a result: commit, versions, machine."""

import functools
import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
from typing import Any

# Their versions can change a figure.
LIBRARIES = (
    "torch",
    "numpy",
    "opencv-python-headless",
    "scipy",
    "scikit-image",
    "av",
    "mlflow",
    "snakemake",
    "dvc",
)


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def commit() -> dict[str, str]:
    """The commit of the working folder, and whether files differ from it.

    ``dvc.lock`` is left out of the comparison: it records results, and so changes with every run.
    """
    head = _git("rev-parse", "HEAD")
    if head is None:
        return {"commit": "unknown", "modified": "unknown"}
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":!dvc.lock")
    return {"commit": head, "modified": "no" if changed == "" else "yes"}


@functools.cache
def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that can change a figure; absent ones are left out."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def installed() -> str:
    """Every installed distribution with its version, a line each: what ``pip freeze`` would say."""
    found = (distribution.metadata for distribution in importlib.metadata.distributions())  # read anew at each mention
    names = {f"{metadata['Name']}=={metadata['Version']}" for metadata in found}
    return "\n".join(sorted(names, key=str.lower)) + "\n"


def machine() -> dict[str, Any]:
    """The kind of machine: enough to understand a difference in the last digits, no names or paths."""
    return {"system": platform.system(), "machine": platform.machine(), "cpus": os.cpu_count() or 0}


def peak_memory_mb() -> float:
    """Largest resident set of this process and of its ended children so far, in MB (1e6 bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return round(max(resource.getrusage(kind).ru_maxrss for kind in kinds) * unit / 1e6, 1)
