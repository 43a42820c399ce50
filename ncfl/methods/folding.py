"""Batch normalization folded into the convolution before it: a fixed scale and shift, which its weights can take in."""

import copy
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def folded(network: nn.Module) -> nn.Module:
    """A network that gives the same up to rounding, with fewer layers to run.

    Where a normalization follows a 2D convolution in a ``nn.Sequential``, the convolution takes it in, computed in
    float64. The network itself stays as it is: the other one has such convolutions of its own, shares all other
    tensors, and is for inference alone. Where nothing can be folded it is the network itself.

    Args:
        network: in evaluation, with the statistics that it is to have from now on.
    """
    if not any(_places(row) for row in _rows(network)):
        return network
    lighter = sharing_copy(network)
    for row in _rows(lighter):
        for i in _places(row):
            row[i], row[i + 1] = _together(row[i], row[i + 1]), nn.Identity()
    return lighter


def sharing_copy(network: nn.Module) -> nn.Module:
    """A network of layers like these and of the same tensors: its layers can be exchanged, the other's stay."""
    return copy.deepcopy(network, {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())})


def _rows(network: nn.Module) -> list[nn.Sequential]:
    return [module for module in network.modules() if isinstance(module, nn.Sequential)]


def _places(row: nn.Sequential) -> list[int]:
    """Where a convolution stands before a normalization."""
    return [
        i
        for i, (layer, after) in enumerate(pairwise(row))
        if isinstance(layer, nn.Conv2d) and isinstance(after, nn.BatchNorm2d)
    ]


def _together(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    exact = fuse_conv_bn_eval(copy.deepcopy(conv).double(), copy.deepcopy(norm).double())
    return exact.to(conv.weight.dtype).requires_grad_(False)
