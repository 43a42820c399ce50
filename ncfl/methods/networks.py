"""The learned methods that the paper compares with, by name: how each is built, and what drives it over a clip."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from torch import nn

from ncfl.common.errors import InputError
from ncfl.methods import (
    basicvsr,
    basicvsrpp,
    cg_idn,
    dvdnet,
    edvr,
    emvd,
    fastdvdnet,
    fcrvd,
    j4rnet,
    msbdn,
    rmfd,
    spaccnn,
    vnlnet,
)
from ncfl.methods.interface import Method
from ncfl.methods.ncfl import NCFLMethod
from ncfl.models import variants
from ncfl.models.motion import SPyNet
from ncfl.models.ncfl import NCFL, FeatureCodec


@dataclass(frozen=True)
class Network:
    """One learned method.

    Attributes:
        network: its class. It has ``kind``, ``arguments``, ``restore_clip(noisy, sigma)`` and
            ``supervised(length)``, which is what a training needs.
        method: drives it over a clip.
        published: builds it at the published sizes where no other is given, by keyword.
        motion: whether it has a motion estimation of SPyNet's kind, which starts from the pretrained one.
    """

    network: type[nn.Module]
    method: Callable[..., Method]
    published: Callable[..., nn.Module]
    motion: bool = False


NETWORKS: dict[str, Network] = {
    "vnlnet": Network(vnlnet.VNLNet, vnlnet.VNLNetMethod, vnlnet.vnlnet_color),
    "dvdnet": Network(dvdnet.DVDNet, dvdnet.DVDNetMethod, dvdnet.DVDNet),
    "fastdvdnet": Network(fastdvdnet.FastDVDNet, fastdvdnet.FastDVDNetMethod, fastdvdnet.FastDVDNet),
    "emvd-s": Network(emvd.EMVD, emvd.EMVDMethod, emvd.emvd_s),
    "emvd-l": Network(emvd.EMVD, emvd.EMVDMethod, emvd.emvd_l),
    "edvr": Network(edvr.EDVR, edvr.EDVRMethod, edvr.edvr),
    "basicvsr": Network(basicvsr.BasicVSR, basicvsr.BasicVSRMethod, basicvsr.basicvsr, motion=True),
    "basicvsrpp": Network(
        basicvsrpp.BasicVSRPlusPlus, basicvsrpp.BasicVSRPlusPlusMethod, basicvsrpp.basicvsrpp, motion=True
    ),
    "spaccnn": Network(spaccnn.SpacCNN, spaccnn.SpacCNNMethod, spaccnn.SpacCNN),
    "j4rnet-p": Network(j4rnet.J4RNet, j4rnet.J4RNetMethod, j4rnet.J4RNet),
    "fcrvd": Network(fcrvd.FCRVD, fcrvd.FCRVDMethod, fcrvd.FCRVD, motion=True),
    "rmfd": Network(rmfd.RMFD, rmfd.RMFDMethod, rmfd.RMFD),
    "msbdn": Network(msbdn.MSBDN, msbdn.MSBDNMethod, msbdn.MSBDN),
    "cg-idn": Network(cg_idn.CGIDN, cg_idn.CGIDNMethod, cg_idn.CGIDN),
}

# What drives a network, by its class; this project's own beside the compared ones.
_DRIVERS: dict[type[nn.Module], Callable[..., Method]] = {
    NCFL: NCFLMethod,
    FeatureCodec: NCFLMethod,
    **{learned.network: learned.method for learned in NETWORKS.values()},
}


def build(name: str, sizes: Mapping[str, Any], where: str = "network") -> nn.Module:
    """The network of a method.

    Args:
        name: a key of :data:`NETWORKS`.
        sizes: what differs from the published network, as its constructor calls it.
        where: what a refusal calls these sizes.

    Raises:
        InputError: no such method, or a size that it does not have or take.
    """
    if name not in NETWORKS:
        raise InputError(f"method: found {name!r}, allowed: {', '.join(NETWORKS)}")
    try:
        for size, found in sizes.items():
            _check_size(NETWORKS[name].network, size, found)
        return NETWORKS[name].published(**sizes)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{where}: {name} cannot be built with {dict(sizes)} ({reason})") from None


def _check_size(network: type[nn.Module], size: str, found: Any) -> None:
    """InputError: a size that the network does not have, of another kind than its default value, or too small."""
    defaults = {name: given.default for name, given in inspect.signature(network).parameters.items()}
    if size not in defaults:
        raise InputError(f"found {size!r}, allowed: {', '.join(defaults)}")
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
        raise InputError(f"{size}: found {found!r}, allowed: {allowed}")


def _whole(number: Any) -> bool:
    return type(number) is int and number >= 1


def rebuild(kind: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The network that a checkpoint describes, of this project or a compared method's. InputError: no such kind."""
    compared = {learned.network.kind: learned.network for learned in NETWORKS.values()}
    own = (NCFL.kind, FeatureCodec.kind, SPyNet.kind)
    if kind in own:
        return variants.rebuild(kind, arguments)
    if kind not in compared:
        raise InputError(f"model kind is {kind!r}; allowed: {', '.join([*own, *compared])}")
    try:
        return compared[kind](**arguments)
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"model kind {kind!r} does not take these arguments: {reason}") from None


def method_of(
    model: nn.Module, *, name: str, device: str | torch.device = "cpu", channels_last: bool = False, fold: bool = True
) -> Method:
    """What drives a rebuilt network over a clip; the rest as for :class:`ncfl.methods.learned.Learned`.

    InputError: a network that restores nothing by itself.
    """
    if type(model) not in _DRIVERS:
        raise InputError(f"{name}: found a {type(model).__name__}, which restores no frames by itself")
    return _DRIVERS[type(model)](model, name=name, device=device, channels_last=channels_last, fold=fold)
