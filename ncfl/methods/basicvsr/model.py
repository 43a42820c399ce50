"""BasicVSR (Chan et al., CVPR 2021, arXiv:2012.02181): features travel through the clip backward, then forward.

Layer order, tensor names and padding are those of XPixelGroup/BasicSR; its weights and open-mmlab/mmagic's fit
after :mod:`~ncfl.methods.basicvsr.official_names`. They belong to the published x4 form, :func:`basicvsr_x4`. For
restoration at full resolution no form was published: :class:`BasicVSR` has the head that its successor's denoising
form has.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.methods.common import all_frames, check_clip
from ncfl.methods.learned import LearnedChunk, check_size_kept
from ncfl.methods.spynet6.model import SPyNet6, clip_flows, flow_warp
from ncfl.models.arguments import keeps_arguments
from ncfl.models.layers import SLOPE, added, conv3, ordered_as


def basicvsr(**sizes: Any) -> "BasicVSR":
    """The form for restoration at full resolution."""
    return BasicVSR(**sizes)


def basicvsr_x4(**sizes: Any) -> "BasicVSR":
    """The published super-resolution network, 6.29 M parameters with its SPyNet."""
    return BasicVSR(upscale=True, **sizes)


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))), which starts near the identity: He's normal distribution times 0.1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv3(width, width), conv3(width, width)
        for conv in (self.conv1, self.conv2):
            nn.init.kaiming_normal_(conv.weight)
            nn.init.zeros_(conv.bias)
            with torch.no_grad():
                conv.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """[B,width,H,W] -> the same shape."""
        return added(self.conv2(F.relu(self.conv1(x), inplace=True)), x)


def residual_blocks(width: int, blocks: int) -> nn.Sequential:
    """So many blocks, one after the other."""
    return nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))


class Trunk(nn.Module):
    """A convolution to ``width`` channels, and ``blocks`` residual blocks."""

    def __init__(self, inputs: int, width: int, blocks: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            conv3(inputs, width), nn.LeakyReLU(SLOPE, inplace=True), residual_blocks(width, blocks)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B,inputs,H,W] -> [B,width,H,W]."""
        return self.main(x)


