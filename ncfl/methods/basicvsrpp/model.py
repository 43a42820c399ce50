"""BasicVSR++ (Chan et al., CVPR 2022, arXiv:2104.13371): four passes through the clip, deformable alignment.

Layer order, tensor names and padding are those of XPixelGroup/BasicSR and open-mmlab/mmagic, whose weights fit
after BasicVSR's ``official_names.py``. The form for denoising is that of ckkelvinchan/BasicVSR_PlusPlus
(arXiv:2204.05308), ``basicvsr_plusplus_denoise.py``, features at a quarter of the resolution; the variant at half,
whose code was never published, is not here. The authors refuse frames whose quarter is below 64x64 pixels,
the size of the paper's training patches among them; here any size from 16x16 on works.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ncfl.methods.basicvsr.model import BasicVSRMethod, Propagating, Trunk, featureless, reducing_head
from ncfl.methods.deform import TAPS, DeformConv
from ncfl.methods.spynet6.model import SPyNet6, flow_warp
from ncfl.models.arguments import keeps_arguments
from ncfl.models.layers import SLOPE, added, conv3, ordered_as, zero_

BRANCHES = ("backward_1", "forward_1", "backward_2", "forward_2")
GROUPS = 16  # of the deformable convolutions; features have a multiple of 8 channels


def basicvsrpp(**sizes: Any) -> "BasicVSRPlusPlus":
    """The form for restoration at full resolution, as published for denoising."""
    return BasicVSRPlusPlus(**sizes)


def basicvsrpp_x4(**sizes: Any) -> "BasicVSRPlusPlus":
    """The published super-resolution network."""
    return BasicVSRPlusPlus(**{"blocks": 7, "upscale": True, **sizes})


class SecondOrderAlignment(DeformConv):
    """Looks the features of the last two steps up where the flows point, give or take a learned offset.

    The offset is ``reach`` * tanh(.) pixels away from the flow, and zero at the start.
    """

    def __init__(self, width: int, groups: int, reach: float) -> None:
        super().__init__(2 * width, width, groups)
        self.reach = reach
        layers: list[nn.Module] = []
        for inputs in (3 * width + 4, width, width):
            layers += [conv3(inputs, width), nn.LeakyReLU(SLOPE, inplace=True)]
        self.conv_offset = nn.Sequential(*layers, zero_(conv3(width, 3 * TAPS * groups)))

    def forward(self, features: tuple[Tensor, Tensor], condition: Tensor, flows: tuple[Tensor, Tensor]) -> Tensor:
        """features: one and two steps before, [B,width,H,W] each, not yet warped; condition: [B,3*width,H,W]
        both of them warped, and the frame's own between them; flows to them [B,2,H,W] -> [B,width,H,W].
        """
        found = self.conv_offset(torch.cat((condition, *(ordered_as(condition, flow) for flow in flows)), dim=1))
        offset, mask = found.split((2 * TAPS * self.groups, TAPS * self.groups), dim=1)
        # Half of the groups look into either step's features; offsets are (y, x), flows (x, y).
        half = offset.shape[1] // 2
        offset = (self.reach * offset.tanh()).to(flows[0].dtype)
        for start, flow in zip((0, half), flows, strict=True):
            offset[:, start : start + half : 2] += flow[:, 1:]
            offset[:, start + 1 : start + half : 2] += flow[:, :1]
        return super().forward(torch.cat(features, dim=1), offset, mask.sigmoid())


class BasicVSRPlusPlus(Propagating):
    """The network, at full resolution or, with upscale=True, for x4 super-resolution.

    x_i --> feat_extract --+-> backward_1 -+-> forward_1 -+-> backward_2 -+-> forward_2 --.
                           `---------------+--------------+---------------+---------------+-> reconstruction --> + x_i

    Each branch sees what the branches before it found in frame i, and its own features of the last two steps:
    deform_align(both, flows), concatenated with the rest --> backbone --> + aligned features.

    channels: of a frame; width: of the features; blocks: of each backbone; reach: of the learned offsets, pixels;
    groups: of the deformable convolutions; tail_width: of the last layers.
    """

    kind = "basicvsrpp"

    @keeps_arguments
    def __init__(
        self,
        *,
        channels: int = 3,
        width: int = 64,
        blocks: int = 15,
        reach: float = 10.0,
        groups: int = GROUPS,
        tail_width: int = 64,
        upscale: bool = False,
        flow_levels: int = 6,
        flow_width: float = 1.0,
    ) -> None:
        super().__init__()
        self.channels, self.width, self.upscale = channels, width, upscale
        self.spynet = SPyNet6(levels=flow_levels, width=flow_width)
        self.feat_extract = Trunk(channels, width, 5) if upscale else reducing_head(channels, width)
        self.deform_align = nn.ModuleDict({name: SecondOrderAlignment(width, groups, reach) for name in BRANCHES})
        self.backbone = nn.ModuleDict(
            {name: Trunk((2 + place) * width, width, blocks) for place, name in enumerate(BRANCHES)}
        )
        self.reconstruction = Trunk((1 + len(BRANCHES)) * width, width, 5)
        self.add_tail(width, tail_width)

    def propagate(self, clip: Tensor, backward: list[Tensor], forward: list[Tensor]) -> Tensor:
        """See :meth:`~ncfl.methods.basicvsr.model.Propagating.propagate`."""
        own = [self.feat_extract(frame) for frame in clip.unbind(1)]  # one by one: the first layers are large
        known = [[x] for x in own]  # what is known of each frame, branch by branch
        for name in BRANCHES:
            reverse = name.startswith("backward")
            order, flows = (known[::-1], backward[::-1]) if reverse else (known, forward)
            for features, found in zip(order, self._travel(name, order, flows), strict=True):
                features.append(found)
        frames = zip(known, clip.unbind(1), strict=True)
        return torch.stack([self.to_frame(self.reconstruction(torch.cat(k, dim=1)), x) for k, x in frames], dim=1)

    def _travel(self, name: str, known: list[list[Tensor]], flows: list[Tensor]) -> list[Tensor]:
        """One branch's features of each frame, in the order of travel; flows lead to the frame before."""
        align, backbone = self.deform_align[name], self.backbone[name]
        features: list[Tensor] = []
        for step, frame in enumerate(known):
            if step == 0:
                aligned = featureless(frame[0], self.width)
            else:
                aligned = self._align(align, features[-2:], frame[0], flows[max(step - 2, 0) : step])
            features.append(added(backbone(torch.cat((*frame, aligned), dim=1)), aligned))
        return features

    @staticmethod
    def _align(align: nn.Module, features: list[Tensor], own: Tensor, flows: list[Tensor]) -> Tensor:
        """The features of the last one or two steps, the latest last, at where the frame has them."""
        first, flow_1 = features[-1], flows[-1]
        warped = flow_warp(first, flow_1)
        if len(features) == 1:
            second, flow_2, warped_2 = torch.zeros_like(first), torch.zeros_like(flow_1), torch.zeros_like(first)
        else:
            second, flow_2 = features[-2], flow_1 + flow_warp(flows[-2], flow_1)
            warped_2 = flow_warp(second, flow_2)
        condition = torch.cat((warped, own, warped_2), dim=1)
        return align((first, second), condition, (flow_1, flow_2))


class BasicVSRPlusPlusMethod(BasicVSRMethod):
    """Drives a :class:`BasicVSRPlusPlus` as its predecessor is driven."""
