"""Weights: official files read safely, held against a network, and kept as safetensors with where they came from.

What is read, by :func:`read_weights`, and what of it is taken:

1. A file of ``torch.save`` (whatever it is called), a ``.safetensors`` file, or a folder with two ``.npy`` files
   per layer (``modelL1_F-1-weight.npy``, ``-bias.npy``: SPyNet as DVC and DCVC have it).
2. Wrappers come off: while one of :data:`WRAPPERS` is a dictionary inside, it is taken, the first in that order
   (BasicSR's averaged ``params_ema`` before ``params``).
3. Prefixes come off: ``module.`` of DataParallel where every name has it, and ``generator.`` of MMagic where any
   has it; what else MMagic saves beside the generator (losses, counters) is left out.
4. Numbers become float32; whole numbers stay.

Then :func:`match` wants every name and shape of the network, and no other.
"""

import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path
from ncfl.weights import pickled
from ncfl.weights.tensorfile import read_tensors

WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "net")
COUNTER = "num_batches_tracked"  # of a batch normalization, which no result depends on
LISTED = 2  # names that a message shows of each kind
METADATA = ("origin", "sha256", "licence", "method")
FORMAT = "ncfl-weights"
# What is found in place of a file whose download went wrong.
IMPOSTORS = {b"<": "a web page", b"version https://git-lfs": "a Git LFS pointer"}

NameMap = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]


def read_weights(file: Path, *, stand_ins: Sequence[str] = ()) -> dict[str, Tensor]:
    """The tensors of an official file by the names they have there, without wrappers and prefixes; CPU, float32.

    Args:
        file: see the rule above.
        stand_ins: how the names of Python classes begin that the file may mention beside its tensors, like
            ``networks.``; they are never imported (:mod:`ncfl.weights.pickled`). Without any, such a file is refused.

    Raises:
        InputError: missing, empty, truncated, damaged, none of these formats; another Python class; no tensors
            inside, or something else among them; values that are not finite.
    """
    file = Path(file)
    if file.is_dir():
        content: Any = _layers(file)
    elif not file.is_file():
        raise InputError(f"{file}: no such file")
    elif file.suffix == ".safetensors":
        content = read_tensors(file)[0]
    else:
        content = _torch_file(file, stand_ins)
    return {name: _number(file, name, tensor) for name, tensor in _unwrapped(file, content).items()}


def read_parts(file: Path, parts: Sequence[str]) -> dict[str, Tensor]:
    """The tensors of a checkpoint that keeps several networks apart, as "part.name"; what else it holds is left out.

    Args:
        file: what ``torch.save`` wrote: a dictionary with the state of each network.
        parts: the keys of these states.

    Raises:
        InputError: as :func:`read_weights`, or a part is missing.
    """
    file = Path(file)
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    content = _torch_file(file, ())
    held = content if isinstance(content, Mapping) else {}
    missing = [part for part in parts if not isinstance(held.get(part), Mapping)]
    if missing:
        found = f"the keys {_some(held)}" if isinstance(content, Mapping) else f"a {type(content).__name__}"
        raise InputError(f"{file}: found {found}; missing: {', '.join(missing)}; allowed: a state under each of these")
    states = {part: _unwrapped(file, held[part]) for part in parts}
    return {
        f"{part}.{name}": _number(file, f"{part}.{name}", value)
        for part, state in states.items()
        for name, value in state.items()
    }


def _torch_file(file: Path, stand_ins: Sequence[str]) -> Any:
    with file.open("rb") as opened:
        head = opened.read(64).lstrip()
    for start, found in IMPOSTORS.items():
        if head.startswith(start):
            raise InputError(f"{file}: found {found}, allowed: a checkpoint")
    try:
        _check_archive(file)
        return _loaded(file, stand_ins)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"the Python object {wanted[1]}, which is never loaded" if wanted else "no checkpoint"
        raise InputError(f"{file}: found {reason}; allowed: tensors (a state_dict) saved by torch.save") from None
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can fail in any way that its reader knows
        reason = str(error).split("\n", 1)[0][:100] or type(error).__name__
        found = f"a truncated or damaged file of {file.stat().st_size} bytes"
        raise InputError(f"{file}: found {found} ({reason}), allowed: a checkpoint") from None


