"""How shipped weights came to be: read from the working folder of their training, as far as it says so."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ncfl.common.errors import InputError
from ncfl.common.files import read_json

STAGES = ("stage1", "stage2")
Curve = list[dict[str, float]]


class FinishedTraining(NamedTuple):
    """A training, after the fact.

    Attributes:
        experiment: its name.
        training: its numbers, as the last stage's checkpoint holds them.
        stages: what each stage's ``metrics.json`` says, by name.
        flow: what the motion estimation's ``metrics.json`` says; empty where there is none.
        curves: ``history.csv`` of each stage, by name.
        clips: the training clips: ``name``, ``frames``, ``height``, ``width`` each, and ``licence`` where it is known.
        dataset: as which they were trained on.
        seconds: of computing, where the run's records say so.
        device: what it ran on, where the run's records say so.
        versions: of the libraries, where the run's records say so.
        start: the file of weights that a warm restart went on from; None for a training from the start.
    """

    experiment: str
    training: dict[str, Any]
    stages: dict[str, dict[str, Any]]
    flow: dict[str, Any]
    curves: dict[str, Curve]
    clips: list[dict[str, Any]]
    dataset: str
    seconds: float | None
    device: str | None
    versions: dict[str, str]
    start: str | None = None

    @property
    def iterations(self) -> dict[str, int]:
        """Finished iterations of each stage."""
        return {name: metrics["iterations"] for name, metrics in self.stages.items()}


def read_background(run: Path, experiment: str | None = None) -> FinishedTraining:
    """What a folder says in which the pipeline, or ``tools/pretrain train``, trained.

    Args:
        run: the folder that holds ``results/``, or an output of ``tools/pretrain train``.
        experiment: which one, where the folder has several.

    Raises:
        InputError: no finished training of that name there, or a damaged file.
    """
    from ncfl.weights.checkpoint import load

    run = Path(run)
    results = run / "results" if (run / "results").is_dir() else run
    name = _experiment(results, experiment)
    folder = results / "experiments" / name
    done = [stage for stage in STAGES if (folder / stage / "checkpoint.pt").is_file()]
    if not done:
        raise InputError(f"{folder}: expected a checkpoint.pt of some stage, got none; train first")
    extra = load(folder / done[-1] / "checkpoint.pt").extra
    records = _records(results, name)
    dataset = str(extra.get("dataset", ""))
    return FinishedTraining(
        experiment=name,
        training=dict(extra.get("training", {})),
        stages={stage: read_json(folder / stage / "metrics.json") for stage in done},
        flow=_optional(results / "flow" / "metrics.json"),
        curves={stage: _curve(folder / stage / "history.csv") for stage in STAGES},
        clips=_clips(run, dataset),
        dataset=dataset,
        seconds=_seconds(records),
        device=_device(records),
        versions=dict(records[-1].get("versions", {})) if records else {},
        start=extra.get("started_from", {}).get("file"),
    )


def _experiment(results: Path, given: str | None) -> str:
    there = sorted({path.parent.parent.name for path in results.glob("experiments/*/stage*/checkpoint.pt")})
    if given is None and len(there) == 1:
        return there[0]
    if given not in there:
        raise InputError(f"{results}: experiment: expected {', '.join(there) or 'none'}, got {given!r}")
    return given


def _records(results: Path, name: str) -> list[Mapping[str, Any]]:
    names = ["pretrain-flow", *(f"{name}-train-{stage}" for stage in STAGES)]
    found = [_optional(results / "runs" / f"{record}.json") for record in names]
    return [record for record in found if record]


def _seconds(records: list[Mapping[str, Any]]) -> float | None:
    found = [record.get("figures", {}).get("seconds") for record in records]
    # A part that is not known would make the sum a wrong one.
    return round(sum(found), 1) if len(found) == 1 + len(STAGES) and None not in found else None


def _device(records: list[Mapping[str, Any]]) -> str | None:
    if not records or "machine" not in records[-1]:
        return None
    machine = records[-1]["machine"]
    return machine.get("device") or f"{machine['cpus']} CPU cores ({machine['system']}, {machine['machine']})"


def _clips(run: Path, dataset: str) -> list[dict[str, Any]]:
    packed = run / "data.json"
    if packed.is_file():
        return read_json(packed)["clips"]
    manifest = _optional(run / "data" / "prepared" / dataset / "manifest.json") if dataset else {}
    clips = [clip for clip in manifest.get("clips", []) if clip["split"] == "train"]
    return [{key: clip[key] for key in ("name", "frames", "height", "width")} for clip in clips]


def _optional(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}


def _curve(path: Path) -> Curve:
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [{key: float(text) for key, text in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not readable as a table of numbers ({error})") from None
