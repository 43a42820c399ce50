"""The published datasets, a module for each family."""

from ncfl.common.errors import InputError
from ncfl.data.datasets.crvd import CRVD
from ncfl.data.datasets.davis import DAVIS
from ncfl.data.datasets.interface import Dataset
from ncfl.data.datasets.ntu_rain import NTU_RAIN
from ncfl.data.datasets.rainsyn import RAINSYNALL100, RAINSYNCOMPLEX25, RAINSYNLIGHT25
from ncfl.data.datasets.revide import REVIDE
from ncfl.data.datasets.set8 import SET8

DATASETS = {
    dataset.name: dataset
    for dataset in (DAVIS, SET8, CRVD, RAINSYNLIGHT25, RAINSYNCOMPLEX25, RAINSYNALL100, NTU_RAIN, REVIDE)
}


def find(name: str) -> Dataset:
    """The dataset of a name.

    Raises:
        InputError: an unknown one; it lists those that there are.
    """
    if name not in DATASETS:
        raise InputError(f"dataset: expected one of {', '.join(DATASETS)}, got {name!r}")
    return DATASETS[name]
