"""Convolution by a large kernel as a product of spectra: a 11x11 kernel takes a third of the time of its products."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.methods.folding import sharing_copy

TILE = 64  # pixels along an edge; the part of it that is whole is a kernel's edge less one shorter
SMALLEST = 9  # edge of a kernel for which spectra are faster
TOGETHER = 32  # tiles, whose spectra then stay in a cache of some tens of megabytes


class FrequencyConv(nn.Module):
    """A convolution over tiles that overlap, each by its spectrum: the same up to rounding, for inference alone.

    Args:
        conv: of one group, with an odd square kernel, stride and dilation 1, and zeros around that keep the size.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.margin = conv.kernel_size[0] // 2
        spectrum = torch.fft.rfft2(conv.weight.detach().double(), s=(TILE, TILE)).conj()
        # [frequencies,inputs,outputs]: what a frequency of all tiles is multiplied by
        spectrum = spectrum.permute(2, 3, 1, 0).flatten(0, 1).resolve_conj().to(torch.complex64).contiguous()
        self.register_buffer("spectrum", spectrum, persistent=False)
        self.register_buffer("bias", None if conv.bias is None else conv.bias.detach(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B,inputs,H,W] float32 -> [B,outputs,H,W], channels last in memory."""
        (batch, _, height, width), whole = x.shape, TILE - 2 * self.margin
        rows, columns = -(-height // whole), -(-width // whole)
        right, bottom = columns * whole - width, rows * whole - height
        padded = F.pad(x.contiguous(), (self.margin, self.margin + right, self.margin, self.margin + bottom))
        tiles = padded.unfold(2, TILE, whole).unfold(3, TILE, whole)  # [B,inputs,rows,columns,TILE,TILE]
        result = x.new_empty(batch, rows, whole, columns, whole, self.spectrum.shape[-1])
        step = max(TOGETHER // (batch * columns), 1)
        for some, place in zip(tiles.split(step, dim=2), result.split(step, dim=1), strict=True):
            place.copy_(self._convolved(some)[:whole, :whole].permute(2, 3, 0, 4, 1, 5))
        result = result.flatten(3, 4).flatten(1, 2)
        if self.bias is not None:
            result += self.bias
        return result[:, :height, :width].permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)

    def _convolved(self, tiles: Tensor) -> Tensor:
        """[B,inputs,rows,columns,TILE,TILE] -> [TILE,TILE,B,rows,columns,outputs]; beyond `whole` it is no result."""
        places = tiles.shape[0], *tiles.shape[2:4]
        spectra = torch.fft.rfft2(tiles).permute(4, 5, 0, 2, 3, 1).reshape(len(self.spectrum), -1, tiles.shape[1])
        product = torch.bmm(spectra, self.spectrum).view(TILE, TILE // 2 + 1, *places, -1)
        return torch.fft.irfft2(product, s=(TILE, TILE), dim=(0, 1))


def with_spectra(network: nn.Module) -> nn.Module:
    """A network that gives the same up to rounding, its large convolutions as :class:`FrequencyConv`.

    Those in a ``nn.Sequential``, as :func:`ncfl.methods.folding.folded`; the network itself stays as it is.
    """
    faster = sharing_copy(network)
    for row in faster.modules():
        if isinstance(row, nn.Sequential):
            for i, layer in enumerate(row):
                if _fits(layer):
                    row[i] = FrequencyConv(layer)
    return faster


def _fits(layer: nn.Module) -> bool:
    if not isinstance(layer, nn.Conv2d) or layer.padding_mode != "zeros":
        return False
    edge = layer.kernel_size[0]
    plain = (layer.stride, layer.dilation, layer.groups) == ((1, 1), (1, 1), 1)
    same = layer.kernel_size == (edge, edge) and layer.padding == (edge // 2, edge // 2)
    return plain and same and edge % 2 == 1 and SMALLEST <= edge <= TILE // 2
