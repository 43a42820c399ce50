"""Modulated deformable convolution (Zhu et al. 2019, arXiv:1811.11168), which EDVR and BasicVSR++ align with.

A convolution whose taps each look at a place of their own, between pixels, and weigh what they find there.
:func:`deform_conv` is exact in plain torch, on any device and with gradients; on an accelerator where torchvision
works, its kernel does the same. The layout of offsets and masks, and zeros outside of the image, are torchvision's.
"""

import functools
import itertools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.models.layers import conv3, full_precision, zero_

TAPS = 9  # of a 3x3 kernel


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
    """:func:`deform_conv` in plain torch: each tap is a weighted sum of table rows, and then a matrix product."""
    batch, channels, height, width = x.shape
    taps = list(itertools.product(*map(range, weight.shape[2:])))
    groups = mask.shape[1] // len(taps)
    size = offset.shape[-2:]
    # One row per pixel and group, in the order of [B,H,W,G]: a group's channels lie beside each other.
    table = x.permute(0, 2, 3, 1).reshape(-1, channels // groups)
    offset = offset.view(batch, groups, len(taps), 2, *size).permute(2, 3, 0, 4, 5, 1)
    mask = mask.view(batch, groups, len(taps), *size).permute(2, 0, 3, 4, 1)
    y0, x0 = (torch.arange(n, device=x.device) * stride - padding for n in size)
    index = torch.int32 if len(table) < 2**31 else torch.int64
    image = torch.arange(batch, device=x.device, dtype=index).view(-1, 1, 1, 1) * (height * width * groups)
    first = image + torch.arange(groups, device=x.device, dtype=index)
    out = bias
    for tap, (i, j) in enumerate(taps):
        (above, over), (below, under) = _neighbors(offset[tap, 0] + (y0 + i)[:, None, None], height, index)
        (before, left), (after, right) = _neighbors(offset[tap, 1] + (x0 + j)[:, None], width, index)
        above, below = (first + row * (width * groups) for row in (above, below))
        before, after = before * groups, after * groups
        over, under = over * mask[tap], under * mask[tap]
        rows = torch.stack((above + before, above + after, below + before, below + after), dim=-1)
        shares = torch.stack((over * left, over * right, under * left, under * right), dim=-1)
        found = F.embedding_bag(rows.view(-1, 4), table, mode="sum", per_sample_weights=shares.view(-1, 4))
        out = torch.addmm(out, found.view(-1, channels), weight[:, :, i, j].t())
    return out.view(batch, *size, -1).permute(0, 3, 1, 2).contiguous()


def _neighbors(place: Tensor, length: int, index: torch.dtype) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The pixels before and after each place on one axis, and their linear shares: zero where there is none."""
    place = place.clamp(-1, length)  # nothing is found beyond, and whole numbers stay in range
    before = place.detach().floor()
    share = place - before
    # The indices are clamped as whole numbers, so that a place that is NaN gives NaN and no wild read.
    at = before.to(index)
    return (
        (at.clamp(0, length - 1), (1 - share) * ((before >= 0) & (before < length))),
        ((at + 1).clamp(0, length - 1), share * (before + 1 < length)),
    )


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
        raise ValueError(f"x, offset, mask and weight of a deformable convolution do not fit together: {shapes}")


class DeformConv(nn.Module):
    """A 3x3 :func:`deform_conv` with its weights; a subclass says how offsets and masks are found.

    The weights start as those of the published networks: uniform by the number of inputs, no bias.
    """

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        if inputs % groups:
            raise ValueError(f"{inputs} channels can't be split into {groups} deformable groups")
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
