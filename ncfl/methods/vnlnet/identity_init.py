"""VNLnet's identity initialization."""

from ncfl.methods.identity_init import chain, check_width, unit_scales
from ncfl.methods.vnlnet.model import VNLNet


def let_frames_pass(model: VNLNet) -> None:
    """Nothing is subtracted at first; the frame comes to the last layer. InputError: too few features."""
    check_width(model, match_width=model.channels, width=model.channels)
    chain(model.net, first=model.past * model.channels)
    unit_scales(model)
