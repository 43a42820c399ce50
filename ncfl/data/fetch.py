"""The step ``ncfl fetch``: have a dataset's source files, and know them by checksum."""

from pathlib import Path
from typing import Any

from ncfl.data.sources import Source
from ncfl.files import write_json

INDEX = "index.json"


def fetch(dataset: str, spec: Source, root: Path) -> dict[str, Any]:
    """Get a dataset's source files and write ``<root>/index.json``.

    Args:
        dataset: its name.
        spec: its source, such as :class:`~ncfl.data.demo.DemoSource` or
            :class:`~ncfl.data.clips.ClipsSource`.
        root: the dataset's own folder (``data/raw/<dataset>``).

    Returns:
        The index: {dataset, source, files: [{name, bytes, sha256}], ...}.

    Raises:
        InputError: source files that are missing or unusable, named.
    """
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    index = {"dataset": dataset, "source": spec.name, **spec.index(dataset, root)}
    write_json(root / INDEX, index)
    return index
