"""What training minimizes: squared error over the frames of a clip and, in stage 1, the features' bits."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recomputed


class Loss(NamedTuple):
    """A clip's loss and its terms, scalars in float32.

    ``loss`` = ``l2`` + lambda * ``bits_per_pixel`` where the stage has a rate term, else ``l2``; ``bits_per_pixel`` is
    None for a model that compresses nothing.
    """

    loss: Tensor
    l2: Tensor
    bits_per_pixel: Tensor | None


def clip_loss(
    model: nn.Module,
    noisy: Sequence[Tensor],
    clean: Sequence[Tensor],
    *,
    rate_weight: float,
    motions: Callable[[Sequence[Tensor]], Sequence[Tensor | None]] | None = None,
    checkpointed: bool = False,
) -> Loss:
    """Run ``model`` over the frames of a clip in order and score all of them; gradients reach every frame.

    Args:
        model: ``model(x_t, state) -> Step(y_tilde, state, bits)``.
        noisy: T frames [B, C, H, W], the input.
        clean: T frames [B, C, H, W] in [0, 1], the target.
        rate_weight: lambda, squared error per bit per pixel; 0 leaves the rate term out (bits are
            reported all the same).
        motions: gives the motion of every frame, which is then ``model``'s third argument; without it the model
            estimates its own, frame by frame.
        checkpointed: keep each frame's inputs alone for the backward pass, which then computes the frame once more:
            the same gradients with the memory of about one frame.

    The L2 term is the mean over batch, frames, channels and pixels; the rate is the mean over batch and
    frames, the first frame included, since its features are compressed too.
    """
    state, squared_errors, bits = None, [], []
    known = [()] * len(noisy) if motions is None else [(mv,) for mv in motions(noisy)]
    for x_t, y_t, mv in zip(noisy, clean, known, strict=True):
        inputs = (x_t, state, *mv)
        step = recomputed(model, *inputs, use_reentrant=False) if checkpointed else model(*inputs)
        state = step.state
        squared_errors.append(nn.functional.mse_loss(step.y_tilde.float(), y_t))
        if step.bits is not None:
            bits.append(step.bits.float().mean())
    l2 = torch.stack(squared_errors).mean()
    if not bits:
        return Loss(l2, l2, None)
    rate = torch.stack(bits).mean()
    # Without a rate term the graph behind the bits is dropped here, and costs no backward pass.
    return Loss(l2 + rate_weight * rate, l2, rate) if rate_weight else Loss(l2, l2, rate.detach())


def restored_loss(model: nn.Module, noisy: Sequence[Tensor], clean: Sequence[Tensor], *, sigma: Tensor) -> Loss:
    """Have a compared ``model`` restore a clip, and score the frames that it restores with all their neighbors.

    Args:
        model: ``model.restore_clip(clip, sigma)`` gives the frames that ``model.supervised(T)`` names.
        noisy, clean: as for :func:`clip_loss`.
        sigma: noise level [B], 0 ... 255; for the methods that must be told.
    """
    wanted = list(model.supervised(len(clean)))
    restored = model.restore_clip(torch.stack(list(noisy), dim=1), sigma)
    target = torch.stack([clean[t] for t in wanted], dim=1)
    l2 = nn.functional.mse_loss(restored.float(), target)
    return Loss(l2, l2, None)


def psnr(mean_squared_error: float) -> float:
    """PSNR in dB of frames in [0, 1]; at most 100, so that a perfect frame stays a number."""
    return -10 * math.log10(max(mean_squared_error, 1e-10))
