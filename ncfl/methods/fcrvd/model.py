"""FCRVD (Yang, Liu and Feng, CVPR 2019, "Frame-Consistent Recurrent Video Deraining with Dual-Level Flow").

No code was ever released (the repository flyywh/Dual-FLow-Video-Deraining-CVPR-2019 holds a README). From the
paper: two stages, a clean estimate from the single frame by inverting a rain model, then a second one from it and
the frames restored before, aligned by motion that is estimated between clean estimates. All sizes are ours:

- The rain model: x = beta (y + s) + (1 - beta) a + u, with streaks s, transmission beta, air light a and the
  fluctuation u of the accumulated rain. The first stage has one decoder for each, as the authors' file
  ``SingleShareTransformNet.py`` (in flyywh/Recurrent-Multi-Frame-Deraining, used by nothing there) has; its
  widths, 32/64/128, and five residual blocks are taken from it.
- Motion: the 4-level SPyNet that the other methods here use, in place of a FlowNet.
- The second stage: the same encoder and decoder with a ConvLSTM between them, over what is listed below.
- The flow regularizations act in training only and need flow of the clean clip; the loss here is the common one.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.methods.common import all_frames, check_clip
from ncfl.methods.learned import LearnedRecurrent
from ncfl.methods.rmfd.network import ConvLSTM, Memory, Residual, Up, leaky
from ncfl.models.arguments import keeps_arguments
from ncfl.models.layers import conv3, zero_
from ncfl.models.motion import SPyNet, warp
from ncfl.models.padding import Padder, check_frame

FLOOR = 0.05  # of the transmission that the rain model divides by
MULTIPLE = 4  # of height and width, for two halvings


class Estimates(NamedTuple):
    """One frame's two estimates, [B,C,H,W] each."""

    first: Tensor
    second: Tensor


class FCRVDState(NamedTuple):
    """What a frame leaves to the next: its two estimates, padded, and the memory of the second stage."""

    first: Tensor
    second: Tensor
    memory: Memory


