"""Starts of the compared methods: the weights that a small form's training begins from, coded in 8 bits.

Motion estimation is not in them: it is a file of its own.
"""

import json
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.weights.eight_bits import decoded
from ncfl.weights.tensorfile import read_tensors

KIND = "small-form-1"


def made_by(name: str) -> str:
    """The command that makes the start of an experiment."""
    return f"tools/pretrain compared {name} --output DIR"


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
