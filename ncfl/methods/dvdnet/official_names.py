"""The published names of DVDNet's weights -> those of the network here."""

from collections.abc import Mapping

from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.methods.common import without_prefix


def official_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' ``model_spatial.pth`` or ``model_temp.pth`` -> its part of the state of the network.

    Which of the two it is shows in the names. Both parts together are the whole state; InputError for a
    state that is neither.
    """
    state = without_prefix(state)
    for part, first in (("spatial", "conv_relu_bn.0.weight"), ("temporal", "down_conv.0.weight")):
        if first in state:
            return {f"{part}.{name}": tensor for name, tensor in state.items()}
    raise InputError(
        "dvdnet: weights without conv_relu_bn.0.weight or down_conv.0.weight; "
        "expected the tensors of model_spatial.pth or of model_temp.pth"
    )
