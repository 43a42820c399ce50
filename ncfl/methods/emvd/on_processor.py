"""EMVD's step as a processor runs it fastest: the same numbers up to rounding, for inference alone.

Everything is in the order of memory with channels last. Color transform and first wavelet are one convolution, their
inverses one matrix product. What is put together for a stage is written where it belongs, in memory that the next
frame uses again: for maps this small, new memory costs more than the arithmetic.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.methods.common import Reflecting, noise_level
from ncfl.methods.emvd.model import EMVD, EMVDState, FrameAndState, check_state
from ncfl.models.padding import check_frame

BLOCK = (2, 4)  # pixels, down and right, that the last convolution of one map gives at once


class Scale(NamedTuple):
    """Bands [B,h,w,4C], those of them that are low-low [B,h,w,C], and the noise variance [B,h,w,1]: channels last."""

    bands: Tensor
    low: Tensor
    variance: Tensor | None


class ProcessorEMVD:
    """Runs an :class:`EMVD` whose weights stay as they are.

    Args:
        model: in evaluation; its weights are shared but for those that are folded.
    """

    def __init__(self, model: EMVD) -> None:
        self.model = model
        self.channels, self.scales = model.channels, model.scales
        color, wavelet, bands = model.color, model.wavelet, 4 * model.channels
        impulses = torch.eye(bands)
        pixels, low = impulses.view(bands, -1, 2, 2), torch.eye(4).view(4, 1, 2, 2)
        each = impulses.view(bands, bands, 1, 1)
        with torch.no_grad():
            # A linear map is what it makes of each unit impulse.
            self._analysis = _kernel(wavelet(color(pixels)), pixels)
            self._wavelet = _kernel(wavelet(pixels), pixels)
            self._variance = _kernel(wavelet.variance(low), low)
            spread = wavelet.inverse(each)
            self._inverse_wavelet, self._synthesis = (
                x.permute(0, 2, 3, 1).reshape(bands, -1) for x in (spread, color.inverse(spread))
            )
            self._fusion = [MapStage(stage) for stage in model.fusion]
            self._refinement = MapStage(model.refinement)
        self._rooms: dict[tuple[str | int, ...], Tensor] = {}

    @torch.no_grad()
    def __call__(self, frame: Tensor, sigma: Tensor | None, state: EMVDState | None) -> FrameAndState:
        """See :meth:`EMVD.forward`. A clip's first frame, where nothing is fused, is left to it."""
        if state is None:
            return self.model(frame, sigma)
        check_frame(frame, self.channels)
        level = noise_level(sigma, frame, self.model.kind).square()
        padder = Reflecting(*frame.shape[-2:], 2**self.scales)
        bands = F.conv2d(padder.pad(frame), self._analysis, stride=2)
        check_state(state, bands)
        now, before = self._pyramids(bands, state)
        gamma = denoised = None
        for s in reversed(range(self.scales)):
            gamma = self._weight(s, now[s].low, before[s].low, level, gamma)
            room = self._room(s, now[s].bands)
            fused, variance = self._fuse(room, now[s].bands, before[s], level, gamma)
            denoised = self._denoise(s, room, now[s].low, denoised)
        omega = self._refinement(self._beside(fused, denoised, variance)).sigmoid_()
        restored = _spread(denoised.lerp_(fused, omega), self._synthesis).permute(0, 3, 1, 2)
        return FrameAndState(padder.crop(restored), EMVDState(*(x.permute(0, 3, 1, 2) for x in (fused, variance))))

    def _pyramids(self, bands: Tensor, state: EMVDState) -> tuple[list[Scale], list[Scale]]:
        """Of this frame, from its finest bands [B,4C,h,w], and of the one before; the variance of this one is even."""
        count, channels = len(bands), self.channels
        finest = bands.permute(0, 2, 3, 1), state.fused.permute(0, 2, 3, 1)
        lows = self._kept("lows", 0, (2 * count, *finest[0].shape[1:3], channels), bands)
        for low, x in zip(lows.split(count), finest, strict=True):
            low.copy_(x[..., :channels])
        variance, scales = state.variance, ([], [])
        for s in range(self.scales):
            if s:
                both = F.conv2d(lows.permute(0, 3, 1, 2), self._wavelet, stride=2).permute(0, 2, 3, 1)
                variance = F.conv2d(variance, self._variance, stride=2)
                finest, lows = both.split(count), both[..., :channels].contiguous()
            uneven = None, variance.permute(0, 2, 3, 1)
            for pyramid, *scale in zip(scales, finest, lows.split(count), uneven, strict=True):
                pyramid.append(Scale(*scale))
        return scales

    def _weight(self, s: int, now: Tensor, before: Tensor, level: Tensor, coarser: Tensor | None) -> Tensor:
        """gamma [B,h,w,1], the weight of the current frame's bands."""
        channels = self.channels
        seen = self._kept("seen", s, (*now.shape[:3], channels + 1 + (coarser is not None)), now)
        # Apart, and then put there: what is computed on parts of rows takes three times as long.
        seen[..., :channels] = torch.sub(now, before, out=self._kept("apart", s, now.shape, now)).abs_()
        if coarser is not None:
            _doubled(seen[..., channels : channels + 1]).copy_(coarser[:, :, None, :, None])
        seen[..., -1:] = level
        return self._fusion[s](seen).sigmoid_()

    def _room(self, s: int, now: Tensor) -> Tensor:
        """Where fused bands, the coarser scale's denoised ones, the low ones and the variance go; new for a state."""
        shape = (*now.shape[:3], 5 * self.channels + 1 + (s < self.scales - 1) * self.channels)
        return self._kept("room", s, shape, now) if s else now.new_empty(shape)

    def _fuse(self, room: Tensor, now: Tensor, before: Scale, level: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor]:
        """The fused bands with their variance, in their places."""
        bands, variance = room[..., : 4 * self.channels], room[..., -1:]
        torch.lerp(before.bands, now, gamma, out=bands)
        rest = (1 - gamma).square_().mul_(before.variance)
        torch.addcmul(rest, gamma.square(), level, out=variance)
        return bands, variance

    def _denoise(self, s: int, room: Tensor, low: Tensor, coarser: Tensor | None) -> Tensor:
        """The denoised bands [B,h,w,4C], of the fused ones in ``room``."""
        channels = self.channels
        if coarser is not None:
            room[..., 4 * channels : 5 * channels] = _spread(coarser, self._inverse_wavelet)
        room[..., -1 - channels : -1] = low
        return self.model.denoising[s](room.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)

    def _beside(self, *parts: Tensor) -> Tensor:
        shape = (*parts[0].shape[:3], sum(x.shape[-1] for x in parts))
        return torch.cat(parts, dim=-1, out=self._kept("refined", 0, shape, parts[0]))

    def _kept(self, use: str, s: int, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Memory for one use at one scale, the same one as long as the size is."""
        if (found := self._rooms.get((use, s))) is None or found.shape != shape:
            with torch.inference_mode(False):  # else it could not be written to outside of that mode
                found = self._rooms[use, s] = torch.empty(shape, dtype=like.dtype, device=like.device)
        return found


class MapStage:
    """A stage that gives one map, a block of pixels at a time.

    One output leaves most lanes of a processor's vector idle. The block's pixels fill them, as the outputs of one
    larger convolution that moves on a block at a time: it multiplies with more zeros than it saves instructions for,
    and takes a third of the time.
    """

    def __init__(self, stage: nn.Sequential) -> None:
        self._first, self._last = stage[:-1], stage[-1]
        self._kernels: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """[B,h,w,inputs] -> the map [B,h,w,1]."""
        batch, height, width = x.shape[:3]
        block = tuple(1 if n % most else most for n, most in zip((height, width), BLOCK, strict=True))
        if block not in self._kernels:
            self._kernels[block] = self._over(block)
        x = F.conv2d(self._first(x.permute(0, 3, 1, 2)), *self._kernels[block], stride=block, padding=1)
        blocks = x.permute(0, 2, 3, 1).unflatten(-1, block)
        return blocks.transpose(2, 3).reshape(batch, height, width, 1)

    def _over(self, block: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """The 3x3 kernel [1,C,3,3] and its bias, once for each pixel of the block."""
        weight, bias = self._last.weight, self._last.bias
        down, right = block
        with torch.inference_mode(False):
            wide = weight.new_zeros(down, right, weight.shape[1], down + 2, right + 2)
            for y in range(down):
                for x in range(right):
                    wide[y, x, :, y : y + 3, x : x + 3] = weight[0]
            wide = wide.flatten(0, 1).contiguous(memory_format=torch.channels_last)
            return wide, bias.expand(down * right).contiguous()


def _kernel(made: Tensor, impulses: Tensor) -> Tensor:
    """What a transform made of unit impulses, [N,outputs,1,1] of [N,C,2,2] -> [outputs,C,2,2], for a convolution."""
    kernel = made.flatten(1).T.reshape(-1, *impulses.shape[1:])
    return kernel.contiguous(memory_format=torch.channels_last)


def _doubled(x: Tensor) -> Tensor:
    """A view [B,2h,2w,C] -> [B,h,2,w,2,C]: the pixels that lie in each one of half the size."""
    return x.unflatten(2, (-1, 2)).unflatten(1, (-1, 2))


def _spread(bands: Tensor, matrix: Tensor) -> Tensor:
    """Bands [B,h,w,4C] times [4C,(2,2,C)], the pixels that each gives -> their image [B,2h,2w,C]."""
    pixels = (bands @ matrix).unflatten(-1, (2, 2, -1)).transpose(2, 3)
    return pixels.flatten(3, 4).flatten(1, 2)
