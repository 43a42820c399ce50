"""A copy of the project, for tests that run it: its own results, its own params.yaml, its own git and DVC."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ncfl.config import graph
from ncfl.config.params import load

ROOT = Path(__file__).resolve().parents[1]
# The tests run side by side, one on each core: threads within them would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Told to keep no bytecode, as a container often is, each of some hundred processes would compile PyTorch anew, which
# takes seconds. What is kept then lies apart, so that nothing is written beside the sources.
if sys.dont_write_bytecode:
    sys.dont_write_bytecode = False
    sys.pycache_prefix = sys.pycache_prefix or str(ROOT / ".pytest_cache" / "bytecode")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
PARTS = ("ncfl", "workflow", "presets", "dvc.yaml", ".dvcignore", ".gitignore", "pyproject.toml", "pretrained/starts")


@pytest.fixture
def project_copy(tmp_path):
    """A function: make a copy with these params (text), committed to a git repository of its own."""

    def make(params: str, name: str = "project") -> Path:
        root = tmp_path / name
        root.mkdir()
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, root / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, root / part)
        (root / ".dvc").mkdir()
        shutil.copy(ROOT / ".dvc" / "config", root / ".dvc" / "config")
        (root / "params.yaml").write_text(params)
        graph.write(load(root / "params.yaml"), root / "dvc.yaml")
        git = [
            "git",
            "-c",
            "user.name=test",
            "-c",
            "user.email=test@example.org",
            "-c",
            "commit.gpgsign=false",
        ]
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "copy"]):
            subprocess.run([*git, *command], cwd=root, check=True)
        return root

    return make


@pytest.fixture(scope="session")
def tiny_params() -> str:
    """A graph with every kind of job, as small as it gets: its figures mean nothing, its steps are all real."""
    return (Path(__file__).parent / "tiny.yaml").read_text()
