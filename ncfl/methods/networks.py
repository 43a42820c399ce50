"""Networks of the compared methods: built by name, rebuilt from a checkpoint, and driven over a clip."""

import inspect
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

import torch
from torch import nn

from ncfl.common.errors import InputError
from ncfl.methods import LEARNED
from ncfl.methods.interface import Method
from ncfl.methods.ncfl.method import NCFLMethod
from ncfl.methods.record import Network
from ncfl.models import variants
from ncfl.models.motion import SPyNet
from ncfl.models.ncfl import NCFL, FeatureCodec

OWN = (NCFL, FeatureCodec)  # this project's networks that restore frames


def _compared() -> list[Network]:
    return [record.network() for record in LEARNED.values()]


def build(name: str, sizes: Mapping[str, Any], where: str = "network") -> nn.Module:
    """The network of a method.

    Args:
        name: a key of :data:`ncfl.methods.LEARNED`.
        sizes: what differs from the published network, as its constructor calls it.
        where: what a refusal calls these sizes.

    Raises:
        InputError: no such method, or a size that it does not have or take.
    """
    if name not in LEARNED:
        raise InputError(f"method: expected {', '.join(LEARNED)}, got {name!r}")
    network = LEARNED[name].network()
    try:
        for size, found in sizes.items():
            _check_size(network.network, size, found)
        return network.published(**sizes)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{where}: expected sizes of which {name} can be built, got {dict(sizes)} ({reason})"
        ) from None


@torch.no_grad()
def let_frames_pass(model: nn.Module) -> None:
    """Initialize as the identity (:mod:`ncfl.methods.identity_init`), in place.

    Args:
        model: a compared method's network that was just built.

    Raises:
        InputError: a method that has none, or a network with too few features for a frame to pass.
    """
    able = {network.network: network.passing for network in _compared() if network.passing}
    if type(model) not in able:
        raise InputError(f"passing: expected {', '.join(network.kind for network in able)}, got {model.kind}")
    able[type(model)](model)


def _check_size(network: type[nn.Module], size: str, found: Any) -> None:
    """InputError: a size that the network does not have, of another kind than its default value, or too small."""
    defaults = {name: given.default for name, given in inspect.signature(network).parameters.items()}
    if size not in defaults:
        raise InputError(f"expected a size of {', '.join(defaults)}, got {size!r}")
    example = defaults[size]
    if size == "upscale":
        fits, allowed = found is False, "false, since a restored frame has the size of the input"
    elif isinstance(example, bool):
        fits, allowed = isinstance(found, bool), "true or false"
    elif isinstance(example, tuple):
        fits = isinstance(found, list | tuple) and len(found) > 0 and all(map(_whole, found))
        allowed = f"whole numbers from 1 on, like {list(example)}"
    elif isinstance(example, float):
        fits, allowed = type(found) in (int, float) and 0 < found < inf, f"a number above 0, like {example}"
    else:
        fits, allowed = _whole(found), f"a whole number from 1 on, like {example}"
    if not fits:
        raise InputError(f"{size}: expected {allowed}, got {found!r}")


def _whole(number: Any) -> bool:
    return type(number) is int and number >= 1


def rebuild(kind: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The network that a checkpoint describes, of this project or a compared method's. InputError: no such kind."""
    own = [network.kind for network in (*OWN, SPyNet)]
    if kind in own:
        return variants.rebuild(kind, arguments)
    compared = {each.network.kind: each.network for each in _compared()}
    if kind not in compared:
        raise InputError(f"model kind: expected {', '.join([*own, *compared])}, got {kind!r}")
    try:
        return compared[kind](**arguments)
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"model kind {kind!r}: expected the arguments that it takes, got others ({reason})") from None


def method_of(
    model: nn.Module, *, name: str, device: str | torch.device = "cpu", channels_last: bool = False, fold: bool = True
) -> Method:
    """What drives a rebuilt network over a clip; the rest as for :class:`ncfl.methods.learned.Learned`.

    InputError: a network that restores nothing by itself.
    """
    return _driver(model, name)(model, name=name, device=device, channels_last=channels_last, fold=fold)


def _driver(model: nn.Module, name: str) -> Callable[..., Method]:
    if type(model) in OWN:
        return NCFLMethod
    for compared in _compared():
        if type(model) is compared.network:
            return compared.driver
    raise InputError(f"{name}: expected a network that restores frames, got a {type(model).__name__}")
