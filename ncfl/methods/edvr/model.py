"""EDVR (Wang et al., CVPRW 2019, arXiv:1905.02716): five frames aligned in feature space, fused by attention.

Layer order and tensor names are those of XPixelGroup/BasicSR, whose weights, and open-mmlab/mmagic's, fit after
:mod:`~ncfl.methods.edvr.official_names`. The defaults are the large form for deblurring, which restores at full
resolution.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.methods.basicvsr.model import reflected, residual_blocks
from ncfl.methods.common import check_clip, check_window
from ncfl.methods.edvr.layers import PCDAlignment, Predeblur, TSAFusion, active, stacked
from ncfl.methods.interface import Border
from ncfl.methods.learned import Sliding, check_size_kept
from ncfl.models.arguments import keeps_arguments
from ncfl.models.layers import SLOPE, added, conv3


def edvr(**sizes: Any) -> "EDVR":
    """EDVR-L for restoration at full resolution, as published for deblurring."""
    return EDVR(**sizes)


def edvr_x4(**sizes: Any) -> "EDVR":
    """EDVR-L as published for x4 super-resolution."""
    return EDVR(**{"upscale": True, "predeblur": False, **sizes})


def edvr_m_x4(**sizes: Any) -> "EDVR":
    """EDVR-M as published for x4 super-resolution."""
    return edvr_x4(**{"width": 64, "reconstruct_blocks": 10, **sizes})


class EDVR(nn.Module):
    """The network, at full resolution or, with upscale=True, for x4 super-resolution.

    each x_i --> predeblur --> blocks --> three scales --> PCD alignment with the middle --.
    middle frame <-- + <-- shuffled up <-- blocks <-- TSA fusion of all frames <-----------'

    channels: of a frame; width: of the features; frames: of a window, odd; groups: of the deformable convolutions;
    extract_blocks, reconstruct_blocks: before and after the alignment; tail_width: of the last layers; predeblur:
    cleaning before the alignment, which the form at full resolution always has; tsa: attention in the fusion.
    """

    kind = "edvr"

    @keeps_arguments
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
        super().__init__()
        if frames % 2 == 0 or frames < 1:
            raise InputError(f"edvr: frames: expected odd numbers, got {frames}")
        if not (upscale or predeblur):
            raise InputError("edvr: predeblur: expected true unless upscale is true, got false")
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
        """As :meth:`restore_sliding`, the middle frame alone."""
        return self.restore_sliding(window, [])[0]

    def restore_sliding(self, window: Tensor, known: list[list[Tensor]]) -> tuple[Tensor, list[list[Tensor]]]:
        """[B,frames,C,H,W], H and W >= 16, nominally in [0,1] -> the middle one [B,C,H,W], or 4H and 4W: upscale.

        Beside it the features of each frame at three scales, finest first, of which the earliest frames' are ``known``.

        Sizes are brought to multiples of 16 (upscale: 4) by reflection; the authors refuse others. InputError:
        another number of frames or of channels, a smaller frame.
        """
        check_window(window, self.kind, self.channels, self.frames)
        height, width = (length * (4 if self.upscale else 1) for length in window.shape[-2:])
        window = reflected(window, self.multiple)
        unknown = window[:, len(known) :]
        scales = [x.split(len(unknown)) for x in self._scales(unknown.transpose(0, 1).flatten(0, 1))]
        features_of = known + [list(levels) for levels in zip(*scales, strict=True)]
        middle = features_of[self.frames // 2]
        aligned = [self.pcd_align(levels, middle) for levels in features_of]
        if isinstance(self.fusion, TSAFusion):
            features = self.fusion(stacked(aligned))
        else:
            features = self.fusion(torch.cat(aligned, dim=1))
        return self._to_frame(features, window[:, self.frames // 2])[..., :height, :width], features_of

    def _scales(self, frames: Tensor) -> list[Tensor]:
        """Features of each frame at three scales, finest first."""
        cleaned = hasattr(self, "predeblur")
        l1 = self.conv_1x1(self.predeblur(frames)) if cleaned else active(self.conv_first, frames)
        l1 = self.feature_extraction(l1)
        l2 = active(self.conv_l2_2, active(self.conv_l2_1, l1))
        return [l1, l2, active(self.conv_l3_2, active(self.conv_l3_1, l2))]

    def _to_frame(self, features: Tensor, frame: Tensor) -> Tensor:
        features = self.reconstruction(features)
        for conv in (self.upconv1, self.upconv2):
            features = F.leaky_relu(F.pixel_shuffle(conv(features), 2), SLOPE, inplace=True)
        residue = self.conv_last(active(self.conv_hr, features))
        if self.upscale:
            frame = F.interpolate(frame, scale_factor=4, mode="bilinear", align_corners=False)
        return added(residue, frame)

    def supervised(self, length: int) -> range:
        """Which frames of a clip :meth:`restore_clip` gives: those that are the middle of a whole window."""
        return range(self.frames // 2, length - self.frames // 2)

    def restore_clip(self, noisy: Tensor, sigma: Tensor | None) -> Tensor:
        """[B,T>=frames,C,H,W] -> the frames that :meth:`supervised` names; sigma is not used, the network is blind."""
        check_clip(noisy, self.kind, self.channels, self.frames)
        starts = range(noisy.shape[1] - self.frames + 1)
        return torch.stack([self(noisy[:, t : t + self.frames]) for t in starts], dim=1)


class EDVRMethod(Sliding):
    """Drives an :class:`EDVR` over a clip whose end frames are repeated, as its authors do for deblurring; blind.

    The features of all frames but the newest are those of the window before, which leaves two thirds of the work.
    InputError: a network for super-resolution.
    """

    border: Border = "replicate"

    def __init__(self, model: EDVR, **settings: Any) -> None:
        check_size_kept(model)
        super().__init__(model, **settings)
        self.radius = model.frames // 2

    def slide(self, frames: Tensor, sigma: Tensor | None, known: list[Any]) -> tuple[Tensor, list[Any]]:
        """See :meth:`ncfl.methods.learned.Sliding.slide`."""
        return self.model.restore_sliding(frames, known)
