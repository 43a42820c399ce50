"""Modulated deformable convolution (Zhu et al. 2019, arXiv:1811.11168), which EDVR and BasicVSR++ align with.

A convolution whose taps each look at a place of their own, between pixels, and weigh what they find there.
:func:`deform_conv` is exact in plain torch, on any device and with gradients; on an accelerator where torchvision
works, its kernel does the same. The layout of offsets and masks, and zeros outside of the image, are torchvision's.
"""

import functools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.models.layers import conv3, full_precision, zero_

TAPS = 9  # of a 3x3 kernel
PICTURES = 16  # into which the pixels of a strip are parted
STRIP = 1024  # pixels: 8 to 16 groups of 9 taps then take about a megabyte for each of their values


def deform_conv(
    x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor, *, stride: int = 1, padding: int = 1
) -> Tensor:
    """Convolve ``x`` with taps that are moved by ``offset`` and scaled by ``mask``.

    Half precision is computed in float32, under autocast too. On the meta device only the shape is made: what
    a deformable convolution itself computes is left out of FLOP counts, as in the paper's figure for EDVR.

    Args:
        x: [B,C,H,W].
        offset: [B,2*G*K,H',W'] pixels (y, x), for each of G groups of channels and K taps in this order.
        mask: [B,G*K,H',W'], what each tap is multiplied by.
        weight: [D,C,kernel height,kernel width].
        bias: [D].
        stride: step between output positions, pixels.
        padding: how far the first output position lies before the image, pixels.

    Returns:
        [B,D,H',W'] in x's dtype.

    Raises:
        ValueError: shapes that do not fit together.
    """
    _check(x, offset, mask, weight, stride, padding)
    if x.is_meta:
        return x.new_empty(len(x), len(weight), *offset.shape[-2:])
    # On the CPU plain torch takes about half the time of torchvision's kernel, forward and backward.
    kernel = (None if x.device.type == "cpu" else _torchvision(x.device.type)) or plain_deform_conv
    with full_precision(x):
        tensors = (t if t.dtype == torch.float64 else t.float() for t in (x, offset, mask, weight, bias))
        return kernel(*tensors, stride, padding).to(x.dtype)


def plain_deform_conv(
    x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int
) -> Tensor:
    """:func:`deform_conv` in plain torch: each tap is a weighted sum of table rows, and then a matrix product.

    On the CPU output pixels are taken a strip at a time, whose intermediate values stay in its cache.
    """
    batch, (taps, size) = len(x), (math.prod(weight.shape[2:]), offset.shape[-2:])
    groups, pixels = mask.shape[1] // taps, math.prod(size)
    table = _Table(x, groups)
    per_pixel = (
        offset.permute(0, 2, 3, 1).reshape(-1, groups, taps, 2),
        mask.permute(0, 2, 3, 1).reshape(-1, groups, taps),
        _places(size, weight.shape[2:], stride, padding).to(x).repeat(batch, 1, 1, 1),
        table.first.repeat_interleave(pixels, dim=0),
    )
    strip = STRIP if x.device.type == "cpu" else max(batch * pixels, 1)
    by_group = weight.reshape(len(weight), groups, -1, taps).transpose(2, 3).flatten(1)
    strips = zip(*(tensor.split(strip) for tensor in per_pixel), strict=True)
    out = torch.cat([_product(table.look_up(*values), by_group, bias) for values in strips])
    out = out.view(batch, *size, -1).permute(0, 3, 1, 2)
    return out if x.is_contiguous(memory_format=torch.channels_last) else out.contiguous()


