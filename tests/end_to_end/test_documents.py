"""Every command of the documents is typed, in a small project with the names that they use, and works."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.command_line import ROOT, within
from helpers.data_samples import film
from helpers.document_commands import blocks, inline, is_a_name
from helpers.documented_project import configuration, lay_files, make
from helpers.engines import run
from helpers.projects import make_project

# What is not typed here, and why; all else is. The reader's own names (CLIPS, OUTPUT) are folders in the project.
NAMED = "the name of a program, where text speaks of it"
MINUTES = "takes minutes; its tests run less of it"
DEMO = "runs the demo, for half an hour; CI runs it after the tests"
HOURS = "trains for hours; tests/unit/release trains the same at a small size"
NETWORK = "needs the network; tests/unit/data fetches from a server of its own"
CONTAINER = "needs a container runtime; tests/unit/test_image.py reads the Dockerfile"
SERVER = "needs a server; tests/workflow/test_remote_tracking.py has one"
STORE = "needs an S3 store; tests/workflow/test_remote_store.py types it with one"
EXCUSED = {
    ("README.md", "pip install ."): "needs the network; tests/end_to_end/test_wheel.py installs the wheel",
    ("README.md", "make results"): DEMO,
    ("README.md", "make mlflow"): "opens a server; tests/browser looks at its pages",
    ("README.md", "make test"): "runs these tests",
    ("README.md", "source .venv/bin/activate"): "changes the shell alone; the tests run in that environment",
    ("README.md", "ncfl fetch --dataset davis"): NETWORK,
    ("README.md", "snakemake"): "runs the published schedules: GPUs and days",
    ("config/README.md", "make .venv/ready"): "made the environment in which the tests run",
    ("config/README.md", "source .venv/bin/activate"): "changes the shell alone; the tests run in that environment",
    ("config/README.md", "snakemake"): DEMO,
    ("docs/running-at-scale.md", "snakemake --profile workflow/profiles/slurm --slurm-no-account"): "needs a cluster",
    ("docs/running-at-scale.md", "docker build -t ncfl ."): CONTAINER,
    ("docs/running-at-scale.md", "docker run"): CONTAINER,
    ("docs/running-at-scale.md", "apptainer build"): CONTAINER,
    ("docs/running-at-scale.md", "snakemake --sdm apptainer"): (
        "needs Apptainer; tests/workflow/test_container.py types it with a stand-in"
    ),
    ("docs/running-at-scale.md", "mlflow server"): SERVER,
    ("docs/running-at-scale.md", "export MLFLOW_TRACKING_URI=http://HOST:5000"): SERVER,
    ("docs/running-at-scale.md", "dvc remote add"): STORE,
    ("docs/running-at-scale.md", "dvc remote modify"): STORE,
    ("docs/running-at-scale.md", "dvc push"): STORE,
    ("docs/running-at-scale.md", "dvc pull"): STORE,
    ("docs/study.md", "snakemake --cores 2"): HOURS,
    (
        "docs/study.md",
        "tools/study",
    ): "needs trainings of hours; tests/unit/release/test_study.py keeps and writes those of a made-up study",
    ("docs/pretrained.md", "tools/pretrain train"): HOURS,
    ("docs/pretrained.md", "tools/pretrain card"): "measures for many minutes; tests/unit/release makes a card",
}
# Of the commands within text: what is not typed, and why.
EXCUSED_INLINE = {
    "dvc pull": STORE,
    "dvc push": STORE,
    "dvc repro": "runs a whole graph; tests/workflow/test_engines.py does",
    "make PYTHON=python3.12 results": DEMO,
    "make docs": "tests/unit/test_site.py builds the site",
    "make miniature": "runs for a night; tests/workflow/test_miniature.py takes one dataset",
    "make mlflow": "opens a server; tests/browser looks at its pages",
    "make results": DEMO,
    "make test": "runs these tests",
    "ncfl bench --height 270 --width 480 --threads 1": MINUTES,
    "ncfl bench --repeats 0 --threads 1": MINUTES,
    "ncfl fetch --dataset D --from PATH": "wants a dataset's files; tests/workflow/test_miniature.py brings some in",
    "ncfl import-weights rmfd model_epoch_<n>.pth": "wants the authors' file; test_rmfd.py writes one",
    "ncfl import-weights spynet": "wants the authors' file; tests/unit/weights brings one in",
    "pip install '.[pipeline]'": NETWORK,
    "pip install .": "needs the network; tests/end_to_end/test_wheel.py installs the wheel",
    "tools/bench_data.py": MINUTES,
    "tools/bench_film.py FILM": MINUTES,
    "tools/browser": "needs a browser and the demo's results",
    "tools/dvc": NAMED,
    "tools/fuzz 5040 21": MINUTES,
    "tools/fuzz [INPUTS] [SEED]": MINUTES,
    "tools/guarding FOLDER": MINUTES,
    "tools/kills": MINUTES,
    "tools/kills FOLDER 20 SEED": MINUTES,
    "tools/picture": "downloads nothing, but writes a picture that ships",
    "tools/plants": MINUTES,
    "tools/plants FOLDER": MINUTES,
    "tools/pretrain bench": "measures the published size for minutes",
    "tools/pretrain compared EXPERIMENT --output DIR": HOURS,
    "tools/real_clips": MINUTES,
    "tools/scaling": MINUTES,
    "tools/twice": MINUTES,
}
# And what is typed in another form: the reader's own names, and what would make everything anew only says so.
FILLED = {
    "dvc repro --allow-missing": "dvc repro --allow-missing --dry",
    "dvc repro -f evaluate-ncfl-crvd": "dvc repro --dry -f evaluate-ncfl-crvd",
    "dvc repro -f fetch-davis": "dvc repro --dry -f fetch-davis",
    "ncfl export FILE.onnx": "ncfl export a.onnx",
    "ncfl fetch --dataset D": "ncfl fetch --dataset davis",
    "ncfl prepare --dataset D": "ncfl prepare --dataset davis",
    "ncfl restore --bands on": "ncfl restore in.mp4 bands.mp4 --bands on",
    "ncfl restore FILM out.mp4 --method noisy --no-cuts": "ncfl restore in.mp4 copy.mp4 --method noisy --no-cuts",
    "ncfl restore IN --estimate": "ncfl restore in.mp4 --estimate",
    "ncfl restore in.mp4 out.mp4 --backend onnxruntime --weights FILE.onnx": (
        "ncfl restore in.mp4 exported.mp4 --backend onnxruntime --weights a.onnx"
    ),
    "ncfl schema > workflow/schemas/params.schema.yaml": "ncfl schema",
    "snakemake -R evaluate": "snakemake -n -R evaluate",
    "snakemake -R fetch": "snakemake -n -R fetch",
}
TEXTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")])
TEXTS.remove(ROOT / "CHANGELOG.md")
DOCUMENTS = [
    document
    for document in [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), ROOT / "config" / "README.md"]
    if blocks(document)
]


def name_of(document: Path) -> str:
    return str(document.relative_to(ROOT))


def excuse(document: Path, command: str) -> tuple[str, str] | None:
    """The entry that speaks for a command: its program and verb, where the list has no more, or all of it."""
    for name, start in EXCUSED:
        whole = not start.startswith(("tools/", "dvc ", "mlflow ", "docker run", "apptainer ", "snakemake --sdm"))
        if name == name_of(document) and (command == start if whole else f"{command} ".startswith(f"{start} ")):
            return name, start
    return None


def parts(block: list[str]) -> list[str]:
    return [part.strip() for line in block for part in line.split("&&")]


def typed(command: str, root: Path) -> str:
    """Types a command; what is wrong with how it ends, or nothing."""
    program, *rest = shlex.split(command)
    if program != "ncfl":
        try:
            run(shlex.join([program if "/" not in program else f"./{program}", *rest]), root)
        except AssertionError as error:
            return f"{command}: {error}"
        return ""
    done = within(*rest, cwd=root)
    return "" if done.returncode == 0 else f"{command}: exit {done.returncode}: {done.stderr}"


def clone(folder: Path, name: str) -> Path:
    """A checkout as it is cloned."""
    root = make_project(folder, (ROOT / "params.yaml").read_text(), f"clone-{name}")
    shutil.copy(ROOT / "Makefile", root)
    (root / "results").mkdir()
    return root


def within_text() -> list[str]:
    """The commands within lines of text that are to be typed."""
    typed_in_blocks = {part for document in DOCUMENTS for block in blocks(document) for part in parts(block)}
    found = {command for document in TEXTS for command in inline(document) if not is_a_name(command)}
    return sorted(found - typed_in_blocks - set(EXCUSED_INLINE))


def test_every_command_works(tmp_path: Path, tiny_params: str, monkeypatch: pytest.MonkeyPatch):
    """In one test, since the project is made once, and documents follow one another in it."""
    monkeypatch.setenv("NCFL_WEIGHTS", "")
    (tmp_path / "small").mkdir()
    project = make(tmp_path / "small", configuration(tiny_params))
    lay_files(project)
    faults = []
    for document in DOCUMENTS:
        for block in blocks(document):
            root = project
            if any(line.startswith("ncfl use") for line in block):
                root = clone(tmp_path, f"of-{document.parent.name}-{document.stem}")
            wanted = [part for part in parts(block) if not excuse(document, part)]
            faults += [f"{name_of(document)}: {fault}" for part in wanted if (fault := typed(part, root))]
    for number, command in enumerate(within_text()):
        root = clone(tmp_path, str(number)) if command.startswith(("ncfl use", "make clean")) else project
        faults += [fault] if (fault := typed(FILLED.get(command, command), root)) else []
    assert faults == []


def test_the_list_has_nothing_that_is_in_no_document():
    met = {excuse(document, part) for document in DOCUMENTS for block in blocks(document) for part in parts(block)}
    assert set(EXCUSED) == met - {None}
    named = {command for document in TEXTS for command in inline(document)}
    assert {*EXCUSED_INLINE, *FILLED} <= named


def test_the_python_of_the_readme_restores():
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    session = {"frames": np.stack(film(3, 32, 48))}
    exec(compile(block, "README.md", "exec"), session)
    assert session["restored"].shape == (3, 32, 48, 3)
