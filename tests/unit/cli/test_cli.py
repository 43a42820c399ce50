"""The command line as a user meets it: exit codes, one line for bad input, a quick start."""

import shutil
import subprocess
import sys

import pytest
from helpers.command_line import ROOT, ncfl, within
from helpers.tracking_samples import empty_database

from ncfl.config import layout

__all__ = ["empty_database"]  # a fixture
VERBS = (
    "fetch",
    "prepare",
    "pretrain-flow",
    "train",
    "evaluate",
    "complexity",
    "tables",
    "figures",
    "report",
    "restore",
    "weights",
    "check",
    "methods",
    "datasets",
)


@pytest.fixture
def project(tmp_path):
    shutil.copy(ROOT / "tests" / "tiny.yaml", tmp_path / "params.yaml")
    return tmp_path


def test_help_names_every_verb_of_the_contract(project):
    done = ncfl("--help", cwd=project)
    assert done.returncode == 0
    for verb in VERBS:
        assert f" {verb} " in done.stdout


def test_starting_imports_neither_torch_nor_mlflow_nor_cv2():
    heavy = ("torch", "mlflow", "cv2", "numpy", "pydantic")
    code = f"import sys, ncfl.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_core_imports_with_torch_numpy_and_cv2_alone():
    """Every other dependency is made unimportable."""
    code = """
import sys, importlib.abc
class Only(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        blocked = ("mlflow", "pandas", "pydantic", "yaml", "typer", "tqdm", "matplotlib", "skimage", "sklearn", "scipy",
                   "av", "jinja2", "tabulate", "torchvision", "dvc", "snakemake", "rich", "PIL")
        if top in blocked:
            raise ImportError(f"{name} is not part of the core")
sys.meta_path.insert(0, Only())
import pkgutil, importlib
import ncfl.models, ncfl.methods, ncfl.train, ncfl.evaluate
for package in (ncfl.models, ncfl.methods, ncfl.train, ncfl.evaluate):
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verb", ["methods", "datasets", "weights", "check"])
def test_what_is_listed_fits_a_line(verb):
    done = within(verb, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100


BAD = [
    (["train", "--experiment", "ncfl-davi", "--stage", "1"], ["ncfl-davi", "did you mean 'ncfl-davis'"]),
    (["train", "--experiment", "noisy", "--stage", "1"], ["noisy", "ncfl-davis", "clean-adapq"]),
    (["evaluate", "--experiment", "x"], ["'x'", "ncfl-davis"]),
    (["fetch", "--dataset", "set9"], ["set9", "set8"]),
    (["prepare", "--dataset", "set8"], ["index.json", "ncfl fetch"]),
    (["evaluate", "--experiment", "noisy"], ["manifest.json", "ncfl prepare"]),
    (["restore", "none.mp4", "out.mp4", "--checkpoint", "none.pt"], ["none.pt"]),
    (["restore", "none.mp4", "out.mp4", "--checkpoint", "none.pt", "--device", "gpu"], ["gpu", "auto, cpu, cuda"]),
]


@pytest.mark.parametrize(("arguments", "named"), BAD, ids=[" ".join(a) for a, _ in BAD])
def test_bad_input_is_exit_2_one_line_and_no_traceback(project, empty_database, arguments, named):
    (project / layout.MLFLOW).mkdir(parents=True)
    shutil.copy(empty_database, project / layout.MLFLOW / "mlflow.db")
    done = within(*arguments, cwd=project)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    error = [line for line in done.stderr.splitlines() if line.startswith("ncfl: ")]
    assert len(error) == 1
    for part in named:
        assert part in error[0]


def test_bad_input_of_a_process_is_the_same(project):
    """Of one that is refused before PyTorch is there, and of one that is refused after."""
    for arguments, _ in (BAD[0], BAD[-1]):
        done, alike = ncfl(*arguments, cwd=project), within(*arguments, cwd=project)
        assert (done.returncode, done.stdout, done.stderr) == (2, alike.stdout, alike.stderr)


def test_a_misspelt_parameter_is_exit_2(project):
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("gradient_clip", "gradient_clp"))
    done = ncfl("check", cwd=project)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "ncfl: params.yaml: unknown key 'training.gradient_clp': did you mean 'gradient_clip'?"
    ]


def test_an_unknown_option_is_exit_2(project):
    assert ncfl("train", "--experimnt", "x", cwd=project).returncode == 2


def test_check_says_what_would_run(project):
    done = ncfl("check", cwd=project)
    assert done.returncode == 0
    assert "davis*, set8*, crvd*, ntu-rain* (* a stand-in, from demo" in done.stdout
    assert "4 of two stages, 12 iterations of 4 frames in all" in done.stdout


@pytest.mark.parametrize(
    ("uri", "named"),
    [("sqlite:///other.db", "sqlite:///other.db"), ("ftp://me:secret@host/runs", "ftp://host/runs")],
)
def test_a_tracking_address_that_is_no_server_is_named(tmp_path, monkeypatch, uri, named):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    done = within("mlflow-sync", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (said,) = done.stderr.splitlines()
    assert said.startswith(
        f"note: MLFLOW_TRACKING_URI ({named}) is not used, since it is no server (http://, https://)"
    )
