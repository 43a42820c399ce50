"""Statistics of batch normalization as evaluation needs them, estimated once more after a training.

The running ones follow the last few batches of a training, each of few clips with one noise level, while the weights
still move: after some hundred iterations a network restores far worse with them than with those of its own batch. Here
they are the mean over many batches with the final weights (Wu and Johnson, 2021, arXiv:2105.07576, section 3).
"""

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from ncfl.train.restoration import Sampler

BATCHES = 32


@torch.no_grad()
def settle_statistics(model: nn.Module, sampler: "Sampler", first: int) -> int:
    """Estimate the running statistics of ``model`` anew, in place.

    Args:
        model: on its device; one that restores a clip at once. It is left in training mode.
        sampler: of its training.
        first: the first of the batches, one that no iteration has seen.

    Returns:
        How many normalizations there are; without any nothing is run.
    """
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    if not norms:
        return 0
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    model.train()
    like = next(model.parameters())
    for iteration in range(first, first + BATCHES):
        batch = sampler.batch(iteration)
        model.restore_clip(batch.noisy.to(like), batch.sigma.to(like))
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum
    return len(norms)
