"""MV refinement (MVR, Fig. 1 (a)) and the plain convolutions that replace it in the ablation (M-Conv).

Both start as (almost) the identity on the motion vectors, so that pretrained motion is not lost on the first
iterations; this sets initial values only, the structure is the paper's.
"""

import torch
from torch import Tensor, nn

from ncfl.models.layers import GDN, SLOPE, conv3

SCALE = 16.0  # pixels; motion vectors enter in this unit, where GDN at its start is nearly linear


class MVRefinement(nn.Module):
    """MVR of the supplement, section 2.

    mv -> conv 5x5 s2 -> GDN -> conv 5x5 s2 | deconv 4x4 -> IGDN -> deconv 4x4 -> mv
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(2, width, 5, stride=2, padding=2),
            GDN(width),
            nn.Conv2d(width, width, 5, stride=2, padding=2),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(width, width, 4, stride=2, padding=1),
            GDN(width, inverse=True),
            nn.ConvTranspose2d(width, 2, 4, stride=2, padding=1),
        )
        self._start_as_low_pass()

    @torch.no_grad()
    def _start_as_low_pass(self) -> None:
        """Channels 0 and 1 carry the motion: 2x2 means down, bilinear interpolation up; the rest is mute."""
        ramp = torch.tensor([0.25, 0.75, 0.75, 0.25])
        for layer in (self.encoder[0], self.encoder[2]):
            layer.weight[:2] = 0
            layer.bias[:2] = 0
            for axis in range(2):
                layer.weight[axis, axis, 2:4, 2:4] = 0.25
        for layer in (self.decoder[0], self.decoder[2]):
            layer.weight[:, :2] = 0
            layer.bias[:2] = 0
            for axis in range(2):
                layer.weight[axis, axis] = torch.outer(ramp, ramp)

    def forward(self, mv: Tensor) -> Tensor:
        """mv [B,2,H,W] in pixels, H and W multiples of 4 -> the refined mv, same shape, float32."""
        return self.decoder(self.encoder(mv / SCALE)).float() * SCALE


class MConv(nn.Module):
    """M-Conv: three 3x3 convolutions at full resolution, no auto-encoder; 3/4 of MVR's width."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv3(2, width),
            nn.LeakyReLU(SLOPE, inplace=True),
            conv3(width, width),
            nn.LeakyReLU(SLOPE, inplace=True),
            conv3(width, 2),
        )
        self._start_as_identity()

    @torch.no_grad()
    def _start_as_identity(self) -> None:
        """Channels 0 to 3 carry +x, +y, -x, -y, since leaky(v) - leaky(-v) = (1 + slope) v keeps the sign."""
        first, second, last = self.body[0], self.body[2], self.body[4]
        signs = torch.cat((torch.eye(2), -torch.eye(2)))  # [4,2]
        for layer in (first, second):
            layer.weight[:4] = 0
            layer.bias[:4] = 0
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        first.weight[:4, :, 1, 1] = signs
        second.weight[:4, :4, 1, 1] = signs @ signs.T / (1 + SLOPE)
        last.weight[:, :4, 1, 1] = signs.T / (1 + SLOPE)

    def forward(self, mv: Tensor) -> Tensor:
        """mv [B,2,H,W] in pixels -> the same shape, float32."""
        return self.body(mv / SCALE).float() * SCALE
