"""Look at results, check them and measure speed."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ncfl.cli.app import PARAMS, ParamsFile, app, read
from ncfl.common.console import say


@app.command()
def summary(config: ParamsFile = PARAMS) -> None:
    """What the results are, where they lie and what to look at next."""
    from ncfl.steps.checking import summarize

    print(summarize(read(config)))


@app.command()
def status(config: ParamsFile = PARAMS) -> None:
    """What is done of each experiment, what is stale and why."""
    from ncfl.steps.verifying import status as describe

    print(describe(read(config)))


@app.command()
def verify(
    deep: Annotated[bool, typer.Option("--deep", help="Read every file anew, whatever is known of it.")] = False,
    tell_dvc: Annotated[bool, typer.Option("--tell-dvc", help="Where all is well, commit it to DVC.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say what is wrong, and nothing else.")] = False,
    config: ParamsFile = PARAMS,
) -> None:
    """Walk from the tables back to the data: is every file what its step made, of inputs that are still the same?"""
    from ncfl.steps.verifying import verify as walk

    walk(read(config), deep=deep, tell_dvc=tell_dvc, quiet=quiet)


@app.command("mlflow-sync")
def mlflow_sync(
    follow: Annotated[bool, typer.Option("--follow", help="Again every few seconds, until interrupted.")] = False,
) -> None:
    """Bring runs to MLflow that wait in results/mlflow/spool: steps under NCFL_DEFER_MLFLOW=1 leave them there."""
    from ncfl.config import layout
    from ncfl.tracking.browsing import address
    from ncfl.tracking.ingest import sync

    if elsewhere := os.environ.get("MLFLOW_TRACKING_URI"):
        say(f"note: MLFLOW_TRACKING_URI ({elsewhere}) is not used: the project keeps its runs in {layout.MLFLOW}")
    sync(follow=follow)
    database = layout.MLFLOW / "mlflow.db"
    if not follow and database.exists() and (page := address(database)):
        print(f"`make mlflow`, then: {page}")


@app.command()
def bench(
    method: Annotated[
        list[str] | None,
        typer.Option("--method", metavar="NAME", help="ncfl or a compared method, again for more; else all."),
    ] = None,
    height: Annotated[int, typer.Option(help="Pixels.")] = 540,
    width: Annotated[int, typer.Option(help="Pixels.")] = 960,
    threads: Annotated[int | None, typer.Option(help="Of the processor; PyTorch's choice if not given.")] = None,
    repeats: Annotated[int, typer.Option(help="The fastest counts; 0: memory and GFLOPs alone.")] = 3,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    channels_last: Annotated[bool, typer.Option(help="Order of the feature maps in memory.")] = True,
    file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there too.")] = None,
) -> None:
    """Time and memory of learned methods at their published sizes, and of their bare layers on this machine."""
    from tabulate import tabulate

    from ncfl.common.files import write_json
    from ncfl.steps.benching import COLUMNS, cells
    from ncfl.steps.benching import bench as measure
    from ncfl.tracking import provenance

    settings = {"height": height, "width": width, "threads": threads, "repeats": repeats, "device": device,
                "channels_last": channels_last}  # fmt: skip
    rows = []
    for row in measure(methods=method or (), **settings):
        rows.append(row)
        if file:
            about = {"machine": provenance.machine(), "versions": provenance.versions(), **settings}
            write_json(file, {**about, "methods": rows})
    aligned = ("left", *["right"] * (len(COLUMNS) - 2), "left")
    texts = [cells(row) for row in rows]  # with all their digits: 1.90 is not to become 1.9
    print(tabulate(texts, headers=COLUMNS, missingval="-", disable_numparse=True, colalign=aligned))
