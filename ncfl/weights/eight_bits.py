"""Weights in 8 bits, for starts: a training goes on from them, so that their last bits are worth nothing.

Each kernel of a layer (of one output and one input; a whole row of a layer of single values) has whole numbers from
-127 to 127 and a step, 2 to the power of eighths that a byte holds; what has no kernels, as biases, is in half
precision. One step for all kernels of an output cost 0.4 dB: a kernel that hands a frame on is a hundred times as
strong as those beside it.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ncfl.common.errors import InputError

STEP = ".step"
LARGEST = 127
EIGHTHS, LEAST = 8, -128  # of an octave, and of the powers that a byte holds


def coded(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state in 8 bits: ``name`` and ``name.step`` beside it as int8, or ``name`` as float16."""
    found = {}
    for name, value in state.items():
        if value.dim() < 2 or not value.is_floating_point():
            found[name] = value.half() if value.is_floating_point() else value
            continue
        largest = value.float().abs().amax(_kernel(value), keepdim=True)
        # Rounded up, so that the largest is not cut off.
        power = (EIGHTHS * (largest / LARGEST).log2()).ceil().clamp(LEAST, -LEAST - 1).to(torch.int8)
        found[name] = (value.float() / _step(power)).round().clamp(-LARGEST, LARGEST).to(torch.int8)
        found[name + STEP] = power
    return {name: value.contiguous() for name, value in found.items()}


def decoded(tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """What :func:`coded` gave, in float32. InputError: whole numbers without their step."""
    found = {}
    for name, value in tensors.items():
        if value.dtype != torch.int8:
            found[name] = value.float() if value.is_floating_point() else value
        elif not name.endswith(STEP):
            power = tensors.get(name + STEP)
            if power is None or power.dtype != torch.int8 or power.dim() != value.dim():
                raise InputError(f"{path}: {name}: damaged: its step is missing")
            found[name] = value.float() * _step(power)
    return found


def _step(power: Tensor) -> Tensor:
    return torch.exp2(power.float() / EIGHTHS)


def _kernel(value: Tensor) -> tuple[int, ...]:
    """The dimensions that share a scale."""
    single = all(length == 1 for length in value.shape[2:])
    return tuple(range(1 if single else 2, value.dim()))
