"""What makes runs easy to browse in MLflow: a view of the experiments with telling columns, their data and curves."""

import contextlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ncfl.tracking import spool

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

HOST = "http://127.0.0.1:5000"
_SHARED, _NAME = "mlflow.sharedViewState.", "experiments"
# Checksums that are of no data.
_WEIGHTS = ("checkpoint", "weights")
# Of a step alone, not of the experiment that it belongs to.
_OF_A_STEP = ("stage", "version.", "system", "machine", "cpus")
TRAIN = "train-stage"

Point = tuple[int, int, dict[str, float]]  # time in ms, iteration of the whole training, values

_COLUMNS = (
    "tags.`method`",
    "tags.`dataset`",
    "tags.`tables`",
    "tags.`preset`",
    "metrics.`set8.psnr.sigma50`",
    "metrics.`davis.psnr.sigma50`",
    "metrics.`ntu-rain.psnr.sigma0`",
    "attributes.`Created`",
)
# What MLflow's own page keeps of a view that is shared: experiments alone, a row each, their steps folded in.
_VIEW = {
    "searchFilter": "tags.`ncfl.experiment` LIKE '%'",
    "orderByKey": "attributes.`Created`",
    "orderByAsc": False,
    "selectedColumns": list(_COLUMNS),
}
_NOTE = (
    "Neural compression-based feature learning for video restoration, reproduced. A row is an experiment; its steps "
    "are nested in it. The curves `train/...` have both stages on one axis. Select `modules-a` ... "
    "`modules-e` and `ncfl-davis` to compare Table 1, `lambda-...` and `ncfl-davis` for Table 2."
)


def experiment_tags() -> dict[str, str]:
    """Tags of an MLflow experiment: that it holds trainings, what it is, and the view that people begin with."""
    return {
        "mlflow.experimentKind": "custom_model_development",
        "mlflow.note.content": _NOTE,
        _SHARED + _NAME: json.dumps(_VIEW),
    }


def address(database: Path) -> str | None:
    """Where a browser finds the experiments of a database; None where it has none yet."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        query = "select experiment_id from experiment_tags where key = ? order by experiment_id desc"
        found = connection.execute(query, (_SHARED + _NAME,)).fetchone()
    return (
        f"{HOST}/#/experiments/{found[0]}/runs?workflowType=machine_learning&viewStateShareKey={_NAME}"
        if found
        else None
    )


def parameters(of_step: Mapping[str, Any]) -> dict[str, str]:
    """What of a step's parameters is its experiment's as well."""
    return {name: str(value) for name, value in of_step.items() if not name.startswith(_OF_A_STEP)}


def curves(found: spool.Spooled) -> list[Point]:
    """A training's points for its experiment's run."""
    lines = (line for _, line in found.lines if line and line["kind"] == "points")
    return prefixed(found.start["step"], [(line["time"], line["step"], line["values"]) for line in lines])


def prefixed(step: str, points: list[Point]) -> list[Point]:
    """The points of a training as its experiment's run calls them; none of another step."""
    if not step.startswith(TRAIN):
        return []
    return [(at, n, _of_experiment(values)) for at, n, values in points]


def _of_experiment(values: Mapping[str, float]) -> dict[str, float]:
    named = {name if name.startswith("validation/") else f"train/{name}": value for name, value in values.items()}
    return {name: value for name, value in named.items() if not name.startswith("train/system/")}


def inputs(step: str, tags: Mapping[str, str]) -> "list[DatasetInput]":
    """The datasets that a step read, by the checksums among its tags, as MLflow shows them."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    context = "training" if step.startswith(TRAIN) else "evaluation" if step == "evaluate" else ""
    found = []
    for tag, checksum in tags.items():
        name = tag.removeprefix("data.").removesuffix(".sha256")
        if not context or tag != f"data.{name}.sha256" or name in _WEIGHTS:
            continue
        source = json.dumps({"uri": f"data/prepared/{name}"})
        label = json.dumps({"data": tags.get("data", ""), "sha256": checksum})
        dataset = Dataset(name, checksum[:8], "local", source, profile=label)
        found.append(DatasetInput(dataset, [InputTag("mlflow.data.context", context)]))
    return found
