"""Where clips come from: what every source offers, and which sources there are.

Adding one: a frozen dataclass with its settings and these two methods, in a module of its own, and a line in
:data:`SOURCES`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ncfl.data.clips import ClipsSource
from ncfl.data.demo import DemoSource


class Source(Protocol):
    """Settings of one source for one dataset.

    Attributes:
        name: as ``params.yaml`` calls it.
        stand_in: whether what it gives only stands in for the dataset whose name it bears.
    """

    name: str
    stand_in: bool

    def index(self, dataset: str, root: Path) -> dict[str, Any]:
        """Get hold of the source's files and list them.

        Args:
            dataset: whose files.
            root: folder for what has to be downloaded (it exists); what lies elsewhere is not copied.

        Returns:
            JSON with ``files``: a list of {name, bytes, sha256}, and whatever else :meth:`splits` needs.
        """
        ...

    def splits(
        self, dataset: str, index: dict[str, Any], seed: int
    ) -> Mapping[str, Iterable[tuple[str, Iterable[np.ndarray]]]]:
        """The clips of each split: name and frames, uint8 [H,W,3] RGB, lazily.

        Args:
            dataset: whose clips.
            index: what :meth:`index` gave; files are checked against it before they are read.
            seed: of whatever is drawn.
        """
        ...


SOURCES = {"demo": DemoSource, "clips": ClipsSource}
