"""Weights held against a network: every name and every shape, and no other."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError

COUNTER = "num_batches_tracked"  # of a batch normalization, which no result depends on
LISTED = 2  # names that a message shows of each kind

NameMap = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]


def load_weights(model: nn.Module, state: Mapping[str, Any], source: Path | str) -> None:
    """Copy a state dict into ``model``, all or nothing.

    Raises:
        InputError: as :func:`match`; ``source`` names the file.
    """
    model.load_state_dict(match(state, model, None, type(model).__name__, source=source))


def match(
    state: Mapping[str, Tensor],
    model: nn.Module,
    mapping: NameMap | None,
    method: str,
    *,
    source: Path | str = "weights",
    others: Mapping[str, Callable[[], tuple[nn.Module, NameMap | None]]] | None = None,
) -> dict[str, Tensor]:
    """``state`` under the network's own names, in the network's order: exactly its names and shapes.

    Counters of batch normalization that old files lack are zero. Nothing is copied into ``model``.

    Args:
        state: what :func:`read_weights` gave.
        model: the network, on any device (the meta device will do).
        mapping: official names -> those of ``model``; None where they are the same.
        method: how messages call the network.
        source: how messages call the file.
        others: further networks and their mappings, built on the meta device where the weights do not fit, to
            say which of them they fit.

    Raises:
        InputError: the first names that are missing, foreign or of another shape, and how many there are.
    """
    own = model.state_dict()
    named = _mapped(state, mapping)
    named |= {name: torch.zeros_like(own[name], device="cpu") for name in own if _is_counter(name, named)}
    missing = [name for name in own if name not in named]
    foreign = [name for name in named if name not in own]
    shaped = [
        f"{name}: expected {_shape(own[name])}, got {_shape(named[name])}"
        for name in own
        if name in named and _shape(named[name]) != _shape(own[name])
    ]
    if not (missing or foreign or shaped):
        return {name: named[name] for name in own}
    wrong = {"missing": missing, "unknown": foreign, "of another shape": shaped}
    listed = "; ".join(f"{len(names)} {what}: {some(names)}" for what, names in wrong.items() if names)
    better = _better(state, _fit(named, own), others or {})
    hint = f"; they fit {better}" if better else ""
    raise InputError(f"{source}: expected weights that fit {method}, got others ({listed}){hint}")


def _mapped(state: Mapping[str, Tensor], mapping: NameMap | None) -> dict[str, Tensor]:
    try:
        return dict(state if mapping is None else mapping(state))
    except (InputError, LookupError, ValueError, AttributeError):  # names it does not know, to be listed as such
        return dict(state)


def _is_counter(name: str, named: Mapping[str, Tensor]) -> bool:
    return name.endswith(f".{COUNTER}") and name not in named


def _fit(named: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> float:
    """Which part of all names agrees, with its shape: 1 where everything does."""
    agreeing = sum(name in own and _shape(own[name]) == _shape(found) for name, found in named.items())
    return agreeing / max(len(named.keys() | own.keys()), 1)


def _better(
    state: Mapping[str, Tensor], fit: float, others: Mapping[str, Callable[[], tuple[nn.Module, NameMap | None]]]
) -> str | None:
    best = None
    for name, build in others.items():
        with torch.device("meta"):
            model, mapping = build()
        found = _fit(_mapped(state, mapping), model.state_dict())
        if found > max(fit, 0.5):
            best, fit = name, found
    return best


def _shape(value: Any) -> list[int] | str:
    return list(value.shape) if isinstance(value, Tensor) else type(value).__name__


def some(names: Mapping[Any, Any] | Sequence[Any]) -> str:
    """The first names, for a message of one line."""
    shown = ", ".join(" ".join(str(name).split()) for name in list(names)[:LISTED])  # a name could hold a line's end
    return shown + (", ..." if len(names) > LISTED else "") if names else "none"
