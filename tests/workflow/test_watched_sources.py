"""A job watches the package's files that decide its result: all that its step imports, seen by importing it."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.graphs import snakemake_jobs

from ncfl.config.params import load

ROOT = Path(__file__).resolve().parents[2]
# What every step imports to say and record things, and what brings files without deciding what they hold.
# What a step leaves for people (ncfl/tracking, ncfl/trust) does not decide what it makes.
NOT_WATCHED = (
    "ncfl/data/transport/",
    "ncfl/data/sources.csv",
    "ncfl/common/",
    "ncfl/config/",
    "ncfl/tracking/",
    "ncfl/trust/",
)
STEPS = {
    "fetch": "data",
    "prepare": "data",
    "pretrain-flow": "training",
    "train": "training",
    "evaluate": "evaluation",
    "complexity": "complexity",
    "tables": "reporting",
    "figures": "reporting",
    "report": "reporting",
}


COMPARED = "train of a compared method"


def imports_of(verb: str) -> set[str]:
    """The `ncfl` modules that a step's function imports, itself or through functions of its file and of `common`."""
    names = ("comparing", "training", "common") if verb == COMPARED else (STEPS[verb], "common")
    files = [ROOT / "ncfl" / "steps" / f"{name}.py" for name in names]
    body = [node for file in files for node in ast.parse(file.read_text()).body]
    functions = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
    found, todo, seen = set(), ["train_compared" if verb == COMPARED else verb.replace("-", "_")], set()
    while todo:
        name = todo.pop()
        seen.add(name)
        for node in ast.walk(functions[name]):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("ncfl"):
                found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            if isinstance(node, ast.Name) and node.id in functions and node.id not in seen:
                todo.append(node.id)
    return found


LOAD = """
import importlib, json, sys
found = {}
for verb, names in json.load(sys.stdin).items():
    for name in [name for name in sys.modules if name.split(".")[0] == "ncfl"]:
        del sys.modules[name]
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            assert error.name.startswith("ncfl"), error
    found[verb] = [module.__file__ for name, module in sys.modules.items() if name.startswith("ncfl.")]
json.dump(found, sys.stdout)
"""


def loaded_by(modules: dict[str, set[str]]) -> dict[str, set[str]]:
    """The package's files that each verb loads when it imports these (names that are no modules are passed over).

    One process for all: each verb begins without the package, but other packages are imported once.
    """
    asked = json.dumps({verb: sorted(names) for verb, names in modules.items()})
    command = [sys.executable, "-c", LOAD]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, cwd=ROOT)
    found = {}
    for verb, paths in json.loads(done.stdout).items():
        files = {Path(path).relative_to(ROOT).as_posix() for path in paths}
        in_folders = {file for file in files if file.count("/") > 1 and not file.endswith("__init__.py")}
        found[verb] = {file for file in in_folders if not file.startswith(NOT_WATCHED)}
    return found


@pytest.fixture
def jobs(project_copy, tiny_params, monkeypatch):
    project = project_copy(params=tiny_params)
    monkeypatch.chdir(project)
    return snakemake_jobs(project)


def verb_of(job) -> str:
    """The verb of its command; the trainings of compared methods apart."""
    words = job.command.split()
    compared = load(ROOT / "tests" / "tiny.yaml").all_compared
    return COMPARED if words[1] == "train" and words[words.index("--experiment") + 1] in compared else words[1]


def test_every_job_watches_what_its_step_imports(jobs):
    for verb, needed in loaded_by({verb: imports_of(verb) for verb in (*STEPS, COMPARED)}).items():
        assert needed, verb
        of_verb = [job for job in jobs.values() if verb_of(job) == verb]
        assert of_verb, verb
        for job in of_verb:
            assert needed - job.inputs == set(), (verb, job.command)


def test_a_change_of_how_files_are_downloaded_makes_nothing_stale(jobs):
    for job in jobs.values():
        assert not [path for path in job.inputs if path.startswith(NOT_WATCHED)], job.command
