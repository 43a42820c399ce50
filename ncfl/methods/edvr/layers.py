"""The parts of EDVR: cleaning of features, their alignment, and the fusion of frames."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.methods.basicvsr.model import ResidualBlock
from ncfl.methods.deform import GuidedDeformConv
from ncfl.models.layers import SLOPE, added, conv3


def active(conv: nn.Module, *x: Tensor) -> Tensor:
    """A convolution of all ``x`` side by side, and the LeakyReLU."""
    return F.leaky_relu(conv(torch.cat(x, dim=1) if len(x) > 1 else x[0]), SLOPE, inplace=True)


def doubled(x: Tensor) -> Tensor:
    """[B,C,H,W] -> [B,C,2H,2W], bilinear."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def stacked(frames: list[Tensor]) -> Tensor:
    """T of [B,C,H,W] -> [B,T,C,H,W], each in the order of memory that it has."""
    if frames[0].is_contiguous(memory_format=torch.channels_last):
        return torch.stack([x.permute(0, 2, 3, 1) for x in frames], dim=1).permute(0, 1, 4, 2, 3)
    return torch.stack(frames, dim=1)


class Predeblur(nn.Module):
    """Features of one frame, cleaned over three scales before they are aligned; reduce=True: at a quarter."""

    def __init__(self, channels: int, width: int, *, reduce: bool) -> None:
        super().__init__()
        self.reduce = reduce
        self.conv_first = conv3(channels, width)
        if reduce:
            self.stride_conv_hr1 = conv3(width, width, stride=2)
            self.stride_conv_hr2 = conv3(width, width, stride=2)
        self.stride_conv_l2 = conv3(width, width, stride=2)
        self.stride_conv_l3 = conv3(width, width, stride=2)
        self.resblock_l3 = ResidualBlock(width)
        self.resblock_l2_1 = ResidualBlock(width)
        self.resblock_l2_2 = ResidualBlock(width)
        self.resblock_l1 = nn.ModuleList(ResidualBlock(width) for _ in range(5))

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,H,W] -> [B,width,H,W], or H/4 and W/4: reduce."""
        l1 = active(self.conv_first, x)
        if self.reduce:
            l1 = active(self.stride_conv_hr2, active(self.stride_conv_hr1, l1))
        l2 = active(self.stride_conv_l2, l1)
        l3 = active(self.stride_conv_l3, l2)
        l2 = added(doubled(self.resblock_l3(l3)), self.resblock_l2_1(l2))
        for place, block in enumerate(self.resblock_l1):
            if place == 2:
                l1 = added(doubled(self.resblock_l2_2(l2)), l1)
            l1 = block(l1)
        return l1


class PCDAlignment(nn.Module):
    """Pyramid, cascading and deformable alignment of a neighbor's features with the middle frame's.

    l3:  offsets -> deformable -------------------.
    l2:  offsets, twice l3's -> deformable -> feat_conv --.
    l1:  offsets, twice l2's -> deformable ------> feat_conv -> once more, against the middle frame
    """

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        levels = ("l3", "l2", "l1")
        self.offset_conv1 = nn.ModuleDict({level: conv3(2 * width, width) for level in levels})
        self.offset_conv2 = nn.ModuleDict({level: conv3((1 + (level != "l3")) * width, width) for level in levels})
        self.offset_conv3 = nn.ModuleDict({level: conv3(width, width) for level in levels[1:]})
        self.dcn_pack = nn.ModuleDict({level: GuidedDeformConv(width, width, groups) for level in levels})
        self.feat_conv = nn.ModuleDict({level: conv3(2 * width, width) for level in levels[1:]})
        self.cas_offset_conv1 = conv3(2 * width, width)
        self.cas_offset_conv2 = conv3(width, width)
        self.cas_dcnpack = GuidedDeformConv(width, width, groups)

    def forward(self, neighbor: list[Tensor], middle: list[Tensor]) -> Tensor:
        """Features at three scales, finest first, [B,width,H,W] and halves of it -> [B,width,H,W]."""
        offset = active(self.offset_conv1["l3"], neighbor[2], middle[2])
        offset = active(self.offset_conv2["l3"], offset)
        features = F.leaky_relu(self.dcn_pack["l3"](neighbor[2], offset), SLOPE, inplace=True)
        for level, theirs, ours in (("l2", neighbor[1], middle[1]), ("l1", neighbor[0], middle[0])):
            coarse = 2 * doubled(offset)  # pixels of the finer scale
            offset = active(self.offset_conv1[level], theirs, ours)
            offset = active(self.offset_conv3[level], active(self.offset_conv2[level], offset, coarse))
            aligned = self.dcn_pack[level](theirs, offset)
            features = self.feat_conv[level](torch.cat((aligned, doubled(features)), dim=1))
            if level == "l2":
                features = F.leaky_relu(features, SLOPE, inplace=True)
        offset = active(self.cas_offset_conv2, active(self.cas_offset_conv1, features, middle[0]))
        return F.leaky_relu(self.cas_dcnpack(features, offset), SLOPE, inplace=True)


class TSAFusion(nn.Module):
    """Temporal and spatial attention: how alike each frame is to the middle one, then where to look."""

    def __init__(self, width: int, frames: int) -> None:
        super().__init__()
        self.temporal_attn1 = conv3(width, width)
        self.temporal_attn2 = conv3(width, width)
        self.feat_fusion = nn.Conv2d(frames * width, width, 1)
        self.spatial_attn1 = nn.Conv2d(frames * width, width, 1)
        self.spatial_attn2 = nn.Conv2d(2 * width, width, 1)
        self.spatial_attn3 = conv3(width, width)
        self.spatial_attn4 = nn.Conv2d(width, width, 1)
        self.spatial_attn5 = conv3(width, width)
        self.spatial_attn_l1 = nn.Conv2d(width, width, 1)
        self.spatial_attn_l2 = conv3(2 * width, width)
        self.spatial_attn_l3 = conv3(width, width)
        self.spatial_attn_add1 = nn.Conv2d(width, width, 1)
        self.spatial_attn_add2 = nn.Conv2d(width, width, 1)

    def forward(self, aligned: Tensor) -> Tensor:
        """[B,T,width,H,W], H and W even twice over -> [B,width,H,W]."""
        middle = self.temporal_attn1(aligned[:, aligned.shape[1] // 2])
        embedded = self.temporal_attn2(aligned.flatten(0, 1)).unflatten(0, aligned.shape[:2])
        alike = (embedded * middle[:, None]).sum(dim=2, keepdim=True).sigmoid()
        weighted = torch.cat([x * a for x, a in zip(aligned.unbind(1), alike.unbind(1), strict=True)], dim=1)
        features = active(self.feat_fusion, weighted)
        attention = active(self.spatial_attn2, *_pooled(active(self.spatial_attn1, weighted)))
        coarse = active(self.spatial_attn_l2, *_pooled(active(self.spatial_attn_l1, attention)))
        coarse = doubled(active(self.spatial_attn_l3, coarse))
        attention = active(self.spatial_attn4, active(self.spatial_attn3, attention) + coarse)
        attention = self.spatial_attn5(doubled(attention))
        offset = self.spatial_attn_add2(active(self.spatial_attn_add1, attention))
        # The 2 makes the factor about 1 at the start.
        return torch.addcmul(offset, features, attention.sigmoid(), value=2)


def _pooled(x: Tensor) -> tuple[Tensor, Tensor]:
    return F.max_pool2d(x, 3, stride=2, padding=1), F.avg_pool2d(x, 3, stride=2, padding=1)
