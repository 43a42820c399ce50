"""The published names of J4RNet's weights, Caffe's -> those of the network here."""

from collections.abc import Mapping

from torch import Tensor

# The published network's layers and where they stand here.
LAYERS = {f"Convolution{i + 1}": f"convs.{i}" for i in range(12)} | {
    "Eltwise3_shrink": "shrink",
    "motion_seg_conv1": "segment.0",
    "motion_seg_conv2": "segment.1",
    "BRCN_L1_pre_res_two": "before",
    "BRCN_L1_tail_res_two": "after",
    "Eltwise_BRCN_L1_expand": "expand",
}


def official_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors called by Caffe's layers ("Convolution1.weight") -> the state of the network.

    Names that are none of the network's stay as they are, for the strict loading to refuse.
    """
    parts = {name: name.rpartition(".") for name in state}
    return {f"{LAYERS.get(layer, layer)}.{kind}": state[name] for name, (layer, _, kind) in parts.items()}
