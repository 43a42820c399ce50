"""Look at results, check them and measure speed."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ncfl.cli.app import PARAMS, ParamsFile, app, read
from ncfl.common.console import say


@app.command()
def summary(config: ParamsFile = PARAMS) -> None:
    """Say what the results are, where they are stored and what to look at next."""
    from ncfl.steps.checking import summarize

    print(summarize(read(config)))


@app.command()
def status(config: ParamsFile = PARAMS) -> None:
    """Say for each experiment which steps are done, which are stale, and why."""
    from ncfl.steps.verifying import status as describe

    print(describe(read(config)))


@app.command()
def verify(
    deep: Annotated[bool, typer.Option("--deep", help="Read every file again, even if it seems unchanged.")] = False,
    tell_dvc: Annotated[
        bool, typer.Option("--tell-dvc", help="Commit the results to DVC if all of them are as recorded.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only what is wrong.")] = False,
    of_table: Annotated[
        str, typer.Option("--table", metavar="N", help="Walk back from each number of a table: 1 to 5, or its name.")
    ] = "",
    config: ParamsFile = PARAMS,
) -> None:
    """Check, from the tables back to the data, that every file is what its step made and its inputs are unchanged."""
    from ncfl.steps.verifying import verify as walk

    walk(read(config), deep=deep, tell_dvc=tell_dvc, quiet=quiet, of_table=of_table)


@app.command("mlflow-sync")
def mlflow_sync(
    follow: Annotated[bool, typer.Option("--follow", help="Repeat this every few seconds until interrupted.")] = False,
) -> None:
    """Bring the runs in results/mlflow/spool to MLflow: the project's, or the server that MLFLOW_TRACKING_URI names."""
    from ncfl.config import layout
    from ncfl.tracking import places
    from ncfl.tracking.browsing import address
    from ncfl.tracking.ingest import sync

    elsewhere, server = os.environ.get("MLFLOW_TRACKING_URI"), places.server()
    if elsewhere and not server:
        say(
            f"note: MLFLOW_TRACKING_URI ({places.shown(elsewhere)}) is not used, since it is no server (http://, "
            f"https://): the project keeps its runs in {layout.MLFLOW}"
        )
    ended = sync(follow=follow)
    if server:
        print(f"{ended} runs brought to {places.shown(server)}")
    elif not follow and places.database().exists() and (page := address(places.database())):
        print(f"`make mlflow`, then: {page}")


@app.command()
def bench(
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            metavar="NAME",
            help="ncfl or a compared method. May be given several times. All methods if not given.",
        ),
    ] = None,
    height: Annotated[int, typer.Option(help="The height of the frames in pixels.")] = 540,
    width: Annotated[int, typer.Option(help="The width of the frames in pixels.")] = 960,
    threads: Annotated[
        int | None, typer.Option(help="The number of processor threads. PyTorch chooses if it is not given.")
    ] = None,
    repeats: Annotated[
        int, typer.Option(help="How often each is timed; the fastest counts. 0 measures memory and GFLOPs alone.")
    ] = 3,
    device: Annotated[str, typer.Option(help="The device to run on: auto, cpu or cuda.")] = "auto",
    channels_last: Annotated[
        bool, typer.Option(help="Whether feature maps are stored with their channels last.")
    ] = True,
    file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="A JSON file to write the measured values to.")
    ] = None,
) -> None:
    """Measure time and memory of learned methods at published sizes, and of their bare layers, on this machine."""
    from tabulate import tabulate

    from ncfl.common.files import write_json
    from ncfl.steps.benching import COLUMNS, cells
    from ncfl.steps.benching import bench as measure
    from ncfl.tracking import provenance

    settings = {
        "height": height,
        "width": width,
        "threads": threads,
        "repeats": repeats,
        "device": device,
        "channels_last": channels_last,
    }
    rows = []
    for row in measure(methods=method or (), **settings):
        rows.append(row)
        if file:
            about = {"machine": provenance.machine(), "versions": provenance.versions(), **settings}
            write_json(file, {**about, "methods": rows})
    aligned = ("left", *["right"] * (len(COLUMNS) - 2), "left")
    texts = [cells(row) for row in rows]  # with all their digits: 1.90 is not to become 1.9
    print(tabulate(texts, headers=COLUMNS, missingval="-", disable_numparse=True, colalign=aligned))
