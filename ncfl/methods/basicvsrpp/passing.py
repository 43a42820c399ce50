"""BasicVSR++'s initial values with which a frame passes."""

from ncfl.methods.basicvsr.passing import propagate
from ncfl.methods.basicvsrpp.model import BasicVSRPlusPlus


def let_frames_pass(model: BasicVSRPlusPlus) -> None:
    """The frame comes through all propagations and the reconstruction. InputError: too few features."""
    propagate(model, (*model.backbone.values(), model.reconstruction))
