"""SpacCNN's identity initialization."""

from ncfl.common.errors import InputError
from ncfl.methods.identity_init import signed
from ncfl.methods.spaccnn.model import SpacCNN


def let_frames_pass(model: SpacCNN) -> None:
    """The frame's own detail is added to the mean of the matches. InputError: too few features."""
    channels, widths = model.channels, model.arguments["widths"]
    if min(widths) < 2 * channels:
        raise InputError(f"spaccnn: widths: expected {2 * channels} or more, for a frame to pass, got {list(widths)}")
    signed(model.convs, channels, {channels: 1.0})  # the detail comes after the mean
