"""RMFD's merging of neighbors as a processor runs it fastest: the same numbers up to rounding, for inference alone."""

import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.methods.folding import sharing_copy
from ncfl.methods.rmfd.model import RMFD
from ncfl.models.layers import concatenated


class PairwiseConv(nn.Module):
    """A 3D convolution over two frames at a time as 2D ones, which take less than half the time on a processor.

    Args:
        conv: of a kernel that is 2 long in time, with stride 1 and no padding there.
    """

    def __init__(self, conv: nn.Conv3d) -> None:
        super().__init__()
        by_frame = conv.weight.detach().transpose(1, 2).flatten(1, 2)  # inputs: the earlier frame's, then the later's
        self.register_buffer("weight", by_frame.contiguous(), persistent=False)
        self.register_buffer("bias", conv.bias.detach(), persistent=False)
        self.stride, self.padding = conv.stride[1:], conv.padding[1:]

    def forward(self, frames: Tensor) -> Tensor:
        """[B,C,T,H,W] -> [B,C',T-1,H',W']; in memory as [B,T*C,H,W] with channels last, both."""
        x, channels = frames.transpose(1, 2).flatten(1, 2), frames.shape[1]
        pairs = (x[:, start : start + 2 * channels] for start in range(0, x.shape[1] - channels, channels))
        merged = [F.conv2d(pair, self.weight, self.bias, self.stride, self.padding) for pair in pairs]
        return concatenated(*merged).unflatten(1, (len(merged), -1)).transpose(1, 2)


def pairwise(model: RMFD) -> RMFD:
    """A network that gives the same up to rounding; the model itself stays as it is, and shares all other tensors."""
    faster = sharing_copy(model)
    for network in faster.children():
        for name, layer in list(network.named_children()):
            if isinstance(layer, nn.Conv3d):
                setattr(network, name, PairwiseConv(layer))
    return faster
