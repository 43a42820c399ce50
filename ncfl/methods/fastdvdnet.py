"""FastDVDNet (Tassano, Delon and Veit, CVPR 2020, arXiv:1907.01361): five frames in two steps of small U-Nets.

Layer order, tensor names, padding and the clip's ends are those of the authors' m-tassano/fastdvdnet, whose
``model.pth`` fits after :func:`official_names`.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.errors import InputError
from ncfl.methods.interface import Border
from ncfl.models.ncfl import _plain
from ncfl.models.padding import Padder, check_frame

WINDOW = 5  # frames


class Reflecting(Padder):
    """A :class:`Padder` that mirrors the frame at its bottom and right edge, the edge itself not repeated."""

    def pad(self, x: Tensor) -> Tensor:
        """[B,C,height,width] -> [B,C,height+bottom,width+right]."""
        if not (self.bottom or self.right):
            return x
        return F.pad(x, (0, self.right, 0, self.bottom), mode="reflect")


def noise_level(sigma: Tensor | None, frames: Tensor, method: str) -> Tensor:
    """sigma [B] in 0..255 -> [B,1,1,1] in 0..1, as frames [B,...] have it; InputError where it is missing."""
    if sigma is None or sigma.shape != frames.shape[:1]:
        found = "none" if sigma is None else f"shape {list(sigma.shape)}"
        raise InputError(f"{method}: sigma has {found}; allowed: one noise level per clip, [{len(frames)}]")
    return (sigma.to(frames) / 255).view(-1, 1, 1, 1)


def check_clip(noisy: Tensor, method: str, channels: int, shortest: int) -> None:
    """Refuses what is no batch of clips [B,T>=shortest,channels,H>=16,W>=16]: InputError."""
    if noisy.ndim != 5:
        raise InputError(f"{method}: clips have shape {list(noisy.shape)}; allowed: [B,T,{channels},H,W]")
    if noisy.shape[1] < shortest:
        raise InputError(f"{method}: a clip of {noisy.shape[1]} frames; allowed: {shortest} or more")
    check_frame(noisy[:, 0], channels)


def without_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a network that was saved inside ``nn.DataParallel``, by their own names."""
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def official_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' ``model.pth`` -> the state of :class:`FastDVDNet`: only the DataParallel prefix goes."""
    return without_prefix(state)


def he_normal(network: nn.Module) -> None:
    """Starts every convolution the way the authors' networks do: He's normal distribution over its inputs."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")


class Block(nn.Module):
    """Layers one after the other, under the name that the published weights give them."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.convblock = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.convblock(x)


