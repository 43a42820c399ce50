"""The published names of EDVR's weights, BasicSR's and MMagic's -> those of the network here."""

from collections.abc import Mapping

from torch import Tensor

# MMagic's prefixes of tensor names -> BasicSR's; it also wraps most convolutions, as ``conv``.
RENAMED = {
    "feat_l2_conv": "conv_l2_",
    "feat_l3_conv": "conv_l3_",
    "pcd_alignment.": "pcd_align.",
    "upsample1.upsample_conv.": "upconv1.",
    "upsample2.upsample_conv.": "upconv2.",
}


def official_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published EDVR, BasicSR's or MMagic's -> the state of the network; BasicSR's names stay."""
    return {_renamed(name): tensor for name, tensor in state.items() if name != "step_counter"}


def _renamed(name: str) -> str:
    name = name.removeprefix("module.").removeprefix("generator.")
    for theirs, ours in RENAMED.items():
        if name.startswith(theirs):
            name = ours + name.removeprefix(theirs)
    return name.replace(".conv.", ".")
