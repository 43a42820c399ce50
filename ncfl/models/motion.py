"""Motion estimation (SPyNet) and backward warping."""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.models.layers import zero_
from ncfl.models.padding import Padder

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as the published SPyNet uses


def warp(features: Tensor, mv: Tensor, *, top: int = 0) -> Tensor:
    """Looks features up at p + mv(p): bilinear, positions outside take the nearest border value.

    features [B,C,H,W]; mv [B,2,h,W] in pixels (x, y), computed in float32, of all rows or of those from ``top`` on
    -> [B,C,h,W] in features' dtype.
    """
    height, width = features.shape[-2:]
    mv = mv.float()
    x = torch.arange(width, dtype=mv.dtype, device=mv.device)
    y = torch.arange(top, top + mv.shape[-2], dtype=mv.dtype, device=mv.device)[:, None]
    grid = torch.stack(
        ((mv[:, 0] + x) * (2 / max(width - 1, 1)) - 1, (mv[:, 1] + y) * (2 / max(height - 1, 1)) - 1), dim=-1
    )
    warped = F.grid_sample(features.float(), grid, mode="bilinear", padding_mode="border", align_corners=True)
    return warped.to(features.dtype)


def as_rgb(x: Tensor) -> Tensor:
    """[B,3,H,W] unchanged; packed Bayer [B,4,H,W] (R, G, B, G) -> R, mean G, B."""
    if x.shape[1] == 3:
        return x
    return torch.cat((x[:, :1], (x[:, 1:2] + x[:, 3:4]) / 2, x[:, 2:3]), dim=1)


class SPyNetLevel(nn.Sequential):
    """Five 7x7 convolutions, 8 -> 32 -> 64 -> 32 -> 16 -> 2 channels, the last one zero at the start."""

    def __init__(self, width: float) -> None:
        sizes = [8, *(max(round(size * width), 1) for size in (32, 64, 32, 16)), 2]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Conv2d(inputs, outputs, 7, padding=3), nn.ReLU(inplace=True)]
        zero_(layers[-2])
        super().__init__(*layers[:-1])


class SPyNet(nn.Module):
    """Spatial pyramid network (Ranjan and Black 2017): residual flow, coarse to fine.

    From the coarsest level on: mv <- 2 up(mv);  mv <- mv + level(x_t, warp(x_prev, mv), mv).
    Published sizes: 240,050 parameters a level. The zero last convolutions make the initial flow zero.
    """

    kind = "spynet"

    def __init__(self, *, levels: int = 4, width: float = 1.0) -> None:
        super().__init__()
        self.arguments = {"levels": levels, "width": width}
        self.levels = nn.ModuleList(SPyNetLevel(width) for _ in range(levels))
        self.register_buffer("mean", torch.tensor(MEAN)[None, :, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[None, :, None, None], persistent=False)

    def adopt(self, spynet: "SPyNet") -> None:
        """Take over the weights of another one of the same sizes."""
        self.load_state_dict(spynet.state_dict())

    def forward(self, x_t: Tensor, x_prev: Tensor, run: Callable[..., Tensor] | None = None) -> Tensor:
        """Backward motion: x_t(p) ~ x_prev(p + mv(p)).

        x_t, x_prev [B,3 or 4,H,W], nominal range [0,1], any size -> mv [B,2,H,W] in pixels (x, y), float32. run: how
        a level is called with its three inputs, where not as it stands.
        """
        run = run or (lambda level, *inputs: level(torch.cat(inputs, dim=1)))
        padder = Padder(*x_t.shape[-2:], 2 ** (len(self.levels) - 1))
        pyramid = [tuple(padder.pad((as_rgb(x) - self.mean) / self.std) for x in (x_t, x_prev))]
        while len(pyramid) < len(self.levels):
            pyramid.append(tuple(F.avg_pool2d(x, 2) for x in pyramid[-1]))
        mv = None
        for level, (current, previous) in zip(self.levels, reversed(pyramid), strict=True):
            if mv is None:
                mv = torch.zeros_like(current[:, :2], dtype=torch.float32)
                warped = previous
            else:
                mv = 2 * F.interpolate(mv, scale_factor=2, mode="bilinear", align_corners=True)
                warped = warp(previous, mv)
            mv = mv + run(level, current, warped, mv).float()
        return padder.crop(mv)
