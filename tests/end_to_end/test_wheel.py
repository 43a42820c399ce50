"""The wheel that `pip install .` makes, away from the checkout, with the declared dependencies and no others."""

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from helpers.command_line import ROOT

PARTS = ("ncfl", "pretrained", "pyproject.toml", "README.md", "LICENSE")
# Run by every Python that finds it: what the wheel does not declare cannot be imported.
BLOCKER = """
import importlib.abc, sys
class Undeclared(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Undeclared())
"""


def _name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def _with_theirs(requirements: list[str]) -> set[str]:
    """The distributions that these requirements bring, without extras."""
    found, waiting = set(), [_name(requirement) for requirement in requirements]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            theirs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # of another platform
            continue
        waiting += [_name(requirement) for requirement in theirs if "extra ==" not in requirement]
    return found


def undeclared() -> set[str]:
    """The top-level modules of this environment that an environment with the wheel's requirements alone lacks."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    allowed = _with_theirs(declared)
    modules = importlib.metadata.packages_distributions().items()
    # Names that start with an underscore belong to build tools, which every new environment may have.
    return {
        module
        for module, owners in modules
        if not allowed & {_name(owner) for owner in owners} and not module.startswith("_") and module != "ncfl"
    }


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with what the wheel installs, and the blocker beside it."""
    place = tmp_path_factory.mktemp("wheel")
    source, target = place / "source", place / "installed"
    source.mkdir()
    tracked = subprocess.run(["git", "ls-files", "-z", *PARTS], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, tracked.stdout.split("\0")):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).symlink_to(ROOT / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", place, source], check=True)
    (wheel,) = place.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-compile", "--target", target, wheel], check=True)
    (target / "sitecustomize.py").write_text(BLOCKER.format(names=undeclared()))
    return target


def run(installed: Path, *command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), "NCFL_WEIGHTS": ""}
    command = [sys.executable, *map(str, command)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


def test_the_wheel_restores_a_video_with_its_own_weights(installed, tmp_path):
    rng = np.random.default_rng(7)
    clean = np.full((3, 48, 64, 3), 120.0)
    noisy = np.clip(clean + rng.normal(0, 30, clean.shape), 0, 255).astype(np.uint8)
    (tmp_path / "in").mkdir()
    for t, frame in enumerate(noisy):
        cv2.imwrite(str(tmp_path / "in" / f"{t}.png"), frame)

    done = run(installed, installed / "bin" / "ncfl", "restore", "in", "out.mkv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with av.open(tmp_path / "out.mkv") as container:
        restored = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert restored.shape == clean.shape
    assert np.std(restored - clean) < 8  # of 30: trained weights, not random ones

    place = run(installed, "-c", "import ncfl; print(ncfl.__file__)", cwd=tmp_path).stdout.strip()
    assert Path(place).is_relative_to(installed)


def test_a_verb_of_the_pipeline_says_what_to_install(installed, tmp_path):
    done = run(installed, installed / "bin" / "ncfl", "check", cwd=tmp_path)
    assert done.returncode == 2
    assert "ncfl[pipeline]" in done.stderr
    assert "Traceback" not in done.stderr
