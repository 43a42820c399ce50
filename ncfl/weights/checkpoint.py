"""Checkpoints: weights together with what rebuilds their model, as plain tensors and plain data."""

import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path
from ncfl.weights.archive import read_archive
from ncfl.weights.matching import load_weights

FORMAT = "ncfl-checkpoint"
VERSION = 1
LISTED = 3  # names that a message shows


class Checkpoint(NamedTuple):
    """What one file holds.

    Args:
        path: where it was read from.
        kind: which class builds the model (``model.kind``).
        arguments: its constructor's keyword arguments (``model.arguments``).
        state: the state dict, float32 on the CPU.
        extra: plain data about how it came to be (the training's configuration).
        continuation: the optimizer's state for the stage that goes on from here; None after the last one.
    """

    path: Path
    kind: str
    arguments: dict[str, Any]
    state: dict[str, Tensor]
    extra: dict[str, Any]
    continuation: dict[str, Any] | None


def save(
    path: Path, *, model: nn.Module, extra: Mapping[str, Any], continuation: Mapping[str, Any] | None = None
) -> None:
    """Write ``model`` to ``path``, whole or not at all; equal content gives equal bytes.

    ``model`` has ``kind``, ``arguments`` and may be on any device, in any memory layout, compiled or not.

    Raises:
        TypeError: ``extra``, ``continuation`` or the arguments hold anything but plain data and tensors.
    """
    source = getattr(model, "_orig_mod", model)
    write(
        path,
        {
            "format": FORMAT,
            "version": VERSION,
            "kind": source.kind,
            "arguments": source.arguments,
            "state": {name: _weight(value) for name, value in source.state_dict().items()},
            "extra": extra,
            "continuation": continuation,
        },
    )


def load(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU. No code from the file is run.

    Raises:
        InputError: missing, empty, truncated, damaged, of another program, or with Python objects.
    """
    path = Path(path)
    content = read_archive(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: expected a checkpoint written by this program, got {_describe(content)}")
    if content.get("version") != VERSION:
        raise InputError(f"{path}: expected checkpoint version {VERSION}, got {content.get('version')!r}")
    kinds = {"kind": str, "arguments": dict, "state": dict, "extra": dict, "continuation": (dict, type(None))}
    for name, kind in kinds.items():
        if name not in content or not isinstance(content[name], kind):
            raise InputError(
                f"{path}: it is a damaged checkpoint, whose {name!r} is missing or of another kind; get it again"
            )
    return Checkpoint(path=path, **{name: content[name] for name in kinds})


def load_model(path: Path) -> nn.Module:
    """Rebuild the model that ``path`` holds: with its weights, in evaluation mode, on the CPU.

    Raises:
        InputError: as :func:`load`; or a kind that is unknown, or weights that do not fit the model.
    """
    from ncfl.methods.networks import rebuild  # here alone: a training does not rebuild the compared methods

    checkpoint = load(path)
    try:
        model = rebuild(checkpoint.kind, dict(checkpoint.arguments))
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: no model of kind {checkpoint.kind!r} can be built ({error})") from None
    load_weights(model, checkpoint.state, path)
    return model.eval()


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write tensors and plain data, atomically; the bytes depend on nothing but the content."""
    # In memory first: PyTorch would write the temporary file's name into the archive, and hide a full disk's reason.
    buffer = io.BytesIO()
    torch.save(canonical(content), buffer)
    # The view is released by hand: where a write fails, the error keeps it in a cycle, which crashes Python 3.12.0 and
    # 3.12.1 once it is collected (CPython's gh-111049).
    with atomic_path(path) as temporary, buffer.getbuffer() as view:
        temporary.write_bytes(view)


def canonical(value: Any) -> Any:
    """A copy whose pickle depends on its content alone.

    A pickle refers back to an object that it has seen, so two equal strings give other bytes than one string
    twice, and so do tensors that share memory or lie in it in another order. Here each tensor is a contiguous
    copy on the CPU, equal strings are one object, and containers are new.
    """
    if value is None or isinstance(value, bool):
        return value
    for plain in (int, float, str):  # NumPy's numbers are subclasses that would not load again
        if isinstance(value, plain):
            return sys.intern(str(value)) if plain is str else plain(value)
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
    if isinstance(value, Mapping):
        return {canonical(key): canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [canonical(item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    raise TypeError(f"a checkpoint holds tensors and plain data, not {type(value).__name__}")


def _weight(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value


def _describe(content: Any) -> str:
    if isinstance(content, Mapping):
        names = [str(name) for name in content]
        shown = ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")
        return f"a state dict of another program with {len(names)} keys ({shown or 'none'})"
    return f"a {type(content).__name__}"
