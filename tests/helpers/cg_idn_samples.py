"""CG-IDN away from its start, and frames to give it."""

import torch
from torch import Tensor

from ncfl.methods.cg_idn.model import CGIDN

SMALL = {"width": 8, "pre_width": 2, "groups": 2, "radius": 1, "blocks": 1, "reconstruct_blocks": 1}


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def shaken(**arguments: int) -> CGIDN:
    """With every parameter away from where it starts, those at zero, too."""
    torch.manual_seed(0)
    network = CGIDN(**SMALL, **arguments).eval()
    for parameter in network.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    return network
