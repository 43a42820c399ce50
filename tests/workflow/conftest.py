"""A project whose graph has been run: once, whoever asks for it."""

import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from helpers.engines import run
from helpers.projects import git, make_project, smaller


@pytest.fixture(scope="session")
def finished(tmp_path_factory, tiny_params) -> Path:
    """Snakemake has run the smaller graph, and the results are committed; tests copy it. Workers share one."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if shared.name.startswith("popen-") else shared
    with FileLock(shared / "finished.lock"):
        root = shared / "finished"
        if not (shared / "finished.done").exists():
            shutil.rmtree(root, ignore_errors=True)
            make_project(shared, smaller(tiny_params), "finished")
            run("snakemake", root)
            run("dvc status", root)  # DVC is asked, and dvc.lock says what was made
            git("add -A", root)
            git("commit -q -m results", root)
            (shared / "finished.done").touch()
    return root


@pytest.fixture
def project(finished, tmp_path) -> Path:
    """A copy of it, in another place."""
    return Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))
