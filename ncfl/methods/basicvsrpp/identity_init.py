"""BasicVSR++'s identity initialization."""

from ncfl.methods.basicvsr.identity_init import propagate
from ncfl.methods.basicvsrpp.model import BasicVSRPlusPlus


def let_frames_pass(model: BasicVSRPlusPlus) -> None:
    """The frame comes through all propagations and the reconstruction. InputError: too few features."""
    propagate(model, (*model.backbone.values(), model.reconstruction))
