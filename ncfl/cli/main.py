"""The command line: thin, and quick to start, because every verb imports what it needs when it runs."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ncfl.common.console import say
from ncfl.common.errors import InputError, StepError

app = typer.Typer(
    help="Neural Compression-Based Feature Learning for Video Restoration (CVPR 2022), reproduced as one pipeline.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)

DatasetName = Annotated[str, typer.Option("--dataset", help="A dataset of params.yaml.")]
ExperimentName = Annotated[str, typer.Option("--experiment", help="An experiment of params.yaml.")]


def _params():
    from ncfl.config.params import load

    return load(Path("params.yaml"))


@app.command()
def fetch(
    dataset: DatasetName,
    given: Annotated[
        Path | None,
        typer.Option("--from", help="Archives of it, or a folder of its files, that you have: linked, not copied."),
    ] = None,
) -> None:
    """Bring a dataset's files: download and unpack, or list what is here. Takes their checksums."""
    from ncfl.steps import data as steps

    steps.fetch(_params(), dataset, given)


@app.command()
def prepare(dataset: DatasetName) -> None:
    """Make the clip store of a dataset."""
    from ncfl.steps import data as steps

    steps.prepare(_params(), dataset)


@app.command("pretrain-flow")
def pretrain_flow() -> None:
    """Pretrain motion estimation on synthetic motion with exact flow."""
    from ncfl.steps import training as steps

    steps.pretrain_flow(_params())


@app.command()
def train(
    experiment: ExperimentName,
    stage: Annotated[int, typer.Option(min=1, max=2, help="1: L2 + lambda * L_CE; 2: L2 alone.")],
) -> None:
    """Train one stage of an experiment; a killed training goes on where it was. Compared methods have one stage."""
    params = _params()
    if experiment in params.all_compared:
        from ncfl.steps.comparing import train_compared

        if stage != 1:
            raise InputError(f"--stage: found {stage}, allowed: 1 ({experiment} is a compared method: one stage)")
        train_compared(params, experiment)
        return
    from ncfl.steps import training as steps

    steps.train(params, experiment, stage)


@app.command()
def evaluate(experiment: ExperimentName) -> None:
    """Measure PSNR and SSIM of an experiment on its datasets, all noise levels in one go."""
    from ncfl.steps import evaluation as steps

    steps.evaluate(_params(), experiment)


@app.command()
def complexity(
    as_json: Annotated[bool, typer.Option("--json", help="Print the list on standard output.")] = False,
) -> None:
    """Parameters and GFLOPs of all networks at their published sizes, counted the paper's way."""
    from ncfl.steps.complexity import complexity as count

    rows = count(_params())
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


@app.command()
def tables() -> None:
    """Write the paper's tables, published figures beside measured ones."""
    from ncfl.steps import reporting as steps

    steps.tables(_params())


@app.command()
def figures() -> None:
    """Draw the figures."""
    from ncfl.steps import reporting as steps

    steps.figures(_params())


@app.command()
def report() -> None:
    """Write the report page."""
    from ncfl.steps import reporting as steps

    steps.report(_params())


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A video file, or a folder of frames.")],
    target: Annotated[
        Path | None, typer.Argument(metavar="OUTPUT", help="A video file, or a folder for PNG frames.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Weights by name, or a .safetensors file; `ncfl weights` lists them.")
    ] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="A trained network: .../stage2/checkpoint.pt")] = None,
    method: Annotated[str | None, typer.Option(help="A compared method instead; `ncfl methods` lists them.")] = None,
    sigma: Annotated[
        float | None, typer.Option(help="Noise level, 0 to 255, for methods that must be told; else estimated.")
    ] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Print the noise level of INPUT; no OUTPUT.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing output.")] = False,
    rate: Annotated[
        str | None, typer.Option(help="Frames per second of OUTPUT: 25, 29.97, 30000/1001. Sound is then left out.")
    ] = None,
    allow_gaps: Annotated[
        bool, typer.Option("--allow-gaps", help="Take a folder in which numbers are missing for one clip.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    backend: Annotated[
        str, typer.Option(help="What runs the network: torch, or onnxruntime with `--weights FILE.onnx`.")
    ] = "torch",
) -> None:
    """Restore a video of your own, frame by frame: memory does not grow with its length.

    Sound, frame times, bit depth and colors are those of INPUT as far as OUTPUT's format can hold them.
    """
    from ncfl.steps import restoring as steps

    if estimate:
        if target is not None:
            raise InputError(f"restore: found --estimate and OUTPUT {target}, allowed: one of them")
        print(f"{steps.estimate(source):.1f}")
        return
    if target is None:
        raise InputError("restore: OUTPUT is missing; name a video file or a folder, or ask for --estimate")
    steps.restore(
        source,
        target,
        weights=weights,
        checkpoint=checkpoint,
        method=method,
        sigma=sigma,
        overwrite=overwrite,
        rate=rate,
        allow_gaps=allow_gaps,
        device=device,
        backend=backend,
    )


