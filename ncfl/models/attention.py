"""Feature attention (FA, Fig. 1 (b)): where and in which channels the aligned features can be trusted."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ncfl.models.layers import ResBlock, conv3


def _blocks(width: int, count: int) -> list[nn.Module]:
    return [ResBlock(width) for _ in range(count)]


class FeatureAttention(nn.Module):
    """Auto-encoder over the noisy frame and the aligned features (supplement, section 2).

    (x_t, c_hat) -> conv -> n RB -> conv s2 -> n RB -> conv s2 -> n + 4 RB
                                 -> deconv -> n RB -> deconv -> n RB -> conv -> sigmoid -> m_t
    c_check = m_t * c_hat

    RB: ResBlock. "4 Resblocks at the largest scale" stand at the coarsest one, which has the largest
    receptive field; at 16/32/64 channels a block costs the same at every scale, so the count cannot tell.
    """

    def __init__(
        self,
        channels: int,
        feature_width: int,
        widths: Sequence[int] = (16, 32, 64),
        *,
        blocks: int = 5,
        extra_blocks: int = 4,
    ) -> None:
        super().__init__()
        down = [conv3(channels + feature_width, widths[0]), *_blocks(widths[0], blocks)]
        for fine, coarse in pairwise(widths):
            down += [conv3(fine, coarse, stride=2), *_blocks(coarse, blocks)]
        up: list[nn.Module] = _blocks(widths[-1], extra_blocks)
        for fine, coarse in reversed(list(pairwise(widths))):
            up += [nn.ConvTranspose2d(coarse, fine, 2, stride=2), *_blocks(fine, blocks)]
        self.encoder = nn.Sequential(*down)
        self.decoder = nn.Sequential(*up, conv3(widths[0], feature_width))

    def forward(self, x_t: Tensor, c_hat: Tensor) -> Tensor:
        """x_t [B,C,H,W], c_hat [B,F,H,W], H and W multiples of 4 -> m_t [B,F,H,W] in (0,1)."""
        return self.decoder(self.encoder(torch.cat((x_t, c_hat), dim=1))).sigmoid()
