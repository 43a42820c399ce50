"""The records that steps leave beside their results, as runs again: from them a lost MLflow database is rebuilt."""

import csv
import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ncfl.common.console import say
from ncfl.common.errors import InputError
from ncfl.common.files import read_json
from ncfl.config import layout
from ncfl.tracking import spool

_KEYS = {"step", "experiment", "status", "started", "parameters", "tags", "figures"}
_UNNAMED = "ncfl"  # the MLflow experiment of records that do not name theirs


class Record(NamedTuple):
    """What is known of a step's last run.

    name: of the run. mlflow_experiment: under which MLflow shows it. began, ended: milliseconds since 1970. curve:
        steps and values, where the results have one. model: the file of a network that came of it, its checksum and
        the channels of a frame.
    """

    name: str
    step: str
    experiment: str | None
    mlflow_experiment: str
    status: str
    began: int
    ended: int
    parameters: dict[str, Any]
    tags: dict[str, str]
    figures: dict[str, float]
    curve: list[tuple[int, dict[str, float]]]
    model: dict[str, Any] | None


def all_but(waiting: Iterable[Path]) -> list[Record]:
    """The records in the order in which their runs began, but for runs that wait in the spool and come whole from
    there.

    A damaged record is passed over with a line that says so.
    """
    coming = {found.start["name"] for path in waiting if (found := spool.read(path)) is not None}
    found = (_record(path) for path in sorted(layout.RUNS.glob("*.json")))
    return sorted((record for record in found if record and record.name not in coming), key=lambda one: one.began)


def _record(path: Path) -> Record | None:
    try:
        told = read_json(path)
        if not isinstance(told, dict) or not told.keys() >= _KEYS:
            raise InputError(f"{path}: expected the record of a run with {', '.join(sorted(_KEYS))}")
        if told.get("mlflow_experiment", _UNNAMED) is None:  # MLflow was left out
            return None
        began = round(datetime.datetime.fromisoformat(told["started"]).timestamp() * 1000)
        figures = {name: float(value) for name, value in told["figures"].items()}
        tags = {name: str(value) for name, value in told["tags"].items()} | {"preset": told["tags"]["preset"]}
    except (InputError, AttributeError, KeyError, TypeError, ValueError) as error:
        say(f"warning: {path}: no record of a run, left out of MLflow ({spool.reason(error)})")
        return None
    named = told.get("name") or f"{told['experiment'] or ''} {told['step']}".strip()
    return Record(
        name=named,
        step=told["step"],
        experiment=told["experiment"],
        mlflow_experiment=told.get("mlflow_experiment") or _UNNAMED,
        status=told["status"],
        began=began,
        ended=began + round(1000 * figures.get("seconds", 0)),
        parameters=told["parameters"],
        tags=tags,
        figures=figures,
        curve=_curve(told["step"], told["experiment"]),
        model=_model(told.get("model")),
    )


def _model(told: Any) -> dict[str, Any] | None:
    whole = isinstance(told, dict) and told.keys() >= {"path", "sha256", "channels"}
    return told if whole else None


def _curve(step: str, experiment: str | None) -> list[tuple[int, dict[str, float]]]:
    folders = {"train-stage1": 1, "train-stage2": 2}
    if step == "pretrain-flow":
        path = layout.FLOW / "history.csv"
    elif experiment and step in folders:
        path = layout.stage(experiment, folders[step]) / "history.csv"
    else:
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
        return [(int(row.pop("iteration")), row) for row in rows]
    except (OSError, KeyError, TypeError, ValueError):
        return []  # the results may be gone, and the run is known all the same
