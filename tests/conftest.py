"""A copy of the project, for tests that run it: its own results, its own params.yaml, its own git and DVC."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("ncfl", "workflow", "presets", "dvc.yaml", ".dvcignore", ".gitignore", "pyproject.toml")


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
