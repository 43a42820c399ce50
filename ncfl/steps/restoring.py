"""``ncfl restore``: the one step that reads no params.yaml, since it serves people with a video and a checkpoint."""

from pathlib import Path
from typing import Any

from ncfl.console import say
from ncfl.errors import InputError


def restore(
    source: Path, target: Path, *, checkpoint: Path, overwrite: bool = False, device: str = "auto"
) -> dict[str, Any]:
    """Restore a video file or a folder of frames with a trained network.

    Returns:
        The summary of :func:`ncfl.evaluate.restore.restore`.

    Raises:
        InputError: an unreadable input or checkpoint, an output that exists or would overwrite the input.
    """
    from ncfl.evaluate.restore import restore as run
    from ncfl.methods.ncfl import NCFLMethod
    from ncfl.train.checkpoint import load_model
    from ncfl.train.optimizer import pick_device

    place = pick_device(device)
    model = load_model(checkpoint)
    if "channels" not in model.arguments:
        raise InputError(
            f"{checkpoint}: found a model of kind {model.kind!r}, which restores nothing; allowed: ncfl, codec"
        )
    method = NCFLMethod(model, name=str(checkpoint), device=place, channels_last=True)
    summary = run(source, target, method=method, sigma=None, device=place, overwrite=overwrite)
    say(
        f"{target}: {summary['frames']} frames of {summary['width']} x {summary['height']} in "
        f"{summary['seconds']:.1f} s ({summary['frames_per_second']:.2f} frames/s)"
    )
    return summary
