"""Parameters and GFLOPs, counted the way the paper's tables are."""

import copy
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Complexity:
    """parameters: how many values are trained; gflops: 1e9 operations a frame, 2 per multiply-accumulate."""

    parameters: int
    gflops: float


def complexity(model: nn.Module, *, height: int = 544, width: int = 960, channels: int = 3) -> Complexity:
    """Counts one frame of the steady state (a frame that follows another) without computing it.

    Convolutions, transposed convolutions and matrix products count; bias, normalization, activations,
    resizing and warping do not. The default size is 960x540 padded to a multiple of 32, which explains the
    paper's figures. The model itself stays as it is: a copy on the meta device is run.
    """
    model = copy.deepcopy(model).to("meta").eval()
    frame = torch.empty(1, channels, height, width, device="meta")
    with torch.no_grad():
        state = model(frame).state
        with FlopCounterMode(display=False) as counter:
            model(frame, state)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Complexity(parameters, counter.get_total_flops() / 1e9)
