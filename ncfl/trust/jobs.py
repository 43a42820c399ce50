"""What each step reads and writes, by name: the graph as :mod:`ncfl.trust` walks it, from tables to data."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ncfl.config import layout
from ncfl.config.params import Params


class Job(NamedTuple):
    """A step on a subject.

    Attributes:
        name: that of its record and its lock.
        command: makes it again.
        inputs, outputs: files and folders.
        experiment: whose it is; empty for what all share.
    """

    name: str
    command: str
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    experiment: str = ""


_OF_TRAINING = ("checkpoint.pt", "metrics.json", "history.csv")
_OF_EVALUATION = ("summary.json", "sequences.csv", "frames.csv", "examples")


def jobs(params: Params) -> dict[str, Job]:
    """All steps of ``params.yaml``, by name, those first that others need."""
    return {job.name: job for job in (*_data(params), *_flow(params), *_trainings(params), *_evaluations(params),
                                      *_reports(params))}  # fmt: skip


def _data(params: Params) -> Iterator[Job]:
    for name in params.datasets:
        index = layout.raw(name) / "index.json"
        yield Job(f"{name}-fetch", f"ncfl fetch --dataset {name}", (), (index,))
        yield Job(f"{name}-prepare", f"ncfl prepare --dataset {name}", (index,), (layout.prepared(name),))


def _flow(params: Params) -> Iterator[Job]:
    if not params.with_motion:
        return
    given = (Path(params.motion.weights),) if params.motion.weights else ()
    outputs = (layout.SPYNET, layout.FLOW / "metrics.json", layout.FLOW / "history.csv")
    yield Job("pretrain-flow", "ncfl pretrain-flow", given, outputs)


def _trainings(params: Params) -> Iterator[Job]:
    for name, experiment in params.trained.items():
        for number in range(1, params.stages(name) + 1):
            start = (layout.SPYNET,) if name in params.with_motion else ()
            if number > 1:
                start = (layout.stage(name, number - 1) / "checkpoint.pt",)
            yield Job(
                f"{name}-train-stage{number}", f"ncfl train --experiment {name} --stage {number}",
                (layout.prepared(experiment.dataset), *start),
                tuple(layout.stage(name, number) / file for file in _OF_TRAINING), name,
            )  # fmt: skip


def _evaluations(params: Params) -> Iterator[Job]:
    for name, experiment in params.evaluated.items():
        start: tuple[Path, ...] = ()
        if name in params.trained:
            start = (layout.checkpoint(name, params.stages(name)),)
        elif name in params.official:
            start = (layout.weights(params.official[name].method),)
        data = [layout.prepared(dataset) for dataset in experiment.evaluate]
        yield Job(
            f"{name}-evaluate", f"ncfl evaluate --experiment {name}", (*data, *start),
            tuple(layout.evaluation(name) / file for file in _OF_EVALUATION), name,
        )  # fmt: skip


def _reports(params: Params) -> Iterator[Job]:
    counted = layout.COMPLEXITY / "complexity.json"
    yield Job("complexity", "ncfl complexity", (), (counted,))
    measured = [layout.evaluation(name) / file for name in params.evaluated for file in _OF_EVALUATION]
    for name in params.trained:
        for number in range(1, params.stages(name) + 1):
            measured += [layout.stage(name, number) / file for file in _OF_TRAINING]
    yield Job("tables", "ncfl tables", (*measured, counted), (layout.TABLES,))
    yield Job("figures", "ncfl figures", (*measured, counted), (layout.FIGURES,))
    drawn = (layout.TABLES, layout.FIGURES)
    yield Job("report", "ncfl report", (*measured, counted, *drawn), (layout.REPORT / "index.html",))
