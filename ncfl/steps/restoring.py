"""``ncfl restore`` and ``ncfl weights``: they read no params.yaml, since they serve people with a video."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ncfl.common.console import say
from ncfl.common.cores import physical_cores
from ncfl.common.errors import InputError
from ncfl.common.signals import ending_tidily
from ncfl.config import layout
from ncfl.media.standard import is_standard

if TYPE_CHECKING:
    import torch

    from ncfl.methods.interface import Method
    from ncfl.restoring.streaming import Restored

_WORTH_KEEPING = 60  # seconds


def restore(
    source: Path,
    target: Path,
    *,
    weights: str | None = None,
    checkpoint: Path | None = None,
    method: str | None = None,
    sigma: float | None = None,
    overwrite: bool = False,
    rate: str | None = None,
    allow_gaps: bool = False,
    cuts: bool = True,
    resume: bool = False,
    threads: int | None = None,
    device: str = "auto",
    bands: str = "auto",
    precision: str = "auto",
    backend: str = "torch",
) -> dict[str, Any]:
    """Restore a video file or a folder of frames, with one of the following; the default weights without any.

    Args:
        source: the video; ``-`` for Y4M on standard input.
        target: where its restoration goes; ``-`` for Y4M on standard output.
        weights: the name of shipped weights, or a file of one's own (:func:`ncfl.weights.shipped.find`); or
        checkpoint: a network that was trained here, NCFL or a compared method; or
        method: a compared method: one without training, or one whose official weights were imported.
        sigma: the noise level in 0..255, for methods that must be told it; estimated for them where it is None.
        overwrite: whether an existing output may be replaced.
        rate: frames per second of the output, such as "24", "29.97" or "30000/1001"; its own where it is None.
        allow_gaps: whether numbers may be missing between the pictures of a folder.
        cuts: whether what is remembered ends where the scene changes.
        resume: whether what is done is kept in ``OUTPUT.parts`` when this ends too soon, and gone on from.
        threads: of the processor; its physical cores where it is None, or OMP_NUM_THREADS where that is set.
        device: auto, cpu or cuda.
        bands: whether NCFL runs in bands of rows, which take less memory: on, off, or auto for large frames.
        precision: of NCFL: float32, bfloat16, or auto (:func:`ncfl.methods.precision.chosen`).
        backend: ``torch``, or ``onnxruntime`` for weights that ``ncfl export`` wrote (a ``.onnx`` file).

    Returns:
        The summary of :func:`ncfl.restoring.streaming.restore`.

    Raises:
        InputError: an unreadable input, weights or checkpoint, an output that exists or would overwrite the input,
            an unknown method, weights that are not here, several of weights, checkpoint and method.
    """
    from ncfl.common.device import pick_device
    from ncfl.restoring.streaming import restore as run

    place = pick_device(device)
    asked = None if rate is None else frame_rate(rate)
    _use(threads)
    chosen = _exported(weights, backend, threads) or choose(weights, checkpoint, method, place, source, tell=say)
    _set(chosen, bands, precision, place)
    told = {"method": chosen, "sigma": _level(chosen, sigma, source), "device": place, "rate": asked}
    how = {"overwrite": overwrite, "allow_gaps": allow_gaps, "cuts": cuts, "resume": resume}
    with ending_tidily(), _saying_what_is_kept(target, resume):
        summary = run(source, target, **told, **how)
    _tell(summary, target)
    return summary


def _tell(summary: "Restored", target: Path) -> None:
    for note in summary["notes"]:
        say(f"note: {note}")
    where = "standard output" if is_standard(target) else target
    size, speed = f"{summary['width']} x {summary['height']}", f"{summary['frames_per_second']:.2f} frames/s"
    say(f"{where}: {summary['frames']} frames of {size} in {summary['seconds']:.1f} s ({speed})")


def _set(method: "Method", bands: str, precision: str, place: "torch.device") -> None:
    """Let the method run in bands and compute in the precision that are asked for. InputError: it cannot."""
    _run_in_bands(method, bands)
    _compute_in(method, precision, place)


def _run_in_bands(method: "Method", bands: str) -> None:
    from ncfl.methods.ncfl.method import BANDS, NCFLMethod

    if bands not in BANDS:
        raise InputError(f"--bands: expected one of {', '.join(BANDS)}, got {bands!r}")
    if isinstance(method, NCFLMethod) and bands != "auto":
        method.bands = bands
    elif bands == "on":
        raise InputError(f"--bands: expected auto or off, as {method.name} is no network that can, got on")


def _compute_in(method: "Method", precision: str, place: "torch.device") -> None:
    from ncfl.methods import precision as precisions
    from ncfl.methods.ncfl.method import NCFLMethod

    chosen = precisions.chosen(precision, place)
    if isinstance(method, NCFLMethod):
        if chosen != "float32":
            method.compute_in(chosen)
    elif precision == "bfloat16":
        raise InputError(f"--precision: expected auto or float32, as {method.name} computes in float32, got bfloat16")


def _level(method: "Method", sigma: float | None, source: Path) -> float | None:
    """The noise level that a method is told: what the user says, or an estimate where it needs one."""
    from ncfl.methods.learned import unused

    if sigma is not None and method.blind:
        say(f"note: --sigma is not used: {unused(method, sigma)}")
    if sigma is not None or method.blind:
        return sigma
    if is_standard(source):
        raise InputError(
            f"--sigma: expected the noise level, which {method.name} must be told, got none; it is not estimated, "
            "since standard input is read but once"
        )
    return estimate(source, why=f"{method.name} must be told the noise level and --sigma is not given: ")


@contextlib.contextmanager
def _saying_what_is_kept(target: Path, resume: bool) -> Iterator[None]:
    from ncfl.restoring.resuming import folder_of

    began, kept = time.monotonic(), folder_of(target)
    if not resume and not is_standard(target) and kept.exists():
        say(f"note: an interrupted restoration is kept in {kept}: --resume goes on from there")
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if resume and kept.exists():
            say(f"{kept}: what is done is kept; the same command goes on from there")
        elif not resume and time.monotonic() - began > _WORTH_KEEPING:
            say("nothing is kept; with --resume what is done would be")
        raise


def _use(threads: int | None) -> None:
    """Let PyTorch and OpenCV have this many threads."""
    import cv2
    import torch

    if threads is None and "OMP_NUM_THREADS" in os.environ:
        return
    count = threads or physical_cores()
    torch.set_num_threads(count)
    cv2.setNumThreads(count)


def frame_rate(text: str) -> Fraction:
    """Frames per second as people write them: a number, one divided by another, or a name such as 23.976 or 29.97.

    Raises:
        InputError: no such number, or one out of 1/1000 ... 1000.
    """
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not Fraction(1, 1000) <= rate <= 1000:
        raise InputError(f"--rate: expected frames per second, such as 25, 29.97 or 30000/1001, got {text!r}")
    # 23.976, 29.97 and 59.94 are what people call 24, 30 and 60 divided by 1.001.
    whole = Fraction(round(rate * 1001 / 1000)) * 1000 / 1001
    return whole if rate.denominator > 1 and abs(whole - rate) < Fraction(1, 1000) else rate


def estimate(source: Path, *, why: str = "") -> float:
    """The noise level of a video file or a folder of frames, in 0..255; said on standard error.

    Raises:
        InputError: an input that can't be read or is too small.
    """
    from ncfl.restoring.noise import estimate_video

    found = estimate_video(source)
    say(f"{why}estimated sigma {found.sigma:.1f} of 255 in {source} (median of {found.frames} frames)")
    return found.sigma


def _exported(weights: str | None, backend: str, threads: int | None) -> "Method | None":
    """The method of a file that `ncfl export` wrote; None where PyTorch runs the network."""
    if backend not in ("torch", "onnxruntime"):
        raise InputError(f"--backend: expected torch or onnxruntime, got {backend!r}")
    is_exported = weights is not None and weights.lower().endswith(".onnx")
    if is_exported != (backend == "onnxruntime"):
        raise InputError(
            f"restore: expected --backend onnxruntime with --weights FILE.onnx, got --backend {backend} with "
            f"--weights {weights}; `ncfl export FILE.onnx` writes such a file"
        )
    if not is_exported:
        return None
    from ncfl.export.onnx_method import OnnxMethod

    return OnnxMethod(Path(weights), threads=threads or 0)


def choose(
    weights: str | None = None,
    checkpoint: Path | None = None,
    method: str | None = None,
    place: "torch.device | str" = "cpu",
    source: Path | None = None,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> "Method":
    """The method that one of ``weights``, ``checkpoint`` and ``method`` names; the default weights' without any.

    Args:
        weights: the name of shipped weights, or a file of one's own; or
        checkpoint: a network that was trained here; or
        method: a compared method.
        place: the device that runs it.
        source: the video, for whose noise shipped weights are chosen where nothing is named; None for the default.
        tell: is told in a line what was chosen.

    Raises:
        InputError: several of them, an unknown one, weights that are not here or damaged.
    """
    given = {"--weights": weights, "--checkpoint": checkpoint, "--method": method}
    named = [option for option, value in given.items() if value is not None]
    if len(named) > 1:
        raise InputError(f"restore: expected one of {', '.join(given)}, or none of them, got {' and '.join(named)}")
    if method is not None:
        return _compared(method, place, tell)
    if checkpoint is not None:
        return _trained(checkpoint, place)
    return _shipped(weights or _suited(source, tell), place, tell)


def _suited(source: Path | None, tell: Callable[[str], None]) -> str | None:
    """The name of the weights that suit the noise of a video; None, for the default, where it can't be looked at."""
    from ncfl.restoring.whiteness import whiteness_of_file
    from ncfl.weights.shipped import named, suited

    if source is None or is_standard(source) or named():
        return None
    found = whiteness_of_file(source)
    weights = suited(found)
    if not weights.default:
        tell(f"neighboring pixels share the noise (whiteness {found:.2f}; white noise has 1): {weights.name} is taken")
    return weights.name


