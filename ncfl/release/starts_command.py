"""``tools/pretrain motion``, ``start`` and ``compared``: what trainings begin from; each command can be resumed."""

import argparse
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def add(commands: Any) -> None:
    """Add the two subcommands to the parser's."""
    motion = commands.add_parser("motion", help="the motion estimation that ships")
    _common(motion, ROOT / "pretrained" / "starts" / "motion-half.safetensors")
    motion.add_argument("--width", type=float, default=0.5, help="times the published channels")
    motion.add_argument(
        "--from",
        dest="begin",
        help="what this command wrote, of this width or half of it, or shipped weights",
    )
    motion.add_argument("--times", type=int, default=1, help="how often as long as usual")
    motion.set_defaults(run=_motion)
    gain = commands.add_parser("warping-gain", help="what warping gains on real clips, by range of motion")
    gain.add_argument("file", type=Path, nargs="+", help="what tools/pretrain motion wrote")
    gain.add_argument("--clips", type=Path, nargs="+", required=True, help="videos, or folders with pictures below")
    gain.add_argument("--width", type=int, default=427, help="pixels that clips are reduced to")
    gain.add_argument("--sigmas", type=float, nargs="+", default=[0.0, 20.0, 50.0])
    gain.add_argument("--step", type=int, default=4, help="every so many pairs of a clip")
    gain.add_argument("--frames", type=int, default=41, help="at most so many of each clip")
    gain.set_defaults(run=_warping_gain)
    start = commands.add_parser("start", help="the start that all variants of the network share")
    _common(start, ROOT / "pretrained" / "starts" / "ncfl-half.safetensors")
    start.add_argument("--from", dest="begin", default="ncfl-half", help="shipped weights of an M_f")
    start.add_argument("--motion", type=Path, required=True, help="the spynet.pt of tools/pretrain motion")
    start.add_argument("--iterations", type=int, default=3000)
    start.set_defaults(run=_start)
    _add_compared(commands)


def _add_compared(commands: Any) -> None:
    one = commands.add_parser("compared", help="the start of a compared method's small form")
    one.add_argument("experiment", help="one of the preset's")
    one.add_argument("--preset", default="demo", help="whose sizes, data and numbers")
    one.add_argument("--output", type=Path, required=True, help="a folder; called again with it, it goes on")
    one.add_argument(
        "--file", type=Path, help="what is written at the end; the experiment's name below pretrained/starts"
    )
    one.add_argument("--iterations", type=int, default=700)
    one.add_argument("--learning-rate", type=float, default=1e-3, help="at first; a cosine to zero")
    one.add_argument("--seed", type=int, default=7, help="of scenes, weights and batches; not the preset's")
    one.add_argument("--threads", type=int, default=1, help="of PyTorch on the CPU")
    one.set_defaults(run=_compared)


def _common(options: argparse.ArgumentParser, file: Path) -> None:
    options.add_argument("--clips", type=Path, nargs="+", required=True, help="videos, or folders with pictures below")
    options.add_argument("--hold-out", nargs="+", default=[], metavar="NAME", help="clips to leave out")
    options.add_argument("--output", type=Path, required=True, help="a folder; called again with it, it goes on")
    options.add_argument("--file", type=Path, default=file, help="what is written at the end")
    options.add_argument("--seed", type=int, default=2022)
    options.add_argument("--threads", type=int, default=1, help="of PyTorch on the CPU")


def _motion(options: argparse.Namespace) -> None:
    import json

    from ncfl.data.packed import read_footage
    from ncfl.release.starts import motion_of, write_motion
    from ncfl.train.motion import from_pack
    from ncfl.train.recipes import SIGMA

    pack = read_footage(options.clips, hold_out=options.hold_out, widths=from_pack.WIDTHS)
    begin = motion_of(options.begin) if options.begin else None
    spynet = from_pack.begun(options.width, options.seed, begin)
    found = from_pack.pretrain(
        from_pack.ALL_RANGES.times(options.times),
        pack=pack,
        output=options.output,
        resume=options.output / "resume",
        spynet=spynet,
        seed=options.seed,
        sigma=SIGMA,
        extra={"seed": options.seed, **pack.manifest},
        machine={"device": "cpu", "threads": options.threads, "checkpoint_seconds": 60.0},
    )
    written = write_motion(options.file, spynet, "SPyNet of four levels, for noise of sigma 0 to 55")
    print(f"{json.dumps(found, indent=1)}\n{options.file}: {written} bytes")


def _warping_gain(options: argparse.Namespace) -> None:
    from ncfl.evaluate.warping_gain import markdown, measure_clips
    from ncfl.release.starts import read_motion

    networks = {file.stem: read_motion(file).eval() for file in options.file}
    found = measure_clips(
        networks, options.clips, width=options.width, sigmas=options.sigmas, step=options.step, frames=options.frames
    )
    print(markdown(found))


def _compared(options: argparse.Namespace) -> None:
    from ncfl.methods.networks import rebuild
    from ncfl.release import small_forms
    from ncfl.release.starts import write_small_form
    from ncfl.weights import checkpoint

    params = small_forms.preset(options.preset)
    trained = small_forms.train(
        params=params,
        name=options.experiment,
        output=options.output,
        iterations=options.iterations,
        learning_rate=options.learning_rate,
        seed=options.seed,
        threads=options.threads,
    )
    model = rebuild(trained.kind, trained.arguments)
    checkpoint.load_weights(model, trained.state, trained.path)
    file = options.file or ROOT / "pretrained" / "starts" / f"{options.experiment}.safetensors"
    about = f"{model.kind}, trained as {options.experiment} of the preset {options.preset}"
    print(f"{file}: {write_small_form(file, model, about)} bytes")


def _start(options: argparse.Namespace) -> None:
    from ncfl.data.packed import read_footage
    from ncfl.release.starts import write_start
    from ncfl.train import supernet
    from ncfl.train.recipes import SIGMA
    from ncfl.weights import checkpoint, shipped

    network = shipped.find(options.begin).load()
    motion = checkpoint.load(options.motion)
    checkpoint.load_weights(network.motion, motion.state, motion.path)
    tensors = supernet.train(
        network=network,
        pack=read_footage(options.clips, hold_out=options.hold_out, widths=(568, 284)),
        output=options.output,
        iterations=options.iterations,
        seed=options.seed,
        sigma=SIGMA,
        threads=options.threads,
    )
    written = write_start(options.file, tensors, network.arguments, "all variants of the network, for sigma 0 to 55")
    print(f"{options.file}: {written} bytes")
