"""EDVR (Wang et al., CVPRW 2019, arXiv:1905.02716): five frames aligned in feature space, fused by attention.

Layer order and tensor names are those of XPixelGroup/BasicSR, whose weights, and open-mmlab/mmagic's, fit after
:func:`official_names`. The defaults are the large form for deblurring, which restores at full resolution.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.errors import InputError
from ncfl.methods.basicvsr import ResidualBlock, reflected, residual_blocks
from ncfl.methods.deform import GuidedDeformConv
from ncfl.methods.interface import Border
from ncfl.models.layers import SLOPE, conv3
from ncfl.models.ncfl import _plain
from ncfl.models.padding import check_frame

# MMagic's prefixes of tensor names -> BasicSR's; it also wraps most convolutions, as ``conv``.
RENAMED = {
    "feat_l2_conv": "conv_l2_",
    "feat_l3_conv": "conv_l3_",
    "pcd_alignment.": "pcd_align.",
    "upsample1.upsample_conv.": "upconv1.",
    "upsample2.upsample_conv.": "upconv2.",
}


def official_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published EDVR, BasicSR's or MMagic's -> the state of :class:`EDVR`; BasicSR's names stay."""
    return {_renamed(name): tensor for name, tensor in state.items() if name != "step_counter"}


def _renamed(name: str) -> str:
    name = name.removeprefix("module.").removeprefix("generator.")
    for theirs, ours in RENAMED.items():
        if name.startswith(theirs):
            name = ours + name.removeprefix(theirs)
    return name.replace(".conv.", ".")


def edvr(**sizes: Any) -> "EDVR":
    """EDVR-L for restoration at full resolution, as published for deblurring."""
    return EDVR(**sizes)


def edvr_x4(**sizes: Any) -> "EDVR":
    """EDVR-L as published for x4 super-resolution."""
    return EDVR(**{"upscale": True, "predeblur": False, **sizes})


def edvr_m_x4(**sizes: Any) -> "EDVR":
    """EDVR-M as published for x4 super-resolution."""
    return edvr_x4(**{"width": 64, "reconstruct_blocks": 10, **sizes})


def _active(conv: nn.Module, *x: Tensor) -> Tensor:
    """A convolution of all ``x`` side by side, and the LeakyReLU."""
    return F.leaky_relu(conv(torch.cat(x, dim=1) if len(x) > 1 else x[0]), SLOPE, inplace=True)


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


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
        l1 = _active(self.conv_first, x)
        if self.reduce:
            l1 = _active(self.stride_conv_hr2, _active(self.stride_conv_hr1, l1))
        l2 = _active(self.stride_conv_l2, l1)
        l3 = _active(self.stride_conv_l3, l2)
        l2 = self.resblock_l2_1(l2) + _doubled(self.resblock_l3(l3))
        for place, block in enumerate(self.resblock_l1):
            if place == 2:
                l1 = l1 + _doubled(self.resblock_l2_2(l2))
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
        offset = _active(self.offset_conv1["l3"], neighbor[2], middle[2])
        offset = _active(self.offset_conv2["l3"], offset)
        features = F.leaky_relu(self.dcn_pack["l3"](neighbor[2], offset), SLOPE)
        for level, theirs, ours in (("l2", neighbor[1], middle[1]), ("l1", neighbor[0], middle[0])):
            coarse = 2 * _doubled(offset)  # pixels of the finer scale
            offset = _active(self.offset_conv1[level], theirs, ours)
            offset = _active(self.offset_conv3[level], _active(self.offset_conv2[level], offset, coarse))
            aligned = self.dcn_pack[level](theirs, offset)
            features = self.feat_conv[level](torch.cat((aligned, _doubled(features)), dim=1))
            if level == "l2":
                features = F.leaky_relu(features, SLOPE)
        offset = _active(self.cas_offset_conv2, _active(self.cas_offset_conv1, features, middle[0]))
        return F.leaky_relu(self.cas_dcnpack(features, offset), SLOPE)


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
        weighted = (aligned * alike).flatten(1, 2)
        features = _active(self.feat_fusion, weighted)
        attention = _active(self.spatial_attn2, *_pooled(_active(self.spatial_attn1, weighted)))
        coarse = _active(self.spatial_attn_l2, *_pooled(_active(self.spatial_attn_l1, attention)))
        coarse = _doubled(_active(self.spatial_attn_l3, coarse))
        attention = _active(self.spatial_attn4, _active(self.spatial_attn3, attention) + coarse)
        attention = self.spatial_attn5(_doubled(attention))
        added = self.spatial_attn_add2(_active(self.spatial_attn_add1, attention))
        return features * attention.sigmoid() * 2 + added  # the 2 makes the factor about 1 at the start


