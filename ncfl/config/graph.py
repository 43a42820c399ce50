"""The graph of a configuration as ``dvc.yaml``, from the same lists that the rules in ``workflow/`` use.

DVC's own ``foreach`` over params.yaml would put names into shell commands before anybody has checked them, and gives
all entries of a group the same dependencies. So every name stands in ``dvc.yaml`` itself, after the check.
"""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ncfl.common.errors import InputError
from ncfl.config import layout
from ncfl.config.params import GROUPS, Params

# What each kind of job runs, below ncfl/: an edit there makes its results stale. Where files come from
# (data/sources.csv) and how (data/transport) does not change what they hold.
BROUGHT_BY = ("data/fetch.py", "data/sources", "data/datasets", "data/splits", "data/synthetic", "media",
              "data/bayer.py", "data/frames.py", "steps/data.py")  # fmt: skip
PREPARED_BY = (*BROUGHT_BY, "data/prepare.py", "data/store.py", "data/store_writer.py")
FLOW_BY = ("data/synthetic", "models", "train", "weights", "steps/training.py")
TRAINED_BY = ("data/store.py", "data/sampler.py", "data/degradations.py", "data/bayer.py", "models", "train", "weights",
              "steps/training.py")  # fmt: skip
COMPARED_BY = (*TRAINED_BY, "methods", "steps/comparing.py")
MEASURED_BY = ("data/store.py", "data/degradations.py", "data/bayer.py", "data/isp.py", "evaluate", "methods", "models",
               "weights", "steps/evaluation.py", "steps/importing.py")  # fmt: skip
COUNTED_BY = ("models", "methods", "weights", "profile/complexity.py", "report", "steps/complexity.py")
SHOWN_BY = ("report", "steps/reporting.py")

# The keys of params.yaml that each kind of job depends on.
OF_EVERY_TRAINING = ("seed", "training", "schedules.{dataset}", "{group}.{experiment}.train")
OF_TRAINING = (*OF_EVERY_TRAINING, "model")
OF_COMPARED = (*OF_EVERY_TRAINING, "{group}.{experiment}.method", "{group}.{experiment}.network")
OF_FLOW = ("seed", "motion", "training.threads", "training.log_every")
OF_EVALUATION = ("seed", "evaluation", "{group}.{experiment}.evaluate")
SHOWN = ("preset", *GROUPS)
# All but `machine`: whatever reran a stage must reach Snakemake's records, even if the result is the same.
ALL = ("preset", "seed", "datasets", "model", "motion", "training", "schedules", *GROUPS, "evaluation")
STARTS = "pretrained/starts"

HEAD = """\
# The graph for DVC: `dvc repro` runs what a change of params.yaml, of the package or of an earlier result made stale.
# Written by `ncfl graph --write` from params.yaml and ncfl/config/graph.py: edit those. The same graph stands in
# workflow/, and tests/workflow keeps the two equal, job by job.
#
# The last stage tells Snakemake what DVC made, so that it has nothing to do either (--forceall also records the
# parameters; a plain --touch would hide a later change of them).
stages:
"""


def dvc_yaml(params: Params) -> str:
    """The whole of ``dvc.yaml``."""
    return HEAD + "".join(f"\n{_stage(name, stage)}" for name, stage in _stages(params))


def write(params: Params, path: Path = Path("dvc.yaml")) -> bool:
    """Write ``dvc.yaml`` where it is another one; whether it was."""
    text = dvc_yaml(params)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True


def check(params: Params, path: Path = Path("dvc.yaml")) -> None:
    """Refuse a ``dvc.yaml`` that is not that of the configuration.

    Raises:
        InputError: it is another one, with the command that writes it.
    """
    if not path.exists() or path.read_text(encoding="utf-8") != dvc_yaml(params):
        raise InputError(f"{path}: expected the graph of params.yaml, got another one; `ncfl graph --write` writes it")


def _stage(name: str, stage: dict[str, Any]) -> str:
    lines = [f"  {name}:", f"    cmd: {stage['cmd']}"]
    for key in ("deps", "params", "outs", "metrics"):
        if stage.get(key):
            text = f"{key}: [{', '.join(map(str, stage[key]))}]"
            lines += textwrap.wrap(text, 118, initial_indent=" " * 4, subsequent_indent=" " * 6, break_on_hyphens=False)
    return "\n".join(lines) + "\n"


