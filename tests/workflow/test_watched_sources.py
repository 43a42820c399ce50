"""A job watches the package's files that decide its result: all that its step imports, seen by importing it."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ncfl.config.made_by import source_files
from ncfl.config.params import load
from ncfl.config.reruns import Job
from ncfl.config.reruns import jobs as jobs_of
from ncfl.trust.step_records import read

ROOT = Path(__file__).resolve().parents[2]
# What steps load and do not watch, and why.
NOT_WATCHED = {
    "ncfl/data/transport/": "where files come from and how: what they hold is checked",
    "ncfl/data/sources.csv": "the same",
    "ncfl/cli/": "takes the words of the command line and calls the step",
    "ncfl/config/": "values of params.yaml are compared themselves; what shows the whole configuration watches it",
    "ncfl/methods/record.py": "what the configuration knows of methods",
    "ncfl/methods/noisy.py": "the same, of a method that does nothing",
    "ncfl/tracking/": "what a step leaves for people",
    "ncfl/trust/": "the same",
    "ncfl/common/console.py": "says things",
    "ncfl/common/cores.py": "how threads wait, and how many cores there are; steps take as many as params.yaml says",
    "ncfl/common/environment.py": "refuses a copied environment",
    "ncfl/common/errors.py": "refusals",
    "ncfl/common/processes.py": "who else runs",
    "ncfl/common/progress.py": "says things",
    "ncfl/common/signals.py": "how a step ends when it is told to",
    "ncfl/common/text.py": "says things",
}
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
        found[verb] = {file for file in in_folders if not file.startswith(tuple(NOT_WATCHED))}
    return found


@pytest.fixture
def jobs(tiny_params, tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text(tiny_params)
    monkeypatch.chdir(ROOT)
    return jobs_of(load(tmp_path / "params.yaml")).values()


def watched_by(job: Job) -> set[str]:
    return {path.as_posix() for path in source_files(job.sources)}


def verb_of(job: Job) -> str:
    """The verb of its command; the trainings of compared methods apart."""
    words = job.command.split()
    compared = load(ROOT / "tests" / "tiny.yaml").all_compared
    return COMPARED if words[1] == "train" and words[words.index("--experiment") + 1] in compared else words[1]


def test_every_job_watches_what_its_step_imports(jobs):
    for verb, needed in loaded_by({verb: imports_of(verb) for verb in (*STEPS, COMPARED)}).items():
        assert needed, verb
        of_verb = [job for job in jobs if verb_of(job) == verb]
        assert of_verb, verb
        for job in of_verb:
            assert needed - watched_by(job) == set(), (verb, job.command)
            measured = job.command.startswith("ncfl evaluate")
            assert not measured or {"ncfl/methods/record.py", "ncfl/methods/noisy.py"} <= watched_by(job)


def test_every_step_watches_what_its_process_loaded(finished, monkeypatch):
    """What a step really loaded stands in its record."""
    monkeypatch.chdir(finished)
    seen = set()
    for job in jobs_of(load(Path("params.yaml"))).values():
        loaded = set(read(job)["sources"])
        assert "ncfl/steps/common.py" in loaded & watched_by(job), job.command
        in_packages = {file for file in loaded if not file.endswith("__init__.py")}
        unwatched = in_packages - watched_by(job)
        assert not {file for file in unwatched if not file.startswith(tuple(NOT_WATCHED))}, job.command
        seen |= unwatched
    kept_for_others = ("ncfl/data/", "ncfl/common/text.py", "ncfl/common/signals.py")
    for reason in NOT_WATCHED:
        assert reason.startswith(kept_for_others) or any(file.startswith(reason) for file in seen), reason


def test_a_change_of_how_files_are_downloaded_makes_nothing_stale(jobs):
    for job in jobs:
        assert not [path for path in watched_by(job) if path.startswith("ncfl/data/transport/")], job.command
