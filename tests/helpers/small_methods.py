"""Every method small, by its name: what the contract that they all keep is tried on.

A method that is added has a row in :data:`TRIALS`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from helpers.tiny_networks import SIZES
from ncfl.methods import BASELINES
from ncfl.methods.interface import Method
from ncfl.methods.networks import build, method_of
from ncfl.models.variants import m_f

FLOW = {"flow_width": 0.25, "flow_levels": 4}


@dataclass(frozen=True)
class Trial:
    """A small network of a learned method, and what is expected of it.

    Attributes:
        sizes: by the names of the network's constructor.
        supervised: the frames of a clip of seven that it restores in training.
        window: the fewest frames that it trains on.
        gray: whether a network of a single channel can be built.
        border: how a window goes on at a clip's ends.
        idle: how the names of parameters begin that the loss on restored frames does not reach: the authors' layers for
            maps that nothing uses, which are there for the official tensors.
    """

    sizes: Mapping[str, Any]
    supervised: Sequence[int] = range(7)
    window: int = 1
    gray: bool = True
    border: str = "reflect"
    idle: tuple[str, ...] = ()


TRIALS = {
    "vnlnet": Trial(
        {"past": 2, "future": 1, "search": 3, "patch": 3, "match_width": 4, "match_convs": 1, "width": 4, "convs": 3},
        supervised=range(2, 6),
        window=4,
    ),
    "dvdnet": Trial(
        {"width": 4, "spatial_convs": 3, "temporal_convs": 1}, supervised=(*range(7), *range(2, 5)), window=5
    ),
    "fastdvdnet": Trial({"widths": [4, 6, 8], "input_width": 2}, supervised=range(2, 5), window=5),
    "emvd-l": Trial({"fusion": [1, 4], "denoising": [2, 8], "refinement": [1, 4], "scales": 2}),
    "emvd-s": Trial({"fusion": [1, 4], "denoising": [1, 4], "refinement": [1, 4]}),
    "edvr": Trial(
        {"width": 4, "groups": 2, "extract_blocks": 1, "reconstruct_blocks": 1, "tail_width": 4},
        supervised=range(2, 5),
        window=5,
        border="replicate",
    ),
    "basicvsr": Trial({"width": 4, "blocks": 1, "tail_width": 4, **FLOW}, gray=False),
    "basicvsrpp": Trial({"width": 4, "blocks": 1, "groups": 2, "tail_width": 4, **FLOW}, gray=False),
    "spaccnn": Trial({"widths": [4, 4, 4], "radius": 2, "matches": 3}, supervised=range(2, 5), window=5),
    "j4rnet-p": Trial({"width": 4, "exchanged": 2}),
    "fcrvd": Trial({"width": 4, "blocks": 1, **FLOW}, gray=False),
    "rmfd": Trial({"width": 2, "blocks": 1}, idle=("multi_model_res.alpha_", "multi_model_s2.alpha_")),
    "msbdn": Trial({"width": 2, "blocks": 1, "bottleneck": 1}),
    "cg-idn": Trial(
        {"width": 4, "pre_width": 2, "groups": 2, "radius": 1, "blocks": 1, "reconstruct_blocks": 1},
        supervised=range(2, 5),
        window=5,
    ),
}
SMALL = {name: trial.sizes for name, trial in TRIALS.items()}


def small(name: str, **other: object) -> nn.Module:
    """The small network of a learned method; ``other`` sizes go before those of its trial."""
    torch.manual_seed(0)
    return build(name, {"channels": 3, **SMALL[name], **other})


def small_method(name: str) -> Method:
    """A method of the tables, with a small network where it has one."""
    if name in BASELINES:
        return BASELINES[name].build()
    torch.manual_seed(0)
    return method_of(m_f(**SIZES) if name == "ncfl" else small(name), name=name)


def clip(frames: int = 7, height: int = 48, width: int = 48, batch: int = 1) -> Tensor:
    return torch.rand(batch, frames, 3, height, width, generator=torch.Generator().manual_seed(frames))


def shaken(model: nn.Module) -> nn.Module:
    """No layer at the zero that it may start from, so that every one counts."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return model


def trained_norms(network: nn.Module) -> nn.Module:
    """In evaluation, with batch normalizations that are not those of a fresh network."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            module.weight.data.uniform_(0.5, 1.0, generator=generator)
            module.bias.data.normal_(0, 0.1, generator=generator)
    return network.eval()
