"""Starts of the compared methods: the weights that a small form's training begins from, coded in 8 bits.

A training goes on from them, so that their last bits are worth nothing. Each kernel of a layer (of one output and one
input; a whole row of a layer of single values) has whole numbers from -127 to 127 and a step, 2 to the power of eighths
that a byte holds; what has no kernels, as biases, is in half precision. One step for all kernels of an output cost
0.4 dB: a kernel that hands a frame on is a hundred times as strong as those beside it. Motion estimation is not in it:
it is a file of its own.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.weights.tensorfile import read_tensors

KIND = "small-form-1"
STEP = ".step"
LARGEST = 127
EIGHTHS, LEAST = 8, -128  # of an octave, and of the powers that a byte holds


def made_by(name: str) -> str:
    """The command that makes the start of an experiment."""
    return f"tools/pretrain compared {name} --output DIR"


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


def without_motion(model: nn.Module) -> dict[str, Tensor]:
    """The state of a network but for its motion estimation, where it has one."""
    motion = getattr(model, "motion", None)
    places = [f"{name}." for name, part in model.named_modules() if part is motion and motion is not None]
    return {name: value for name, value in model.state_dict().items() if not name.startswith(tuple(places))}


def sizes_of(model: nn.Module) -> dict[str, Any]:
    """The arguments of a network but for those of its motion estimation, as JSON gives them back."""
    own = {key: value for key, value in model.arguments.items() if not key.startswith("flow_")}
    return json.loads(json.dumps(own))


def adopt_small_form(model: nn.Module, path: Path, name: str) -> None:
    """Give a network the weights of a start, in place; its motion estimation stays as it is.

    Args:
        model: of a compared method.
        path: the file.
        name: the experiment, for messages.

    Raises:
        InputError: a file that is missing, damaged, or of another kind, version, method or size.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; {made_by(name)} --file {path} makes it, train.start: null does without"
        )
    tensors, about = read_tensors(path)
    if about.get("kind") != KIND:
        raise InputError(f"{path}: expected a start ({KIND}), got {about.get('kind', 'a file that does not say')}")
    if about.get("method") != model.kind:
        raise InputError(f"{path}: expected a start of {model.kind}, got one of {about.get('method')}")
    _check_sizes(model, about.get("arguments", ""), path, name)
    state, own = decoded(tensors, path), without_motion(model)
    if set(state) != set(own):
        raise InputError(f"{path}: expected {len(own)} tensors, got {len(state)}; another version of the method")
    for key, value in own.items():
        if state[key].shape != value.shape:
            raise InputError(f"{path}: {key}: expected {tuple(value.shape)}, got {tuple(state[key].shape)}")
    model.load_state_dict(state, strict=False)


def _check_sizes(model: nn.Module, text: str, path: Path, name: str) -> None:
    try:
        found = dict(json.loads(text))
    except (TypeError, ValueError):
        raise InputError(f"{path}: damaged: the sizes of its network are missing") from None
    for key, value in sizes_of(model).items():
        if found.get(key) != value:
            raise InputError(
                f"{path}: experiment {name}, network.{key}: expected {found.get(key)}, as the start has it, "
                f"got {value}; train.start: null trains from nothing"
            )
