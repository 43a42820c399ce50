"""The published names of BasicVSR's and BasicVSR++'s weights, BasicSR's and MMagic's -> those of the networks here."""

from collections.abc import Mapping

from torch import Tensor

from ncfl.methods.spynet6.official_names import plain_convolutions

# MMagic's prefixes of tensor names -> BasicSR's.
RENAMED = {
    "backward_resblocks.": "backward_trunk.",
    "forward_resblocks.": "forward_trunk.",
    "upsample1.upsample_conv.": "upconv1.",
    "upsample2.upsample_conv.": "upconv2.",
}


def official_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published BasicVSR or BasicVSR++, BasicSR's or MMagic's -> the state of the network here.

    BasicSR's names stay. MMagic saves the network as ``generator`` beside a counter of training steps.
    """
    names = {name: name.removeprefix("module.").removeprefix("generator.") for name in state}
    return {_renamed(own): state[name] for name, own in names.items() if own != "step_counter"}


def _renamed(name: str) -> str:
    for theirs, ours in RENAMED.items():
        if name.startswith(theirs):
            name = ours + name.removeprefix(theirs)
    return plain_convolutions(name)