def _shipped(name: str | None, place: "torch.device | str", tell: Callable[[str], None]) -> "Method":
    from ncfl.methods.networks import method_of
    from ncfl.weights.shipped import find

    weights = find(name)
    method = method_of(weights.load(), name=weights.name, device=place, channels_last=True)
    method.gray_from = weights.gray_from
    tell(f"weights {weights.name}: {weights.description}")
    return method


def _trained(checkpoint: Path, place: "torch.device | str") -> "Method":
    from ncfl.methods.networks import method_of
    from ncfl.weights.checkpoint import load_model

    return method_of(load_model(checkpoint), name=str(checkpoint), device=place, channels_last=True)


def _compared(name: str, place: "torch.device | str", tell: Callable[[str], None]) -> "Method":
    """A method without training; else with its imported official weights; else with those of its own training here."""
    from ncfl.methods import BASELINES, LEARNED, OFFICIAL
    from ncfl.steps.importing import imported
    from ncfl.weights.official import from_file

    if name in BASELINES:
        return BASELINES[name].build()
    if name not in {**OFFICIAL, **LEARNED}:
        known = dict.fromkeys([*BASELINES, *OFFICIAL, *LEARNED])
        raise InputError(f"method: expected one of {', '.join(known)}, got {name!r}")
    trained = layout.trainings(name)
    if name in OFFICIAL and (layout.weights(name).exists() or not trained):
        return from_file(name, imported(name), device=place, channels_last=True)
    if not trained:
        here = [weights.name for weights in LEARNED[name].official if layout.weights(weights.name).is_file()]
        if here:
            raise InputError(
                f"method {name}: no trained network is here, but official weights are: --method {' or '.join(here)}"
            )
        raise InputError(
            f"method {name}: no trained network is here; train an experiment `{name}-<dataset>` (docs/methods.md), "
            "or name one with --checkpoint"
        )
    if len(trained) > 1:
        found = ", ".join(map(str, trained))
        raise InputError(
            f"method {name}: expected one trained network, got {found}; name one of them with --checkpoint"
        )
    tell(f"method {name}: as {trained[0]} has it")
    return _trained(trained[0], place)