def reducing_head(channels: int, width: int) -> nn.Sequential:
    """A frame at full resolution -> features at a quarter of its height and width (BasicVSR++'s denoising)."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, stride=2, padding=1),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Conv2d(width, width, 3, stride=2, padding=1),
        nn.LeakyReLU(SLOPE, inplace=True),
        Trunk(width, width, 5),
    )


class Propagating(nn.Module, ABC):
    """What both networks share: quarter-resolution features that travel, and the way back to a frame.

    A subclass sets ``channels``, ``upscale``, ``spynet`` and, by :meth:`add_tail`, the last layers, and defines
    ``propagate``. With ``upscale`` the features have the resolution of the input, and the output 4 x 4 times
    its pixels; without, both have the input's, and the features a quarter of its height and width.
    """

    channels: int
    upscale: bool
    spynet: SPyNet6

    def add_tail(self, width: int, tail_width: int) -> None:
        """The two pixel-shuffling steps and the last convolutions."""
        self.upconv1 = conv3(width, 4 * width)
        self.upconv2 = conv3(width, 4 * tail_width)
        self.conv_hr = conv3(tail_width, tail_width)
        self.conv_last = conv3(tail_width, self.channels)

    @property
    def motion(self) -> SPyNet6:
        """The part that trains at a lower rate and rests at first."""
        return self.spynet

    def forward(self, clip: Tensor) -> Tensor:
        """[B,T,C,H,W] with T >= 1, H and W >= 16, nominally in [0,1] -> [B,T,C,H,W], or 4H and 4W: upscale.

        Sizes that are no multiple of 4 are brought there by reflection where features are reduced.
        InputError: no clip, another number of channels, a smaller frame.
        """
        check_clip(clip, self.kind, self.channels, 1)
        if self.upscale:
            return self.propagate(clip, *clip_flows(self.spynet, clip))
        height, width = clip.shape[-2:]
        clip = reflected(clip, 4)
        small = F.interpolate(clip.flatten(0, 1), scale_factor=0.25, mode="bicubic").unflatten(0, clip.shape[:2])
        return self.propagate(clip, *clip_flows(self.spynet, small))[..., :height, :width]

    @abstractmethod
    def propagate(self, clip: Tensor, backward: list[Tensor], forward: list[Tensor]) -> Tensor:
        """A clip and its flows, see :func:`~ncfl.methods.spynet6.model.clip_flows` -> the restored clip."""

    def to_frame(self, features: Tensor, frame: Tensor) -> Tensor:
        """The restored frame: what the features say is added to the frame itself."""
        for conv in (self.upconv1, self.upconv2):
            features = F.leaky_relu(F.pixel_shuffle(conv(features), 2), SLOPE, inplace=True)
        residue = self.conv_last(F.leaky_relu(self.conv_hr(features), SLOPE, inplace=True))
        if self.upscale:
            frame = F.interpolate(frame, scale_factor=4, mode="bilinear", align_corners=False)
        return added(residue, frame)

    supervised = staticmethod(all_frames)

    def restore_clip(self, noisy: Tensor, sigma: Tensor | None) -> Tensor:
        """[B,T,C,H,W] -> the restored clip; sigma is not used, the network is blind."""
        return self(noisy)


class BasicVSR(Propagating):
    """The network, at full resolution or, with upscale=True, as published for x4 super-resolution.

    x_i --> head --+--> backward_trunk <-- warp <-- features of x_{i+1}
                   |          |
                   |          v
                   `--> forward_trunk <-- warp <-- features of x_{i-1};  fusion of both --> + x_i

    channels: of a frame; width: of the features; blocks: of each trunk; tail_width: of the last layers. In the
    published form there is no head: the frame itself goes into the trunks.
    """

    kind = "basicvsr"

    @keeps_arguments
    def __init__(
        self,
        *,
        channels: int = 3,
        width: int = 64,
        blocks: int = 30,
        tail_width: int = 64,
        upscale: bool = False,
        flow_levels: int = 6,
        flow_width: float = 1.0,
    ) -> None:
        super().__init__()
        self.channels, self.width, self.upscale = channels, width, upscale
        self.spynet = SPyNet6(levels=flow_levels, width=flow_width)
        self.feat_extract = nn.Identity() if upscale else reducing_head(channels, width)
        inputs = width + (channels if upscale else width)
        self.backward_trunk = Trunk(inputs, width, blocks)
        self.forward_trunk = Trunk(inputs, width, blocks)
        self.fusion = nn.Conv2d(2 * width, width, 1)
        self.add_tail(width, tail_width)

    def propagate(self, clip: Tensor, backward: list[Tensor], forward: list[Tensor]) -> Tensor:
        """See :meth:`Propagating.propagate`."""
        own = [self.feat_extract(frame) for frame in clip.unbind(1)]  # one by one: the first layers are large
        from_future = self._travel(self.backward_trunk, own[::-1], backward[::-1])[::-1]
        from_past = self._travel(self.forward_trunk, own, forward)
        frames = []
        for frame, *both in zip(clip.unbind(1), from_future, from_past, strict=True):
            frames.append(self.to_frame(self._fused(both), frame))
        return torch.stack(frames, dim=1)

    def _fused(self, both: list[Tensor]) -> Tensor:
        return F.leaky_relu(self.fusion(torch.cat(both, dim=1)), SLOPE, inplace=True)

    def _travel(self, trunk: Trunk, own: list[Tensor], flows: list[Tensor]) -> list[Tensor]:
        """The features of each frame, in the order of travel; flows lead from each frame to the one before."""
        before = featureless(own[0], self.width)
        features = [trunk(torch.cat((own[0], before), dim=1))]
        for x, flow in zip(own[1:], flows, strict=True):
            features.append(trunk(torch.cat((x, flow_warp(features[-1], flow)), dim=1)))
        return features


def featureless(like: Tensor, width: int) -> Tensor:
    """Zeros [B,width,H,W], the features of a frame before the first, in the order of memory of ``like`` [B,C,H,W]."""
    return ordered_as(like, like.new_zeros(len(like), width, *like.shape[-2:]))


def reflected(clip: Tensor, multiple: int) -> Tensor:
    """[...,H,W] -> H and W brought to multiples by mirroring the bottom and right, the edge not repeated."""
    bottom, right = (-length % multiple for length in clip.shape[-2:])
    if not (bottom or right):
        return clip
    return F.pad(clip, (0, right, 0, bottom, 0, 0), mode="reflect")


class BasicVSRMethod(LearnedChunk):
    """Drives a :class:`BasicVSR` or BasicVSR++ over a clip, in chunks of frames; blind.

    Clips of up to ``chunk`` frames are restored whole, as the authors do; a frame of 960x540 pixels takes about 60 MB.
    InputError: a network for super-resolution.
    """

    chunk = 100
    overlap = 10

    def __init__(self, model: Propagating, **settings: Any) -> None:
        check_size_kept(model)
        super().__init__(model, **settings)

    def run(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """See :meth:`ncfl.methods.learned.LearnedChunk.run`."""
        return self.model(frames)
