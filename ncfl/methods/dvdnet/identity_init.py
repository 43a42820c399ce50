"""DVDNet's identity initialization."""

from ncfl.methods.dvdnet.model import RADIUS, DVDNet, Temporal
from ncfl.methods.identity_init import chain, check_width, keep, unfold, unit_scales, weaken


def let_frames_pass(model: DVDNet) -> None:
    """The first network subtracts nothing, the second gives the middle frame back. InputError: too few features."""
    check_width(model, width=4 * model.channels)
    chain(model.spatial.conv_relu_bn, first=model.channels)  # after the noise map
    _merging(model.temporal, model.channels)
    unit_scales(model)


def _merging(temporal: Temporal, channels: int) -> None:
    """The second network subtracts nothing: it makes the middle one of five frames anew, after the noise map."""
    unfold(temporal.down_conv[0], channels, first=(1 + RADIUS) * channels)
    keep(temporal.conv1x1)
    weaken(temporal.block_conv[-3])
    for conv in (temporal.out_conv[0], temporal.out_conv[-1]):
        keep(conv)
