"""RMFD's identity initialization."""

from ncfl.methods.identity_init import check_width, keep, middle, place, weaken
from ncfl.methods.rmfd.model import RMFD
from ncfl.methods.rmfd.network import MultiFrameNet


def let_frames_pass(model: RMFD) -> None:
    """The frame comes through each of the three networks. InputError: too few features."""
    check_width(model, width=model.channels)
    for network in (model.multi_model_res, model.multi_model_haze, model.multi_model_s2):
        _multi_frame(network)


def _multi_frame(network: MultiFrameNet) -> None:
    """The middle frame of the first window goes from the first layer to the last over the longest skip connection."""
    first = network.conv1.conv2d
    channels, width = network.output2.conv2d.out_channels, first.out_channels // 5
    places = ((frame * width + c, c, *middle(first)) for frame in range(5) for c in range(channels))
    place(first, places, 1.0)
    for residual in (network.res1, network.dres1, network.dres2):
        weaken(residual.conv2.conv2d)
    for up in (network.deconv3, network.deconv2):
        weaken(up.conv2d)
    for layer in (network.deconv1, network.output1):
        keep(layer.conv2d)
    if network.output2.conv2d.weight.abs().max() > 0:  # at zero where the authors have a constant for it
        keep(network.output2.conv2d)
