"""FastDVDNet (Tassano, Delon and Veit, CVPR 2020, arXiv:1907.01361): five frames in two steps of small U-Nets.

Layer order, tensor names, padding and the clip's ends are those of the authors' m-tassano/fastdvdnet, whose
``model.pth`` fits after :mod:`~ncfl.methods.fastdvdnet.official_names`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ncfl.methods.common import Reflecting, check_clip, check_window, he_normal, noise_level
from ncfl.methods.learned import Sliding
from ncfl.models.arguments import keeps_arguments

WINDOW = 5  # frames


class ConvBlock(nn.Module):
    """Layers one after the other, under the name that the published weights give them."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.convblock = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,H,W] -> what the layers make of it."""
        return self.convblock(x)


def _normed(inputs: int, outputs: int, *, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def _pair(inputs: int, outputs: int) -> ConvBlock:
    return ConvBlock(*_normed(inputs, outputs), *_normed(outputs, outputs))


def _down(inputs: int, outputs: int) -> ConvBlock:
    return ConvBlock(*_normed(inputs, outputs, stride=2), _pair(outputs, outputs))


def _up(inputs: int, outputs: int) -> ConvBlock:
    return ConvBlock(_pair(inputs, inputs), _conv(inputs, 4 * outputs), nn.PixelShuffle(2))


class DenBlock(nn.Module):
    """The denoising block: a three-scale U-Net over three frames, each with the noise map beside it.

    frames, map -> inc -> downc0 -> downc1 -> upc2 -> + -> upc1 -> + -> outc -> noise;  middle - noise
                    |        `----------------------'          |
                    `-----------------------------------------'
    """

    def __init__(self, channels: int, widths: Sequence[int], input_width: int) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.inc = ConvBlock(*_normed(3 * (channels + 1), 3 * input_width, groups=3), *_normed(3 * input_width, fine))
        self.downc0 = _down(fine, middle)
        self.downc1 = _down(middle, coarse)
        self.upc2 = _up(coarse, middle)
        self.upc1 = _up(middle, fine)
        self.outc = ConvBlock(*_normed(fine, fine), _conv(fine, channels))

    def forward(self, before: Tensor, frame: Tensor, after: Tensor, noise_map: Tensor) -> Tensor:
        """Three frames [B,C,H,W] and the noise map [B,1,H,W] -> the middle one restored, [B,C,H,W]."""
        x0 = self.inc(torch.cat((before, noise_map, frame, noise_map, after, noise_map), dim=1))
        x1 = self.downc0(x0)
        # In place: what shuffles pixels keeps nothing for its gradient, and these are the largest maps.
        x2 = self.upc2(self.downc1(x1)).add_(x1)
        return frame - self.outc(self.upc1(x2).add_(x0))


class FastDVDNet(nn.Module):
    """The published network: one block over each three neighbors, another one over its three results.

    x0 x1 x2 -> temp1 --.
    x1 x2 x3 -> temp1 ---+-> temp2 -> x2 restored
    x2 x3 x4 -> temp1 --'

    The defaults are the published sizes, 2,479,096 parameters; no convolution has a bias. channels: of a
    frame; widths: of the three scales; input_width: features of each frame before the frames are mixed.
    """

    kind = "fastdvdnet"

    @keeps_arguments
    def __init__(self, *, channels: int = 3, widths: Sequence[int] = (32, 64, 128), input_width: int = 30) -> None:
        super().__init__()
        self.channels = channels
        self.temp1 = DenBlock(channels, widths, input_width)
        self.temp2 = DenBlock(channels, widths, input_width)
        he_normal(self)

    def forward(self, frames: Tensor, noise_map: Tensor) -> Tensor:
        """[B,5,C,H,W] nominally in [0,1], noise map [B,1,H,W] (sigma / 255) -> the middle frame [B,C,H,W].

        H and W are multiples of 4.
        """
        return self.temp2(*self.firsts(frames, noise_map, []), noise_map)

    def firsts(self, frames: Tensor, noise_map: Tensor, known: list[Tensor]) -> list[Tensor]:
        """The three results of the first block, [B,C,H,W] each, of which the earliest are ``known``."""
        x = frames.unbind(1)
        return known + [self.temp1(*x[t : t + 3], noise_map) for t in range(len(known), 3)]

    def restore(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """As :meth:`restore_sliding`, the middle frame alone."""
        return self.restore_sliding(frames, sigma, [])[0]

    def restore_sliding(self, frames: Tensor, sigma: Tensor | None, known: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """[B,5,C,H,W] of any size from 16x16 on, sigma [B] in 0..255 -> the middle frame, not clipped, and `firsts`.

        Sizes are brought to multiples of 4 by reflection, as the authors do. InputError: another number of
        channels, a smaller frame, another number of frames, no noise level.
        """
        check_window(frames, self.kind, self.channels, WINDOW)
        height, width = frames.shape[-2:]
        padder = Reflecting(height, width, 4)
        padded = padder.pad(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        noise_map = noise_level(sigma, frames, self.kind).expand(-1, 1, *padded.shape[-2:])
        firsts = self.firsts(padded, noise_map, known)
        return padder.crop(self.temp2(*firsts, noise_map)), firsts

    @staticmethod
    def supervised(length: int) -> range:
        """Which frames of a clip :meth:`restore_clip` gives: those with two neighbors on either side."""
        return range(2, length - 2)

    def restore_clip(self, noisy: Tensor, sigma: Tensor | None) -> Tensor:
        """[B,T>=5,C,H,W], sigma [B] in 0..255 -> [B,T-4,C,H,W], the frames that :meth:`supervised` names."""
        check_clip(noisy, self.kind, self.channels, WINDOW)
        middles = self.supervised(noisy.shape[1])
        windows = torch.cat([noisy[:, t - 2 : t + 3] for t in middles])
        noise_level(sigma, noisy, self.kind)  # refuses what is none
        level = sigma.repeat(len(middles))
        return torch.stack(self.restore(windows, level).chunk(len(middles)), dim=1)


class FastDVDNetMethod(Sliding):
    """Drives a :class:`FastDVDNet` over a clip whose ends are reflected in time, as its public evaluation does.

    Of the first block's three results two are those of the window before: half the work is left.
    """

    blind = False
    radius = WINDOW // 2

    def slide(self, frames: Tensor, sigma: Tensor | None, known: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """See :meth:`ncfl.methods.learned.Sliding.slide`."""
        return self.running.restore_sliding(frames, sigma, known)
