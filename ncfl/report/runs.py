"""The runs behind the figures: what the steps of each experiment recorded of themselves, and their curves.

A record (:mod:`ncfl.trust.step_records`) tells parameters, seed, commit, the checksums of what was read, the time
and the run in MLflow. Results that came without their records, from a cache of DVC say, have runs without steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ncfl.common.errors import InputError
from ncfl.common.files import read_json
from ncfl.report.cells import COUNTED
from ncfl.report.history import history, outline
from ncfl.report.results import MeasuredExperiment, Results

STEPS = {"train-stage1": "Training, stage 1", "train-stage2": "Training, stage 2", "evaluate": "Evaluation"}
# Of a prepared dataset the manifest is enough: it holds the checksums of all its files.
TELLING = ("manifest.json", "checkpoint.pt", ".safetensors", "spynet.pt", "summary.json", "complexity.json")
WIDTH, HEIGHT = 600, 110


@dataclass(frozen=True)
class RecordedStep:
    """What one step recorded: facts by name, its parameters by dotted key, SHA-256 by file."""

    title: str
    facts: Mapping[str, str]
    parameters: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class Curve:
    """The loss of one stage, on a logarithmic axis: the points of an SVG polyline, and the same in words."""

    title: str
    points: str
    words: str


@dataclass(frozen=True)
class RecordedRun:
    """What stands behind the figures of one experiment.

    Attributes:
        name: of the experiment, or what else was run.
        trained, evaluated, final: how it was trained, what it was measured on, how its training ended; may be empty.
        steps: those that left a record, in their order.
        curves: one of each stage that kept a history.
    """

    name: str
    trained: str
    evaluated: str
    final: str
    steps: tuple[RecordedStep, ...]
    curves: tuple[Curve, ...]


def runs(results: Results) -> list[RecordedRun]:
    """The run of each experiment that the parameters name, and that of the counting of GFLOPs."""
    found = [_run(results, name, experiment) for name, experiment in results.experiments.items()]
    step = _step(results.root / "records" / f"{COUNTED}.json", "Counting")
    what = "GFLOPs of every network at its published size"
    return [*found, RecordedRun(COUNTED, "", what, "", (step,) if step else (), ())]


def _run(results: Results, name: str, experiment: MeasuredExperiment) -> RecordedRun:
    records = results.root / "records"
    steps = (_step(records / f"{name}-{step}.json", title) for step, title in STEPS.items())
    folders = {number: results.folder(name) / f"stage{number}" for number in (1, 2)}
    curves = (_curve(folder / "history.csv", number) for number, folder in folders.items())
    final = [_final(folder / "metrics.json", number) for number, folder in folders.items()]
    return RecordedRun(
        name,
        _listed(_settings(experiment)),
        _evaluated(results, name, experiment),
        "; ".join(filter(None, final)),
        tuple(filter(None, steps)),
        tuple(filter(None, curves)),
    )


def _settings(experiment: MeasuredExperiment) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if experiment.training_data:
        settings["data"] = experiment.training_data
    if experiment.variant:
        settings["variant"] = experiment.variant
    if experiment.lambda_:
        settings["λ"] = f"1/{1 / experiment.lambda_:g}"
    if experiment.seed is not None:
        settings["seed"] = experiment.seed
    if experiment.obtained:
        settings["weights"] = experiment.obtained
    return settings


def _evaluated(results: Results, name: str, experiment: MeasuredExperiment) -> str:
    return "; ".join(
        f"{dataset} ({results.label(name, dataset)}), sigma {', '.join(f'{sigma:g}' for sigma in sigmas)}"
        for dataset, sigmas in experiment.evaluate.items()
    )


def _final(path: Path, number: int) -> str:
    """What a training stage's metrics say of its end; empty where there is no such stage."""
    if not path.exists():
        return ""
    metrics = _object(path)
    shown = {"loss": "loss", "psnr": "PSNR", "bits_per_pixel": "bits per pixel"}
    values = {shown[key]: f"{metrics[key]:.4g}" for key in shown if isinstance(metrics.get(key), float)}
    return f"stage {number}: {metrics.get('iterations', '?')} iterations, {_listed(values) or 'no figures'}"


def _curve(path: Path, number: int) -> Curve | None:
    points = [(row["iteration"], row["loss"]) for row in history(path) if "loss" in row]
    drawn = outline(points, WIDTH, HEIGHT)
    if not drawn:
        return None
    (first, begin), (last, end) = points[0], points[-1]
    words = f"Loss {begin:.3g} at iteration {first:.0f}, {end:.3g} at iteration {last:.0f}; logarithmic axis."
    return Curve(f"Stage {number}", drawn, words)


def _step(path: Path, title: str) -> RecordedStep | None:
    """A record as the page shows it; None where there is none, or one of a step that has not ended."""
    if not path.exists():
        return None
    record = _object(path)
    if not all(isinstance(record.get(key), dict) for key in ("parameters", "code", "machine", "inputs", "outputs")):
        return None
    code, machine = record["code"], record["machine"]
    changed = "" if code.get("modified") == "no" else " (with changes)"
    facts = {
        "command": record.get("command"),
        "seed": record.get("seed"),
        "commit": f"{code.get('commit', 'unknown')}{changed}",
        "wall time": f"{record['seconds']:.1f} s" if isinstance(record.get("seconds"), int | float) else None,
        "machine": f"{machine.get('processor')}, {machine.get('cpus')} cores, {machine.get('device')}",
        "run in MLflow": f"tags.ncfl.spool = '{record['run']}'" if record.get("run") else None,
    }
    return RecordedStep(
        title,
        {name: str(value) for name, value in facts.items() if value is not None},
        {name: str(value) for name, value in record["parameters"].items()},
        _telling(record["inputs"]),
        _telling(record["outputs"]),
    )


def _telling(checksums: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in checksums.items() if name.endswith(TELLING)}


def _object(path: Path) -> dict[str, Any]:
    found = read_json(path)
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected a JSON object, got {type(found).__name__}")
    return found


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
