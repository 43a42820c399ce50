"""The initial values of a neural compression before the first iteration that charges it, from a few noisy clips."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ncfl.models.compression import NeuralCompression
from ncfl.models.compression_start import start_compression

if TYPE_CHECKING:
    from ncfl.train.restoration import Sampler

CLIPS = 6  # batches that the latents' deviations are measured on
FRAMES = 3  # of each, at most: what a memory holds after them is like what it holds later


@torch.no_grad()
def start_rate(model: nn.Module, sampler: "Sampler") -> Tensor | None:
    """Set the compression of ``model`` in place, if it has one that quantizes and a memory behind it.

    The compression alone (section 4.3) has no memory to lose. There the mean's way past the quantizer, at the rates of
    a training from nothing, makes the loss grow without bound; it starts at a mean of zero and fine steps.

    Args:
        model: any that is trained.
        sampler: of the training that begins.

    Returns:
        The step of each latent, in latent units; None where nothing is quantized.
    """
    compression = getattr(model, "compression", None)
    quantizes = isinstance(compression, NeuralCompression) and compression.prior_model is not None
    if not quantizes or not hasattr(model, "motions"):
        return None
    seen: list[Tensor] = []
    hook = compression.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].float()))
    try:
        for number in range(CLIPS):
            _run(model, sampler.batch(number).noisy[:, :FRAMES], seen)
    finally:
        hook.remove()
    return start_compression(compression, seen)


def _run(model: nn.Module, clip: Tensor, seen: list[Tensor]) -> None:
    """Features of the frames with a past are kept."""
    state = None
    for x_t in clip.unbind(1):
        first = state is None
        state = model(x_t, state).state
        if first:
            seen.pop()
