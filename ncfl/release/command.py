"""The command line of ``tools/pretrain``. Each subcommand imports what it needs: training needs the core only."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from ncfl.common.errors import InputError, StepError
from ncfl.release import starts_command, training_command

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; bad input is one line on standard error and exit code 2."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser().parse_args(given)
    try:
        options.run(options)
    except InputError as error:
        print(f"pretrain: {error}", file=sys.stderr)
        return 2
    except (StepError, FloatingPointError) as error:
        print(f"pretrain: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """All subcommands and their options."""
    top = argparse.ArgumentParser(
        prog="tools/pretrain", description="How the weights that come with the program are made."
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    training_command.add(commands)
    starts_command.add(commands)
    _export_options(commands.add_parser("export", help="a shipped file from a checkpoint"))
    _card_options(commands.add_parser("card", help="measure a shipped file, write its model card"))
    return top


def _export_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("checkpoint", type=Path)
    options.add_argument("name", help="how --weights will call it")
    options.add_argument("--description", required=True, help="what it is and what it was trained on, a line")
    options.add_argument("--licence", required=True, help="of the weights")
    options.add_argument("--sigma", type=float, nargs=2, required=True, metavar=("LEAST", "GREATEST"))
    options.add_argument("--gray-from", type=float, help="noise level from which on gray frames need no colored noise")
    options.add_argument("--whiteness-below", type=float, help="taken for noise that is less white than that")
    options.add_argument("--default", action="store_true", help="taken where no weights are named")
    options.add_argument("--folder", type=Path, default=ROOT / "pretrained")
    options.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> None:
    from ncfl.release.export import export

    sigma = [int(level) if level == int(level) else level for level in options.sigma]
    done = export(
        checkpoint=options.checkpoint,
        name=options.name,
        folder=options.folder,
        description=options.description,
        licence=options.licence,
        sigma=sigma,
        gray_from=options.gray_from,
        whiteness_below=options.whiteness_below,
        default=options.default,
    )
    print(
        f"{done.path}: {done.bytes} bytes, {done.parameters} parameters; rounding changes an output by at most "
        f"{done.rounding:.3g} (of 1) on a random clip"
    )


def _card_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("name", help="of the index, or a .safetensors file beside one")
    options.add_argument("--run", dest="background", type=Path, help="the working folder of its training")
    options.add_argument("--experiment", help="which, where that folder has several")
    options.add_argument("--clip", type=Path, nargs="+", required=True, help="videos or folders of pictures")
    options.add_argument("--frames", type=int, default=24, help="at most so many of each clip")
    options.add_argument("--sigmas", type=float, nargs="+", default=[10.0, 20.0, 30.0, 40.0, 50.0])
    options.add_argument(
        "--kinds", nargs="*", default=["clipped", "gray"], metavar="KIND", help="of noise beside the unclipped"
    )
    options.add_argument("--no-nlm", action="store_true", help="without non-local means, the slowest")
    options.add_argument("--seed", type=int, default=2022, help="of the noise")
    options.add_argument("--threads", type=int, default=0, help="of PyTorch and OpenCV; 0: their own choice")
    options.add_argument("--hours", type=float, help="of the training, where its records do not say")
    options.add_argument("--device", help="of the training, where its records do not say")
    options.add_argument("--cache", type=Path, help="figures measured so far; default: results/pretrained/NAME.json")
    options.add_argument("--images", type=Path, default=ROOT / "docs" / "images", help="where the curve goes")
    options.set_defaults(run=_card)


def _card(options: argparse.Namespace) -> None:
    import cv2
    import torch

    from ncfl.common.files import atomic_path, write_json
    from ncfl.evaluate import quality as measuring
    from ncfl.release import background, card, curve
    from ncfl.tracking import provenance
    from ncfl.weights import shipped as pretrained

    if options.threads:
        torch.set_num_threads(options.threads)
        cv2.setNumThreads(options.threads)
    weights = pretrained.find(options.name)
    trained = background.read_background(options.background, options.experiment) if options.background else None
    measured = measuring.measure(
        weights=weights,
        clips=options.clip,
        sigmas=options.sigmas,
        frames=options.frames,
        seed=options.seed,
        cache=options.cache or ROOT / "results" / "pretrained" / f"{weights.name}.json",
        with_nlm=not options.no_nlm,
        kinds=options.kinds,
        say=lambda text: print(text, file=sys.stderr, flush=True),
    )
    facts = card.figures(
        weights=weights,
        background=trained,
        measured=measured,
        command=_command(options),
        commit=provenance.commit(),
        seed=options.seed,
        hours=options.hours,
        device=options.device,
    )
    folder, picture = weights.path.parent, options.images / f"{weights.name}-curve.png"
    drawn = trained is not None and curve.draw_curve(trained, picture)
    write_json(folder / f"{weights.name}.json", facts)
    shown = Path(os.path.relpath(picture, folder)).as_posix() if drawn else None
    with atomic_path(folder / f"{weights.name}.md") as temporary:
        temporary.write_text(card.markdown(facts, shown), encoding="utf-8")
    print(f"{folder / weights.name}.md: written")


def _command(options: argparse.Namespace) -> str:
    """The command that measured, without the folders of this machine."""
    words = ["tools/pretrain", "card", Path(options.name).name]
    if options.background:
        words += ["--run", "RUN"]
    words += ["--clip", *(f"CLIPS/{Path(clip).name}" for clip in options.clip)]
    words += ["--frames", str(options.frames), "--sigmas", *(f"{sigma:g}" for sigma in options.sigmas)]
    words += ["--kinds", *options.kinds] if options.kinds != ["clipped", "gray"] else []
    words += ["--seed", str(options.seed)] + (["--no-nlm"] if options.no_nlm else [])
    return shlex.join(words)
