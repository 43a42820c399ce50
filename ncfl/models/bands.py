"""The network in bands of rows: what it gives, in half the memory, for frames whose feature maps are large.

Convolutions run on a band and the rows beside it that they look at, so that nothing changes at the seams; what looks at
the whole frame (the channel attention's mean, motion) still sees the whole. A map of the frame's size is kept only
where a mean or a warp needs it, and what comes after it is written into it. For inference alone.
"""

from collections.abc import Callable
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.models.attention import FeatureAttention
from ncfl.models.compression import NConv, NeuralCompression, adaptive_quantization, symbol_bits
from ncfl.models.freed_memory import give_memory_back
from ncfl.models.layers import ChannelAttentionBlock, ResBlock, added
from ncfl.models.motion import warp
from ncfl.models.mv_refinement import MVRefinement
from ncfl.models.ncfl import NCFL
from ncfl.models.outputs import State, Step
from ncfl.models.padding import Padder, check_frame
from ncfl.models.restoration import UNet

ROWS = 128  # of a band; the widest halo, of motion, is 15 on either side
Rows = Callable[[int, int], Tensor]  # (first, last) -> these rows of a map [B,C,H,W]


def banded(layer: Callable[[Tensor], Tensor], rows_of: Rows, height: int, *, halo: int) -> Tensor:
    """What ``layer`` gives for a map, made band by band.

    Args:
        layer: [B,C,h,W] -> a map whose height is h times or divided by a whole number.
        rows_of: gives the rows of the map.
        height: of the map; it and ``halo`` are multiples of what the layer divides by.
        halo: rows beside a band that the layer looks at.
    """
    whole = None
    give_memory_back()  # the parts of another width than these, that the maps before were made of
    for top in range(0, height, ROWS):
        bottom = min(top + ROWS, height)
        first, last = max(top - halo, 0), min(bottom + halo, height)
        part = layer(rows_of(first, last))
        if first == 0 and last == height:
            return part
        given, taken = part.shape[2], last - first
        if whole is None:
            shape = (*part.shape[:2], height * given // taken, part.shape[3])
            last_ones = part.is_contiguous(memory_format=torch.channels_last)
            order = torch.channels_last if last_ones else torch.contiguous_format
            whole = torch.empty(shape, dtype=part.dtype, device=part.device, memory_format=order)
        begin, end = (row * given // taken for row in (top, bottom))
        offset = begin - first * given // taken
        whole[:, :, begin:end] = part[:, :, offset : offset + end - begin]
    return whole


def rows_in(*maps: Tensor) -> Rows:
    """The rows of maps that are there, put together along channels."""
    if len(maps) == 1:
        return lambda first, last: maps[0][:, :, first:last]
    return lambda first, last: torch.cat([x[:, :, first:last] for x in maps], dim=1)


def forward_in_bands(model: NCFL, x_t: Tensor, state: State | None = None, *, spend: bool = False) -> Step:
    """What ``model(x_t, state)`` gives, without gradients.

    Args:
        model: the network.
        x_t: [B,C,H,W], H and W >= 16.
        state: of the frame before.
        spend: whether the memory of the state may be given back as soon as it is read; nobody can use it again.

    Raises:
        InputError: as of :meth:`ncfl.models.ncfl.NCFL.forward`.
    """
    check_frame(x_t, model.channels)
    height, width = x_t.shape[-2:]
    padder = Padder(height, width, model.multiple)
    x_t = padder.pad(x_t)
    with torch.inference_mode():
        features, bits = _remembered(model, x_t, state, spend)
        y_tilde, features_of = x_t, features
        for unet in model.restoration.unets:
            y_tilde, c_t = _unet(unet, y_tilde, features_of)
            features_of = rows_in(c_t)
    bits = None if bits is None else bits / (height * width)
    return Step(padder.crop(y_tilde), State(x_t, c_t), bits)


def _remembered(model: NCFL, x_t: Tensor, state: State | None, spend: bool) -> tuple[Rows, Tensor | None]:
    """c_tilde, by its rows, and the bits of e_hat [B]."""
    c_check = _aligned(model, x_t, state)
    if spend and state is not None:
        state.c_t.untyped_storage().resize_(0)
    if state is not None and model.attention is not None:
        _attend(model.attention, x_t, c_check)
    if model.compression is None:
        return rows_in(c_check), None
    height = c_check.shape[2]
    if isinstance(model.compression, NConv):
        body = model.compression.body
        halo = sum(layer.padding[0] for layer in body if isinstance(layer, nn.Conv2d))
        return rows_in(banded(body, rows_in(c_check), height, halo=halo)), None
    e_t, prior = (
        None if part is None else banded(part, rows_in(c_check), height, halo=4)
        for part in (model.compression.encoder, model.compression.prior_model)
    )
    del c_check
    return _decoded(model.compression, *_quantized(model.compression, e_t, prior))


def _aligned(model: NCFL, x_t: Tensor, state: State | None) -> Tensor:
    """As `NCFL.align`."""
    if state is None:
        return model.align(x_t, None)
    if state.x_t.shape != x_t.shape:
        wanted = list(state.x_t.shape)
        raise InputError(f"frame: expected shape {wanted}, as the frame before has, got {list(x_t.shape)}")
    mv = _motion(model, x_t, state.x_t)
    if not isinstance(model.mv_refinement, nn.Identity):
        halo = 16 if isinstance(model.mv_refinement, MVRefinement) else 3  # of five by five at two scales; of M-Conv
        mv = banded(model.mv_refinement, rows_in(mv), mv.shape[2], halo=halo)
    give_memory_back()
    whole = torch.empty_like(state.c_t)
    for top in range(0, x_t.shape[2], ROWS):
        whole[:, :, top : top + ROWS] = warp(state.c_t, mv[:, :, top : top + ROWS], top=top)
    return whole


def _motion(model: NCFL, x_t: Tensor, x_prev: Tensor) -> Tensor:
    """As `NCFL.estimate_motion`."""

    def level_in_bands(level: nn.Module, *inputs: Tensor) -> Tensor:
        halo = sum(layer.padding[0] for layer in level if isinstance(layer, nn.Conv2d))
        return banded(level, rows_in(*inputs), inputs[0].shape[2], halo=halo)

    return model.estimate_motion(x_t, x_prev, run=level_in_bands)


def _attend(attention: FeatureAttention, x_t: Tensor, c_hat: Tensor) -> None:
    """Multiply c_hat by its attention map, in place; only what lies below the finest scale is made as a whole."""
    encoder, decoder = attention.encoder, attention.decoder
    coarser = next((i for i, layer in enumerate(encoder) if getattr(layer, "stride", 1) == (2, 2)), None)
    if coarser is None:
        c_hat *= attention(x_t, c_hat)
        return
    finer = max(i for i, layer in enumerate(decoder) if isinstance(layer, nn.ConvTranspose2d))
    height = x_t.shape[2]
    blocks = sum(isinstance(layer, ResBlock) for layer in encoder[:coarser])
    middle = banded(encoder[: coarser + 1], rows_in(x_t, c_hat), height, halo=2 * blocks + 2)
    for layer in chain(encoder[coarser + 1 :], decoder[:finer]):
        middle = layer(middle)
    blocks = sum(isinstance(layer, ResBlock) for layer in decoder[finer:])
    for top in range(0, height, ROWS):
        bottom = min(top + ROWS, height)
        first, last = max(top // 2 - blocks - 1, 0), min(bottom // 2 + blocks + 1, height // 2)
        m_t = decoder[finer:](middle[:, :, first:last]).sigmoid_()
        c_hat[:, :, top:bottom] *= m_t[:, :, top - 2 * first : bottom - 2 * first]


def _quantized(compression: NeuralCompression, e_t: Tensor, prior: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """e_hat, or e_t where there is no prior, and its bits [B], as `NeuralCompression.forward`."""
    if prior is None:
        return e_t, None
    mu, sigma, q = compression.prior_of(prior)
    e_hat, r = adaptive_quantization(e_t.float(), mu, q)
    return e_hat, symbol_bits(r, sigma, compression.prior).sum((1, 2, 3))


def _decoded(compression: NeuralCompression, latents: Tensor, bits: Tensor | None) -> tuple[Rows, Tensor | None]:
    """c_tilde, decoded where its rows are asked for, and the bits."""

    def rows(first: int, last: int) -> Tensor:
        top, bottom = max(first // 4 - 1, 0), min(-(-last // 4) + 1, latents.shape[2])
        return compression.decoder(latents[:, :, top:bottom])[:, :, first - 4 * top : last - 4 * top]

    return rows, bits


def _unet(unet: UNet, x_t: Tensor, c_tilde: Rows) -> tuple[Tensor, Tensor]:
    """As `UNet.forward`."""

    def both(first: int, last: int) -> Tensor:
        return torch.cat((x_t[:, :, first:last], c_tilde(first, last)), dim=1)

    x = _blocks(unet.encoder[0], banded(unet.head, both, x_t.shape[2], halo=1))
    skips = []
    for down, block in zip(unet.down, unet.encoder[1:], strict=True):
        skips.append(x)
        x = _blocks(block, down(F.avg_pool2d(x, 2)))
    for up, skip, block in reversed(list(zip(unet.up, unet.skip, unet.decoder, strict=True))):
        x = _blocks(block, _joined(up(x), skip, skips.pop()))
    y_tilde = added(banded(unet.to_frame, rows_in(x), x.shape[2], halo=1), x_t)
    return y_tilde, unet.to_features(x)


def _blocks(blocks: nn.Sequential, x: Tensor) -> Tensor:
    """Channel-attention blocks, each written over its input."""
    for block in blocks:
        _block(block, x)
    return x


def _block(block: ChannelAttentionBlock, x: Tensor) -> None:
    r = banded(block.body, rows_in(x), x.shape[2], halo=2)
    x.addcmul_(r, block.gate(r.mean((2, 3), keepdim=True)))


def _joined(coarse: Tensor, skip: nn.Module, fine: Tensor) -> Tensor:
    """Twice the coarse map plus the skip connection of the fine one, written over the fine one."""
    height = fine.shape[2]
    for top in range(0, height, ROWS):
        bottom = min(top + ROWS, height)
        first, last = max(top // 2 - 1, 0), min(bottom // 2 + 1, height // 2)
        grown = F.interpolate(coarse[:, :, first:last], scale_factor=2, mode="bilinear", align_corners=False)
        fine[:, :, top:bottom] = grown[:, :, top - 2 * first : bottom - 2 * first] + skip(fine[:, :, top:bottom])
    return fine
