"""Official files that hold Python objects beside their tensors, read without importing or running anything.

``torch.save(model, file)`` writes, beside the tensors, instructions to import the authors' classes and to build
objects of them; MSBDN is published in this form, and VNLnet with the ``argparse.Namespace`` of its training.
``torch.load`` can only run such instructions or refuse them. Here every class and function that they name becomes
an :class:`Inert` record of what it would have been given; tensors are then made from the records.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import torch
from torch import Tensor

LEGACY = 0x1950A86A20F9469CFC6C  # the first number of a file that torch.save wrote before version 1.6

STORAGES = {
    "torch.FloatStorage": torch.float32,
    "torch.DoubleStorage": torch.float64,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}

# What a file of plain tensors names, too.
PARAMETER = "torch._utils._rebuild_parameter"
TENSORS = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2")
KNOWN = {*STORAGES, *TENSORS, PARAMETER, "torch.Size", "torch.device", "builtins.set", "__builtin__.set"}


class Inert:
    """Stands where an object would: ``path`` is what would have been called with ``arguments``."""

    path = ""
    arguments: tuple[Any, ...] = ()
    state: Any = None

    def __new__(cls, *arguments: Any) -> "Inert":
        record = super().__new__(cls)
        record.arguments = arguments
        return record

    def __setstate__(self, state: Any) -> None:
        self.state = state


class Stored(NamedTuple):
    """Where a tensor's numbers lie: which part of the file, and from which number of it on."""

    key: str
    first: int


class _Reader(pickle.Unpickler):
    """Finds no class but those above; ``dtypes`` gathers what the file says of its parts."""

    def __init__(self, file: IO[bytes], stand_ins: Sequence[str]) -> None:
        super().__init__(file, encoding="latin1")
        self.stand_ins = tuple(stand_ins)
        self.dtypes: dict[str, torch.dtype] = {}

    def find_class(self, module: str, name: str) -> type:
        path = f"{module}.{name}"
        if path == "collections.OrderedDict":
            return OrderedDict
        if path not in KNOWN and not path.startswith(self.stand_ins):
            raise pickle.UnpicklingError(f"GLOBAL {path}")
        # A class of its own for each mention, so that nothing which the file sets on it can reach another file.
        return type("Inert", (Inert,), {"path": path})

    def persistent_load(self, pid: Any) -> Any:
        if pid[0] == "module":
            return pid[1]  # a class; what follows is its source code, as text
        _, storage, key, *_ = pid
        self.dtypes[key] = STORAGES[storage.path]
        view = pid[5] if len(pid) > 5 else None
        return Stored(key, view[1] if view else 0)


def read(file: Path, stand_ins: Sequence[str]) -> Any:
    """The file's tensors and plain data; a network becomes the dictionary of its tensors.

    Args:
        file: what ``torch.save`` wrote, in the present form or in that of before version 1.6.
        stand_ins: how the names of further classes begin that the file may mention, like ``networks.``.

    Raises:
        pickle.UnpicklingError: it names another class ("GLOBAL" and the class), or is no such file.
        Exception: a damaged file fails in any way that its reader knows.
    """
    with file.open("rb") as opened:
        parse = _zipped if zipfile.is_zipfile(opened) else _legacy
        opened.seek(0)
        content, parts = parse(opened, stand_ins)
    return _plain(content, parts)


def _zipped(file: IO[bytes], stand_ins: Sequence[str]) -> tuple[Any, dict[str, Tensor]]:
    with zipfile.ZipFile(file) as archive:
        folder = next(name for name in archive.namelist() if name.endswith("data.pkl")).removesuffix("data.pkl")
        with archive.open(f"{folder}data.pkl") as instructions:
            reader = _Reader(instructions, stand_ins)
            content = reader.load()
        parts = {key: _numbers(archive.read(f"{folder}data/{key}"), dtype) for key, dtype in reader.dtypes.items()}
    return content, parts


def _legacy(file: IO[bytes], stand_ins: Sequence[str]) -> tuple[Any, dict[str, Tensor]]:
    if _Reader(file, ()).load() != LEGACY:
        raise pickle.UnpicklingError("not written by torch.save")
    for _ in ("the version", "the machine"):
        _Reader(file, ()).load()
    reader = _Reader(file, stand_ins)
    content = reader.load()
    parts = {}
    for key in _Reader(file, ()).load():
        dtype = reader.dtypes[key]
        parts[key] = _numbers(_exactly(file, int.from_bytes(_exactly(file, 8), "little") * dtype.itemsize), dtype)
    return content, parts


def _exactly(file: IO[bytes], size: int) -> bytes:
    place = file.tell()
    left = file.seek(0, 2) - place
    if size > left:
        raise EOFError(f"{size - left} bytes are missing")
    file.seek(place)
    return file.read(size)


def _numbers(data: bytes, dtype: torch.dtype) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)


def _plain(node: Any, parts: Mapping[str, Tensor]) -> Any:
    """What a record stands for, where it is a tensor or a network; containers too, other things as they are."""
    if isinstance(node, Mapping):
        return {key: _plain(value, parts) for key, value in node.items()}
    if not isinstance(node, Inert):
        return node
    if node.path == PARAMETER:
        return _plain(node.arguments[0], parts)
    if node.path in TENSORS:
        return _tensor(*node.arguments[:4], parts)
    if isinstance(node.state, Mapping) and "_modules" in node.state:
        return dict(_network(node, "", parts))
    return node


def _tensor(stored: Stored, first: int, size: Any, stride: Any, parts: Mapping[str, Tensor]) -> Tensor:
    size, stride = (tuple(*x.arguments) if isinstance(x, Inert) else tuple(x) for x in (size, stride))
    part = parts[stored.key]
    if prod(size) > part.numel():
        raise ValueError(f"a tensor of {size} in a part of {part.numel()} numbers")
    return part.as_strided(size, stride, stored.first + first).clone(memory_format=torch.contiguous_format)


def _network(module: Inert, prefix: str, parts: Mapping[str, Tensor]) -> Iterator[tuple[str, Any]]:
    for group in ("_parameters", "_buffers"):
        for name, value in module.state.get(group, {}).items():
            if value is not None:
                yield prefix + name, _plain(value, parts)
    for name, child in module.state["_modules"].items():
        if child is not None:
            yield from _network(child, f"{prefix}{name}.", parts)
