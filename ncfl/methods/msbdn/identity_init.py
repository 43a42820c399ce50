"""MSBDN's identity initialization."""

from ncfl.methods.identity_init import check_width, keep, weaken
from ncfl.methods.msbdn.model import MSBDN, Projection, Upsampling


def let_frames_pass(model: MSBDN) -> None:
    """The frame comes over the longest skip connection. InputError: too few features."""
    check_width(model, width=model.channels)
    for part in model.modules():
        if isinstance(part, Projection):
            weaken(part.deconv if hasattr(part, "deconv") else part.conv)
        elif isinstance(part, Upsampling):
            weaken(part.conv2d)
    keep(model.conv_input.conv2d)
    keep(model.conv_output.conv2d, gain=0.25)  # the skip connection doubles the frame, and so does the decoder
