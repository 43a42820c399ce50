"""Every learned method with a small network, by its name."""

import torch
from torch import nn

from ncfl.methods.networks import build

FLOW = {"flow_width": 0.25, "flow_levels": 4}
SMALL = {
    "vnlnet": {"past": 2, "future": 1, "search": 3, "patch": 3, "match_width": 4, "match_convs": 1,
               "width": 4, "convs": 3},
    "dvdnet": {"width": 4, "spatial_convs": 3, "temporal_convs": 1},
    "fastdvdnet": {"widths": [4, 6, 8], "input_width": 2},
    "emvd-l": {"fusion": [1, 4], "denoising": [2, 8], "refinement": [1, 4], "scales": 2},
    "emvd-s": {"fusion": [1, 4], "denoising": [1, 4], "refinement": [1, 4]},
    "edvr": {"width": 4, "groups": 2, "extract_blocks": 1, "reconstruct_blocks": 1, "tail_width": 4},
    "basicvsr": {"width": 4, "blocks": 1, "tail_width": 4, **FLOW},
    "basicvsrpp": {"width": 4, "blocks": 1, "groups": 2, "tail_width": 4, **FLOW},
    "spaccnn": {"widths": [4, 4, 4], "radius": 2, "matches": 3},
    "j4rnet-p": {"width": 4, "exchanged": 2},
    "fcrvd": {"width": 4, "blocks": 1, **FLOW},
    "rmfd": {"width": 2, "blocks": 1},
    "msbdn": {"width": 2, "blocks": 1, "bottleneck": 1},
    "cg-idn": {"width": 4, "pre_width": 2, "groups": 2, "radius": 1, "blocks": 1, "reconstruct_blocks": 1},
}  # fmt: skip


def small(name: str, **other: object) -> nn.Module:
    torch.manual_seed(0)
    return build(name, {"channels": 3, **SMALL[name], **other})
