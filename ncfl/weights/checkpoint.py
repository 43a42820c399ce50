"""Checkpoints: weights together with what rebuilds their model, as plain tensors and plain data."""

import io
import pickle
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path

FORMAT = "ncfl-checkpoint"
VERSION = 1


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
    content = read(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: found {_describe(content)}, allowed: a checkpoint written by this program")
    if content.get("version") != VERSION:
        raise InputError(f"{path}: found checkpoint version {content.get('version')!r}, allowed: {VERSION}")
    kinds = {"kind": str, "arguments": dict, "state": dict, "extra": dict, "continuation": (dict, type(None))}
    for name, kind in kinds.items():
        if name not in content or not isinstance(content[name], kind):
            raise InputError(f"{path}: a checkpoint whose {name!r} is missing or damaged")
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


def load_weights(model: nn.Module, state: Mapping[str, Any], source: Path | str) -> None:
    """Copy a state dict into ``model``, all or nothing.

    Raises:
        InputError: the first weight that is missing, foreign or of another shape; ``source`` names the file.
    """
    own = model.state_dict()
    for name in own:
        if name not in state:
            raise InputError(f"{source}: found no weight {name!r}; it has {_some(state)}")
        found = tuple(state[name].shape) if isinstance(state[name], Tensor) else type(state[name]).__name__
        if found != tuple(own[name].shape):
            raise InputError(f"{source}: weight {name!r}: found {found}, allowed: {tuple(own[name].shape)}")
    foreign = [name for name in state if name not in own]
    if foreign:
        raise InputError(f"{source}: found {_some(foreign)}, which the {type(model).__name__} does not have")
    model.load_state_dict(dict(state))


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write tensors and plain data, atomically; the bytes depend on nothing but the content."""
    # In memory first: PyTorch would write the temporary file's name into the archive, and hide a full disk's reason.
    buffer = io.BytesIO()
    torch.save(canonical(content), buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def read(path: Path) -> Any:
    """Read what :func:`write` or ``torch.save`` wrote: tensors and plain data, nothing that runs.

    Raises:
        InputError: with the reason.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file" if not Path(path).exists() else f"{path}: not a file")
    data = Path(path).read_bytes()
    if not data:
        raise InputError(f"{path}: found an empty file, allowed: a checkpoint")
    try:
        # PyTorch does not hold the weights against their checksums: a flipped bit would pass.
        damaged = zipfile.ZipFile(io.BytesIO(data)).testzip() if data[:2] == b"PK" else None
        if damaged is None:
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        unsafe = "GLOBAL" in str(error)
        found = "Python objects, which are never loaded" if unsafe else f"{len(data)} bytes that are none"
        raise InputError(f"{path}: found {found}, allowed: a checkpoint") from None
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can fail in any way that its reader knows
        reason = str(error).split("\n", 1)[0][:100]
        found = f"a truncated or damaged file of {len(data)} bytes"
        raise InputError(f"{path}: found {found} ({reason}), allowed: a checkpoint") from None
    raise InputError(f"{path}: found a damaged file (checksum of {damaged}), allowed: a checkpoint")


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
        return f"a state dict of another program with {_some(content)}"
    return f"a {type(content).__name__}"


def _some(names: Mapping[str, Any] | list[str]) -> str:
    names = [str(name) for name in names]
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(names)} keys ({shown})" if names else "no keys"