def _product(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """As ``F.linear``, x [P,N]; on the CPU, where P allows it, by the library that PyTorch convolves with.

    PyTorch's matrix products come from another one, which leaves half of a newer AMD processor's vector units idle.
    """
    if x.device.type != "cpu" or len(x) % PICTURES:
        return F.linear(x, weight, bias)
    # Fewer pictures than these, and a 1x1 convolution on a single thread is a matrix product again.
    pictures = x.view(PICTURES, -1, 1, x.shape[1]).permute(0, 3, 1, 2)
    return F.conv2d(pictures, weight[..., None, None], bias).permute(0, 2, 3, 1).flatten(0, 2)


class _Table:
    """An image [B,C,H,W] as rows of a group's channels, in the order of [B,H+3,W+2,G], with zeros around it.

    With them nothing has to be asked whether it is inside.
    """

    def __init__(self, x: Tensor, groups: int) -> None:
        batch, channels, self.height, self.width = x.shape
        self.rows = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 2)).reshape(-1, channels // groups)
        self.right, self.below = groups, (self.width + 2) * groups  # steps to the next pixel
        self.index = torch.int32 if len(self.rows) < 2**31 else torch.int64
        images, group = (torch.arange(n, device=x.device, dtype=self.index) for n in (batch, groups))
        # [B,G,1]: each image's first pixel
        self.first = (images[:, None] * ((self.height + 3) * self.below) + group)[..., None] + self.below + self.right

    def look_up(self, offset: Tensor, mask: Tensor, place: Tensor, first: Tensor) -> Tensor:
        """For each pixel P what its taps K find, bilinear, times the mask: [P,K*C], group by group.

        offset [P,G,K,2] and place [P,1,K,2] in pixels (y, x); mask [P,G,K]; first [P,G,1]: of the pixel's image.
        """
        y, x = (offset + place).unbind(-1)
        y, x = y.clamp(-1, self.height), x.clamp(-1, self.width)  # nothing is found beyond
        above, before = y.detach().floor(), x.detach().floor()
        at = above.to(self.index) * self.below + before.to(self.index) * self.right + first
        # Clamped as whole numbers, so that a place that is NaN gives NaN and no wild read.
        at = at.clamp(0, len(self.rows) - 1 - self.below - self.right)
        rows = _beside(at, at + self.right, at + self.below, at + (self.below + self.right))
        lower, after = (y - above) * mask, x - before
        upper = mask - lower
        lower_right, upper_right = lower * after, upper * after
        shares = _beside(upper - upper_right, upper_right, lower - lower_right, lower_right)
        found = F.embedding_bag(rows.view(-1, 4), self.rows, mode="sum", per_sample_weights=shares.view(-1, 4))
        return found.view(len(first), -1)


def _places(size: torch.Size, kernel: torch.Size, stride: int, padding: int) -> Tensor:
    """Where the taps K of each output pixel P stand before they are moved, (y, x): [P,1,K,2]."""
    y, x = (torch.arange(n)[:, None] * stride - padding + torch.arange(k) for n, k in zip(size, kernel, strict=True))
    y, x = torch.broadcast_tensors(y[:, None, :, None], x[None, :, None, :])
    return torch.stack((y, x), dim=-1).flatten(2, 3).flatten(0, 1).unsqueeze(1)


def _beside(*values: Tensor) -> Tensor:
    """As ``torch.stack(values, dim=-1)``, which takes more than twice the time."""
    out = values[0].new_empty(*values[0].shape, len(values))
    for place, value in enumerate(values):
        out[..., place] = value
    return out


@functools.cache
def _torchvision(device: str) -> Callable[..., Tensor] | None:
    """torchvision's kernel where it works on ``device``, or None.

    One that was built for another torch fails in many ways, at import or at the first call: so it is called.
    """
    try:
        from torchvision.ops import deform_conv2d

        one = torch.ones(1, 1, 1, 1, device=device)
        deform_conv2d(one, one.expand(1, 2, 1, 1), one, mask=one)
    except Exception:
        return None
    return lambda x, offset, mask, weight, bias, stride, padding: deform_conv2d(
        x, offset, weight, bias, stride=stride, padding=padding, mask=mask
    )


def _check(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, stride: int, padding: int) -> None:
    taps = math.prod(weight.shape[2:])
    groups = mask.shape[1] // taps
    size = tuple((n + 2 * padding - k) // stride + 1 for n, k in zip(x.shape[2:], weight.shape[2:], strict=True))
    fits = (
        groups > 0
        and x.shape[1] == weight.shape[1]
        and x.shape[1] % groups == 0
        and mask.shape == (len(x), groups * taps, *size)
        and offset.shape == (len(x), 2 * groups * taps, *size)
    )
    if not fits:
        shapes = ", ".join(str(list(t.shape)) for t in (x, offset, mask, weight))
        raise ValueError(f"deformable convolution: expected x, offset, mask and weight that fit together, got {shapes}")


class DeformConv(nn.Module):
    """A 3x3 :func:`deform_conv` with its weights; a subclass says how offsets and masks are found.

    The weights start as those of the published networks: uniform by the number of inputs, no bias.
    """

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        if inputs % groups:
            raise ValueError(f"channels: expected a multiple of {groups}, the deformable groups, got {inputs}")
        self.groups = groups
        bound = (TAPS * inputs) ** -0.5
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 3, 3).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        """x [B,inputs,H,W], offset [B,18*groups,H,W], mask [B,9*groups,H,W] -> [B,outputs,H,W]."""
        return deform_conv(x, offset, mask, self.weight, self.bias)


class GuidedDeformConv(DeformConv):
    """EDVR's: offsets and masks are one convolution of other features; at the start 0 and 1/2 everywhere."""

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__(inputs, outputs, groups)
        self.conv_offset = zero_(conv3(inputs, 3 * TAPS * groups))

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        """x and guide [B,inputs,H,W] -> [B,outputs,H,W]."""
        found = self.conv_offset(guide)
        offset, mask = found.split((2 * TAPS * self.groups, TAPS * self.groups), dim=1)
        return super().forward(x, offset, mask.sigmoid())
