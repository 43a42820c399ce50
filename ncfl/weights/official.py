"""Reads the official weights that the records of :mod:`ncfl.methods` describe, and restores with them.

What a file calls its tensors, BasicSR's and others' names, is brought to the network's own by a method's
``ncfl/methods/<method>/official_names.py``; a method without one has the published names.

Weights are brought by ``ncfl import-weights`` and never shipped. What each method's paper leaves open, and what of the
agreement with the authors' code was measured, stands in docs/methods.md.
"""

import functools
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.methods import OFFICIAL
from ncfl.methods.interface import Method
from ncfl.methods.networks import method_of
from ncfl.methods.record import Format, OfficialWeights
from ncfl.weights.imported import load
from ncfl.weights.matching import NameMap, match
from ncfl.weights.reading import read_parts, read_weights


def official(name: str) -> OfficialWeights:
    """The weights of a name; an unknown one is an :class:`InputError` that lists the known."""
    if name not in OFFICIAL:
        raise InputError(f"method: expected one with official weights ({', '.join(OFFICIAL)}), got {name}")
    return OFFICIAL[name]


def read_official(name: str, files: list[Path]) -> dict[str, Tensor]:
    """The state of a network from its official files, every name and shape matched.

    Raises:
        InputError: another number of files than the method has, or one that cannot be read or does not fit.
    """
    spec = official(name)
    if len(files) != len(spec.files):
        raise InputError(f"method {name}: expected {' and '.join(spec.files)}, got {len(files)} files")
    form = spec.format()
    state: dict[str, Tensor] = {}
    for file in files:
        read = _read(form, file, spec.stand_ins)
        state |= form.names(read) if form.names and len(files) > 1 else read
    mapping = form.names if len(files) == 1 else None
    source = " and ".join(str(file) for file in files)
    return match(state, _empty(name), mapping, name, source=source, others=_others(name))


def _read(form: Format, file: Path, stand_ins: tuple[str, ...]) -> dict[str, Tensor]:
    if form.read:
        return dict(form.read(file))
    return read_parts(file, form.parts) if form.parts else read_weights(file, stand_ins=stand_ins)


def _others(name: str) -> dict[str, Callable[[], tuple[nn.Module, NameMap | None]]]:
    def builder(other: str) -> Callable[[], tuple[nn.Module, NameMap | None]]:
        return lambda: (_empty(other), OFFICIAL[other].format().names)

    return {other: builder(other) for other in OFFICIAL if other != name}


@functools.cache
def _empty(name: str) -> nn.Module:
    """The network with names and shapes alone: its published size need be neither filled nor held."""
    with torch.device("meta"):
        return OFFICIAL[name].format().build()


def from_file(name: str, path: Path, **settings: Any) -> Method:
    """The method of a name with the weights that were imported to ``path``; ``settings`` as of :func:`with_weights`.

    Raises:
        InputError: weights that cannot be read, or a network that restores no frames by itself.
    """
    state, about = load(path)
    method = with_weights(name, state, **settings)
    method.level = level_of(name, about["origin"])
    return method


def level_of(name: str, origin: str) -> float | None:
    """The one noise level, 0..255, that weights are for by the name of their file; None where it does not tell."""
    pattern = official(name).level
    found = re.search(pattern, origin) if pattern else None
    return float(found[1]) if found else None


def with_weights(name: str, state: Mapping[str, Tensor], **settings: Any) -> Method:
    """The method of a name with imported weights; ``settings`` go to its wrapper (device, channels_last, ...).

    Raises:
        InputError: a network that restores no frames by itself.
    """
    spec = official(name)
    if not spec.restores:
        able = ", ".join(other for other, entry in OFFICIAL.items() if entry.restores)
        raise InputError(f"method: expected one that restores frames by itself ({able}), got {name}")
    model = spec.format().build()
    model.load_state_dict(state)
    return method_of(model, name=name, **settings)
