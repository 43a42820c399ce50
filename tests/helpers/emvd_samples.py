"""A small EMVD, and frames turned by right angles."""

import torch
from torch import nn

SMALL = {"fusion": (1, 4), "denoising": (1, 6), "refinement": (1, 4)}


def turned(model: nn.Module) -> nn.Module:
    """With transforms that are no longer the initial ones."""
    with torch.no_grad():
        model.color.turn.copy_(torch.tensor([[0.0, 0.3, -0.2], [0.1, 0.4, 0.0], [0.5, 0.0, 0.2]]))
        model.wavelet.angle.fill_(0.6)
    return model
