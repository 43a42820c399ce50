"""Where clips come from: what every source offers.

Adding one: a frozen dataclass with its settings and these methods, in a module of its own; its settings in
``ncfl/config/params.py``, its name in ``ncfl/steps/data.py``. (A published dataset needs no source of its own: see
:mod:`ncfl.data.datasets`.)
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ncfl.data.datasets.interface import RawFormat
from ncfl.data.frames import Frame
from ncfl.data.sources.index_file import Films, Pictures


class Source(Protocol):
    """Settings of one source for one dataset.

    Attributes:
        name: as ``params.yaml`` calls it.
        stand_in: whether what it gives only stands in for the dataset whose name it bears.
        part: the sequences that are all it gives of a published dataset; None for the whole.
        index_form: that of its index.
    """

    name: str
    stand_in: bool
    part: Sequence[str] | None
    index_form: type[Pictures] | type[Films]

    def index(self, dataset: str, root: Path, *, seed: int, given: Path | None = None) -> dict[str, Any]:
        """Get hold of the source's files and list them.

        Args:
            dataset: whose files.
            root: folder for what has to be downloaded (it exists); what lies elsewhere is not copied.
            seed: of whatever is drawn.
            given: archives, or a folder of unpacked files, that the user has already.

        Returns:
            JSON with ``files``: a list of {name, bytes, sha256}, and whatever else :meth:`splits` needs.

        Raises:
            InputError: files that are missing or unusable, or ``given`` where the source has no use for it.
        """
        ...

    def splits(
        self, dataset: str, index: dict[str, Any], root: Path
    ) -> Mapping[str, Iterable[tuple[str, Iterable[Frame]]]]:
        """The clips of each split: name and frames, lazily.

        Args:
            dataset: whose clips.
            index: what :meth:`index` gave; files are checked against it before they are read.
            root: the folder that :meth:`index` was given.
        """
        ...

    def convention(self, dataset: str) -> str:
        """How the dataset is measured, a name of :mod:`ncfl.evaluate.conventions`."""
        ...

    def raw(self, dataset: str) -> RawFormat | None:
        """What the numbers mean where frames are packed Bayer; None for RGB."""
        ...
