"""Frames on their way from a source to the store."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np


class Pair(NamedTuple):
    """A frame of a paired dataset.

    Attributes:
        clean: uint8 or uint16 [H,W,C].
        degraded: shots of the same frame, each of its size and type.
    """

    clean: np.ndarray
    degraded: tuple[np.ndarray, ...]


# One frame, and the clips of each split: name and frames, taken one by one.
Frame = np.ndarray | Pair
Splits = Mapping[str, Iterable[tuple[str, Iterable[Frame]]]]
