"""Reading safetensors files: their tensors and their metadata, by the format's own library."""

import json
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from ncfl.common.errors import InputError

_LENGTH = 8  # bytes before the header: its length, little-endian


class Tensors(NamedTuple):
    """What a file holds: ``tensors`` by name, on the CPU; ``about``, the texts of its metadata by name."""

    tensors: dict[str, Tensor]
    about: dict[str, str]


def read_tensors(path: Path) -> Tensors:
    """The content of a safetensors file, each tensor with memory of its own.

    Raises:
        InputError: missing, truncated, with bytes left over, or anything but the format says.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: not readable ({error.strerror})") from None
    try:
        tensors = load(data)
    except (SafetensorError, KeyError) as error:  # KeyError: a type of numbers that this PyTorch does not have
        reason = " ".join(str(error).removeprefix("Error while deserializing: ").split())[:200]
        raise InputError(f"{path}: not readable as safetensors: {reason}") from None
    header = data[_LENGTH : _LENGTH + int.from_bytes(data[:_LENGTH], "little")]  # which the library has checked
    return Tensors(tensors, json.loads(header).get("__metadata__") or {})
