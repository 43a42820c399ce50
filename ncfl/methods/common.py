"""What the learned methods share: checks of what comes in, padding by reflection, the noise level, a common start."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.models.padding import Padder, check_frame


class Reflecting(Padder):
    """A :class:`Padder` that mirrors the frame at its bottom and right edge, the edge itself not repeated."""

    def pad(self, x: Tensor) -> Tensor:
        """[B,C,height,width] -> [B,C,height+bottom,width+right]."""
        if not (self.bottom or self.right):
            return x
        if not x.is_contiguous(memory_format=torch.channels_last):
            return F.pad(x, (0, self.right, 0, self.bottom), mode="reflect")
        # Row by row, then column by column: with channels last that takes a fifth of the time of the call above.
        x = x.permute(0, 2, 3, 1)
        x = _continued(_continued(x, self.bottom, 1), self.right, 2)
        return x.permute(0, 3, 1, 2)


def _continued(x: Tensor, more: int, dim: int) -> Tensor:
    """``more`` mirrored ones after the last along ``dim``."""
    return torch.cat((x, x.narrow(dim, x.shape[dim] - 1 - more, more).flip(dim)), dim=dim) if more else x


def noise_level(sigma: Tensor | None, frames: Tensor, method: str) -> Tensor:
    """sigma [B] in 0..255 -> [B,1,1,1] in 0..1, as frames [B,...] have it; InputError where it is missing."""
    if sigma is None or sigma.shape != frames.shape[:1]:
        found = "none" if sigma is None else f"shape {list(sigma.shape)}"
        raise InputError(f"{method}: sigma: expected one noise level per clip, [{len(frames)}], got {found}")
    return (sigma.to(frames) / 255).view(-1, 1, 1, 1)


def check_clip(noisy: Tensor, method: str, channels: int, shortest: int) -> None:
    """Refuses what is no batch of clips [B,T>=shortest,channels,H>=16,W>=16]: InputError."""
    if noisy.ndim != 5:
        raise InputError(f"{method}: expected clips of shape [B,T,{channels},H,W], got {list(noisy.shape)}")
    if noisy.shape[1] < shortest:
        raise InputError(f"{method}: expected a clip of {shortest} frames or more, got {noisy.shape[1]}")
    check_frame(noisy[:, 0], channels)


def check_window(window: Tensor, method: str, channels: int, frames: int) -> None:
    """Refuses what is no batch of windows [B,frames,channels,H>=16,W>=16]: InputError."""
    check_clip(window, method, channels, frames)
    if window.shape[1] != frames:
        raise InputError(f"{method}: expected a window of {frames} frames, got {window.shape[1]}")


def all_frames(length: int) -> range:
    """Which frames of a clip a network's ``restore_clip`` gives, where it gives each of them."""
    return range(length)


def without_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a network that was saved inside ``nn.DataParallel``, by their own names."""
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def he_normal(network: nn.Module) -> None:
    """Starts every convolution at He's normal distribution over its inputs."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
