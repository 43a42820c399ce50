"""``ncfl export``: a trained network as a file for other programs."""

from pathlib import Path

from ncfl.common.console import say
from ncfl.common.errors import InputError

FORMATS = ("onnx", "torch")


def export(target: Path, *, form: str, weights: str | None, checkpoint: Path | None, overwrite: bool) -> Path:
    """Write the recurrent step of shipped weights or of a checkpoint.

    Args:
        target: the file; its name ends in ``.onnx`` or ``.pt2``.
        form: ``onnx`` or ``torch``.
        weights: shipped weights by name, or a file of weights; the default ones where neither is named.
        checkpoint: a network that was trained here.
        overwrite: whether an existing file may be replaced.

    Raises:
        InputError: both sources, an unknown format, a file that exists, a network without a recurrent step.
    """
    if form not in FORMATS:
        raise InputError(f"--format: expected {' or '.join(FORMATS)}, got {form!r}")
    if weights is not None and checkpoint is not None:
        raise InputError("export: expected --weights or --checkpoint, got both")
    if target.exists() and not overwrite:
        raise InputError(f"{target}: exists already; name another file, or allow it with --overwrite")
    from ncfl.export.recurrent_step import export_step

    if checkpoint is not None:
        from ncfl.weights.checkpoint import load_model

        name, network = checkpoint.resolve().parent.parent.name, load_model(checkpoint)
    else:
        from ncfl.weights.shipped import find

        found = find(weights)
        name, network = found.name, found.load()
    export_step(network, target, name=name, form=form)
    say(f"{target}: {target.stat().st_size / 1e6:.1f} MB, the recurrent step of {name}")
    return target
