"""What each step reads, writes and depends on, by name: the graph of a configuration, and what a change reruns in it.

``dvc.yaml`` is written from it (:mod:`ncfl.config.graph`), and :mod:`ncfl.trust` walks it from tables back to data.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ncfl.config import layout, made_by
from ncfl.config.params import GROUPS, RAW, Params

# The keys of params.yaml that each kind of job depends on.
OF_EVERY_TRAINING = ("{seed}", "training", "schedules.{dataset}", "{group}.{experiment}.train")
OF_TRAINING = (*OF_EVERY_TRAINING, "model")
OF_COMPARED = (*OF_EVERY_TRAINING, "{group}.{experiment}.method", "{group}.{experiment}.network")
OF_FLOW = ("seed", "motion", "training.threads", "training.log_every")
OF_EVERY_EVALUATION = ("seed", "evaluation.threads", "{group}.{experiment}.evaluate")
OF_A_DATASET = ("max_frames", "examples")  # below `evaluation`, by dataset
# All but `machine`: for a step that shows how the whole configuration differs from its preset, or that passes on
# whatever was rerun.
ALL = ("preset", "seed", "datasets", "model", "motion", "training", "schedules", *GROUPS, "evaluation")


class Job(NamedTuple):
    """A step on a subject.

    Attributes:
        name: that of its record and its lock.
        command: makes it again.
        inputs, outputs: files and folders.
        experiment: whose it is; empty for what all share.
        watched: keys of ``params.yaml`` that decide what it makes.
        sources: files and folders below ``ncfl/`` that make it.
    """

    name: str
    command: str
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    experiment: str = ""
    watched: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


def value_at(document: Any, key: str) -> Any:
    """What a YAML document has at a dotted key; numbers in it count the entries of a list from 0."""
    for part in key.split("."):
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def jobs(params: Params) -> dict[str, Job]:
    """All steps of ``params.yaml``, by name, those first that others need."""
    kinds = (_data, _flow, _trainings, _evaluations, _reports)
    return {job.name: job for kind in kinds for job in kind(params)}


def _data(params: Params) -> Iterator[Job]:
    for name in params.datasets:
        index = layout.raw(name) / "index.json"
        own = f"datasets.{name}"
        fetch, prepare = f"ncfl fetch --dataset {name}", f"ncfl prepare --dataset {name}"
        yield Job(f"{name}-fetch", fetch, (), (index,), "", ("seed", own), made_by.BROUGHT_BY)
        yield Job(f"{name}-prepare", prepare, (index,), (layout.prepared(name),), "", (own,), made_by.PREPARED_BY)


def _flow(params: Params) -> Iterator[Job]:
    if not params.with_motion:
        return
    given = (Path(params.motion.weights),) if params.motion.weights else ()
    outputs = (layout.SPYNET, layout.FLOW / "metrics.json", layout.FLOW / "history.csv")
    yield Job("pretrain-flow", "ncfl pretrain-flow", given, outputs, "", OF_FLOW, made_by.FLOW_BY)


def _trainings(params: Params) -> Iterator[Job]:
    for name, experiment in params.trained.items():
        for number in range(1, params.stages(name) + 1):
            start = _starts(params, name)
            if number > 1:
                start = (layout.stage(name, number - 1) / "checkpoint.pt",)
            yield Job(
                f"{name}-train-stage{number}",
                f"ncfl train --experiment {name} --stage {number}",
                (layout.prepared(experiment.dataset), *start),
                tuple(layout.stage(name, number) / file for file in layout.OF_TRAINING),
                name,
                _keys(params, name, OF_COMPARED if name in params.compared else OF_TRAINING),
                made_by.COMPARED_BY if name in params.compared else made_by.TRAINED_BY,
            )


def _starts(params: Params, name: str) -> tuple[Path, ...]:
    """The files that the first stage of a training begins from."""
    motion = (layout.SPYNET,) if name in params.with_motion else ()
    given = params.training.start if name in params.two_stage else params.all_compared[name].train.start
    return (*motion, Path(given)) if given else motion


def _evaluations(params: Params) -> Iterator[Job]:
    for name, experiment in params.evaluated.items():
        start: tuple[Path, ...] = ()
        if name in params.trained:
            start = (layout.checkpoint(name, params.stages(name)),)
        elif name in params.official:
            start = (layout.weights(params.official[name].method),)
        data = [layout.prepared(dataset) for dataset in experiment.evaluate]
        yield Job(
            f"{name}-evaluate",
            f"ncfl evaluate --experiment {name}",
            (*data, *start),
            tuple(layout.evaluation(name) / file for file in (*layout.OF_EVALUATION, layout.EXAMPLES)),
            name,
            _keys(params, name, of_evaluation(params, name)),
            made_by.MEASURED_BY,
        )


def of_evaluation(params: Params, name: str) -> tuple[str, ...]:
    """The keys that an experiment's evaluation depends on: of `evaluation`, what concerns its own datasets."""
    measured = params.evaluated[name].evaluate
    own = (
        f"evaluation.{key}.{dataset}"
        for key in OF_A_DATASET
        for dataset in measured
        if dataset in getattr(params.evaluation, key)
    )
    developed = ("evaluation.isp",) if any(dataset in RAW for dataset in measured) else ()
    return (*OF_EVERY_EVALUATION, *developed, *own)


def _keys(params: Params, name: str, keys: tuple[str, ...]) -> tuple[str, ...]:
    found = params.repetitions[name]
    names = {"group": found.group, "experiment": found.entry, "seed": found.seed_key}
    return tuple(key.format(dataset=params.evaluated[name].dataset, **names) for key in keys)


def _reports(params: Params) -> Iterator[Job]:
    counted = layout.COMPLEXITY / "complexity.json"
    yield Job("complexity", "ncfl complexity", (), (counted,), sources=made_by.COUNTED_BY)
    measured = [
        layout.evaluation(name) / file for name in params.evaluated for file in (*layout.OF_EVALUATION, layout.EXAMPLES)
    ]
    for name in params.trained:
        for number in range(1, params.stages(name) + 1):
            measured += [layout.stage(name, number) / file for file in layout.OF_TRAINING]
    page = layout.REPORT / "index.html"
    drawn = {
        "tables": ((*measured, counted), layout.TABLES, made_by.SHOWN_BY),
        "figures": ((*measured, counted), layout.FIGURES, made_by.DRAWN_BY),
        "report": ((*measured, counted, layout.TABLES, layout.FIGURES), page, made_by.SHOWN_BY),
    }
    for name, (inputs, output, sources) in drawn.items():
        yield Job(name, f"ncfl {name}", inputs, (output,), "", ALL, sources)
