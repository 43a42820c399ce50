"""The weights that come with the program: which there are, where they lie, and a network from them.

``pretrained/index.json`` names a default and describes each file: its size and SHA-256, which network it is of
(``kind`` and ``arguments``, as in a checkpoint) and which noise levels it was trained on. A file that is not exactly
the one described is never loaded.
"""

import os
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from ncfl.common.errors import InputError
from ncfl.common.files import read_json, sha256
from ncfl.methods.networks import rebuild
from ncfl.weights.matching import load_weights
from ncfl.weights.tensorfile import read_tensors

VARIABLE = "NCFL_WEIGHTS"  # what to take where a command names none: a name of the index, or one's own file
INDEX = "index.json"
SUFFIX = ".safetensors"
NONE_SHIPPED = (
    f"no weights come with this copy (no pretrained/{INDEX}); name --checkpoint, --method or --weights FILE{SUFFIX}, "
    "or train: make results"
)
_KINDS: dict[str, type] = {
    "file": str,
    "bytes": int,
    "sha256": str,
    "kind": str,
    "arguments": dict,
    "sigma": list,
    "description": str,
    "licence": str,
}


class Weights(NamedTuple):
    """One file of weights, as its index describes it.

    Attributes:
        name: how ``--weights`` calls it.
        path: the file.
        bytes: its size.
        sha256: of its content, in hexadecimal.
        kind: which class builds the network; and
        arguments: its constructor's keyword arguments.
        sigma: the least and the greatest noise level that it was trained on, 0..255.
        description: what it is and what it was trained on, a line.
        licence: of the weights.
        default: whether it is taken where none is named.
        gray_from: as of :class:`ncfl.methods.learned.Learned`.
        whiteness_below: how white noise is at most (:mod:`ncfl.restoring.whiteness`) where these are taken in place of
            the default; None where only their name takes them.
    """

    name: str
    path: Path
    bytes: int
    sha256: str
    kind: str
    arguments: dict[str, Any]
    sigma: tuple[float, float]
    description: str
    licence: str
    default: bool
    gray_from: float | None = None
    whiteness_below: float | None = None

    def check(self) -> None:
        """InputError: the file is missing, or not the one described."""
        if not self.path.is_file():
            raise InputError(f"{self.path}: no such file, and the index names it; get it again")
        found = self.path.stat().st_size
        if found != self.bytes:
            cut = "truncated: " if found < self.bytes else ""
            raise InputError(f"{self.path}: {cut}expected {self.bytes} bytes, got {found}; get it again")
        found = sha256(self.path)
        if found != self.sha256:
            raise InputError(f"{self.path}: damaged: expected SHA-256 {self.sha256}, got {found}; get it again")

    def build(self) -> nn.Module:
        """The network without its weights. InputError: no such kind, or arguments that it does not take."""
        try:
            return rebuild(self.kind, self.arguments)
        except (InputError, KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{self.path}: no model of kind {self.kind!r} can be built ({reason})") from None

    def load(self) -> nn.Module:
        """The network with its weights, float32, in evaluation mode, on the CPU. InputError: as :meth:`check`."""
        self.check()
        model = self.build()
        load_weights(model, read_tensors(self.path)[0], self.path)
        for name, tensor in model.state_dict().items():
            if not tensor.isfinite().all():
                raise InputError(f"{self.path}: {name}: expected finite values, got others")
        return model.eval()

    def parameters(self) -> int:
        """How many values are trained; without memory for them."""
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in self.build().parameters())


def folder() -> Path | None:
    """Where the weights of this copy lie: beside the package in a checkout, or where its installation put them."""
    here = Path(__file__).parents[2]  # the checkout, or the folder of packages, which `pip install --target` gives all
    schemes = sysconfig.get_path("data"), sysconfig.get_path("data", sysconfig.get_preferred_scheme("user"))
    installed = (Path(data) / "share/ncfl/pretrained" for data in (here, *schemes))
    places = [here / "pretrained", *installed]
    return next((place for place in places if (place / INDEX).is_file()), None)


