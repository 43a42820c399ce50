"""Official files of weights, read safely.

What is read, by :func:`read_weights`, and what of it is taken:

1. A file of ``torch.save`` (whatever it is called), a ``.safetensors`` file, or a folder with two ``.npy`` files
   per layer (``modelL1_F-1-weight.npy``, ``-bias.npy``: SPyNet as DVC and DCVC have it).
2. Wrappers come off: while one of :data:`WRAPPERS` is a dictionary inside, it is taken, the first in that order
   (BasicSR's averaged ``params_ema`` before ``params``).
3. Prefixes come off: ``module.`` of DataParallel where every name has it, and ``generator.`` of MMagic where any
   has it; what else MMagic saves beside the generator (losses, counters) is left out.
4. Numbers become float32; whole numbers stay.

Then :func:`ncfl.weights.matching.match` wants every name and shape of the network, and no other.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.weights import pickled
from ncfl.weights.archive import read_archive
from ncfl.weights.eight_bits import decoded
from ncfl.weights.matching import some
from ncfl.weights.tensorfile import read_tensors

WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "net")


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
    elif file.suffix == ".safetensors":
        content = decoded(read_tensors(file).tensors, file)
    else:
        content = read_archive(file, stand_ins)
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
    content = read_archive(file)
    held = content if isinstance(content, Mapping) else {}
    missing = [part for part in parts if not isinstance(held.get(part), Mapping)]
    if missing:
        found = f"the keys {some(held)}" if isinstance(content, Mapping) else f"a {type(content).__name__}"
        wanted = ", ".join(parts)
        raise InputError(f"{file}: expected a state under each of {wanted}, got {found}; missing: {', '.join(missing)}")
    states = {part: _unwrapped(file, held[part]) for part in parts}
    return {
        f"{part}.{name}": _number(file, f"{part}.{name}", value)
        for part, state in states.items()
        for name, value in state.items()
    }


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
        raise InputError(f"{folder}: expected two .npy files per layer, -weight.npy and -bias.npy, got none")
    return found


def _unwrapped(file: Path, content: Any) -> dict[str, Any]:
    while isinstance(content, Mapping):
        inner = next((content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        found = f"the keys {some(content)}" if isinstance(content, Mapping) else f"a {type(content).__name__}"
        raise InputError(f"{file}: expected tensors by name, plain or under {', '.join(WRAPPERS)}, got {found}")
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
        raise InputError(f"{file}: {name}: expected a plain tensor of real numbers, got {found}")
    value = value.detach()
    if not value.is_floating_point():
        return value.contiguous()
    if not value.isfinite().all():
        raise InputError(f"{file}: {name}: expected finite values, got others")
    return value.float().contiguous()
