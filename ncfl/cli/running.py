"""The steps of the graph, one by one; `snakemake` or `dvc repro` runs them all."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ncfl.cli.app import PARAMS, DatasetName, ExperimentName, ParamsFile, app, read
from ncfl.common.errors import InputError


@app.command()
def fetch(
    dataset: DatasetName,
    given: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Your archives of the dataset, or a folder of its files. They are linked, not copied."
        ),
    ] = None,
    config: ParamsFile = PARAMS,
) -> None:
    """Download and unpack a dataset, or list the files that are here, and record their checksums."""
    from ncfl.steps import data as steps

    steps.fetch(read(config), dataset, given)


@app.command()
def prepare(dataset: DatasetName, config: ParamsFile = PARAMS) -> None:
    """Turn a fetched dataset into the clip store that trainings and evaluations read."""
    from ncfl.steps import data as steps

    steps.prepare(read(config), dataset)


@app.command("pretrain-flow")
def pretrain_flow(config: ParamsFile = PARAMS) -> None:
    """Pretrain motion estimation on rendered scenes, whose motion is known exactly."""
    from ncfl.steps import training as steps

    steps.pretrain_flow(read(config))


@app.command()
def train(
    experiment: ExperimentName,
    stage: Annotated[
        int, typer.Option(min=1, max=2, help="Stage 1 minimizes L2 + lambda * L_CE; stage 2 minimizes L2 alone.")
    ],
    config: ParamsFile = PARAMS,
) -> None:
    """Train one stage of an experiment. A killed training goes on where it was. Compared methods have one stage."""
    params = read(config)
    if experiment in params.all_compared:
        from ncfl.steps.comparing import train_compared

        if stage != 1:
            raise InputError(f"--stage: expected 1 ({experiment} is a compared method: one stage), got {stage}")
        train_compared(params, experiment)
        return
    from ncfl.steps import training as steps

    steps.train(params, experiment, stage)


@app.command()
def evaluate(experiment: ExperimentName, config: ParamsFile = PARAMS) -> None:
    """Measure PSNR and SSIM of an experiment on its datasets, at all of their noise levels."""
    from ncfl.steps import evaluation as steps

    steps.evaluate(read(config), experiment)


@app.command()
def complexity(
    as_json: Annotated[bool, typer.Option("--json", help="Print the list on standard output.")] = False,
    config: ParamsFile = PARAMS,
) -> None:
    """Count parameters and GFLOPs of all networks at their published sizes, as the paper does."""
    from ncfl.steps.complexity import complexity as count

    rows = count(read(config))
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    from tabulate import tabulate

    for row in rows:
        paper = row["paper_gflops"]
        row["deviation"] = None if paper is None else f"{100 * (row['gflops'] / paper - 1):+.2f} %"
    print(tabulate(rows, headers="keys", floatfmt=".1f", intfmt=",", missingval="-", colalign=("left", *["right"] * 4)))
    print("\nWhat the paper counts for BasicVSR and BasicVSR++ is not known: docs/methods.md")


@app.command()
def tables(config: ParamsFile = PARAMS) -> None:
    """Write the paper's tables, with the published values beside the measured ones."""
    from ncfl.steps import reporting as steps

    steps.tables(read(config), config)


@app.command()
def figures(
    sequence: Annotated[str | None, typer.Option(help="Draw a frame of this sequence instead.")] = None,
    frame: Annotated[int, typer.Option(min=0, help="Which frame of it, from 0.")] = 0,
    dataset: Annotated[str, typer.Option(help="The dataset that has it.")] = "set8",
    sigma: Annotated[float, typer.Option(min=0, max=255, help="The noise that is added to it.")] = 50,
    crop: Annotated[str, typer.Option(help="What is enlarged: left,top,width,height in pixels.")] = "",
    methods: Annotated[str, typer.Option(help="Methods or experiments, with commas between.")] = "",
    output: Annotated[Path | None, typer.Option(help="The PNG; a PDF is written beside it.")] = None,
    config: ParamsFile = PARAMS,
) -> None:
    """Draw the paper's figures from the measured values; with --sequence one frame, restored by any methods."""
    if sequence is None:
        from ncfl.steps import reporting as steps

        steps.figures(read(config), config)
        return
    from ncfl.steps.picturing import picture

    names = [name.strip() for name in methods.split(",") if name.strip()]
    asked = {"dataset": dataset, "sequence": sequence, "frame": frame, "sigma": sigma, "output": output}
    print(picture(read(config), methods=names, crop=_crop(crop), **asked))


def _crop(text: str) -> tuple[int, int, int, int] | None:
    parts = text.split(",")
    if not text:
        return None
    if len(parts) != 4 or not all(part.strip().isdecimal() for part in parts):
        raise InputError(f"--crop: expected left,top,width,height in whole pixels, got {text!r:.80}")
    left, top, width, height = map(int, parts)
    return left, top, width, height


@app.command()
def report(config: ParamsFile = PARAMS) -> None:
    """Write the report, one HTML page with all tables, figures and runs."""
    from ncfl.steps import reporting as steps

    steps.report(read(config), config)
