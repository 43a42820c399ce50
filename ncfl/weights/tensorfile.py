"""Reading safetensors files without their library, so that the core restores with torch, numpy and cv2 alone.

The format: 8 bytes, the header's length (little-endian); the header, JSON that gives each tensor's dtype, shape and
place; then the tensors' bytes without gaps. No code of the file is run. Files are written by the library.
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ncfl.common.errors import InputError

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_LENGTH = 8  # bytes before the header
_METADATA = "__metadata__"


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file by name, on the CPU, each with memory of its own; and the file's metadata.

    Raises:
        InputError: missing, truncated, with bytes left over, or anything but the format says.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: not readable ({error.strerror})") from None
    try:
        return parse(data)
    except ValueError as error:
        raise InputError(f"{path}: not readable as safetensors: {error}") from None


def parse(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """As :func:`read_tensors`, from the file's content. ValueError: what is wrong with it."""
    header, start = _header(data)
    about = header.pop(_METADATA, {})
    if not isinstance(about, dict) or not all(isinstance(value, str) for value in about.values()):
        raise ValueError("its metadata are no texts by name")
    tensors, end = {}, start
    places = {name: _place(name, entry, len(data) - start) for name, entry in header.items()}
    for name, (first, last) in sorted(places.items(), key=lambda item: item[1]):
        if start + first != end:
            raise ValueError(f"tensor {name!r} begins at byte {first}, the one before it ends at {end - start}")
        end = start + last
        tensors[name] = _tensor(header[name], data[start + first : end])
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes are left over after the last tensor")
    return {name: tensors[name] for name in header}, about


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    """The header, and where the tensors' bytes begin."""
    length = int.from_bytes(data[:_LENGTH], "little")
    if len(data) < _LENGTH or _LENGTH + length > len(data):
        raise ValueError(f"truncated: {len(data)} bytes, its header alone needs {_LENGTH + length}")
    try:
        header = json.loads(data[_LENGTH : _LENGTH + length], object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    if not isinstance(header, dict):
        raise ValueError(f"its header is a {type(header).__name__}")
    return header, _LENGTH + length


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("its header has a name twice")
    return found


def _place(name: str, entry: Any, available: int) -> tuple[int, int]:
    """First and last byte + 1 of a tensor, counted from the header's end; checked against its shape."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name!r} is not described by dtype, shape and data_offsets")
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in _DTYPES:
        raise ValueError(f"tensor {name!r}: found dtype {entry['dtype']!r}, allowed: {', '.join(_DTYPES)}")
    for key in ("shape", "data_offsets"):
        numbers = entry[key]
        if not isinstance(numbers, list) or not all(type(n) is int and n >= 0 for n in numbers):
            raise ValueError(f"tensor {name!r}: its {key} is no list of whole numbers")
    if len(entry["data_offsets"]) != 2:
        raise ValueError(f"tensor {name!r}: its data_offsets are not two")
    first, last = entry["data_offsets"]
    needed = math.prod(entry["shape"]) * _DTYPES[entry["dtype"]].itemsize
    if last - first != needed:
        raise ValueError(f"tensor {name!r} has {last - first} bytes, its shape needs {needed}")
    if last > available:
        raise ValueError(f"truncated: tensor {name!r} ends at byte {last}, there are {available}")
    return first, last


def _tensor(entry: dict[str, Any], data: bytes) -> Tensor:
    dtype = _DTYPES[entry["dtype"]]
    if not data:
        return torch.empty(entry["shape"], dtype=dtype)
    # Copied, so that the tensor may be written to and is aligned wherever it lay.
    return torch.frombuffer(bytearray(data), dtype=dtype).reshape(entry["shape"])