def _stages(params: Params) -> Iterator[tuple[str, dict[str, Any]]]:
    used = {e.dataset for e in params.trained.values()} | {d for e in params.evaluated.values() for d in e.evaluate}
    for dataset in (name for name in params.datasets if name in used):
        index = layout.raw(dataset) / "index.json"
        yield (
            f"fetch-{dataset}",
            {
                "cmd": f"ncfl fetch --dataset {dataset}",
                "deps": sources(BROUGHT_BY),
                "params": ["seed", f"datasets.{dataset}"],
                "outs": [index],
            },
        )
        yield (
            f"prepare-{dataset}",
            {
                "cmd": f"ncfl prepare --dataset {dataset}",
                "deps": [*sources(PREPARED_BY), index],
                "params": [f"datasets.{dataset}"],
                # Large, and made again from the same sources bit by bit.
                "outs": [f"{layout.prepared(dataset)}: {{cache: false}}"],
            },
        )
    if params.with_motion:
        yield (
            "pretrain-flow",
            {
                "cmd": "ncfl pretrain-flow",
                "deps": [*sources(FLOW_BY), STARTS],
                "params": OF_FLOW,
                "outs": [layout.SPYNET, layout.FLOW / "history.csv"],
                "metrics": [layout.FLOW / "metrics.json"],
            },
        )
    for name in params.trained:
        for number in range(1, params.stages(name) + 1):
            kind = "compared" if name in params.compared else f"stage{number}"
            yield f"train-{kind}-{name}", _training(params, name, number)
    for name in params.evaluated:
        yield f"evaluate-{name}", _evaluation(params, name)
    yield from _results(params)


def _keys(params: Params, name: str, keys: tuple[str, ...]) -> list[str]:
    group = next(group for group in GROUPS if name in getattr(params, group))
    dataset = params.evaluated[name].dataset
    return [key.format(group=group, experiment=name, dataset=dataset) for key in keys]


def _training(params: Params, name: str, number: int) -> dict[str, Any]:
    compared = name in params.compared
    start = [layout.SPYNET] if name in params.with_motion else []
    if number > 1:
        start = [layout.checkpoint(name, number - 1)]
    elif not compared:
        start.append(STARTS)
    folder = layout.stage(name, number)
    return {
        "cmd": f"ncfl train --experiment {name} --stage {number}",
        "deps": [
            *sources(COMPARED_BY if compared else TRAINED_BY),
            layout.prepared(params.trained[name].dataset),
            *start,
        ],
        "params": _keys(params, name, OF_COMPARED if compared else OF_TRAINING),
        "outs": [folder / "checkpoint.pt", folder / "history.csv"],
        "metrics": [folder / "metrics.json"],
    }


def _evaluation(params: Params, name: str) -> dict[str, Any]:
    measured = []
    if name in params.official:
        measured = [layout.weights(params.official[name].method)]
    elif name in params.trained:
        measured = [layout.checkpoint(name, params.stages(name))]
    folder = layout.evaluation(name)
    return {
        "cmd": f"ncfl evaluate --experiment {name}",
        "deps": [*sources(MEASURED_BY), *map(layout.prepared, params.evaluated[name].evaluate), *measured],
        "params": _keys(params, name, OF_EVALUATION),
        "outs": [folder / "sequences.csv", folder / "frames.csv", folder / "examples"],
        "metrics": [folder / "summary.json"],
    }


def _results(params: Params) -> Iterator[tuple[str, dict[str, Any]]]:
    counted = layout.COMPLEXITY / "complexity.json"
    yield "complexity", {"cmd": "ncfl complexity", "deps": sources(COUNTED_BY), "outs": [counted]}
    shown = {"deps": [*sources(SHOWN_BY), layout.EXPERIMENTS, counted], "params": SHOWN}
    yield "tables", {"cmd": "ncfl tables", **shown, "outs": [layout.TABLES]}
    yield "figures", {"cmd": "ncfl figures", **shown, "outs": [layout.FIGURES]}
    shown = {**shown, "deps": [*shown["deps"], layout.TABLES, layout.FIGURES]}
    yield "report", {"cmd": "ncfl report", **shown, "outs": [layout.REPORT / "index.html"]}
    flow = [layout.FLOW] if params.with_motion else []
    yield (
        "snakemake-agrees",
        {
            "cmd": "snakemake --cores 1 --quiet all --touch --forceall",
            "deps": ["ncfl", *flow, layout.EXPERIMENTS, layout.REPORT / "index.html"],
            "params": ALL,
        },
    )


def sources(parts: tuple[str, ...]) -> list[str]:
    """Files and folders of the package as paths from the project's folder."""
    return [f"ncfl/{part}" for part in parts]
