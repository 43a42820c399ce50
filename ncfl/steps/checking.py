"""``ncfl check``, ``ncfl datasets``, ``ncfl methods``, ``ncfl summary``: what there is, and in which state."""

from pathlib import Path
from typing import Any

from ncfl import layout
from ncfl.files import read_json
from ncfl.params import Baseline, ClipsData, Params
from ncfl.steps.common import data_label


def _table(rows: list[dict[str, Any]]) -> str:
    from tabulate import tabulate

    return tabulate(rows, headers="keys", tablefmt="simple", disable_numparse=True)


def describe(params: Params) -> str:
    """What would run: the preset, the steps and how long the trainings are, a line each."""
    iterations = 0
    for experiment in params.trained.values():
        schedule = params.schedules[experiment.dataset]
        iterations += schedule.stage1 + schedule.stage2
    steps = 2 * len(params.datasets) + 1 + 2 * len(params.trained) + len(params.evaluated) + 4
    batch = params.training.batch * params.training.frames
    lines = [
        f"params.yaml is valid: preset {params.preset}, seed {params.seed}",
        f"data: {data_label(params, *params.datasets)}",
        f"trainings: {len(params.trained)} of two stages, {iterations} iterations of {batch} frames in all; before "
        f"them {'none: weights given' if params.motion.weights else params.motion.iterations} of motion estimation",
        f"evaluations: {len(params.evaluated)}, {len(params.baselines)} of them of methods without training",
        f"graph: {steps} steps; `snakemake` or `dvc repro` runs those that are due (`snakemake -n` lists them)",
    ]
    return "\n".join(lines)


def list_datasets(params: Params) -> str:
    """A row per dataset: source, whether it is a stand-in, whether it is fetched and prepared."""
    rows = []
    for name, data in params.datasets.items():
        clips = _of_source(layout.prepared(name) / "manifest.json", data.source).get("clips", [])
        rows.append(
            {
                "dataset": name,
                "source": f"{data.source}: {data.root}" if isinstance(data, ClipsData) else data.source,
                "stand-in": "yes" if data.stand_in else "no",
                "fetched": "yes" if _of_source(layout.raw(name) / "index.json", data.source) else "no",
                "prepared": f"{len(clips)} clips, {sum(c['frames'] for c in clips)} frames" if clips else "no",
            }
        )
    return _table(rows)


def _of_source(path: Path, source: str) -> dict[str, Any]:
    """What a record says, if it is there and is that of the source that params.yaml names now."""
    record = read_json(path) if path.exists() else {}
    return record if record.get("source") == source else {}


def list_methods(params: Params) -> str:
    """A row per experiment: its method, what trains it, what it is measured on, whether it is there."""
    rows = []
    for name, experiment in params.evaluated.items():
        classical = isinstance(experiment, Baseline)
        trained = [n for n in (1, 2) if (layout.stage(name, n) / "checkpoint.pt").exists()]
        rows.append(
            {
                "experiment": name,
                "method": experiment.method if classical else experiment.train.variant,
                "trained on": "nothing" if classical else data_label(params, experiment.dataset),
                "trained": "-" if classical else ("yes" if 2 in trained else f"{len(trained)} of 2 stages"),
                "measured on": ", ".join(
                    f"{d} ({', '.join(f'{s:g}' for s in spec.sigma)})" for d, spec in experiment.evaluate.items()
                ),
                "measured": "yes" if (layout.evaluation(name) / "summary.json").exists() else "no",
            }
        )
    return f"{_table(rows)}\n\nCompared methods for `ncfl restore --method`:\n\n{_table(_compared_methods())}"


def _compared_methods() -> list[dict[str, Any]]:
    """A row per method that restores without training here: classical, or with official weights."""
    from ncfl.methods import BASELINES
    from ncfl.methods.official import OFFICIAL

    rows = [
        {"method": name, "needs": "nothing", "weights here": "-", "licence of the weights": "-"} for name in BASELINES
    ]
    for name, spec in OFFICIAL.items():
        needs = f"{' and '.join(spec.files)} ({spec.source})"
        kept = "yes" if layout.weights(name).exists() else "no"
        use = "" if spec.method else "; no restoring by itself"
        rows.append(
            {"method": name, "needs": needs, "weights here": kept, "licence of the weights": spec.licence + use}
        )
    return rows


def summarize(params: Params) -> str:
    """What the results are, where they lie and what to look at next; for the end of ``make results``."""
    evaluated = layout.evaluation("ncfl-davis") / "summary.json"
    lines = [f"Results of preset {params.preset} ({data_label(params, *params.datasets)})"]
    if evaluated.exists():
        lines += ["", *_denoising(params)]
    lines += _paired(params)
    lines += [
        "",
        f"  tables   {layout.TABLES}/  table1 ... table5, section43, datasets: csv, md, tex; published and measured",
        f"  report   {layout.REPORT}/index.html  everything on one page",
        f"  figures  {layout.FIGURES}/",
        f"  weights  {layout.EXPERIMENTS}/<experiment>/stage2/checkpoint.pt",
        "",
        "Next:",
        "  make mlflow                                  browse every run, its curves and its environment",
        f"  ncfl restore IN.mp4 OUT.mp4 --checkpoint {layout.checkpoint('ncfl-davis')}",
        "                                               a video of your own (after `source .venv/bin/activate`)",
        "  edit params.yaml, then `make results`        only what the change touches runs again",
    ]
    if any(data.stand_in for data in params.datasets.values()):
        lines.insert(1, "measured on stand-ins: no figure below is one on the paper's data")
    return "\n".join(lines)


def _denoising(params: Params) -> list[str]:
    """PSNR on the test set, a line per method: the first figures that a reader wants."""
    names = [name for name in ("noisy", "median-3x3", "median-5x5", "ncfl-davis") if name in params.evaluated]
    rows = []
    for name in names:
        path = layout.evaluation(name) / "summary.json"
        found = read_json(path)["datasets"].get("set8") if path.exists() else None
        if found:
            rows.append({"PSNR (dB), set8": name, **{f"σ {s}": f"{q['psnr']:.2f}" for s, q in found["sigma"].items()}})
    return ["  " + line for line in _table(rows).splitlines()] if rows else []


def _paired(params: Params) -> list[str]:
    """What NCFL gains on datasets that bring their degradation along."""
    rows = []
    for name, experiment in params.experiments.items():
        path = layout.evaluation(name) / "summary.json"
        if name != f"ncfl-{experiment.dataset}" or experiment.train.sigma is not None or not path.exists():
            continue
        found = read_json(path)["datasets"].get(experiment.dataset)
        if not found or "0" not in found["sigma"]:
            continue
        for space, levels in {found["space"]: found["sigma"], **found.get("spaces", {})}.items():
            quality = levels["0"]
            rows.append({"PSNR (dB)": f"{experiment.dataset}, {space}", "input": f"{quality['input_psnr']:.2f}",
                         "NCFL": f"{quality['psnr']:.2f}"})  # fmt: skip
    return ["", *("  " + line for line in _table(rows).splitlines())] if rows else []
