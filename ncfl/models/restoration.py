"""Restoration module: U-Net (Fig. 3) and the cascade of two, the W-Net (Fig. 4)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.models.layers import ChannelAttentionBlock, conv3, zero_


class FrameAndFeatures(NamedTuple):
    """y_tilde: restored frame [B,C,H,W]; c_t: features for the next step [B,F,H,W]."""

    y_tilde: Tensor
    c_t: Tensor


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(ChannelAttentionBlock(width) for _ in range(count)))


class UNet(nn.Module):
    """U-Net of channel-attention blocks (CAB), a convolution on each skip connection.

    (x_t, c_tilde) -> conv -> CAB ---------- 1x1 ----------> + CAB -> conv -> + x_t = y_tilde
                               v                             ^    `-> 1x1 -> c_t
                              CAB ---------- 1x1 ----------> + CAB
                               v            ...              ^
                               `-----------> CAB ------------'
    down: 2x2 mean, 1x1 convolution; up: 1x1 convolution, bilinear x2. The frame is a residual on x_t whose
    convolution starts at zero, so an untrained network gives x_t back.
    """

    def __init__(
        self,
        channels: int,
        feature_width: int,
        widths: Sequence[int] = (32, 64, 128, 256, 512),
        *,
        blocks: int = 1,
    ) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.head = conv3(channels + feature_width, widths[0])
        self.encoder = nn.ModuleList(_blocks(width, blocks) for width in widths)
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 1) for fine, coarse in pairs)
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairs)
        self.skip = nn.ModuleList(nn.Conv2d(width, width, 1) for width in widths[:-1])
        self.decoder = nn.ModuleList(_blocks(width, blocks) for width in widths[:-1])
        self.to_frame = zero_(conv3(widths[0], channels))
        self.to_features = nn.Conv2d(widths[0], feature_width, 1)

    def forward(self, x_t: Tensor, c_tilde: Tensor) -> FrameAndFeatures:
        """x_t [B,C,H,W], c_tilde [B,F,H,W], H and W multiples of 2^(scales-1) -> y_tilde, c_t."""
        x = self.encoder[0](self.head(torch.cat((x_t, c_tilde), dim=1)))
        skips = []
        for down, block in zip(self.down, self.encoder[1:], strict=True):
            skips.append(x)
            x = block(down(F.avg_pool2d(x, 2)))
        for up, skip, block in reversed(list(zip(self.up, self.skip, self.decoder, strict=True))):
            x = F.interpolate(up(x), scale_factor=2, mode="bilinear", align_corners=False)
            x = block(x + skip(skips.pop()))
        return FrameAndFeatures(x_t + self.to_frame(x), self.to_features(x))


class Cascade(nn.Module):
    """U-Nets in a row, each on the frame and features of the one before: one is the U-Net, two the W-Net."""

    def __init__(self, count: int, channels: int, feature_width: int, widths: Sequence[int], **sizes: int) -> None:
        super().__init__()
        self.unets = nn.ModuleList(UNet(channels, feature_width, widths, **sizes) for _ in range(count))

    def forward(self, x_t: Tensor, c_tilde: Tensor) -> FrameAndFeatures:
        """As `UNet.forward`."""
        restored = FrameAndFeatures(x_t, c_tilde)
        for unet in self.unets:
            restored = unet(*restored)
        return restored
