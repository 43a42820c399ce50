"""The published names of FastDVDNet's weights -> those of the network here."""

from collections.abc import Mapping

from torch import Tensor

from ncfl.methods.common import without_prefix


def official_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' ``model.pth`` -> the state of the network: only the DataParallel prefix goes."""
    return without_prefix(state)
