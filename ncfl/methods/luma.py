"""Luma as MATLAB's ``rgb2ycbcr`` has it, which deraining is done on: BT.601 at studio range."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ncfl.common.errors import InputError

WEIGHTS = (0.299, 0.587, 0.114)  # of R, G and B at full range
STUDIO = (65.481 / 255, 128.553 / 255, 24.966 / 255)  # the same times 219 / 255, to the digits that MATLAB has
BLACK = 16 / 255
RANGE = 219 / 255  # white less black


def luma(frames: Tensor) -> Tensor:
    """Luma of RGB frames [...,3,H,W] in [0,1] -> [...,H,W] in [16/255,235/255]; a gray frame [...,1,H,W] is its own."""
    if frames.shape[-3] == 1:
        return frames.squeeze(-3)
    red, green, blue = frames.unbind(-3)
    return (STUDIO[0] * red).add(green, alpha=STUDIO[1]).add(blue, alpha=STUDIO[2]) + BLACK


def with_luma(frames: Tensor, change: Tensor) -> Tensor:
    """Frames [...,C,H,W] whose luma changes by ``change`` [...,H,W], their chroma kept.

    The same change of R, G and B is exactly what YCbCr and back would give; a gray frame is its own luma.
    """
    change = change.unsqueeze(-3)
    return frames + (change / RANGE if frames.shape[-3] == 3 else change)


class OnLuma(ABC):
    """A chunk method that restores luma and leaves chroma alone: rain is gray.

    A subclass says what the rain-free luma is. Frames are RGB, or gray.

    Args:
        chunk, overlap: see :class:`ncfl.methods.interface.Chunk`.
    """

    name: str
    blind = True
    channels = None  # 1 or 3

    def __init__(self, *, chunk: int, overlap: int) -> None:
        self.chunk, self.overlap = chunk, overlap

    def restore(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """Restore ``frames`` [B,T,C,H,W], C = 1 or 3; see :meth:`ncfl.methods.interface.Chunk.restore`.

        Raises:
            InputError: frames that are neither gray nor RGB.
            FloatingPointError: frames with NaN or infinite values, on which decompositions would fail.
        """
        if frames.ndim != 5 or frames.shape[2] not in (1, 3) or not frames.numel():
            found = list(frames.shape)
            raise InputError(f"method {self.name}: expected frames of shape [B,T,1,H,W] or [B,T,3,H,W], got {found}")
        if not frames.isfinite().all():
            raise FloatingPointError(f"method {self.name}: its frames have values that are not finite")
        return with_luma(frames, torch.stack([self.rain_free(clip) - clip for clip in luma(frames)]))

    @abstractmethod
    def rain_free(self, rainy: Tensor) -> Tensor:
        """The luma [T,H,W] without its rain."""
