"""The preset ``paper`` with few iterations and frames: what is changed of it, and a project with it."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from helpers.engines import run
from helpers.projects import ROOT, git, make_project
from helpers.published_samples import PARTS, write
from ncfl.config import graph
from ncfl.config.document import Document
from ncfl.config.params import load as read
from ncfl.config.presets import use
from ncfl.weights.checkpoint import load

PRESETS = ROOT / "presets"
ITERATIONS = 2
FRAMES = {"davis": 15, "set8": 5, "revide": 5}  # of each clip, where not all; VNLnet trains on 15
MEASURED = 2  # frames of each sequence; of the 25 sequences of these one:
MANY = ("rainsynlight25", "rainsyncomplex25")
# What two cores demand: clips in a batch, and a patch with which one clip of REVIDE trains in a minute.
BATCH, REVIDE_PATCH = 1, 256
# One training of each dataset, and methods that meet large frames, long rain and noise: at their published sizes all 45
# experiments would take a day of two cores.
KEPT = {
    "experiments": (
        "ncfl-davis",
        "ncfl-crvd",
        "ncfl-rainsynlight25",
        "ncfl-rainsyncomplex25",
        "ncfl-rainsynall100",
        "ncfl-ntu-rain",
        "ncfl-revide",
    ),
    "compared": ("j4rnet-p-ntu-rain", "cg-idn-revide"),
    "baselines": ("noisy", "median-3x3", "fastderain"),
}
ONE = {"experiments": ("ncfl-ntu-rain",), "compared": (), "baselines": ()}  # of one dataset, in less than a minute


def changes(datasets: tuple[str, ...], compared: tuple[str, ...]) -> dict[str, Any]:
    """The keys of the preset that are changed, and their values: no width of any network is among them."""
    measured = {name: 1 if name in MANY else MEASURED for name in datasets}
    changed: dict[str, Any] = {
        "training.batch": BATCH,
        "training.freeze_motion": 1,
        "training.log_every": 1,
        "training.threads": 1,
        "evaluation.threads": 1,
        "evaluation.max_frames": measured,
    }
    for name in datasets:
        source = {"source": "published", "max_frames": FRAMES.get(name)}
        changed[f"datasets.{name}"] = source | ({"part": PARTS[name]} if name in PARTS else {})
        if name != "set8":  # on which nothing is trained
            changed[f"schedules.{name}.stage1"] = changed[f"schedules.{name}.stage2"] = ITERATIONS
    if "revide" in datasets:
        changed["schedules.revide.patch"] = REVIDE_PATCH
    return changed | {f"compared.{name}.train.iterations": ITERATIONS for name in compared}


def all_datasets() -> tuple[str, ...]:
    """Those of the preset."""
    return tuple(yaml.safe_load((PRESETS / "paper.yaml").read_text())["datasets"])


def make(
    folder: Path, datasets: tuple[str, ...] = (), kept: Mapping[str, tuple[str, ...]] = KEPT, *, mlflow: bool = True
) -> Path:
    """A copy of the project with the preset so changed, for these datasets, or all where none is named."""
    root = make_project(folder, (ROOT / "tests" / "tiny.yaml").read_text())
    params = root / "params.yaml"
    values = changes(datasets or all_datasets(), kept["compared"])
    settings = [f"{key}={json.dumps(value)}" for key, value in values.items()]
    settings += [] if mlflow else ["machine.mlflow_experiment=null"]
    use("paper", settings, ",".join(datasets), params, force=True, folder=PRESETS)
    for group, names in kept.items():
        document = Document(params.read_text())
        document.keep((group,), set(names))
        params.write_text(document.text())
    graph.write(read(params), root / "dvc.yaml")
    git("add -A", root)
    git("commit -q -m paper", root)
    return root


def give(root: Path, folder: Path, datasets: tuple[str, ...]) -> None:
    """Write the datasets and fetch them, as a user does who has them."""
    for dataset in datasets:
        run(f"ncfl fetch --dataset {dataset} --from {write(dataset, folder / dataset)}", root)


def read_table(root: Path, name: str) -> list[dict[str, str]]:
    """The rows of a table of the results."""
    with (root / "results" / "tables" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def assert_published_network(root: Path, experiment: str) -> None:
    """A training whose network has the widths of the supplement."""
    arguments = load(root / "results" / "experiments" / experiment / "stage2" / "checkpoint.pt").arguments
    assert [*arguments["unet_widths"]] == [32, 64, 128, 256, 512]
    assert [*arguments["attention_widths"]] == [16, 32, 64]
    assert (arguments["feature_width"], arguments["mv_width"], arguments["latent_width"]) == (48, 64, 64)


def assert_named_as_edited(root: Path) -> None:
    """No table passes for the paper's preset."""
    for path in (root / "results" / "tables").glob("*.csv"):
        assert {row["preset"].partition(" in ")[0] for row in read_table(root, path.stem)} == {"paper, edited"}, path
        assert "Preset: paper, edited in datasets." in path.with_suffix(".md").read_text(), path
