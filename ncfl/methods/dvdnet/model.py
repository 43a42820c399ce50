"""DVDNet (Tassano, Delon and Veit, ICIP 2019, arXiv:1906.11890): each frame alone, then five frames aligned.

Layer order, tensor names, padding, the clip's ends (end frames repeated), the alignment of 8-bit frames by
their red channel and its black border are those of the authors' m-tassano/dvdnet, whose
``model_spatial.pth`` and ``model_temp.pth`` fit after :mod:`~ncfl.methods.dvdnet.official_names`.

One deviation: the authors estimate motion with DeepFlow, which stands in OpenCV's extra modules alone. Here
it is DIS (Kroeger et al., ECCV 2016; the preset ``MEDIUM``) of plain OpenCV, so figures may differ a little
from published ones, with the same weights too.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.methods.common import Reflecting, check_clip, he_normal, noise_level
from ncfl.methods.interface import border_index
from ncfl.methods.learned import LearnedChunk
from ncfl.models.arguments import keeps_arguments

RADIUS = 2  # frames on either side


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def _normed(conv: nn.Conv2d) -> list[nn.Module]:
    return [conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU(inplace=True)]


class Spatial(nn.Module):
    """Denoises one frame at half its size: the four pixels of each square are channels. 854,688 parameters."""

    def __init__(self, channels: int, width: int, convs: int) -> None:
        super().__init__()
        layers = [_conv(5 * channels, width), nn.ReLU(inplace=True)]
        for _ in range(convs - 2):
            layers += _normed(_conv(width, width))
        self.conv_relu_bn = nn.Sequential(*layers, _conv(width, 4 * channels))

    def forward(self, frame: Tensor, noise_map: Tensor) -> Tensor:
        """Frame and noise map [B,C,H,W], H and W even -> frame less the noise found in it, [B,C,H,W]."""
        x = torch.cat((noise_map[..., ::2, ::2], F.pixel_unshuffle(frame, 2)), dim=1)
        return frame - F.pixel_shuffle(self.conv_relu_bn(x), 2)


class Temporal(nn.Module):
    """Merges five aligned frames, at half their size. 478,656 parameters."""

    def __init__(self, channels: int, width: int, convs: int) -> None:
        super().__init__()
        frames = 2 * RADIUS + 1
        down = nn.Conv2d((frames + 1) * channels, width, 5, stride=2, padding=2, bias=False)
        self.down_conv = nn.Sequential(*_normed(down))
        self.conv1x1 = nn.Conv2d(width, width, 1, bias=False)
        self.block_conv = nn.Sequential(*(layer for _ in range(convs) for layer in _normed(_conv(width, width))))
        self.out_conv = nn.Sequential(*_normed(_conv(width, width)), _conv(width, 4 * channels))

    def forward(self, frames: Tensor, noise_map: Tensor) -> Tensor:
        """Frames [B,5*C,H,W], noise map [B,C,H,W], H and W even -> the middle frame, [B,C,H,W]."""
        x = self.down_conv(torch.cat((noise_map, frames), dim=1))
        return F.pixel_shuffle(self.out_conv(self.conv1x1(x).add_(self.block_conv(x))), 2)


def align(frames: np.ndarray, middle: int) -> np.ndarray:
    """Warps every frame onto the one at ``middle``: uint8 [T,H,W,C] -> the same shape.

    Motion is estimated on the first channel, red; what comes from outside of a frame is black.
    """
    flow_of = cv2.DISOpticalFlow_create(cv2.DISOpticalFlow_PRESET_MEDIUM)
    height, width = frames.shape[1:3]
    here = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    target = np.ascontiguousarray(frames[middle, ..., 0])
    aligned = frames.copy()
    for t, frame in enumerate(frames):
        if t != middle:
            flow = flow_of.calc(target, np.ascontiguousarray(frame[..., 0]), None)
            aligned[t] = cv2.remap(frame, here + flow, None, cv2.INTER_LINEAR).reshape(frame.shape)
    return aligned


def align_windows(frames: Tensor, windows: list[list[int]]) -> Tensor:
    """Windows of frames, each aligned to its middle: [B,T,C,H,W] in [0,1] -> [B,len(windows),5,C,H,W].

    As published, the frames become 8-bit first (fractions cut off), and the windows are of such values.
    """
    pixels = eight_bits(frames)
    return torch.stack([align_window(pixels, window, frames.device) for window in windows], dim=1)


def eight_bits(frames: Tensor) -> np.ndarray:
    """[B,T,C,H,W] in [0,1] -> uint8 [B,T,H,W,C], fractions cut off."""
    return (frames.detach() * 255).byte().permute(0, 1, 3, 4, 2).cpu().numpy()


def align_window(pixels: np.ndarray, window: list[int], device: torch.device) -> Tensor:
    """One window of frames, aligned to its middle: uint8 [B,T,H,W,C] -> [B,5,C,H,W] in [0,1]."""
    distinct = sorted(set(window))  # an end frame that is repeated is aligned once
    middle, places = distinct.index(window[RADIUS]), [distinct.index(t) for t in window]
    aligned = np.stack([align(clip[distinct], middle)[places] for clip in pixels])
    return torch.from_numpy(aligned).to(device).movedim(-1, -3).float().div_(255)


class DVDNet(nn.Module):
    """The two networks, the motion between them.

    x_{t-2} ... x_{t+2} -> spatial, each -> clamp, 8 bits -> aligned to x_t -> temporal -> x_t restored

    The defaults are the published sizes, 854,688 and 478,656 parameters. channels: of a frame; width: features
    of both networks; spatial_convs: convolutions of the first; temporal_convs: of the second's middle part.
    """

    kind = "dvdnet"

    @keeps_arguments
    def __init__(self, *, channels: int = 3, width: int = 96, spatial_convs: int = 12, temporal_convs: int = 4) -> None:
        super().__init__()
        self.channels = channels
        self.spatial = Spatial(channels, width, spatial_convs)
        self.temporal = Temporal(channels, width, temporal_convs)
        he_normal(self)

    def denoise(self, frames: Tensor, sigma: Tensor) -> Tensor:
        """Every frame alone: [B,T,C,H,W] in, nominally in [0,1], sigma [B] in 0..255 -> the same shape."""
        return self._padded(self.spatial, frames.flatten(0, 1), frames, sigma).unflatten(0, frames.shape[:2])

    def merge(self, windows: Tensor, sigma: Tensor) -> Tensor:
        """Middle frames of aligned windows: [B,N,5,C,H,W], sigma [B] -> [B,N,C,H,W], not clipped."""
        x = windows.flatten(2, 3).flatten(0, 1)
        return self._padded(self.temporal, x, windows, sigma).unflatten(0, windows.shape[:2])

    def _padded(self, network: nn.Module, x: Tensor, clips: Tensor, sigma: Tensor) -> Tensor:
        """One of the networks over x [B*N,...,H,W], at even sizes by reflection."""
        padder = Reflecting(*x.shape[-2:], 2)
        x = padder.pad(x)
        level = noise_level(sigma, clips, self.kind).repeat_interleave(clips.shape[1], dim=0)
        return padder.crop(network(x, level.expand(-1, self.channels, *x.shape[-2:])))

    def restore(self, noisy: Tensor, sigma: Tensor | None) -> Tensor:
        """A whole clip [B,T,C,H,W], any T, H and W >= 16, sigma [B] in 0..255 -> [B,T,C,H,W], not clipped.

        InputError: another number of channels, a smaller frame, no noise level. FloatingPointError: values that are
        not finite after the first network, which 8 bits would hide.
        """
        check_clip(noisy, self.kind, self.channels, 1)
        length = noisy.shape[1]
        # One frame at a time: smaller feature maps are faster, and memory does not grow with the clip.
        denoised = torch.cat([self.denoise(frame, sigma) for frame in noisy.split(1, dim=1)], dim=1).clamp_(0, 1)
        if not denoised.isfinite().all():
            raise FloatingPointError(f"method {self.kind}: denoised frames have values that are not finite")
        pixels = eight_bits(denoised)
        restored = []
        for t in range(length):
            window = [border_index(i, length, "replicate") for i in range(t - RADIUS, t + RADIUS + 1)]
            restored.append(self.merge(align_window(pixels, window, noisy.device)[:, None], sigma))
        return torch.cat(restored, dim=1)

    @staticmethod
    def supervised(length: int) -> list[int]:
        """Which frames of a clip :meth:`restore_clip` gives: all of them, then the middle ones once more."""
        return [*range(length), *range(RADIUS, length - RADIUS)]

    def restore_clip(self, noisy: Tensor, sigma: Tensor | None) -> Tensor:
        """[B,T>=5,C,H,W], sigma [B] -> [B,2T-4,C,H,W]: T frames denoised alone, T-4 merged.

        The paper trains the two networks one after the other; here they learn side by side, each from its own
        frames: no gradient passes through the alignment.
        """
        check_clip(noisy, self.kind, self.channels, 2 * RADIUS + 1)
        alone = self.denoise(noisy, sigma)
        middles = range(RADIUS, noisy.shape[1] - RADIUS)
        windows = [list(range(t - RADIUS, t + RADIUS + 1)) for t in middles]
        merged = self.merge(align_windows(alone.clamp(0, 1), windows), sigma)
        return torch.cat((alone, merged), dim=1)


class DVDNetMethod(LearnedChunk):
    """Drives a :class:`DVDNet` over a clip, a piece at a time, so that every frame is denoised about once.

    The alignment runs on the processor, whatever the device.
    """

    blind = False
    chunk = 32
    overlap = RADIUS

    def run(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """See :meth:`ncfl.methods.learned.LearnedChunk.run`; the first and last frame are taken for a clip's ends."""
        return self.running.restore(frames, sigma)
