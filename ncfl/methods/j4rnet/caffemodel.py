"""Reads the tensors of a ``.caffemodel``, a Protocol Buffers message, without Caffe and without running anything.

The numbers of the fields are those of BVLC/caffe, ``src/caffe/proto/caffe.proto``.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ncfl.common.errors import InputError

LAYER = 100  # of NetParameter
NAME, BLOBS = 1, 7  # of LayerParameter
OLD_SHAPE, DATA, SHAPE = (1, 2, 3, 4), 5, 7  # of BlobProto; before it had a shape: number, channels, height, width
DIMENSION = 1  # of BlobShape
VARINT, DOUBLE, BYTES, SINGLE = 0, 1, 2, 5  # how a field is written
PARTS = ("weight", "bias")


def read_caffemodel(path: Path) -> dict[str, Tensor]:
    """The weights and biases of a Caffe network, float32, by "layer.weight" and "layer.bias".

    InputError: no such file, or none of this format, or it ends early.
    """
    try:
        tensors = dict(_tensors(memoryview(Path(path).read_bytes())))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; expected a .caffemodel") from None
    except (IndexError, ValueError) as error:
        raise InputError(f"{path}: {error}; expected a whole .caffemodel") from None
    if not tensors:
        raise InputError(f"{path}: no layer with weights found; expected a .caffemodel")
    return tensors


def _tensors(message: memoryview) -> Iterator[tuple[str, Tensor]]:
    for number, layer in _fields(message):
        if number != LAYER or not isinstance(layer, memoryview):
            continue
        fields = list(_fields(layer))
        name = next((bytes(value).decode() for number, value in fields if number == NAME), "")
        blobs = [_blob(value) for number, value in fields if number == BLOBS]
        blobs[1:] = [bias.flatten() for bias in blobs[1:]]  # older ones have four dimensions too
        if len(blobs) > len(PARTS):
            raise ValueError(f"layer {name!r} has {len(blobs)} tensors")
        yield from ((f"{name}.{part}", blob) for part, blob in zip(PARTS, blobs, strict=False))


def _blob(message: memoryview) -> Tensor:
    fields = list(_fields(message))
    data = b"".join(bytes(value) for number, value in fields if number == DATA)
    shapes = [value for number, value in fields if number == SHAPE]
    if shapes:
        shape = [size for number, value in _fields(shapes[0]) if number == DIMENSION for size in _sizes(value)]
    else:
        shape = [value for number, value in sorted(_old(fields))]
    return torch.from_numpy(np.frombuffer(data, "<f4").astype(np.float32).reshape(shape))


def _old(fields: list[tuple[int, int | memoryview]]) -> list[tuple[int, int]]:
    return [(number, value) for number, value in fields if number in OLD_SHAPE and isinstance(value, int)]


def _sizes(value: int | memoryview) -> list[int]:
    """A size by itself, or several packed one after the other."""
    if isinstance(value, int):
        return [value]
    sizes, place = [], 0
    while place < len(value):
        size, place = _varint(value, place)
        sizes.append(size)
    return sizes


def _fields(message: int | memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: their numbers and what they hold."""
    if isinstance(message, int):
        raise ValueError("a number where a message belongs")
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == VARINT:
            value, place = _varint(message, place)
        else:
            if kind == BYTES:
                size, place = _varint(message, place)
            elif kind in (DOUBLE, SINGLE):
                size = 8 if kind == DOUBLE else 4
            else:
                raise ValueError("not a Protocol Buffers message")
            value, place = message[place : place + size], place + size
            if place > len(message):
                raise ValueError("it ends early")
        yield tag >> 3, value


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and where the next field starts."""
    value = shift = 0
    while True:
        if place == len(message):
            raise ValueError("it ends early")
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