def _pooled(x: Tensor) -> tuple[Tensor, Tensor]:
    return F.max_pool2d(x, 3, stride=2, padding=1), F.avg_pool2d(x, 3, stride=2, padding=1)


class EDVR(nn.Module):
    """The network, at full resolution or, with upscale=True, for x4 super-resolution.

    each x_i --> predeblur --> blocks --> three scales --> PCD alignment with the middle --.
    middle frame <-- + <-- shuffled up <-- blocks <-- TSA fusion of all frames <-----------'

    channels: of a frame; width: of the features; frames: of a window, odd; groups: of the deformable convolutions;
    extract_blocks, reconstruct_blocks: before and after the alignment; tail_width: of the last layers; predeblur:
    cleaning before the alignment, which the form at full resolution always has; tsa: attention in the fusion.
    """

    kind = "edvr"

    def __init__(
        self,
        *,
        channels: int = 3,
        width: int = 128,
        frames: int = 5,
        groups: int = 8,
        extract_blocks: int = 5,
        reconstruct_blocks: int = 40,
        tail_width: int = 64,
        upscale: bool = False,
        predeblur: bool = True,
        tsa: bool = True,
    ) -> None:
        arguments = _plain(locals())
        super().__init__()
        if frames % 2 == 0 or frames < 1:
            raise InputError(f"edvr: frames is {frames}; allowed: odd numbers")
        if not (upscale or predeblur):
            raise InputError("edvr: predeblur is false; allowed: true, unless upscale is true")
        self.arguments = arguments
        self.channels, self.frames, self.upscale = channels, frames, upscale
        self.multiple = 4 if upscale else 16
        if predeblur:
            self.predeblur = Predeblur(channels, width, reduce=not upscale)
            self.conv_1x1 = nn.Conv2d(width, width, 1)
        else:
            self.conv_first = conv3(channels, width)
        self.feature_extraction = residual_blocks(width, extract_blocks)
        self.conv_l2_1, self.conv_l2_2 = conv3(width, width, stride=2), conv3(width, width)
        self.conv_l3_1, self.conv_l3_2 = conv3(width, width, stride=2), conv3(width, width)
        self.pcd_align = PCDAlignment(width, groups)
        self.fusion = TSAFusion(width, frames) if tsa else nn.Conv2d(frames * width, width, 1)
        self.reconstruction = residual_blocks(width, reconstruct_blocks)
        self.upconv1 = conv3(width, 4 * width)
        self.upconv2 = conv3(width, 4 * tail_width)
        self.conv_hr = conv3(tail_width, tail_width)
        self.conv_last = conv3(tail_width, channels)

    def forward(self, window: Tensor) -> Tensor:
        """[B,frames,C,H,W], H and W >= 16, nominally in [0,1] -> the middle one [B,C,H,W], or 4H and 4W: upscale.

        Sizes are brought to multiples of 16 (upscale: 4) by reflection; the authors refuse others. InputError:
        another number of frames or of channels, a smaller frame.
        """
        if window.ndim != 5 or window.shape[1] != self.frames:
            found = f"{self.kind}: windows have shape {list(window.shape)}"
            raise InputError(f"{found}; allowed: [B,{self.frames},{self.channels},H,W]")
        check_frame(window[:, 0], self.channels)
        height, width = (length * (4 if self.upscale else 1) for length in window.shape[-2:])
        window = reflected(window, self.multiple)
        scales = [x.unflatten(0, window.shape[:2]) for x in self._scales(window.flatten(0, 1))]
        middle = [x[:, self.frames // 2] for x in scales]
        aligned = [self.pcd_align([x[:, t] for x in scales], middle) for t in range(self.frames)]
        if isinstance(self.fusion, TSAFusion):
            features = self.fusion(torch.stack(aligned, dim=1))
        else:
            features = self.fusion(torch.cat(aligned, dim=1))
        return self._to_frame(features, window[:, self.frames // 2])[..., :height, :width]

    def _scales(self, frames: Tensor) -> list[Tensor]:
        """Features of each frame at three scales, finest first."""
        cleaned = hasattr(self, "predeblur")
        l1 = self.conv_1x1(self.predeblur(frames)) if cleaned else _active(self.conv_first, frames)
        l1 = self.feature_extraction(l1)
        l2 = _active(self.conv_l2_2, _active(self.conv_l2_1, l1))
        return [l1, l2, _active(self.conv_l3_2, _active(self.conv_l3_1, l2))]

    def _to_frame(self, features: Tensor, frame: Tensor) -> Tensor:
        features = self.reconstruction(features)
        for conv in (self.upconv1, self.upconv2):
            features = F.leaky_relu(F.pixel_shuffle(conv(features), 2), SLOPE, inplace=True)
        residue = self.conv_last(_active(self.conv_hr, features))
        if self.upscale:
            frame = F.interpolate(frame, scale_factor=4, mode="bilinear", align_corners=False)
        return frame + residue

    def supervised(self, length: int) -> range:
        """Which frames of a clip :meth:`restore_clip` gives: those that are the middle of a whole window."""
        return range(self.frames // 2, length - self.frames // 2)

    def restore_clip(self, noisy: Tensor, sigma: Tensor | None) -> Tensor:
        """[B,T>=frames,C,H,W] -> the frames that :meth:`supervised` names; sigma is not used, the network is blind."""
        if noisy.ndim != 5 or noisy.shape[1] < self.frames:
            found = f"{self.kind}: clips have shape {list(noisy.shape)}"
            raise InputError(f"{found}; allowed: [B,T>={self.frames},{self.channels},H,W]")
        starts = range(noisy.shape[1] - self.frames + 1)
        return torch.stack([self(noisy[:, t : t + self.frames]) for t in starts], dim=1)


class EDVRMethod:
    """Drives an :class:`EDVR` over a clip whose end frames are repeated, as its authors do for deblurring; blind.

    Args:
        model: the network, not its x4 form; it is moved to ``device`` and set to evaluation.
        name: how tables call it.
        device: where it runs; frames are brought there and their results taken back.
        channels_last: memory order of the convolutions; changes results by no more than rounding.

    Raises:
        InputError: a network whose output is larger than its input.
    """

    blind = True
    border: Border = "replicate"

    def __init__(
        self,
        model: EDVR,
        *,
        name: str = "edvr",
        device: str | torch.device = "cpu",
        channels_last: bool = False,
    ) -> None:
        if model.upscale:
            raise InputError("edvr: upscale is true; allowed: false, since output frames must be the input's size")
        self.name = name
        self.radius = model.frames // 2
        self.device = torch.device(device)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.model = model.to(self.device, memory_format=layout).eval()
        self.channels: int | None = model.channels

    def apply(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """Restore the middle of ``frames`` [B,T,C,H,W]; see :meth:`ncfl.methods.interface.Window.apply`."""
        return self.model(frames.to(self.device)).to(frames.device)