def _normed(inputs: int, outputs: int, *, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def _pair(inputs: int, outputs: int) -> Block:
    return Block(*_normed(inputs, outputs), *_normed(outputs, outputs))


def _down(inputs: int, outputs: int) -> Block:
    return Block(*_normed(inputs, outputs, stride=2), _pair(outputs, outputs))


def _up(inputs: int, outputs: int) -> Block:
    return Block(_pair(inputs, inputs), _conv(inputs, 4 * outputs), nn.PixelShuffle(2))


class DenBlock(nn.Module):
    """The denoising block: a three-scale U-Net over three frames, each with the noise map beside it.

    frames, map -> inc -> downc0 -> downc1 -> upc2 -> + -> upc1 -> + -> outc -> noise;  middle - noise
                    |        `----------------------'          |
                    `-----------------------------------------'
    """

    def __init__(self, channels: int, widths: Sequence[int], input_width: int) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.inc = Block(*_normed(3 * (channels + 1), 3 * input_width, groups=3), *_normed(3 * input_width, fine))
        self.downc0 = _down(fine, middle)
        self.downc1 = _down(middle, coarse)
        self.upc2 = _up(coarse, middle)
        self.upc1 = _up(middle, fine)
        self.outc = Block(*_normed(fine, fine), _conv(fine, channels))

    def forward(self, before: Tensor, frame: Tensor, after: Tensor, noise_map: Tensor) -> Tensor:
        """Three frames [B,C,H,W] and the noise map [B,1,H,W] -> the middle one restored, [B,C,H,W]."""
        x0 = self.inc(torch.cat((before, noise_map, frame, noise_map, after, noise_map), dim=1))
        x1 = self.downc0(x0)
        x2 = self.upc2(self.downc1(x1))
        return frame - self.outc(x0 + self.upc1(x1 + x2))


class FastDVDNet(nn.Module):
    """The published network: one block over each three neighbors, another one over its three results.

    x0 x1 x2 -> temp1 --.
    x1 x2 x3 -> temp1 ---+-> temp2 -> x2 restored
    x2 x3 x4 -> temp1 --'

    The defaults are the published sizes, 2,479,096 parameters; no convolution has a bias. channels: of a
    frame; widths: of the three scales; input_width: features of each frame before the frames are mixed.
    """

    kind = "fastdvdnet"

    def __init__(self, *, channels: int = 3, widths: Sequence[int] = (32, 64, 128), input_width: int = 30) -> None:
        arguments = _plain(locals())
        super().__init__()
        self.arguments = arguments
        self.channels = channels
        self.temp1 = DenBlock(channels, widths, input_width)
        self.temp2 = DenBlock(channels, widths, input_width)
        he_normal(self)

    def forward(self, frames: Tensor, noise_map: Tensor) -> Tensor:
        """[B,5,C,H,W] nominally in [0,1], noise map [B,1,H,W] (sigma / 255) -> the middle frame [B,C,H,W].

        H and W are multiples of 4.
        """
        x = frames.unbind(1)
        firsts = [self.temp1(*x[t : t + 3], noise_map) for t in range(3)]
        return self.temp2(*firsts, noise_map)

    def restore(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """[B,5,C,H,W] of any size from 16x16 on, sigma [B] in 0..255 -> the middle frame, not clipped.

        Sizes are brought to multiples of 4 by reflection, as the authors do. InputError: another number of
        channels, a smaller frame, another number of frames,
        no noise level.
        """
        check_clip(frames, self.kind, self.channels, WINDOW)
        if frames.shape[1] != WINDOW:
            raise InputError(f"{self.kind}: a window of {frames.shape[1]} frames; allowed: {WINDOW}")
        height, width = frames.shape[-2:]
        padder = Reflecting(height, width, 4)
        padded = padder.pad(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        noise_map = noise_level(sigma, frames, self.kind).expand(-1, 1, *padded.shape[-2:])
        return padder.crop(self(padded, noise_map))

    @staticmethod
    def supervised(length: int) -> range:
        """Which frames of a clip :meth:`restore_clip` gives: those with two neighbors on either side."""
        return range(2, length - 2)

    def restore_clip(self, noisy: Tensor, sigma: Tensor | None) -> Tensor:
        """[B,T>=5,C,H,W], sigma [B] in 0..255 -> [B,T-4,C,H,W], the frames that :meth:`supervised` names."""
        check_clip(noisy, self.kind, self.channels, WINDOW)
        middles = self.supervised(noisy.shape[1])
        windows = torch.cat([noisy[:, t - 2 : t + 3] for t in middles])
        level = None if sigma is None else sigma.repeat(len(middles))
        return torch.stack(self.restore(windows, level).chunk(len(middles)), dim=1)


class FastDVDNetMethod:
    """Drives a :class:`FastDVDNet` over a clip whose ends are reflected in time, as its public evaluation does.

    Args:
        model: the network; it is moved to ``device`` and set to evaluation.
        name: how tables call it.
        device: where it runs; frames are brought there and their results taken back.
        channels_last: memory order of the convolutions; changes results by no more than rounding.
    """

    blind = False
    radius = WINDOW // 2
    border: Border = "reflect"

    def __init__(
        self,
        model: FastDVDNet,
        *,
        name: str = "fastdvdnet",
        device: str | torch.device = "cpu",
        channels_last: bool = False,
    ) -> None:
        self.name = name
        self.device = torch.device(device)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.model = model.to(self.device, memory_format=layout).eval()
        self.channels: int | None = model.channels

    def apply(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """Restore the middle of ``frames`` [B,5,C,H,W]; see :meth:`ncfl.methods.interface.Window.apply`."""
        return self.model.restore(frames.to(self.device), sigma).to(frames.device)
