"""Imported weights: kept as safetensors, with where they came from and under which licence."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path
from ncfl.weights.tensorfile import read_tensors

METADATA = ("origin", "sha256", "licence", "method")
FORMAT = "ncfl-weights"


def save(state: Mapping[str, Tensor], path: Path, *, origin: str, sha256: str, licence: str, method: str) -> None:
    """Write ``state`` as safetensors, whole or not at all; equal content gives equal bytes.

    Args:
        state: what :func:`ncfl.weights.matching.match` gave.
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
        raise InputError(f"{path}: expected what ncfl import-weights wrote, got safetensors of another program")
    return state, {key: found[key] for key in METADATA}


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
