"""``tools/pretrain pack``, ``train`` and ``bench``: the options, and what they start."""

import argparse
import sys
from pathlib import Path
from typing import Any

RECIPES = ("half", "fast", "published")  # the keys of ncfl.train.recipes.RECIPES, which would import PyTorch


def add(commands: Any) -> None:
    """Add the three subcommands to the parser's."""
    _pack_options(commands.add_parser("pack", help="reduced clips and photographs in one file"))
    _train_options(commands.add_parser("train", help="motion estimation, then two stages"))
    _bench_options(commands.add_parser("bench", help="how long the paper's schedule would take"))


def _pack_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("output", type=Path, metavar="OUT", help="the file, .npz")
    options.add_argument("--clips", type=Path, nargs="+", required=True, help="videos, or folders with pictures below")
    options.add_argument("--hold-out", nargs="+", default=[], metavar="NAME", help="clips to leave out")
    options.add_argument("--licence", required=True, help="of the clips, a line")
    options.add_argument(
        "--width", type=int, nargs="+", default=[568], help="pixels; each clip is reduced to each of them"
    )
    options.add_argument("--quality", type=int, default=95, help="of JPEG, 95 ... 100")
    options.add_argument("--mebibytes", type=int, default=48, help="that the file may have; 48 travel to a GPU")
    options.set_defaults(run=_pack)


def _pack(options: argparse.Namespace) -> None:
    from ncfl.release.pack import write_pack

    manifest = write_pack(
        options.output,
        clips=options.clips,
        hold_out=options.hold_out,
        licence=options.licence,
        widths=options.width,
        quality=options.quality,
        largest=options.mebibytes * 2**20,
    )
    for clip in manifest["clips"]:
        print(f"{clip['name']}: {clip['frames']} frames of {clip['width']}x{clip['height']}, {clip['bytes']} bytes")
    names = ", ".join(entry["name"] for entry in manifest["photographs"])
    print(f"photographs: {names}\n{options.output}: {options.output.stat().st_size} bytes")


def _train_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("--pack", type=Path, required=True, help="what tools/pretrain pack wrote")
    options.add_argument("--recipe", choices=RECIPES, default="half")
    options.add_argument("--output", type=Path, required=True, help="a folder; called again with it, training goes on")
    options.add_argument("--stage-iterations", type=int, nargs=2, metavar=("STAGE1", "STAGE2"))
    options.add_argument("--flow-iterations", type=int)
    options.add_argument("--minutes", type=float, help="plan iterations for this time instead, at the present speed")
    options.add_argument("--threads", type=int, default=1, help="of PyTorch on the CPU")
    options.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options.add_argument("--start", type=Path, metavar="WEIGHTS", help="go on from these: stage 2 alone, own cosine")
    options.add_argument("--memory", action="store_true", help="give the network of --start a memory first")
    options.add_argument("--freeze-motion", action="store_true", help="motion estimation rests; with --start")
    options.add_argument("--learning-rate", type=float, help="in place of the recipe's; with --start, as those below")
    options.add_argument("--precision", choices=("float32", "bfloat16"), help="of the forward pass")
    options.add_argument("--clipped", type=float, help="share of clips whose noise is clipped and rounded to 8 bits")
    options.add_argument("--gray", type=float, help="share of clips made gray, with equal noise in three channels")
    options.add_argument("--cuts", type=float, help="share of clips in which another one goes on somewhere")
    options.add_argument("--camera", type=float, help="share of clips with a camera's noise, compressed")
    options.add_argument("--speeds", type=int, nargs="+", help="frames from one to the next, drawn from these")
    options.add_argument("--flow", type=Path, metavar="SPYNET", help="motion estimation that is pretrained already")
    options.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> None:
    from ncfl.common.errors import InputError
    from ncfl.data.packed import read_pack
    from ncfl.release.training_from_pack import Pretraining
    from ncfl.train.recipes import RECIPES

    recipe, iterations = RECIPES[options.recipe], None
    given = (options.stage_iterations, options.flow_iterations)
    if options.minutes is not None and given != (None, None):
        raise InputError("minutes: expected minutes or iterations, got both")
    if given != (None, None):
        flow, *stages = recipe.iterations
        iterations = (options.flow_iterations or flow, *(options.stage_iterations or stages))
    done = Pretraining(
        recipe=recipe,
        pack=read_pack(options.pack),
        output=options.output,
        iterations=iterations,
        minutes=options.minutes,
        threads=options.threads,
        device=options.device,
        start=options.start,
        motion=options.flow,
        memory=options.memory,
        freeze_motion=options.freeze_motion,
        numbers=_numbers(options),
        say=lambda text: print(text, file=sys.stderr, flush=True),
    ).run()
    print(f"{done}: written")


def _numbers(options: argparse.Namespace) -> dict[str, Any]:
    """Those of the recipe's numbers that options replace."""
    names = ("learning_rate", "precision", "clipped", "gray", "cuts", "speeds", "camera")
    given = {name: getattr(options, name) for name in names}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in given.items() if v is not None}


def _bench_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("--recipe", choices=RECIPES, default="published")
    options.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options.add_argument("--threads", type=int, default=1, help="of PyTorch on the CPU")
    options.add_argument("--seconds", type=float, default=10.0, help="of timing for each figure")
    options.add_argument(
        "--window", type=int, nargs=3, metavar=("BATCH", "FRAMES", "PATCH"), help="to measure with, if not the paper's"
    )
    options.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> None:
    import json

    from ncfl.profile.schedule_time import bench
    from ncfl.train.recipes import RECIPES

    found = bench(
        RECIPES[options.recipe],
        device=options.device,
        threads=options.threads,
        seconds=options.seconds,
        window=None if options.window is None else tuple(options.window),
    )
    print(json.dumps(found, indent=1))
