"""The published names of VNLnet's weights -> those of the network here."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ncfl.methods.common import without_prefix


def official_names(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The authors' ``vnlnet_*.pth`` -> the state of the network.

    The file holds the tensors as ``model_state_dict`` beside ``args``, the options of their training, which is
    an ``argparse.Namespace``: a loader must allow that class, and no other.
    """
    return without_prefix(checkpoint.get("model_state_dict", checkpoint))
