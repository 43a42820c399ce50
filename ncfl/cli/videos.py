"""Restore videos, and handle weights."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ncfl.cli.app import app
from ncfl.common.cores import wait_passively
from ncfl.common.errors import InputError

InputVideo = Annotated[
    str, typer.Argument(metavar="INPUT", help="A video file, a folder of frames, frames/%05d.png, or - (Y4M).")
]
OutputVideo = Annotated[
    str | None,
    typer.Argument(metavar="OUTPUT", help="A video file, a folder for PNG frames, frames/%05d.png, or - (Y4M)."),
]
WeightsName = Annotated[
    str | None, typer.Option(help="Weights by name, or a .safetensors file; `ncfl weights` lists them.")
]
FrameRate = Annotated[
    str | None, typer.Option(help="Frames per second of OUTPUT: 25, 29.97, 30000/1001. Sound is then left out.")
]
CheckpointFile = Annotated[Path | None, typer.Option(help="A trained network: .../stage2/checkpoint.pt")]

Threads = Annotated[
    int | None, typer.Option(help="Processor threads; all physical cores, or OMP_NUM_THREADS, unless given.", min=1)
]
Bands = Annotated[
    str, typer.Option(help="Run NCFL in bands of rows, for less memory: on, off, or auto for large frames.")
]
Precision = Annotated[
    str,
    typer.Option(help="Of NCFL: float32, bfloat16, or auto: bfloat16 on GPUs and processors (AMX) made for it."),
]
Backend = Annotated[str, typer.Option(help="What runs the network: torch, or onnxruntime with `--weights FILE.onnx`.")]


@app.command()
def restore(
    source: InputVideo,
    target: OutputVideo = None,
    weights: WeightsName = None,
    checkpoint: CheckpointFile = None,
    method: Annotated[str | None, typer.Option(help="A compared method instead; `ncfl methods` lists them.")] = None,
    sigma: Annotated[
        float | None, typer.Option(help="Noise level, 0 to 255, for methods that must be told; else estimated.")
    ] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Print the noise level of INPUT; no OUTPUT.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing output.")] = False,
    rate: FrameRate = None,
    allow_gaps: Annotated[
        bool, typer.Option("--allow-gaps", help="Take a folder in which numbers are missing for one clip.")
    ] = False,
    cuts: Annotated[
        bool, typer.Option("--cuts/--no-cuts", help="Forget what was seen where the scene changes, or never.")
    ] = True,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep what is done in OUTPUT.parts until all is; go on from there.")
    ] = False,
    threads: Threads = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    bands: Bands = "auto",
    precision: Precision = "auto",
    backend: Backend = "torch",
) -> None:
    """Restore a video of your own, frame by frame: memory does not grow with its length.

    Sound, frame times, bit depth and colors are those of INPUT as far as OUTPUT's format can hold them.
    """
    wait_passively()
    from ncfl.steps import restoring as steps

    if estimate:
        if target is not None:
            raise InputError(f"restore: expected --estimate or OUTPUT, got both ({target})")
        print(f"{steps.estimate(_place(source)):.1f}")
        return
    if target is None:
        raise InputError("OUTPUT: expected a video file or a folder, got none; name one, or ask for --estimate")
    steps.restore(
        _place(source),
        _place(target),
        weights=weights,
        checkpoint=checkpoint,
        method=method,
        sigma=sigma,
        overwrite=overwrite,
        rate=rate,
        allow_gaps=allow_gaps,
        cuts=cuts,
        resume=resume,
        threads=threads,
        device=device,
        bands=bands,
        precision=precision,
        backend=backend,
    )


def _place(text: str) -> Path:
    """``-`` is standard input or output; ``./-`` is a file that is called so, which a Path alone can't tell apart."""
    path = Path(text)
    return path.absolute() if path == Path("-") and text != "-" else path


@app.command()
def weights(
    as_json: Annotated[bool, typer.Option("--json", help="Print the list on standard output.")] = False,
    speed: Annotated[bool, typer.Option("--speed", help="Measure frames of 960x540 a second, here.")] = False,
    threads: Annotated[int | None, typer.Option(help="Of the processor; PyTorch's choice if not given.")] = None,
) -> None:
    """The weights that come with this program: what for, how good, how fast here, and whether their files are whole."""
    from ncfl.steps.listing_weights import cells, list_weights

    rows = list_weights(speed=speed, threads=threads)
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    from ncfl.common.text import paragraph, table

    about = [paragraph(f"{row['name']}: {row['description']}. Licence: {row['licence']}") for row in rows]
    note = paragraph(
        "PSNR in dB at sigma 30, the mean over the clips that all model cards share, which no training saw."
    )
    print(table([cells(row) for row in rows]), note, *about, sep="\n\n")


@app.command()
def export(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write: NAME.onnx or NAME.pt2.")],
    form: Annotated[str, typer.Option("--format", help="`onnx`, or `torch` for torch.export.")] = "onnx",
    weights: WeightsName = None,
    checkpoint: CheckpointFile = None,
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
