"""``ncfl check``, ``ncfl datasets``, ``ncfl methods``, ``ncfl summary``: what there is, and in which state."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ncfl.common.errors import InputError
from ncfl.common.files import read_json
from ncfl.common.text import paragraph, table
from ncfl.config import layout
from ncfl.config.data import ClipsData
from ncfl.config.params import Compared, Experiment, Official, Params
from ncfl.config.reruns import jobs
from ncfl.methods import METHODS, OFFICIAL
from ncfl.methods.record import BaselineRecord, LearnedRecord, MethodRecord, OfficialWeights
from ncfl.steps.common import data_label


def describe(params: Params) -> str:
    """What would run: the preset, the steps and how long the trainings are, a line each."""
    two_stage, compared = params.two_stage, params.all_compared
    iterations = sum(_both_stages(params, experiment) for experiment in two_stage.values())
    theirs = sum(experiment.train.iterations or _both_stages(params, experiment) for experiment in compared.values())
    _check_networks(params)
    evaluations = len(params.evaluated)
    batch = params.training.batch * params.training.frames
    lines = [
        f"params.yaml is valid: preset {params.preset}, seed {params.seed}",
        f"data: {', '.join(_starred(params, name) for name in params.datasets)}{_legend(params, ' (', ')')}",
        f"trainings: {len(two_stage)} of two stages, {iterations} iterations of {batch} frames in all; motion "
        f"estimation before them: {'weights given' if params.motion.weights else f'{params.motion.iterations} more'}",
        f"compared methods: {len(compared)} trainings of {theirs} iterations in all; with official weights: "
        f"{len(params.official)}",
        f"evaluations: {evaluations}, {len(params.baselines)} of them of methods without training",
        f"graph: {len(jobs(params))} steps; `snakemake` or `dvc repro` runs those that are due (`snakemake -n`: which)",
    ]
    return "\n".join(map(paragraph, lines))


def _both_stages(params: Params, experiment: Experiment | Compared) -> int:
    if isinstance(experiment.train.iterations, list):
        return sum(experiment.train.iterations)
    schedule = params.schedules[experiment.dataset]
    return schedule.stage1 + schedule.stage2


def _check_networks(params: Params) -> None:
    """Refuse sizes that a compared network does not have: InputError. Builds them without memory for their weights."""
    if not params.all_compared:
        return
    import torch

    from ncfl.methods.networks import build
    from ncfl.train.settings import network_sizes

    with torch.device("meta"):
        for name, experiment in params.all_compared.items():
            build(experiment.method, network_sizes(params, name), where=f"params.yaml: experiment {name}, network")


def list_datasets(params: Params) -> str:
    """A row per dataset: source, whether it is a stand-in, whether it is fetched and prepared."""
    rows = []
    for name, data in params.datasets.items():
        clips = _of_source(layout.prepared(name) / "manifest.json", data.source).get("clips", [])
        rows.append(
            {
                "dataset": name,
                "source": f"{data.source}: {data.root}" if isinstance(data, ClipsData) else data.source,
                "stand-in": "yes" if data.stand_in else "a part" if data.part else "no",
                "fetched": "yes" if _of_source(layout.raw(name) / "index.json", data.source) else "no",
                "prepared": f"{len(clips)} clips, {sum(c['frames'] for c in clips)} frames" if clips else "no",
            }
        )
    return table(rows)


def _of_source(path: Path, source: str) -> dict[str, Any]:
    """What a record says, if it is there and is that of the source that params.yaml names now."""
    record = read_json(path) if path.exists() else {}
    return record if record.get("source") == source else {}


def list_methods(params: Params) -> str:
    """A row per experiment: its method, what trains it, what it is measured on at which noise levels, what is done."""
    rows = []
    for name, experiment in params.evaluated.items():
        rows.append(
            {
                "experiment": name,
                "method": experiment.train.variant if isinstance(experiment, Experiment) else experiment.method,
                "trained on": _starred(params, experiment.dataset) if params.stages(name) else _untrained(experiment),
                "measured on": ", ".join(
                    _starred(params, d) + _levels(spec.sigma) for d, spec in experiment.evaluate.items()
                ),
                "done": _done(params, name),
            }
        )
    trained = table(rows) + _legend(params, "\n")
    return f"{trained}\n\nCompared methods, for `ncfl restore --method`:\n\n{table(_compared_methods())}"


def _starred(params: Params, dataset: str) -> str:
    return dataset + "*" * params.datasets[dataset].stand_in


def _legend(params: Params, before: str, after: str = "") -> str:
    """What the star of :func:`_starred` means, where there is one."""
    sources = dict.fromkeys(data.source for data in params.datasets.values() if data.stand_in)
    return f"{before}* a stand-in, from {', '.join(sources)}: not the paper's data{after}" if sources else ""


def _untrained(experiment: Any) -> str:
    return "official weights" if isinstance(experiment, Official) else "-"


def _levels(sigma: Sequence[float]) -> str:
    """The noise levels of an evaluation; nothing where the dataset brings its degradation along."""
    if not any(sigma):
        return ""
    first, last = (f"{level:g}" for level in (min(sigma), max(sigma)))
    return f" {first}" if first == last else f" {first}..{last}"


def _done(params: Params, name: str) -> str:
    stages = params.stages(name)
    trained = sum((layout.stage(name, n + 1) / "checkpoint.pt").exists() for n in range(stages))
    if (layout.evaluation(name) / "summary.json").exists():
        return "measured"
    if not trained:
        return "no"
    return "trained" if trained == stages else f"stage {trained} of {stages}"


def _compared_methods() -> list[dict[str, Any]]:
    """A row per compared method: classical, with official weights, or with nothing but its own training here."""
    rows = [row for record in METHODS for row in _ways(record)]
    return [*rows, _of_weights("-", False, OFFICIAL["spynet"])]


def _ways(record: MethodRecord) -> Iterator[dict[str, Any]]:
    """A row for each way in which a method can be had, by what ``--method`` calls it."""
    told = record.needs_sigma
    if isinstance(record, BaselineRecord):
        yield _cells(record.name, record.shape, told, "nothing")
    elif isinstance(record, LearnedRecord):
        for weights in record.official:
            yield _of_weights(record.shape, told, weights)
        if record.name not in OFFICIAL:
            found = [path.parts[-3] for path in layout.trainings(record.name)]
            yield _cells(record.name, record.shape, told, "an experiment that trains it", ", ".join(found), "yours")


def _of_weights(shape: str, told: bool, weights: OfficialWeights) -> dict[str, Any]:
    use = "" if weights.restores else "; no restoring by itself"
    kept = "yes" if layout.weights(weights.name).exists() else ""
    needs = f"{' and '.join(weights.files)} ({weights.source})"
    return _cells(weights.name, shape, told, needs, kept, weights.licence + use)


def _cells(name: str, shape: str, told: bool, needs: str, here: str = "-", licence: str = "-") -> dict[str, Any]:
    sigma = "needed" if told else "-"
    return {
        "method": name,
        "shape": shape,
        "sigma": sigma,
        "needs": needs,
        "weights here": here or "no",
        "licence of the weights": licence,
    }


def summarize(params: Params) -> str:
    """What the results are, where they lie and what to look at next; for the end of ``make results``."""
    evaluated = layout.evaluation("ncfl-davis") / "summary.json"
    head = f"Results of preset {params.preset} ({data_label(params, *params.datasets)})"
    lines = paragraph(head).splitlines()
    told = len(lines)
    if evaluated.exists():
        lines += ["", *_denoising(params)]
    lines += _paired(params)
    lines += [
        "",
        f"  tables   {layout.TABLES}/  table1 ... table5, section43, datasets (csv, md, tex)",
        f"  report   {layout.REPORT}/index.html  everything on one page",
        f"  figures  {layout.FIGURES}/",
        f"  weights  {layout.EXPERIMENTS}/<experiment>/stage2/checkpoint.pt",
        "",
        "Next:",
        "  make mlflow                                  browse every run, its curves and its environment",
        f"  ncfl restore IN.mp4 OUT.mp4 --checkpoint {layout.checkpoint('ncfl-davis', 2)}",
        "                                               a video of yours (after `source .venv/bin/activate`)",
        "  edit params.yaml, then `make results`        only what the change touches runs again",
    ]
    if any(data.stand_in for data in params.datasets.values()):
        lines.insert(told, "measured on stand-ins: no figure below is one on the paper's data")
    for name, data in params.datasets.items():
        if data.part:
            lines.insert(told, f"measured on a part of {name}: {', '.join(data.part)}")
    return "\n".join(lines)


def _denoising(params: Params) -> list[str]:
    """PSNR on the test set, a line per method: the first figures that a reader wants."""
    names = [name for name in ("noisy", "median-3x3", "median-5x5", "ncfl-davis") if name in params.evaluated]
    rows = []
    for name in names:
        for levels in _measured(name, "set8").values():
            rows.append((name, {f"σ {sigma}": psnr for sigma, (psnr, _) in levels.items()}))
            break  # the space that tables print
    heads = dict.fromkeys(head for _, found in rows for head in found)
    rows = [{"PSNR (dB), set8": name, **{head: found.get(head, "-") for head in heads}} for name, found in rows]
    return ["  " + line for line in table(rows).splitlines()] if rows else []


def _paired(params: Params) -> list[str]:
    """What NCFL gains on datasets that bring their degradation along."""
    rows = []
    for name, experiment in params.experiments.items():
        if name != f"ncfl-{experiment.dataset}" or experiment.train.sigma is not None:
            continue
        for space, levels in _measured(name, experiment.dataset).items():
            if "0" in levels:
                psnr, before = levels["0"]
                rows.append({"PSNR (dB)": f"{experiment.dataset}, {space}", "input": before, "NCFL": psnr})
    return ["", *("  " + line for line in table(rows).splitlines())] if rows else []


def _measured(name: str, dataset: str) -> dict[str, dict[str, tuple[str, str]]]:
    """Space -> sigma -> PSNR of the result and of its input, as they are printed; empty where nothing was measured."""
    path = layout.evaluation(name) / "summary.json"
    if not path.exists():
        return {}
    try:
        found = read_json(path)["datasets"].get(dataset)
        spaces = {found["space"]: found["sigma"], **found.get("spaces", {})} if found else {}
        return {
            space: {sigma: (f"{q['psnr']:.2f}", f"{q.get('input_psnr', math.nan):.2f}") for sigma, q in levels.items()}
            for space, levels in spaces.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{path}: not as it was written; make it again: ncfl evaluate --experiment {name}") from None
