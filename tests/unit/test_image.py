"""The Dockerfile, held against the project without a daemon: what it copies, installs, runs, and leaves out."""

import fnmatch
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from helpers.document_commands import fault

ROOT = Path(__file__).resolve().parents[2]
JOINED = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
INSTRUCTIONS = [tuple(line.split(None, 1)) for line in JOINED.splitlines() if line.strip()]


def all_of(word: str) -> list[str]:
    return [rest for found, rest in INSTRUCTIONS if found == word]


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a file from the image; the last pattern that speaks of it or its folders counts."""
    places = [path, *map(str, Path(path).parents)]
    answer = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!").removeprefix("**/")
            names = [*places, *Path(path).parts] if "**/" in line else places
            if any(fnmatch.fnmatchcase(name, pattern) for name in names):
                answer = not line.startswith("!")
    return answer


def test_its_python_is_one_that_the_project_allows():
    (image,) = all_of("FROM")
    found = re.fullmatch(r"python:3\.(\d+)-slim", image)
    allowed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    low, high = map(int, re.fullmatch(r">=3\.(\d+),<3\.(\d+)", allowed).groups())
    assert low <= int(found[1]) < high


def test_it_does_not_run_as_root():
    users = all_of("USER")
    assert users == ["ncfl"]
    assert "useradd --create-home --uid 1000 ncfl" in " ".join(all_of("RUN"))
    made, used = (INSTRUCTIONS.index((word, rest)) for word, rest in (("USER", "ncfl"), ("WORKDIR", "/ncfl")))
    assert made < used < next(n for n, (word, rest) in enumerate(INSTRUCTIONS) if word == "RUN" and "make VENV" in rest)


@pytest.mark.parametrize("command", all_of("RUN"), ids=lambda command: command.split()[0])
def test_what_it_runs_is_a_script_of_the_shell(command):
    done = subprocess.run(["sh", "-n", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_its_environment_is_the_one_that_make_makes():
    """A dry run of the same words, and the programs that are then found first."""
    (command,) = (rest.split("&&")[0].split() for rest in all_of("RUN") if rest.startswith("make"))
    asked = ["make", "-n", "-C", str(ROOT), *command[1:]]
    done = subprocess.run(asked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "tools/bootstrap python3 /opt/venv" in done.stdout
    assert all_of("ENV")[0].startswith("PATH=/opt/venv/bin:$PATH ")
    assert fault(all_of("CMD")[0].strip('[]"').split('", "'), ROOT) is None


def test_all_that_git_keeps_is_copied_and_nothing_that_a_run_makes():
    kept = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert [path for path in kept if ignored(path)] == []
    made = [".venv/bin/python", "results/tables/table1.csv", "data/raw/davis/index.json", ".snakemake/log/a.log"]
    made += ["ncfl/data/__pycache__/a.pyc", ".dvc/cache/files/md5/aa/bb", ".dvc/tmp/lock", "ncfl.egg-info/PKG-INFO"]
    assert [path for path in made if not ignored(path)] == []