def shipped(place: Path | None = None) -> dict[str, Weights]:
    """The weights of a folder with an index, by name.

    Args:
        place: the folder; that of this copy where it is None.

    Returns:
        What the index describes, the default first; empty where this copy has none.

    Raises:
        InputError: an index that is damaged. The files themselves are not looked at.
    """
    place = folder() if place is None else place
    if place is None:
        return {}
    path = place / INDEX
    content = read_json(path)
    described = content.get("weights") if isinstance(content, dict) else None
    default = content.get("default") if isinstance(described, dict) else None
    if not isinstance(default, str) or default not in described:
        raise InputError(f"{path}: damaged: expected 'weights' by name, and one of the names as 'default'")
    return {name: _weights(path, name, described[name], default) for name in sorted(described, key=default.__ne__)}


def find(given: str | None = None) -> Weights:
    """The weights that a user means.

    Args:
        given: a name of the index; or the path of a .safetensors file that an index beside it describes. Where it is
            None, the environment's ``NCFL_WEIGHTS`` is taken in its place, and the default without one.

    Raises:
        InputError: none are shipped, an unknown name, a file without description, a damaged index.
    """
    given = given or os.environ.get(VARIABLE) or None
    if given is not None and (given.endswith(SUFFIX) or os.sep in given):
        return _own(Path(given))
    known = shipped()
    if not known:
        raise InputError(f"weights{f' {given}' if given else ''}: {NONE_SHIPPED}")
    if given is None:
        return next(iter(known.values()))
    if given not in known:
        raise InputError(f"weights: expected {', '.join(known)} or a file ending in {SUFFIX}, got {given!r}")
    return known[given]


def named() -> bool:
    """Whether the environment names the weights that are taken where a command names none."""
    return bool(os.environ.get(VARIABLE))


def suited(whiteness: float | None) -> Weights:
    """The weights for noise that is so white; the default ones where none is for it, or nothing is known of it.

    Raises:
        InputError: none are shipped, a damaged index.
    """
    default = find()
    if whiteness is None or named():
        return default
    fitting = (one for one in shipped().values() if whiteness < (one.whiteness_below or 0))
    return next(fitting, default)


def _own(path: Path) -> Weights:
    if path.suffix != SUFFIX:
        raise InputError(f"{path}: expected a file that ends in {SUFFIX}; a checkpoint.pt goes to --checkpoint")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if not (path.parent / INDEX).is_file():
        raise InputError(f"{path}: no {INDEX} beside it, which says what network it is of")
    for weights in shipped(path.parent).values():
        if weights.path.name == path.name:
            return weights
    raise InputError(f"{path}: expected weights that {path.parent / INDEX} describes, got others")


def _weights(index: Path, name: str, entry: Any, default: str) -> Weights:
    where = f"{index}: weights {name!r}"
    if not isinstance(entry, dict):
        raise InputError(f"{where}: expected an object with {', '.join(_KINDS)}, got a {type(entry).__name__}")
    for key, kind in _KINDS.items():
        if not isinstance(entry.get(key), kind):
            raise InputError(f"{where}: {key}: expected a value of type {kind.__name__}, got {entry.get(key)!r:.80}")
    if Path(entry["file"]).name != entry["file"]:
        raise InputError(f"{where}: file: expected a name beside the index, got {entry['file']!r}")
    sigma = entry["sigma"]
    if len(sigma) != 2 or not all(isinstance(level, int | float) for level in sigma):
        raise InputError(f"{where}: sigma: expected the least and the greatest level, got {sigma}")
    fields = {key: entry[key] for key in _KINDS if key not in ("file", "sigma")}
    fields |= {"sigma": tuple(sigma), "default": name == default, **further(entry, f"{where}: ")}
    return Weights(name=name, path=index.parent / entry["file"], **fields)


def further(entry: Mapping[str, Any], where: str = "") -> dict[str, float]:
    """What an entry says besides: ``gray_from`` and ``whiteness_below``, where it has them.

    Raises:
        InputError: a number that is not allowed; ``where`` begins the message.
    """
    gray, white = entry.get("gray_from"), entry.get("whiteness_below")
    if gray is not None and not (isinstance(gray, int | float) and 0 <= gray <= 255):
        raise InputError(f"{where}gray_from: expected a noise level in 0..255, or none, got {gray!r}")
    if white is not None and not (isinstance(white, int | float) and 0 < white <= 2):
        raise InputError(f"{where}whiteness_below: expected a number above 0, up to 2, or none, got {white!r}")
    return {key: entry[key] for key in ("gray_from", "whiteness_below") if entry.get(key) is not None}
