"""Identity initialization (`passing` in params.yaml): at first a network gives its frame back, and its last layers see
all of it.

As published, EDVR, BasicVSR, BasicVSR++, RMFD and MSBDN begin with layers most of which halve what they hand on, or mix
its colors up. The first three work at a quarter of a frame's height and width and add what they find to the frame: to
take noise away, all pixels of a 4 x 4 square must reach the last layers, as channels. Until they do a network stays the
identity, for thousands of iterations. Here layers begin by handing on the frame, squares unfolded into channels and
folded back, beside faint random weights.

FastDVDNet, DVDNet and VNLnet subtract what they find. As published the first two begin with a guess that is stronger
than any noise, the third with normalizations that let next to nothing through; here the last layer begins at zero. The
frame passes where normalizations are at rest (:mod:`ncfl.train.batch_norm`), since they take its brightness away.

EMVD makes each scale's bands anew, the coarsest of which are up to 14 times as large as a frame's values: at first it
hands on the low bands of its scale and of the coarser one, half of each, and so begins as a mean over small squares.
SpacCNN adds detail to a mean of matches, which is blurred: at first it adds the frame's own, where there is no rain.

Trainings of minutes begin so; structure and size stay as published. These are the means; what a method does with them
stands in ``identity_init.py`` of its folder.
"""

import itertools
from collections.abc import Iterable, Mapping

from torch import nn

from ncfl.common.errors import InputError

FAINT = 0.1  # of a layer's random weights
STRENGTH = 8.0  # of what is handed on to a last layer that begins at zero: the stronger, the sooner it has learnt
SQUARE = 16  # pixels that become channels


def check_width(model: nn.Module, **needed: int) -> None:
    """Refuse a network that has too few features for a frame to pass.

    Args:
        needed: a width, as the network's constructor calls it -> the least that it may be.

    Raises:
        InputError: a width below that.
    """
    for size, least in needed.items():
        found = model.arguments[size]
        if found < least:
            raise InputError(f"{model.kind}: {size}: expected {least} or more, for a frame to pass, got {found}")


def keep(conv: nn.Module, gain: float = 1.0, first: int = 0) -> None:
    """Output i is input ``first`` + i times ``gain``, for as many as both have, beside the faint rest."""
    outputs, inputs = conv.weight.shape[:2]
    place(conv, ((i, first + i, *middle(conv)) for i in range(min(outputs, inputs - first))), gain)


def unfold(conv: nn.Conv2d, channels: int, gain: float = 1.0, first: int = 0) -> None:
    """Of stride 2: the pixels of each 2 x 2 square become neighboring channels, in the order of ``pixel_shuffle``."""
    row, column = middle(conv)
    square = ((c, y, x) for c in range(channels) for y in range(2) for x in range(2))
    place(conv, ((4 * c + 2 * y + x, first + c, row + y, column + x) for c, y, x in square), gain)


def chain(layers: nn.Sequential, first: int = 0, gain: float = STRENGTH) -> None:
    """Convolutions one after the other, the last at zero."""
    begin, *between, last = (layer for layer in layers if isinstance(layer, nn.Conv2d))
    keep(begin, gain=gain, first=first)
    for conv in between:
        keep(conv)
    weaken(last, 0.0)


def signed(layers: nn.Sequential, channels: int, shares: Mapping[int, float]) -> None:
    """Each channel c through two features, 2c and 2c + 1: what is above zero, and what is below.

    Args:
        shares: the first channel of each part of the input that is handed on -> how much of it.
    """
    begin, *between, last = (layer for layer in layers if isinstance(layer, nn.Conv2d))
    for conv in between:
        keep(conv)
    weaken(begin)
    weaken(last)
    for c, (side, sign) in itertools.product(range(channels), enumerate((1.0, -1.0))):
        for start, share in shares.items():
            begin.weight[2 * c + side, start + c, *middle(begin)] += sign * share
        last.weight[c, 2 * c + side, *middle(last)] += sign


def unit_scales(model: nn.Module) -> None:
    """Batch normalizations scale by 1."""
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.ones_(part.weight)


def middle(conv: nn.Module) -> tuple[int, int]:
    """Row and column of a kernel's middle."""
    height, width = conv.weight.shape[-2:]
    return height // 2, width // 2


def place(conv: nn.Module, places: Iterable[tuple[int, int, int, int]], gain: float) -> None:
    """Add ``gain`` at these (output, input, row, column) of a weakened kernel."""
    weaken(conv)
    for at in places:
        conv.weight[at] += gain


def weaken(conv: nn.Module, to: float = FAINT) -> None:
    """Random weights become faint, ``to`` times as large; the bias zero."""
    conv.weight.mul_(to)
    if conv.bias is not None:
        conv.bias.zero_()
