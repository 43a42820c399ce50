"""Padding to a multiple and cropping back."""

import torch.nn.functional as F
from torch import Tensor

from ncfl.common.errors import InputError

MINIMUM = 16  # pixels; the coarsest scale of a five-scale U-Net is then one pixel


class Padder:
    """Pads frames of one size to multiples of `multiple` at the bottom and right, and crops back.

    Edge pixels are repeated, which works for any size (a reflection needs more pixels than it adds).
    """

    def __init__(self, height: int, width: int, multiple: int) -> None:
        self.height, self.width = height, width
        self.bottom, self.right = -height % multiple, -width % multiple

    def pad(self, x: Tensor) -> Tensor:
        """[B,C,height,width] -> [B,C,height+bottom,width+right]."""
        if not (self.bottom or self.right):
            return x
        return F.pad(x, (0, self.right, 0, self.bottom), mode="replicate")

    def crop(self, x: Tensor) -> Tensor:
        """The inverse of `pad` for anything of the padded size."""
        if not (self.bottom or self.right):
            return x
        return x[..., : self.height, : self.width]


def check_frame(x_t: Tensor, channels: int) -> None:
    """Refuses what is no frame batch [B,channels,H>=16,W>=16]: InputError."""
    if x_t.ndim != 4 or x_t.shape[1] != channels:
        raise InputError(f"expected frames of shape [B,{channels},H,W], got {list(x_t.shape)}")
    height, width = x_t.shape[-2:]
    if height < MINIMUM or width < MINIMUM:
        raise InputError(f"expected frames of {MINIMUM}x{MINIMUM} pixels or more, got {width}x{height}")
