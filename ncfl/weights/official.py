"""The compared networks whose authors publish weights: how each is built, what its files look like, how it restores.

Weights are brought by ``ncfl import-weights`` and never shipped. What each method's paper leaves open, and what of the
agreement with the authors' code was measured, stands in docs/methods.md.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.methods import basicvsr, basicvsrpp, dvdnet, edvr, fastdvdnet, j4rnet, msbdn, rmfd, spynet6, vnlnet
from ncfl.methods.interface import Method
from ncfl.weights.matching import NameMap, match, read_weights


@dataclass(frozen=True, kw_only=True)
class Official:
    """One network as its authors published it.

    Attributes:
        build: the network at its published size.
        source: where the authors publish the weights, in words.
        licence: of the weights, as the authors state it.
        files: what each file is called; all of them are needed.
        names: the files' names of tensors -> the network's; None where they are the same.
        method: wraps the network for evaluation and restoring; None for one that restores no frame by itself.
        stand_ins: Python classes that the files mention beside tensors (:func:`ncfl.weights.matching.read_weights`).
        read: reads one file; the common reader where None.
    """

    build: Callable[[], nn.Module]
    source: str
    licence: str
    files: tuple[str, ...]
    names: NameMap | None = None
    method: Callable[..., Method] | None = None
    stand_ins: tuple[str, ...] = ()
    read: Callable[[Path], Mapping[str, Tensor]] | None = None


OFFICIAL: dict[str, Official] = {
    "fastdvdnet": Official(
        build=fastdvdnet.FastDVDNet,
        source="m-tassano/fastdvdnet",
        licence="MIT (the repository; earlier GPL v3)",
        names=fastdvdnet.official_names,
        files=("model.pth",),
        method=fastdvdnet.FastDVDNetMethod,
    ),
    "dvdnet": Official(
        build=dvdnet.DVDNet,
        source="m-tassano/dvdnet",
        licence="GPL v3 or later (the repository)",
        names=dvdnet.official_names,
        files=("model_spatial.pth", "model_temp.pth"),
        method=dvdnet.DVDNetMethod,
    ),
    "vnlnet-gray": Official(
        build=vnlnet.vnlnet_gray,
        source="axeldavy/vnlnet, one file per noise level",
        licence="GPL v3 (its LICENSE and the headers of its files)",
        names=vnlnet.official_names,
        files=("vnlnet_gray_<sigma>.pth",),
        method=vnlnet.VNLNetMethod,
        stand_ins=("argparse.Namespace",),
    ),
    "vnlnet-color": Official(
        build=vnlnet.vnlnet_color,
        source="axeldavy/vnlnet, one file per noise level",
        licence="GPL v3 (its LICENSE and the headers of its files)",
        names=vnlnet.official_names,
        files=("vnlnet_color_<sigma>.pth",),
        method=vnlnet.VNLNetMethod,
        stand_ins=("argparse.Namespace",),
    ),
    "edvr": Official(
        build=edvr.edvr,
        source="XPixelGroup/BasicSR, EDVR-L deblurring",
        licence="Apache 2.0 (the repository)",
        names=edvr.official_names,
        files=("EDVR_L_deblur_REDS_official.pth",),
        method=edvr.EDVRMethod,
    ),
    "edvr-x4": Official(
        build=edvr.edvr_x4,
        source="XPixelGroup/BasicSR, EDVR-L super-resolution",
        licence="Apache 2.0 (the repository)",
        names=edvr.official_names,
        files=("EDVR_L_x4_SR_REDS_official.pth",),
    ),
    "basicvsr-x4": Official(
        build=basicvsr.basicvsr_x4,
        source="XPixelGroup/BasicSR or open-mmlab/mmagic, BasicVSR super-resolution",
        licence="Apache 2.0 (both repositories)",
        names=basicvsr.official_names,
        files=("BasicVSR_REDS4.pth",),
    ),
    "basicvsrpp": Official(
        build=basicvsrpp.basicvsrpp,
        source="open-mmlab/mmagic, BasicVSR++ denoising",
        licence="Apache 2.0 (the repository)",
        names=basicvsrpp.official_names,
        files=("basicvsr_plusplus_denoise.pth",),
        method=basicvsrpp.BasicVSRPlusPlusMethod,
    ),
    "basicvsrpp-x4": Official(
        build=basicvsrpp.basicvsrpp_x4,
        source="open-mmlab/mmagic, BasicVSR++ super-resolution",
        licence="Apache 2.0 (the repository)",
        names=basicvsrpp.official_names,
        files=("basicvsr_plusplus_x4.pth",),
    ),
    "msbdn": Official(
        build=msbdn.MSBDN,
        source="BookerDeWitt/MSBDN-DFF, trained on RESIDE",
        licence="not stated",
        files=("model.pkl",),
        method=msbdn.MSBDNMethod,
        stand_ins=msbdn.OFFICIAL_CLASSES,
    ),
    "j4rnet": Official(
        build=j4rnet.J4RNet,
        source="flyywh/J4RNet-Deep-Video-Deraining-CVPR-2018",
        licence="not stated",
        names=j4rnet.official_names,
        files=("rain_removal_BRCN_type_iter_90000.caffemodel",),
        method=j4rnet.J4RNetMethod,
        read=j4rnet.read_caffemodel,
    ),
    "rmfd": Official(
        build=rmfd.RMFD,
        source="flyywh/Recurrent-Multi-Frame-Deraining",
        licence="not stated",
        files=("model_epoch_<n>.pth",),
        method=rmfd.RMFDMethod,
        read=rmfd.read_checkpoint,
    ),
    "spynet": Official(
        build=spynet6.SPyNet6,
        source="sniklaus/pytorch-spynet or XPixelGroup/BasicSR",
        licence="of the original: no commercial use, no redistribution",
        names=spynet6.official_names,
        files=("network-sintel-final.pytorch, spynet_*.pth, or a folder of .npy files",),
    ),
}


def official(name: str) -> Official:
    """The network of a name; an unknown one is an :class:`InputError` that lists the known."""
    if name not in OFFICIAL:
        raise InputError(f"method {name}: no official weights are known; allowed: {', '.join(OFFICIAL)}")
    return OFFICIAL[name]


def read_official(name: str, files: list[Path]) -> dict[str, Tensor]:
    """The state of a network from its official files, every name and shape matched.

    Raises:
        InputError: another number of files than the method has, or one that cannot be read or does not fit.
    """
    spec = official(name)
    if len(files) != len(spec.files):
        raise InputError(f"method {name}: found {len(files)} files; needed: {' and '.join(spec.files)}")
    state: dict[str, Tensor] = {}
    for file in files:
        read = dict(spec.read(file)) if spec.read else read_weights(file, stand_ins=spec.stand_ins)
        state |= spec.names(read) if spec.names and len(files) > 1 else read
    mapping = spec.names if len(files) == 1 else None
    source = " and ".join(str(file) for file in files)
    return match(state, _empty(name), mapping, name, source=source, others=_others(name))


def _others(name: str) -> dict[str, Callable[[], tuple[nn.Module, NameMap | None]]]:
    def builder(other: str) -> Callable[[], tuple[nn.Module, NameMap | None]]:
        return lambda: (_empty(other), OFFICIAL[other].names)

    return {other: builder(other) for other in OFFICIAL if other != name}


@functools.cache
def _empty(name: str) -> nn.Module:
    """The network with names and shapes alone: its published size need be neither filled nor held."""
    with torch.device("meta"):
        return OFFICIAL[name].build()


def with_weights(name: str, state: Mapping[str, Tensor], **settings: Any) -> Method:
    """The method of a name with imported weights; ``settings`` go to its wrapper (device, channels_last, ...).

    Raises:
        InputError: a network that restores no frames by itself.
    """
    spec = official(name)
    if spec.method is None:
        able = ", ".join(other for other, entry in OFFICIAL.items() if entry.method)
        raise InputError(f"method {name}: it restores no frames by itself; allowed: {able}")
    model = spec.build()
    model.load_state_dict(state)
    return spec.method(model, name=name, **settings)
