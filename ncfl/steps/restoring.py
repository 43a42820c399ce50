"""``ncfl restore``: the one step that reads no params.yaml, since it serves people with a video and a checkpoint."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ncfl.console import say
from ncfl.errors import InputError

if TYPE_CHECKING:
    import torch

    from ncfl.methods.interface import Method


def restore(
    source: Path,
    target: Path,
    *,
    checkpoint: Path | None = None,
    method: str | None = None,
    sigma: float | None = None,
    overwrite: bool = False,
    device: str = "auto",
) -> dict[str, Any]:
    """Restore a video file or a folder of frames.

    Args:
        source: the video.
        target: where its restoration goes.
        checkpoint: a network that was trained here; or
        method: a compared method: one without training, or one whose official weights were imported.
        sigma: the noise level in 0..255, for methods that must be told it.
        overwrite: whether an existing output may be replaced.
        device: auto, cpu or cuda.

    Returns:
        The summary of :func:`ncfl.evaluate.restore.restore`.

    Raises:
        InputError: an unreadable input or checkpoint, an output that exists or would overwrite the input, an
            unknown method, weights that were not imported, neither or both of checkpoint and method.
    """
    from ncfl.device import pick_device
    from ncfl.evaluate.restore import restore as run

    if (checkpoint is None) == (method is None):
        raise InputError("restore: name either --checkpoint or --method")
    place = pick_device(device)
    chosen = _trained(checkpoint, place) if checkpoint else _compared(method, place)
    summary = run(source, target, method=chosen, sigma=sigma, device=place, overwrite=overwrite)
    say(
        f"{target}: {summary['frames']} frames of {summary['width']} x {summary['height']} in "
        f"{summary['seconds']:.1f} s ({summary['frames_per_second']:.2f} frames/s)"
    )
    return summary


def _trained(checkpoint: Path, place: "torch.device") -> "Method":
    from ncfl.methods.ncfl import NCFLMethod
    from ncfl.train.checkpoint import load_model

    model = load_model(checkpoint)
    if "channels" not in model.arguments:
        raise InputError(
            f"{checkpoint}: found a model of kind {model.kind!r}, which restores nothing; allowed: ncfl, codec"
        )
    return NCFLMethod(model, name=str(checkpoint), device=place, channels_last=True)


def _compared(name: str, place: "torch.device") -> "Method":
    from ncfl.methods import BASELINES, baseline
    from ncfl.methods.official import OFFICIAL, with_weights
    from ncfl.methods.weights import load
    from ncfl.steps.importing import imported

    if name in BASELINES:
        return baseline(name)
    if name not in OFFICIAL:
        raise InputError(f"method {name}: unknown; allowed: {', '.join([*BASELINES, *OFFICIAL])}")
    return with_weights(name, load(imported(name))[0], device=place, channels_last=True)
