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
from ncfl.config.params import Params
from ncfl.config.reruns import ALL, Job, jobs

METRICS = ("evaluation", "metrics.json")  # the ends of paths that `dvc metrics show` reads
PICTURES = ("comparison", "psnr_sigma", "table1", "table2")  # of results/figures, what `dvc plots show` shows first

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
    return HEAD + "".join(f"\n{_stage(name, stage)}" for name, stage in _stages(params)) + "\n" + _plots(params)


def _plots(params: Params) -> str:
    """What `dvc plots show` shows: pictures, and the quality of the batches as each experiment is trained."""
    lines = ["plots:", *(f"  - {layout.FIGURES / name}.png" for name in PICTURES)]
    for name in (name for name in params.trained if name not in params.all_compared):
        histories = [layout.stage(name, n) / "history.csv" for n in range(1, params.stages(name) + 1)]
        lines += [f"  - training of {name}:", "      x: iteration", "      y:"]
        lines += [f"        {history}: psnr" for history in histories]
        lines += ["      y_label: PSNR of a batch (dB)"]
    return "\n".join(lines) + "\n"


def stage_names(params: Params) -> dict[str, str]:
    """The command of each step -> the name of its stage."""
    return {stage["cmd"]: name for name, stage in _stages(params)}


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
        yield f"fetch-{dataset}", _made(every[f"{dataset}-fetch"])
        prepare = _made(every[f"{dataset}-prepare"])
        # Large, and made again from the same sources bit by bit. DVC keeps what persists out of its run cache, where
        # `dvc commit` would store it all the same; the step replaces it as a whole.
        store, *about = prepare["outs"]
        yield f"prepare-{dataset}", prepare | {"outs": [f"{store}: {{cache: false, persist: true}}", *about]}
    if params.with_motion:
        yield "pretrain-flow", _made(every["pretrain-flow"])
    for name in params.trained:
        for number in range(1, params.stages(name) + 1):
            job = every[f"{name}-train-stage{number}"]
            if name in params.all_compared:
                yield f"train-compared-{name}", _made(job)
                continue
            yield f"train-stage{number}-{name}", _made(job)
    for name in params.evaluated:
        yield f"evaluate-{name}", _made(every[f"{name}-evaluate"])
    yield from _results(params, every)


def _made(job: Job) -> dict[str, Any]:
    """The stage of a job."""
    return {
        "cmd": job.command,
        "deps": [*(f"ncfl/{part}" for part in job.sources), *job.inputs],
        "params": job.watched,
        "outs": [*(path for path in job.outputs if path.parts[-2:] != METRICS), *layout.about(job.name)],
        "metrics": [path for path in job.outputs if path.parts[-2:] == METRICS],
    }


def _results(params: Params, every: dict[str, Job]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "complexity", _made(every["complexity"])
    # The folder of all experiments stands for the many files in it.
    shown = (layout.EXPERIMENTS, layout.COMPLEXITY / "complexity.json")
    for name, more in (("tables", ()), ("figures", ()), ("report", (layout.TABLES, layout.FIGURES))):
        yield name, _made(every[name]._replace(inputs=(*shown, *more)))
    flow = [layout.FLOW] if params.with_motion else []
    yield (
        "snakemake-agrees",
        {
            "cmd": "snakemake --cores 1 --quiet all --touch --forceall",
            "deps": ["ncfl", *flow, layout.EXPERIMENTS, layout.REPORT / "index.html"],
            "params": ALL,
        },
    )
