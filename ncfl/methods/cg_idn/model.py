"""CG-IDN (Zhang et al., CVPR 2021, the paper of REVIDE): video dehazing by pre-dehazing and deformable alignment.

The authors' code and weights were never released: this is a reimplementation of the idea, not of their network.
Of the paper it keeps what its name and abstract say: several hazy frames are put to use together, a confidence
guides what is taken from each of them, and deformable alignment is improved for hazy frames. The rest is chosen:

- *Confidence guided*: a small U-Net dehazes each frame alone and says, pixel by pixel, how far that can be
  trusted. The confidence blends this frame with the hazy one, and weighs each neighbor when frames are fused.
- *Improved deformable*: EDVR's pyramid of deformable convolutions, whose offsets also see a cost volume as in
  PWC-Net (Sun et al. 2018): how alike the middle frame and the neighbor are under each small displacement.
  Haze takes the contrast from which offsets are otherwise guessed.
- Five frames; pre-dehazing as wide as MSBDN, which shares authors; features at a quarter of the size; no loss but
  the one on the result, which the dehazed single frame is a part of, so that pre-dehazing is trained as well.

Sizes and names of tensors are this project's own, and no figure of the paper belongs to them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.methods.common import check_clip, check_window
from ncfl.methods.deform import GuidedDeformConv
from ncfl.methods.edvr.layers import active, doubled
from ncfl.models.arguments import keeps_arguments
from ncfl.models.layers import SLOPE, ResBlock, added, conv3, zero_
from ncfl.models.padding import Padder

ROWS = 2  # of a cost volume that are computed at once
MULTIPLE = 16  # pixels: features at a quarter of the size, and two coarser levels


def cost_volume(middle: Tensor, neighbor: Tensor, radius: int) -> Tensor:
    """How alike they are under each displacement of up to ``radius`` pixels: the mean product over the channels.

    Two of [B,C,H,W] -> [B,(2 radius + 1)^2,H,W], row by row: channel (dy + radius) (2 radius + 1) + dx + radius
    is middle(y, x) * neighbor(y + dy, x + dx). Outside of the neighbor there is zero.
    """
    side, (channels, height) = 2 * radius + 1, middle.shape[1:3]
    padded = F.pad(neighbor.permute(0, 2, 3, 1), (0, 0, *[radius] * 4))
    ours = middle.permute(0, 2, 3, 1).unsqueeze(3)
    rows = []
    # A few rows and one row of displacements at a time: their products stay in the processor's cache.
    for y in range(0, height, ROWS):
        mine = ours[:, y : y + ROWS]
        strip = padded[:, y : y + mine.shape[1] + side - 1].unfold(2, side, 1).transpose(3, 4)
        alike = [(mine * strip[:, dy : dy + mine.shape[1]]).sum(-1) for dy in range(side)]
        rows.append(torch.cat(alike, dim=-1))
    return torch.cat(rows, dim=1).div_(channels).permute(0, 3, 1, 2)


class PreDehazing(nn.Module):
    """A three-scale U-Net: the frame as far as it can be dehazed alone, and how far that can be trusted.

    Its last convolution is zero at the start: the frame as it is, trusted by one half.
    """

    def __init__(self, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width]
        self.channels = channels
        self.head = conv3(channels, width)
        self.down = nn.ModuleList(conv3(w, 2 * w, stride=2) for w in widths[:-1])
        self.encoder = nn.ModuleList(_blocks(w, blocks) for w in widths)
        self.up = nn.ModuleList(conv3(2 * w, w) for w in widths[:-1])
        self.decoder = nn.ModuleList(_blocks(w, blocks) for w in widths[:-1])
        self.tail = zero_(conv3(width, channels + 1))

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        """[B,C,H,W], H and W multiples of 4 -> the frame dehazed, [B,C,H,W]; the confidence, [B,1,H,W] in 0..1."""
        x = self.encoder[0](self.head(frame))
        skips = []
        for down, blocks in zip(self.down, self.encoder[1:], strict=True):
            skips.append(x)
            x = blocks(active(down, x))
        for up, blocks in zip(reversed(self.up), reversed(self.decoder), strict=True):
            x = blocks(added(up(doubled(x)), skips.pop()))
        change, confidence = self.tail(x).split((self.channels, 1), dim=1)
        return frame + change, confidence.sigmoid()


class CostVolumeAlignment(nn.Module):
    """A neighbor's features where the middle frame has them: coarse to fine, then once more at the finest level.

    guide = conv(neighbor, middle, cost volume), with twice the coarser level's guide;  deformable(neighbor, guide)
    """

    def __init__(self, width: int, groups: int, radius: int, levels: int = 3) -> None:
        super().__init__()
        self.radius, self.volume = radius, cost_volume
        inputs = 2 * width + (2 * radius + 1) ** 2
        self.guide = nn.ModuleList(conv3(inputs, width) for _ in range(levels))
        self.merge_guide = nn.ModuleList(conv3(2 * width, width) for _ in range(levels - 1))
        self.deform = nn.ModuleList(GuidedDeformConv(width, width, groups) for _ in range(levels))
        self.merge = nn.ModuleList(conv3(2 * width, width) for _ in range(levels - 1))
        self.last_guide = conv3(inputs, width)
        self.last_deform = GuidedDeformConv(width, width, groups)

    def forward(self, middle: list[Tensor], neighbor: list[Tensor]) -> Tensor:
        """Features of both at each level, finest first, [B,width,H,W], [B,width,H/2,W/2] ... -> [B,width,H,W]."""
        guide = aligned = None
        for level in reversed(range(len(middle))):
            ours, theirs = middle[level], neighbor[level]
            found = active(self.guide[level], ours, theirs, self._cost(ours, theirs))
            if guide is not None:
                found = active(self.merge_guide[level], found, 2 * doubled(guide))
            moved = self.deform[level](theirs, found)
            aligned = (
                F.leaky_relu(moved, SLOPE, inplace=True) if aligned is None else self._merged(level, moved, aligned)
            )
            guide = found
        last = active(self.last_guide, middle[0], aligned, self._cost(middle[0], aligned))
        return F.leaky_relu(self.last_deform(aligned, last), SLOPE, inplace=True)

    def _cost(self, ours: Tensor, theirs: Tensor) -> Tensor:
        return F.leaky_relu(self.volume(ours, theirs, self.radius), SLOPE, inplace=True)

    def _merged(self, level: int, moved: Tensor, coarser: Tensor) -> Tensor:
        return active(self.merge[level], moved, doubled(coarser))


class ConfidenceFusion(nn.Module):
    """Frames weighed by how alike they are to the middle one, times how far their pre-dehazing is trusted."""

    def __init__(self, width: int, frames: int) -> None:
        super().__init__()
        self.embed_middle, self.embed = conv3(width, width), conv3(width, width)
        self.fuse = nn.Conv2d(frames * width, width, 1)

    def forward(self, aligned: Tensor, confidence: Tensor) -> Tensor:
        """[B,frames,width,h,w] and [B,frames,1,h,w], the middle frame in the middle -> [B,width,h,w]."""
        frames = aligned.shape[:2]
        wanted = self.embed_middle(aligned[:, frames[1] // 2])[:, None]
        found = self.embed(aligned.flatten(0, 1)).unflatten(0, frames)
        alike = (found * wanted).sum(2, keepdim=True).sigmoid()
        return active(self.fuse, (aligned * alike * confidence).flatten(1, 2))


class CGIDN(nn.Module):
    """The network, over a window of an odd number of frames.

    each frame x:   x -> pre-dehazing -> j, confidence c;  g = c j + (1 - c) x;  (g, x) -> features at 3 levels
    each neighbor:  features -> alignment with the middle frame's
    middle frame:   all aligned, all c -> fusion -> blocks -> four times the size -> + g

    channels: of a frame; frames: in a window; width: of the features; pre_width: of pre-dehazing at full size;
    groups: of deformable convolutions; radius: of cost volumes, pixels of each level; blocks: of the features,
    and of pre-dehazing at each scale; reconstruct_blocks: after fusion. Blind: no noise level.
    """

    kind = "cg-idn"

    @keeps_arguments
    def __init__(
        self,
        *,
        channels: int = 3,
        frames: int = 5,
        width: int = 64,
        pre_width: int = 16,
        groups: int = 8,
        radius: int = 3,
        blocks: int = 3,
        reconstruct_blocks: int = 10,
    ) -> None:
        super().__init__()
        if frames < 1 or frames % 2 == 0:
            raise InputError(f"{self.kind}: frames: expected an odd number, got {frames}")
        self.channels, self.frames = channels, frames
        self.pre_dehazing = PreDehazing(channels, pre_width, blocks)
        self.head = conv3(2 * channels, width, stride=2)
        self.quarter = conv3(width, width, stride=2)
        self.features = _blocks(width, blocks)
        self.coarser = nn.ModuleList(conv3(width, width, stride=2) for _ in range(2))
        self.alignment = CostVolumeAlignment(width, groups, radius)
        self.fusion = ConfidenceFusion(width, frames)
        self.reconstruction = _blocks(width, reconstruct_blocks)
        self.up = nn.ModuleList(conv3(width, 4 * width) for _ in range(2))
        self.tail = zero_(conv3(width, channels))

    def forward(self, window: Tensor) -> Tensor:
        """[B,frames,C,H,W] nominally in [0,1], H and W multiples of 16 -> the middle frame, [B,C,H,W], not clipped."""
        if not torch.is_grad_enabled():  # one by one: the first layers are large
            return self.fused(self.seen(window, []))
        together = self._seen(window.flatten(0, 1))
        return self._fused([part.unflatten(0, window.shape[:2]) for part in together])

    def seen(self, window: Tensor, known: list[tuple[Tensor, ...]]) -> list[tuple[Tensor, ...]]:
        """What is found in each frame of a window alone, of which the earliest is ``known``."""
        return known + [self._seen(frame) for frame in window.unbind(1)[len(known) :]]

    def fused(self, seen: list[tuple[Tensor, ...]]) -> Tensor:
        """Of all frames of a window what :meth:`seen` gives -> the middle frame, [B,C,H,W]."""
        return self._fused([_frames(parts) for parts in zip(*seen, strict=True)])

    def _fused(self, seen: list[Tensor]) -> Tensor:
        middle, (guided, trust, *levels) = self.frames // 2, seen
        x = self.reconstruction(self.fusion(self._aligned(levels, middle), trust))
        for conv in self.up:
            x = F.leaky_relu(F.pixel_shuffle(conv(x), 2), SLOPE, inplace=True)
        return added(self.tail(x), guided[:, middle])

    def _seen(self, hazy: Tensor) -> tuple[Tensor, ...]:
        """Of each frame alone: guided by its confidence; this at a quarter of the size; features at three levels."""
        dehazed, confidence = self.pre_dehazing(hazy)
        guided = torch.lerp(hazy, dehazed, confidence.to(hazy.dtype))
        return guided, F.avg_pool2d(confidence, 4), *self._levels(guided, hazy)

    def _aligned(self, levels: list[Tensor], middle: int) -> Tensor:
        """Features of every frame where the middle one has them, [B,frames,width,h,w]; all neighbors in one go."""
        others = [t for t in range(self.frames) if t != middle]
        if not others:
            return levels[0]
        ours = [level[:, [middle] * len(others)].flatten(0, 1) for level in levels]
        theirs = [level[:, others].flatten(0, 1) for level in levels]
        aligned = self.alignment(ours, theirs).unflatten(0, (-1, len(others)))
        return torch.cat((aligned[:, :middle], levels[0][:, middle, None], aligned[:, middle:]), dim=1)

    def _levels(self, guided: Tensor, hazy: Tensor) -> list[Tensor]:
        """Features at a quarter, an eighth and a sixteenth of the size."""
        half = active(self.head, guided, hazy)
        levels = [self.features(active(self.quarter, half))]
        for conv in self.coarser:
            levels.append(active(conv, levels[-1]))
        return levels

    def restore(self, window: Tensor) -> Tensor:
        """[B,frames,C,H,W] of any size from 16x16 on -> the middle frame, [B,C,H,W].

        InputError: another number of frames or channels, a smaller frame.
        """
        padder, padded = self._padded(window)
        return padder.crop(self(padded))

    def restore_sliding(
        self, window: Tensor, known: list[tuple[Tensor, ...]]
    ) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
        """As :meth:`restore`, beside :meth:`seen`, of which the earliest are ``known``; without gradients."""
        padder, padded = self._padded(window)
        seen = self.seen(padded, known)
        return padder.crop(self.fused(seen)), seen

    def _padded(self, window: Tensor) -> tuple[Padder, Tensor]:
        check_window(window, self.kind, self.channels, self.frames)
        padder = Padder(*window.shape[-2:], MULTIPLE)
        return padder, padder.pad(window.flatten(0, 1)).unflatten(0, window.shape[:2])

    def supervised(self, length: int) -> range:
        """Which frames of a clip :meth:`restore_clip` gives: those with all their neighbors."""
        radius = self.frames // 2
        return range(radius, length - radius)

    def restore_clip(self, noisy: Tensor, sigma: Tensor | None = None) -> Tensor:
        """[B,T>=frames,C,H,W] -> the frames that :meth:`supervised` names, [B,T',C,H,W]; sigma is not looked at."""
        check_clip(noisy, self.kind, self.channels, self.frames)
        radius, middles = self.frames // 2, self.supervised(noisy.shape[1])
        restored = [self.restore(noisy[:, t - radius : t + radius + 1]) for t in middles]
        return torch.stack(restored, dim=1)


def _frames(parts: tuple[Tensor, ...]) -> Tensor:
    """T of [B,C,H,W] -> [B,T,C,H,W], in the order of memory that they have."""
    return torch.cat(parts).unflatten(0, (len(parts), -1)).transpose(0, 1)


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(ResBlock(width) for _ in range(count)))
