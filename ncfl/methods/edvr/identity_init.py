"""EDVR's identity initialization."""

from torch import nn

from ncfl.methods.edvr.model import EDVR
from ncfl.methods.identity_init import SQUARE, STRENGTH, check_width, keep, unfold, weaken


def let_frames_pass(model: EDVR) -> None:
    """The middle frame comes through alignment and fusion. InputError: too few features."""
    check_width(model, width=SQUARE * model.channels, tail_width=model.channels)
    cleaning, alignment = model.predeblur, model.pcd_align
    keep(cleaning.conv_first, gain=STRENGTH)
    unfold(cleaning.stride_conv_hr1, model.channels)
    unfold(cleaning.stride_conv_hr2, 4 * model.channels)
    weaken(cleaning.stride_conv_l2)  # what comes back from coarser scales is added
    keep(model.conv_1x1)
    for deformable in (*alignment.dcn_pack.values(), alignment.cas_dcnpack):
        keep(deformable, gain=2.0)  # masks begin at one half
    for conv in alignment.feat_conv.values():
        keep(conv)
    _fuse(model.fusion, first=model.frames // 2 * model.arguments["width"])
    fold_back(model)


def _fuse(fusion: nn.Module, first: int) -> None:
    if isinstance(fusion, nn.Conv2d):
        keep(fusion, first=first)
        return
    for conv in (fusion.temporal_attn1, fusion.temporal_attn2, fusion.spatial_attn5, fusion.spatial_attn_add2):
        weaken(conv)
    keep(fusion.feat_fusion, gain=2.0, first=first)  # masks begin at one half, and so does each frame's attention


def fold_back(model: nn.Module) -> None:
    """The last layers of EDVR, BasicVSR and BasicVSR++: channels become pixels again, and nothing is added at first."""
    for conv in (model.upconv1, model.upconv2, model.conv_hr):
        keep(conv)
    weaken(model.conv_last, 0.0)
