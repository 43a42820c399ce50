"""The learned methods that the paper compares with, by name: how each is built, and what drives it over a clip."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ncfl.errors import InputError
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
from ncfl.models.ncfl import NCFL, FeatureCodec


@dataclass(frozen=True)
class Network:
    """One learned method.

    Attributes:
        build: the network; the published sizes where no other is given, by keyword. It has ``kind``, ``arguments``,
            ``restore_clip(noisy, sigma)`` and ``supervised(length)``, which is what a training needs.
        method: drives it over a clip.
        motion: whether it has a motion estimation of SPyNet's kind, which starts from the pretrained one.
    """

    build: Callable[..., nn.Module]
    method: Callable[..., Method]
    motion: bool = False


NETWORKS: dict[str, Network] = {
    "vnlnet": Network(vnlnet.vnlnet_color, vnlnet.VNLNetMethod),
    "dvdnet": Network(dvdnet.DVDNet, dvdnet.DVDNetMethod),
    "fastdvdnet": Network(fastdvdnet.FastDVDNet, fastdvdnet.FastDVDNetMethod),
    "emvd-s": Network(emvd.emvd_s, emvd.EMVDMethod),
    "emvd-l": Network(emvd.emvd_l, emvd.EMVDMethod),
    "edvr": Network(edvr.edvr, edvr.EDVRMethod),
    "basicvsr": Network(basicvsr.basicvsr, basicvsr.BasicVSRMethod, motion=True),
    "basicvsrpp": Network(basicvsrpp.basicvsrpp, basicvsrpp.BasicVSRPlusPlusMethod, motion=True),
    "spaccnn": Network(spaccnn.SpacCNN, spaccnn.SpacCNNMethod),
    "j4rnet-p": Network(j4rnet.J4RNet, j4rnet.J4RNetMethod),
    "fcrvd": Network(fcrvd.FCRVD, fcrvd.FCRVDMethod, motion=True),
    "rmfd": Network(rmfd.RMFD, rmfd.RMFDMethod),
    "msbdn": Network(msbdn.MSBDN, msbdn.MSBDNMethod),
    "cg-idn": Network(cg_idn.CGIDN, cg_idn.CGIDNMethod),
}

# kind, as checkpoints call it -> its class, and what drives it
_DRIVERS: dict[type[nn.Module], Callable[..., Method]] = {
    NCFL: NCFLMethod,
    FeatureCodec: NCFLMethod,
    vnlnet.VNLNet: vnlnet.VNLNetMethod,
    dvdnet.DVDNet: dvdnet.DVDNetMethod,
    fastdvdnet.FastDVDNet: fastdvdnet.FastDVDNetMethod,
    emvd.EMVD: emvd.EMVDMethod,
    edvr.EDVR: edvr.EDVRMethod,
    basicvsr.BasicVSR: basicvsr.BasicVSRMethod,
    basicvsrpp.BasicVSRPlusPlus: basicvsrpp.BasicVSRPlusPlusMethod,
    spaccnn.SpacCNN: spaccnn.SpacCNNMethod,
    j4rnet.J4RNet: j4rnet.J4RNetMethod,
    fcrvd.FCRVD: fcrvd.FCRVDMethod,
    rmfd.RMFD: rmfd.RMFDMethod,
    msbdn.MSBDN: msbdn.MSBDNMethod,
    cg_idn.CGIDN: cg_idn.CGIDNMethod,
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
        return NETWORKS[name].build(**sizes)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        allowed = ", ".join(name for name in NETWORKS[name].build().arguments)
        raise InputError(f"{where}: {name} does not take {dict(sizes)} ({reason}); its sizes: {allowed}") from None


def rebuild(kind: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The network that a checkpoint describes, of this project or a compared method's. InputError: no such kind."""
    classes = {built.kind: built for built in _DRIVERS}
    if kind not in classes or issubclass(classes[kind], NCFL | FeatureCodec):
        return variants.rebuild(kind, arguments)
    try:
        return classes[kind](**arguments)
    except TypeError as error:
        raise InputError(f"model kind {kind!r} does not take these arguments: {error}") from error


def method_of(
    model: nn.Module, *, name: str, device: str | torch.device = "cpu", channels_last: bool = False
) -> Method:
    """What drives a rebuilt network over a clip. InputError: a network that restores nothing by itself."""
    if type(model) not in _DRIVERS:
        raise InputError(f"{name}: found a {type(model).__name__}, which restores no frames by itself")
    return _DRIVERS[type(model)](model, name=name, device=device, channels_last=channels_last)