def _loaded(file: Path, stand_ins: Sequence[str]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an unusual version of pickle, which is then read or refused
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        if not stand_ins:
            raise
        return pickled.read(file, stand_ins)


def _check_archive(file: Path) -> None:
    """PyTorch does not hold the weights against their checksums: a flipped bit would pass."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"checksum of {damaged}")


def _layers(folder: Path) -> dict[str, Tensor]:
    """``<layer>-weight.npy`` and ``<layer>-bias.npy`` -> ``<layer>.weight``, ``<layer>.bias``."""
    found = {}
    for path in sorted(folder.glob("*.npy")):
        try:
            array = np.load(path, allow_pickle=False)
            found[re.sub(r"-(weight|bias)$", r".\1", path.stem)] = torch.from_numpy(array)
        except (OSError, ValueError, TypeError, EOFError) as error:
            raise InputError(f"{path}: not readable as an array of numbers ({error})") from None
    if not found:
        raise InputError(f"{folder}: found no .npy files, allowed: two per layer, -weight.npy and -bias.npy")
    return found


def _unwrapped(file: Path, content: Any) -> dict[str, Any]:
    while isinstance(content, Mapping):
        inner = next((content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        found = f"the keys {_some(content)}" if isinstance(content, Mapping) else f"a {type(content).__name__}"
        raise InputError(f"{file}: found {found}, allowed: tensors by name, plain or under {', '.join(WRAPPERS)}")
    for prefix in ("module.", "generator.", "module."):
        own = {name[len(prefix) :]: value for name, value in content.items() if str(name).startswith(prefix)}
        if len(own) == len(content) or (own and prefix == "generator."):
            content = own
    return dict(content)


def _number(file: Path, name: Any, value: Any) -> Tensor:
    """The tensor as it is used, float32 where it is no whole number; refused where it is no plain tensor."""
    plain = isinstance(value, Tensor) and value.layout == torch.strided and not value.is_quantized
    if not plain or value.is_complex():
        found = f"the Python object {value.path}" if isinstance(value, pickled.Inert) else type(value).__name__
        raise InputError(f"{file}: {name}: found {found}, allowed: a plain tensor of real numbers")
    value = value.detach()
    if not value.is_floating_point():
        return value.contiguous()
    if not value.isfinite().all():
        raise InputError(f"{file}: {name} has values that are not finite")
    return value.float().contiguous()


def match(
    state: Mapping[str, Tensor],
    model: nn.Module,
    mapping: NameMap | None,
    method: str,
    *,
    source: Path | str = "weights",
    others: Mapping[str, Callable[[], tuple[nn.Module, NameMap | None]]] | None = None,
) -> dict[str, Tensor]:
    """``state`` under the network's own names, in the network's order: exactly its names and shapes.

    Counters of batch normalization that old files lack are zero. Nothing is copied into ``model``.

    Args:
        state: what :func:`read_weights` gave.
        model: the network, on any device (the meta device will do).
        mapping: official names -> those of ``model``; None where they are the same.
        method: how messages call the network.
        source: how messages call the file.
        others: further networks and their mappings, built on the meta device where the weights do not fit, to
            say which of them they fit.

    Raises:
        InputError: the first names that are missing, foreign or of another shape, and how many there are.
    """
    own = model.state_dict()
    named = _mapped(state, mapping)
    named |= {name: torch.zeros_like(own[name], device="cpu") for name in own if _is_counter(name, named)}
    missing = [name for name in own if name not in named]
    foreign = [name for name in named if name not in own]
    shaped = [
        f"{name} {list(named[name].shape)}, allowed {list(own[name].shape)}"
        for name in own
        if name in named and named[name].shape != own[name].shape
    ]
    if not (missing or foreign or shaped):
        return {name: named[name] for name in own}
    wrong = {"missing": missing, "unknown": foreign, "of another shape": shaped}
    listed = "; ".join(f"{len(names)} {what}: {_some(names)}" for what, names in wrong.items() if names)
    better = _better(state, _fit(named, own), others or {})
    hint = f"; they fit {better}" if better else ""
    raise InputError(f"{source}: found weights that do not fit {method} ({listed}){hint}")


def _mapped(state: Mapping[str, Tensor], mapping: NameMap | None) -> dict[str, Tensor]:
    try:
        return dict(state if mapping is None else mapping(state))
    except (InputError, LookupError, ValueError, AttributeError):  # names it does not know, to be listed as such
        return dict(state)


def _is_counter(name: str, named: Mapping[str, Tensor]) -> bool:
    return name.endswith(f".{COUNTER}") and name not in named


def _fit(named: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> float:
    """Which part of all names agrees, with its shape: 1 where everything does."""
    agreeing = sum(name in own and own[name].shape == tensor.shape for name, tensor in named.items())
    return agreeing / max(len(named.keys() | own.keys()), 1)


def _better(
    state: Mapping[str, Tensor], fit: float, others: Mapping[str, Callable[[], tuple[nn.Module, NameMap | None]]]
) -> str | None:
    best = None
    for name, build in others.items():
        with torch.device("meta"):
            model, mapping = build()
        found = _fit(_mapped(state, mapping), model.state_dict())
        if found > max(fit, 0.5):
            best, fit = name, found
    return best


def _some(names: Mapping[Any, Any] | Sequence[Any]) -> str:
    shown = ", ".join(" ".join(str(name).split()) for name in list(names)[:LISTED])  # a name could hold a line's end
    return shown + (", ..." if len(names) > LISTED else "") if names else "none"


def save(state: Mapping[str, Tensor], path: Path, *, origin: str, sha256: str, licence: str, method: str) -> None:
    """Write ``state`` as safetensors, whole or not at all; equal content gives equal bytes.

    Args:
        state: what :func:`match` gave.
        path: where to.
        origin: where the official file came from: an address, or its name.
        sha256: of the official file, in hexadecimal.
        licence: of the official weights.
        method: which network the tensors belong to.
    """
    tensors = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()
    }
    about = {"origin": origin, "sha256": sha256, "licence": licence, "method": method}
    try:
        from safetensors.torch import save_file  # wanted here alone: the core does without
    except ImportError:
        raise InputError("weights need the package safetensors; allowed: pip install safetensors") from None
    with atomic_path(path) as temporary:
        # One entry, since the library writes several in an order that changes from run to run.
        save_file(tensors, temporary, metadata={FORMAT: json.dumps(about, sort_keys=True)})


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What :func:`save` wrote: the tensors, and ``origin``, ``sha256``, ``licence``, ``method``.

    Raises:
        InputError: missing, truncated, damaged, or of another program.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    state, about = read_tensors(path)
    found = _json(about.get(FORMAT, ""))
    if any(not isinstance(found.get(key), str) for key in METADATA):
        raise InputError(f"{path}: found safetensors of another program, allowed: what ncfl import-weights wrote")
    return state, {key: found[key] for key in METADATA}


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
