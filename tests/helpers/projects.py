"""Copies of the project, for tests that run it."""

import shutil
import subprocess
from pathlib import Path

import yaml

from ncfl.config import graph
from ncfl.config.params import load
from ncfl.config.yaml12 import load_yaml

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("ncfl", "workflow", "presets", "dvc.yaml", ".dvcignore", ".gitignore", "pyproject.toml", "pretrained/starts")


def make_project(folder: Path, params: str, name: str = "project") -> Path:
    """Make a copy of the project with these params (text), committed to a git repository of its own."""
    root = folder / name
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
    for command in ("init -q", "add -A", "commit -q -m copy"):
        git(command, root)
    return root


def git(command: str, root: Path) -> None:
    """A command of git, whoever is its user."""
    user = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *user, *command.split()], cwd=root, check=True, capture_output=True)


def smaller(params: str) -> str:
    """Of the tiny graph one training of two stages, begun from a shipped file, the noisy input, and all these need."""
    found = yaml.safe_load(params)
    for dataset in ("crvd", "ntu-rain"):
        del found["datasets"][dataset], found["schedules"][dataset]
    kept = {"ncfl-davis": found["experiments"]["ncfl-davis"]}
    machine = {**found["machine"], "mlflow_experiment": None}
    found["motion"] |= {"width": 0.5, "weights": "pretrained/starts/motion-half.safetensors"}
    return yaml.safe_dump({**found, "machine": machine, "experiments": kept, "compared": {}}, sort_keys=False)


def set_value(root: Path, key: str, value: object) -> None:
    """Set a value of params.yaml, by its dotted name."""
    found = load_yaml(root / "params.yaml")
    *parts, last = key.split(".")
    place = found
    for part in parts:
        place = place[part]
    assert place[last] != value, f"{key} is {value} already"
    place[last] = value
    (root / "params.yaml").write_text(yaml.safe_dump(found, sort_keys=False))
