"""``ncfl bench``."""

import signal
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from ncfl.common.console import say
from ncfl.common.errors import InputError
from ncfl.methods import LEARNED

if TYPE_CHECKING:
    from ncfl.profile.measuring import Measured

OWN = "ncfl"  # the paper's method, M_f
COLUMNS = (
    *("method", "GFLOPs", "s/frame", "ms/GFLOP", "bare layers", "ratio", "to convolutions", "peak GB"),
    "besides the layers",
)


def bench(
    *,
    methods: Sequence[str] = (),
    height: int = 540,
    width: int = 960,
    threads: int | None = None,
    repeats: int = 3,
    device: str = "auto",
    channels_last: bool = True,
) -> Iterator[dict[str, Any]]:
    """Speed and memory of learned methods at their published sizes, each in a process of its own.

    Args:
        methods: names; none for all.
        height, width, threads, repeats: see :func:`ncfl.profile.measuring.measure`.
        device: auto, cpu or cuda.
        channels_last: order of the feature maps in memory.

    Yields:
        {method, gflops, layers, seconds, bare_seconds, convolution_seconds, ratio, convolution_ratio,
        seconds_per_gflop, bare_seconds_per_gflop, peak_gb, besides}, per frame; None for what was not measured.

    Raises:
        InputError: an unknown method, a number out of its range, a GPU that is not there.
    """
    from ncfl.common.device import pick_device

    allowed = (OWN, *LEARNED)
    if unknown := [name for name in methods if name not in allowed]:
        raise InputError(f"--method: expected some of {', '.join(allowed)}, got {unknown[0]!r}")
    settings = {
        "height": height,
        "width": width,
        "threads": threads,
        "repeats": repeats,
        "device": str(pick_device(device)),
        "channels_last": channels_last,
    }
    return (_row(name, settings) for name in (methods or allowed))


def cells(row: dict[str, Any]) -> list[str | None]:
    """A row as a person reads it, under :data:`COLUMNS`; None for what was not measured."""
    per_gflop = [row[key] and 1000 * row[key] for key in ("seconds_per_gflop", "bare_seconds_per_gflop")]
    figures = (row["gflops"], row["seconds"], *per_gflop, row["ratio"], row["convolution_ratio"], row["peak_gb"])
    digits = (1, 3, 2, 2, 2, 2, 2)
    texts = [None if x is None else f"{x:,.{n}f}" for x, n in zip(figures, digits, strict=True)]
    return [row["method"], *texts, row["besides"]]


def _row(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    say(f"bench: {name}")
    found, ended = _apart(name, settings)
    return {
        "method": name,
        "gflops": found and found.gflops,
        "layers": found and found.layers,
        "seconds": found and found.seconds,
        "bare_seconds": found and found.bare_seconds,
        "convolution_seconds": found and found.convolution_seconds,
        "ratio": found and found.ratio,
        "convolution_ratio": found and found.convolution_ratio,
        "seconds_per_gflop": found and found.seconds and found.seconds / found.gflops,
        "bare_seconds_per_gflop": found and found.bare_seconds and found.bare_seconds / found.gflops,
        "peak_gb": found and found.peak_gb,
        "besides": _besides(name) if found else ended,
    }


def _besides(name: str) -> str:
    return LEARNED[name].besides_layers if name in LEARNED else ""


def _apart(name: str, settings: dict[str, Any]) -> tuple["Measured | None", str]:
    """Measure in a process of its own; None, and how that ended, where it died. What it raises is raised here."""
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, name, settings))
    process.start()
    sender.close()  # so that the end of the process is the end of the pipe
    try:
        found = receiver.recv()
    except EOFError:
        found = None
    process.join()
    if isinstance(found, Exception):
        raise found
    return found, "" if found else how_it_ended(process.exitcode or 0)


def how_it_ended(code: int) -> str:
    """The exit code of a process that gave no result, in words."""
    if code >= 0:
        return f"ended without a result, exit code {code}"
    name = signal.Signals(-code).name
    return f"killed by {name}" + (", as a system does that is out of memory" if name == "SIGKILL" else "")


def _answer(sender: Connection, name: str, settings: dict[str, Any]) -> None:
    try:
        sender.send(_measure(name, **settings))
    except Exception as error:
        sender.send(error)


def _measure(name: str, *, device: str, channels_last: bool, **settings: Any) -> "Measured":
    """One method, in the process that this is."""
    from ncfl.methods.networks import build, method_of
    from ncfl.models import variants
    from ncfl.profile.measuring import measure

    def method(*, fold: bool) -> Any:
        model = variants.m_f() if name == OWN else build(name, {})
        return method_of(model, name=name, device=device, channels_last=channels_last, fold=fold)

    return measure(lambda: method(fold=True), published=lambda: method(fold=False), device=device, **settings)