@app.command()
def weights(
    as_json: Annotated[bool, typer.Option("--json", help="Print the list on standard output.")] = False,
) -> None:
    """The weights that come with this program, and whether their files are whole."""
    from ncfl.steps.restoring import list_weights

    rows = list_weights()
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    from tabulate import tabulate

    print(tabulate(rows, headers="keys", intfmt=","))


@app.command()
def export(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write: NAME.onnx or NAME.pt2.")],
    form: Annotated[str, typer.Option("--format", help="`onnx`, or `torch` for torch.export.")] = "onnx",
    weights: Annotated[str | None, typer.Option(help="Weights by name, or a .safetensors file.")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="A trained network: .../stage2/checkpoint.pt")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
) -> None:
    """Write a network's recurrent step, (frame, state) to (frame, state), for ONNX Runtime and other programs."""
    from ncfl.steps.exporting import export as write

    write(target, form=form, weights=weights, checkpoint=checkpoint, overwrite=overwrite)


@app.command("import-weights")
def import_weights(
    method: Annotated[str, typer.Argument(help="A compared method; `ncfl methods` lists them.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Its official file, or files.")],
) -> None:
    """Take official weights of a compared method: matched strictly, kept as safetensors in data/weights/."""
    from ncfl.steps.importing import import_weights as take

    take(method, files)


@app.command()
def check() -> None:
    """Validate params.yaml, and say what would run."""
    from ncfl.steps.checking import describe

    print(describe(_params()))


@app.command()
def summary() -> None:
    """What the results are, where they lie and what to look at next."""
    from ncfl.steps.checking import summarize

    print(summarize(_params()))


@app.command()
def datasets() -> None:
    """The datasets of params.yaml: where they come from, and whether they are fetched and prepared."""
    from ncfl.steps.checking import list_datasets

    print(list_datasets(_params()))


@app.command()
def methods() -> None:
    """The methods that run here: what each needs, and whether it is trained."""
    from ncfl.steps.checking import list_methods

    print(list_methods(_params()))


@app.command()
def verify(
    deep: Annotated[bool, typer.Option("--deep", help="Read every file anew, whatever is known of it.")] = False,
    tell_dvc: Annotated[bool, typer.Option("--tell-dvc", help="Where all is well, commit it to DVC.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say what is wrong, and nothing else.")] = False,
) -> None:
    """Walk from the tables back to the data: is every file what its step made, of inputs that are still the same?"""
    from ncfl.steps.verifying import verify as walk

    walk(_params(), deep=deep, tell_dvc=tell_dvc, quiet=quiet)


@app.command()
def status() -> None:
    """What is done of each experiment, what is stale and why."""
    from ncfl.steps.verifying import status as describe

    print(describe(_params()))


@app.command("mlflow-sync")
def mlflow_sync(
    follow: Annotated[bool, typer.Option("--follow", help="Again every few seconds, until interrupted.")] = False,
) -> None:
    """Bring runs to MLflow that wait in results/mlflow/spool: steps under NCFL_DEFER_MLFLOW=1 leave them there."""
    from ncfl.tracking.ingest import sync

    sync(follow=follow)


@app.command()
def schema() -> None:
    """Print the JSON schema of params.yaml, as YAML."""
    import yaml

    from ncfl.config.params import schema as describe

    print(yaml.safe_dump(describe(), sort_keys=False, allow_unicode=True, width=110), end="")


def main() -> None:
    """Run the command line; bad input is one line on standard error and exit code 2."""
    try:
        app()
    except InputError as error:
        say(f"ncfl: {error}")
        sys.exit(2)
    except (StepError, FloatingPointError) as error:
        say(f"ncfl: {error}")
        sys.exit(1)
    except BrokenPipeError:  # `ncfl ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
