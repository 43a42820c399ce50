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
from ncfl.config.jobs import ALL, Job, jobs
from ncfl.config.params import Params

# What each kind of job runs, below ncfl/: an edit there makes its results stale. Where files come from
# (data/sources.csv) and how (data/transport) does not change what they hold. Nor are figures those of other versions of
# torch and the like: versions.txt has them, as requirements.lock pins them.
BROUGHT_BY = (
    "versions.txt",
    "data/fetch.py",
    "data/sources",
    "data/datasets",
    "data/splits",
    "data/synthetic",
    "media",
    "data/bayer.py",
    "data/frames.py",
    "steps/data.py",
)
PREPARED_BY = (*BROUGHT_BY, "data/prepare.py", "data/store.py", "data/store_writer.py")
FLOW_BY = ("versions.txt", "data/synthetic", "data/variety.py", "models", "train", "weights", "steps/training.py")
TRAINED_BY = (
    "versions.txt",
    "data/store.py",
    "data/sampler.py",
    "data/variety.py",
    "data/degradations.py",
    "data/bayer.py",
    "models",
    "train",
    "weights",
    "steps/training.py",
)
COMPARED_BY = (*TRAINED_BY, "methods", "steps/comparing.py")
MEASURED_BY = (
    "versions.txt",
    "data/sources",
    "data/datasets",
    "data/splits",
    "data/synthetic",
    "data/frames.py",
    "media",
    "data/store.py",
    "data/degradations.py",
    "data/bayer.py",
    "data/isp.py",
    "evaluate",
    "methods",
    "models",
    "weights",
    "steps/evaluation.py",
    "steps/importing.py",
)
COUNTED_BY = ("models", "methods", "weights", "profile/complexity.py", "report", "steps/complexity.py")
SHOWN_BY = ("report", "methods", "steps/reporting.py")
DRAWN_BY = (*SHOWN_BY, "models")

METRICS = ("metrics.json", "summary.json")  # what `dvc metrics show` reads

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
    every = jobs(params)
    used = {e.dataset for e in params.trained.values()} | {d for e in params.evaluated.values() for d in e.evaluate}
    for dataset in (name for name in params.datasets if name in used):
        yield f"fetch-{dataset}", _made(every[f"{dataset}-fetch"], BROUGHT_BY)
        prepare = _made(every[f"{dataset}-prepare"], PREPARED_BY)
        # Large, and made again from the same sources bit by bit.
        yield f"prepare-{dataset}", prepare | {"outs": [f"{path}: {{cache: false}}" for path in prepare["outs"]]}
    if params.with_motion:
        yield "pretrain-flow", _made(every["pretrain-flow"], FLOW_BY)
    for name in params.trained:
        for number in range(1, params.stages(name) + 1):
            job = every[f"{name}-train-stage{number}"]
            if name in params.compared:
                yield f"train-compared-{name}", _made(job, COMPARED_BY)
                continue
            yield f"train-stage{number}-{name}", _made(job, TRAINED_BY)
    for name in params.evaluated:
        yield f"evaluate-{name}", _made(every[f"{name}-evaluate"], MEASURED_BY)
    yield from _results(params, every)


def _made(job: Job, by: tuple[str, ...]) -> dict[str, Any]:
    """The stage of a job that the sources ``by`` make."""
    return {
        "cmd": job.command,
        "deps": [*sources(by), *job.inputs],
        "params": job.watched,
        "outs": [path for path in job.outputs if path.name not in METRICS],
        "metrics": [path for path in job.outputs if path.name in METRICS],
    }


def _results(params: Params, every: dict[str, Job]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "complexity", _made(every["complexity"], COUNTED_BY)
    # The folder of all experiments stands for the many files in it.
    shown = (layout.EXPERIMENTS, layout.COMPLEXITY / "complexity.json")
    drawn = (layout.TABLES, layout.FIGURES)
    for name, more, by in (("tables", (), SHOWN_BY), ("figures", (), DRAWN_BY), ("report", drawn, SHOWN_BY)):
        yield name, _made(every[name]._replace(inputs=(*shown, *more)), by)
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