class Encoder(nn.Module):
    """Features at sizes 1, 1/2 and 1/4."""

    def __init__(self, inputs: int, width: int, blocks: int) -> None:
        super().__init__()
        self.conv1, self.res1 = conv3(inputs, width), Residual(width)
        self.conv2, self.res2 = conv3(width, 2 * width, stride=2), Residual(2 * width)
        self.conv3 = conv3(2 * width, 4 * width, stride=2)
        self.blocks = nn.Sequential(*(Residual(4 * width) for _ in range(blocks)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B,inputs,H,W], H and W multiples of 4 -> [B,width,H,W], [B,2*width,H/2,W/2], [B,4*width,H/4,W/4]."""
        fine = self.res1(leaky(self.conv1(x)))
        middle = self.res2(leaky(self.conv2(fine)))
        return fine, middle, self.blocks(leaky(self.conv3(middle)))


class Decoder(nn.Module):
    """Back to full size; the encoder's features are added on the way."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up2, self.res2 = Up(4 * width, 2 * width), Residual(2 * width)
        self.up1, self.res1 = Up(2 * width, width), Residual(width)

    def forward(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> Tensor:
        """The three of :class:`Encoder` -> [B,width,H,W]."""
        x = self.res2(leaky(self.up2(coarse)) + middle)
        return self.res1(leaky(self.up1(x)) + fine)


def head(width: int, outputs: int) -> nn.Sequential:
    """Two residual blocks and a convolution that starts at zero."""
    return nn.Sequential(Residual(width), Residual(width), zero_(nn.Conv2d(width, outputs, 1)))


class RainModel(nn.Module):
    """The first stage: x -> s, beta, a, u -> (x - u - (1 - beta) a) / beta - s.

    At the start s = u = 0 and beta = 1 for any input, so the estimate is the rainy frame.
    """

    def __init__(self, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(channels, width, blocks), Decoder(width)
        self.streaks, self.light, self.fluctuation = (head(width, channels) for _ in range(3))
        self.transmission = head(width, 1)
        for last, start in ((self.light[-1], 0.75), (self.transmission[-1], 1.0)):
            nn.init.constant_(last.bias, start)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,H,W], H and W multiples of 4 -> the same shape."""
        features = self.decoder(*self.encoder(x))
        beta = self.transmission(features).clamp(min=FLOOR)
        veiled = x - self.fluctuation(features) - (1 - beta) * self.light(features)
        return veiled / beta - self.streaks(features)


class FCRVD(nn.Module):
    """The two stages; b are the first one's estimates, y the results.

    x_t -> rain model -> b_t;   b_t, b_{t-1} -> SPyNet -> mv
    x_t, b_t, warp(y_{t-1}, mv), b_t - warp(b_{t-1}, mv) -> encoder -> ConvLSTM -> decoder -> + b_t -> y_t

    At a clip's start b_t stands for what was restored before. channels: of a frame, 3 or 4; width: at full
    size, doubled at each halving; blocks: residual blocks at the coarsest size of each stage; flow_levels,
    flow_width: of the SPyNet.
    """

    kind = "fcrvd"

    @keeps_arguments
    def __init__(
        self, *, channels: int = 3, width: int = 32, blocks: int = 5, flow_levels: int = 4, flow_width: float = 1.0
    ) -> None:
        super().__init__()
        if channels not in (3, 4):
            raise InputError(f"{self.kind}: channels: expected 3 (RGB) or 4 (packed Bayer), got {channels}")
        self.channels = channels
        self.rain_model = RainModel(channels, width, blocks)
        self.motion = SPyNet(levels=flow_levels, width=flow_width)
        self.encoder, self.decoder = Encoder(4 * channels, width, blocks), Decoder(width)
        self.memory = ConvLSTM(4 * width)
        self.last = zero_(conv3(width, channels))

    def forward(self, frame: Tensor, state: FCRVDState | None = None) -> tuple[Estimates, FCRVDState]:
        """One frame [B,C,H,W] in [0,1], any size from 16x16 on; state: what the frame before left.

        Sizes are brought to multiples of 4 by repeating the edge; nothing is clipped. InputError: another number
        of channels, a smaller frame, a state of another size.
        """
        check_frame(frame, self.channels)
        padder = Padder(*frame.shape[-2:], MULTIPLE)
        x = padder.pad(frame)
        if state is not None and state.second.shape != x.shape:
            wanted = list(state.second.shape)
            raise InputError(f"{self.kind}: frames: expected {wanted}, as the state has, got {list(x.shape)}")
        first = self.rain_model(x)
        aligned, difference = self._align(first, state)
        fine, middle, coarse = self.encoder(torch.cat((x, first, aligned, difference), dim=1))
        memory = self.memory(coarse, None if state is None else state.memory)
        second = first + self.last(self.decoder(fine, middle, coarse + memory[0]))
        return Estimates(padder.crop(first), padder.crop(second)), FCRVDState(first, second, memory)

    def _align(self, first: Tensor, state: FCRVDState | None) -> tuple[Tensor, Tensor]:
        """The frame restored before, aligned to this one, and how far the first estimates disagree there."""
        if state is None:
            return first, torch.zeros_like(first)
        mv = self.motion(first, state.first)
        return warp(state.second, mv), first - warp(state.first, mv)

    supervised = staticmethod(all_frames)

    def restore_clip(self, noisy: Tensor, sigma: Tensor | None = None) -> Tensor:
        """[B,T,C,H,W] -> [B,T,C,H,W], the second estimates; sigma is not used, gradients pass through the frames."""
        check_clip(noisy, self.kind, self.channels, 1)
        state, frames = None, []
        for frame in noisy.unbind(1):
            restored, state = self(frame, state)
            frames.append(restored.second)
        return torch.stack(frames, dim=1)


class FCRVDMethod(LearnedRecurrent):
    """Drives an :class:`FCRVD` frame by frame; blind."""

    def run(self, frame: Tensor, state: FCRVDState | None, sigma: Tensor | None) -> tuple[Tensor, FCRVDState]:
        """See :meth:`ncfl.methods.learned.LearnedRecurrent.run`."""
        restored, state = self.model(frame, state)
        return restored.second, state
