"""Where the pretraining of motion estimation starts: first filters from the classical gradient method.

From PyTorch's own start a pyramid network stays for thousands of iterations at the flow zero: the product of a
spatial gradient and a difference in time is hard to find by descent. Lucas and Kanade (1981) say which filters the
first layer will need, Gaussian derivatives of the mean frame and Gaussians of the difference, so it starts near
them; the layers after it start with He initialization, and the last one at zero.
"""

import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.models.motion import SPyNet

SCALES = (0.8, 1.2, 1.6, 2.0)  # pixels, standard deviation of the Gaussians
TWINS = 0.02  # how far twins of a channel differ at first, in standard deviations of its layer
SHARE = 0.8  # of these filters in the first layer; the rest is random, so that no two channels are equal


def start(spynet: SPyNet, generator: torch.Generator) -> None:
    """Set the weights of all levels, in place."""
    for level in spynet.levels:
        convolutions = [module for module in level if isinstance(module, nn.Conv2d)]
        for convolution in convolutions[:-1]:
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(convolution.bias)
        nn.init.zeros_(convolutions[-1].weight)
        nn.init.zeros_(convolutions[-1].bias)
        first = convolutions[0].weight
        with torch.no_grad():
            # 1.4 is the norm that He initialization gives a filter.
            first.mul_(1 - SHARE).add_(SHARE * 2**0.5 * gradient_filters(len(first)))


def widened(spynet: SPyNet, generator: torch.Generator) -> SPyNet:
    """A network of twice the channels that computes the same, but for a little noise that tells twins apart.

    Each hidden channel stands twice, and what reads it halves its weight (Net2Net; Chen, Goodfellow and Shlens 2016).

    Raises:
        InputError: twice the channels are no width of this network.
    """
    wide = SPyNet(levels=spynet.arguments["levels"], width=2 * spynet.arguments["width"])
    state = {}
    for name, value in spynet.state_dict().items():
        shape = wide.state_dict()[name].shape
        for axis in range(min(value.dim(), 2)):
            if shape[axis] == value.shape[axis]:
                continue
            if shape[axis] != 2 * value.shape[axis]:
                raise InputError(f"motion estimation: {name}: expected channels that double, got {value.shape[axis]}")
            value = value.repeat_interleave(2, axis) / (2 if axis == 1 else 1)
        noise = torch.randn(value.shape, generator=generator) * value.std().nan_to_num() if value.dim() > 1 else 0
        state[name] = value + TWINS * noise
    wide.load_state_dict(state)
    return wide


def gradient_filters(count: int) -> Tensor:
    """Filters on (x_t, warped x_{t-1}, flow), [count,8,7,7], norm 1: +-difference in time +-derivative in x or y.

    The signs go through all four combinations, since a ReLU keeps one side only.
    """
    r = torch.arange(-3.0, 4.0)
    filters = torch.zeros(count, 8, 7, 7)
    for i in range(count):
        scale = SCALES[(i // 8) % 4]
        gaussian = torch.exp(-(r**2) / (2 * scale**2))
        gaussian /= gaussian.sum()
        derivative = r * gaussian / scale**2
        smooth = gaussian[:, None] * gaussian
        spatial = (gaussian[:, None] * derivative, derivative[:, None] * gaussian)[(i // 4) % 2]
        time, space = ((1, 1), (1, -1), (-1, 1), (-1, -1))[i % 4]
        filters[i, :3] = (time * smooth + space * spatial / 2) / 3
        filters[i, 3:6] = (-time * smooth + space * spatial / 2) / 3
    return filters / filters.flatten(1).norm(dim=1)[:, None, None, None]
