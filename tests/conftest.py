"""A copy of the project, for tests that run it: its own results, its own params.yaml, its own git and DVC."""

import functools
import os
import sys
from pathlib import Path

import pytest
from helpers.projects import make_project

ROOT = Path(__file__).resolve().parents[1]
# The tests run side by side, one on each core: threads within them would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Runs of tests never go to the server of whoever runs them.
os.environ.pop("MLFLOW_TRACKING_URI", None)
# Told to keep no bytecode, as a container often is, each of some hundred processes would compile PyTorch anew, which
# takes seconds. What is kept then lies apart, so that nothing is written beside the sources.
if sys.dont_write_bytecode:
    sys.dont_write_bytecode = False
    sys.pycache_prefix = sys.pycache_prefix or str(ROOT / ".pytest_cache" / "bytecode")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture
def project_copy(tmp_path):
    """A function: make a copy with these params (text), committed to a git repository of its own."""
    return functools.partial(make_project, tmp_path)


@pytest.fixture(scope="session")
def tiny_params() -> str:
    """A graph with every kind of job, as small as it gets: its figures mean nothing, its steps are all real."""
    return (Path(__file__).parent / "tiny.yaml").read_text()
