"""BasicVSR's identity initialization, and what BasicVSR++ has in common with it."""

from collections.abc import Iterable

from torch import nn

from ncfl.methods.basicvsr.model import BasicVSR, Propagating
from ncfl.methods.edvr.identity_init import fold_back
from ncfl.methods.identity_init import SQUARE, STRENGTH, check_width, keep, unfold


def let_frames_pass(model: BasicVSR) -> None:
    """The frame comes through both directions, of which the fusion takes one. InputError: too few features."""
    propagate(model, (model.backward_trunk, model.forward_trunk))
    keep(model.fusion)


def propagate(model: Propagating, trunks: Iterable[nn.Module]) -> None:
    """The frame comes into the features, through these trunks, and out. InputError: too few features."""
    check_width(model, width=SQUARE * model.channels, tail_width=model.channels)
    first, _, second, _, trunk = model.feat_extract
    unfold(first, model.channels, gain=STRENGTH)
    unfold(second, 4 * model.channels)
    for one in (trunk, *trunks):
        keep(one.main[0])
    fold_back(model)
