"""Where a neural compression starts, so that its rate term does not empty a memory in the first iterations.

A rate term charges what is far from the mean in units of the step. From fine steps and a mean of zero, working features
cost tens of bits per pixel, and the fastest way down is to pass nothing on. Here the mean predicts the latents, the
prior is narrow and the steps are coarse, so that what the memory carries costs next to nothing from the start, and
what is charged is what the mean cannot tell. Initial values only: the structure is the paper's.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.models.compression import SIGMA_MIN, STEP_MIN, NeuralCompression

STEPS = 1.0  # standard deviations of a latent to a quantization step
FAINTEST = 0.1  # of the latents' median deviation: the step of a faint latent is of one no fainter
FINEST = 2 * STEP_MIN  # the step of latents that are too faint for their own: published widths have such
NARROW = 0.02  # quantization steps by which the prior's scale exceeds its minimum, where it still has a gradient
LIFT = 1.2  # times the largest feature seen: added, so that a LeakyReLU passes features on as they are


@torch.no_grad()
def start_compression(compression: NeuralCompression, features: Sequence[Tensor]) -> Tensor:
    """Set the prior model in place: mu = e / q, q by the latents' deviations, a narrow scale.

    Args:
        compression: with a prior model. The mean predicts the latents where these are more than the features, which
            one of the prior model's channels each carries, and one their border; else it starts at zero.
        features: c_check [B,F,H,W] each, of frames with a past.

    Returns:
        The step of each latent, in latent units.

    Raises:
        InputError: no prior model, or no features.
    """
    first, shrink = compression.encoder[0], compression.encoder[2]
    inputs, width = first.in_channels, shrink.out_channels
    if compression.prior_model is None:
        raise InputError("compression: expected a compression with a prior model, got no quantization")
    if not features:
        raise InputError("compression: expected features of a frame or more, got none")
    latents = torch.cat([compression.encoder(c).float().transpose(0, 1).flatten(1) for c in features], dim=1)
    spread = latents.std(dim=1)
    typical = spread.median().clamp(min=STEP_MIN)
    q = STEPS * spread.clamp(min=FAINTEST * typical)
    q = torch.where(q > STEP_MIN, q, FINEST)
    last = compression.prior_model[-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    last.bias[width : 2 * width] = _inverse_softplus(torch.tensor(NARROW if inputs < width else 1 - SIGMA_MIN))
    last.bias[2 * width :] = _inverse_softplus(q - STEP_MIN)
    if inputs < width:
        _carry_features(compression, lift=LIFT * max(c.abs().max().item() for c in features) + 1e-3)
        last.weight[:width] = shrink.weight / q[:, None, None, None]
        last.bias[:width] = shrink.bias / q
    return q


def _carry_features(compression: NeuralCompression, lift: float) -> None:
    """Have the prior model's first two layers give what the encoder's first gives, the frame's border included.

    A channel that is ``lift`` everywhere takes back what the features were lifted by: both end at the border, where
    the second layer reads zeros.
    """
    first = compression.encoder[0]
    head, middle = compression.prior_model[0], compression.prior_model[2]
    inputs = first.in_channels
    channels = range(inputs)
    nn.init.zeros_(head.bias)
    nn.init.zeros_(head.weight[: inputs + 1])
    head.weight[channels, channels, 1, 1] = 1
    head.bias[: inputs + 1] = lift
    nn.init.zeros_(middle.weight)
    middle.weight[:, :inputs] = first.weight
    middle.weight[:, inputs] = -first.weight.sum(1)
    middle.bias.copy_(first.bias)


def _inverse_softplus(x: Tensor) -> Tensor:
    return x + torch.log(-torch.expm1(-x))
