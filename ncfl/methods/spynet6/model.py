"""SPyNet as BasicVSR and BasicVSR++ use it: six levels, 1,440,300 parameters, and the warping of features.

The levels are those of :class:`ncfl.models.motion.SPyNet`. Other than there, frames are resized to multiples of
32 instead of padded, and what lies outside of a warped feature map is zero, both as in XPixelGroup/BasicSR and
open-mmlab/mmagic, whose weights fit after :mod:`~ncfl.methods.spynet6.official_names`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.models.layers import added, full_precision, ordered_as
from ncfl.models.motion import MEAN, STD, SPyNet, SPyNetLevel, as_rgb


def flow_warp(features: Tensor, flow: Tensor, outside: str = "zeros") -> Tensor:
    """Looks features [B,C,H,W] up at p + flow(p), bilinear; flow [B,2,H,W] in pixels (x, y).

    ``outside`` of the image is "zeros", or "border": the nearest value. Runs in float32 under autocast too.
    """
    height, width = flow.shape[-2:]
    with full_precision(flow):
        x = torch.arange(width, dtype=flow.dtype, device=flow.device)
        y = torch.arange(height, dtype=flow.dtype, device=flow.device)[:, None]
        columns = 2 * (flow[:, 0] + x) / max(width - 1, 1) - 1
        rows = 2 * (flow[:, 1] + y) / max(height - 1, 1) - 1
        grid = torch.stack((columns, rows), dim=-1)
        warped = F.grid_sample(features.to(grid), grid, mode="bilinear", padding_mode=outside, align_corners=True)
    return ordered_as(features, warped.to(features.dtype))


class _Level(nn.Module):
    """One level under the name that the published weights give it."""

    def __init__(self, width: float) -> None:
        super().__init__()
        self.basic_module = SPyNetLevel(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.basic_module(x)


class SPyNet6(nn.Module):
    """Spatial pyramid network (Ranjan and Black 2017), residual flow from the coarsest level on.

    levels and width: the published network has 6 levels, with 32, 64, 32 and 16 channels times 1.
    """

    def __init__(self, *, levels: int = 6, width: float = 1.0) -> None:
        super().__init__()
        self.width = width
        self.basic_module = nn.ModuleList(_Level(width) for _ in range(levels))
        self.register_buffer("mean", per_channel(MEAN))
        self.register_buffer("std", per_channel(STD))

    def adopt(self, spynet: SPyNet) -> None:
        """Take over the levels of the project's own SPyNet of the same width, finest on finest.

        Coarser levels that it does not have stay as they are: at the start they add no flow. InputError: another width.
        """
        pretrained = spynet.arguments["width"]
        if pretrained != self.width:
            raise InputError(f"flow_width: expected {pretrained}, as the pretrained SPyNet has, got {self.width}")
        for own, other in zip(reversed(self.basic_module), reversed(spynet.levels), strict=False):
            own.basic_module.load_state_dict(other.state_dict())

    def forward(self, reference: Tensor, neighbor: Tensor) -> Tensor:
        """reference(p) ~ neighbor(p + flow(p)).

        Both [B,3 or 4,H,W] of any size, nominal range [0,1] -> flow [B,2,H,W] in pixels (x, y), float32.
        """
        size = reference.shape[-2:]
        multiple = 2 ** (len(self.basic_module) - 1)
        resized = [length + -length % multiple for length in size]
        pyramid = [tuple((_resize(as_rgb(x), resized) - self.mean) / self.std for x in (reference, neighbor))]
        while len(pyramid) < len(self.basic_module):
            pyramid.append(tuple(F.avg_pool2d(x, 2) for x in pyramid[-1]))
        flow = _resize(self._flow(pyramid[::-1]), size)
        ratio = flow.new_tensor([old / new for old, new in zip(size, resized, strict=True)][::-1])
        return flow * ratio.view(1, 2, 1, 1)

    def _flow(self, pyramid: list[tuple[Tensor, ...]]) -> Tensor:
        flow = torch.zeros_like(pyramid[0][0][:, :2], dtype=torch.float32)
        for level, (reference, neighbor) in zip(self.basic_module, pyramid, strict=True):
            if flow.shape[-2:] != reference.shape[-2:]:
                flow = 2 * F.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=True)
            warped = flow_warp(neighbor, flow, "border")
            flow = added(level(torch.cat((reference, warped, flow), dim=1)).float(), flow)
        return flow


def clip_flows(spynet: SPyNet6, clip: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Flows between the neighbors of a clip [B,T,C,H,W], T - 1 of [B,2,H,W] in each list.

    First from each frame to the one after it, at which features from the future are looked up; then from each
    frame but the first to the one before it.
    """
    frames, steps = clip.shape[:2], clip.shape[1] - 1
    if steps == 0:
        return [], []
    earlier, later = clip[:, :-1].flatten(0, 1), clip[:, 1:].flatten(0, 1)
    flows = (spynet(earlier, later), spynet(later, earlier))
    backward, forward = (list(flow.unflatten(0, (frames[0], steps)).unbind(1)) for flow in flows)
    return backward, forward


def _resize(x: Tensor, size: list[int] | torch.Size) -> Tensor:
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def per_channel(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values).view(1, 3, 1, 1)
