"""The step ``ncfl fetch``: have a dataset's source files, and know them by checksum."""

import json
from pathlib import Path
from typing import Any

from ncfl.common.errors import InputError
from ncfl.common.files import read_json, write_json
from ncfl.data.sources.interface import Source

INDEX = "index.json"


def fetch(dataset: str, spec: Source, root: Path, *, seed: int = 0, given: Path | None = None) -> dict[str, Any]:
    """Get a dataset's source files and write ``<root>/index.json``.

    Args:
        dataset: its name.
        spec: its source, such as :class:`~ncfl.data.sources.demo.DemoSource` or
            :class:`~ncfl.data.sources.clips.ClipsSource`.
        root: the dataset's own folder (``data/raw/<dataset>``).
        seed: of whatever the source draws.
        given: archives, or a folder of unpacked files, to take instead of downloading; linked, not copied.

    Returns:
        The index: {dataset, source, files: [{name, bytes, sha256}], ...}.

    Raises:
        InputError: source files that are missing or unusable, named.
    """
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    index = {"dataset": dataset, "source": spec.name, **spec.index(dataset, root, seed=seed, given=given)}
    write_json(root / INDEX, index)
    return index


def bring_again(dataset: str, spec: Source, root: Path, *, seed: int = 0) -> None:
    """Bring source files that are gone, as in a clone that got the index alone; arguments as of :func:`fetch`.

    Raises:
        InputError: they cannot be had, or are not those of the index, which stays as it is.
    """
    path = Path(root) / INDEX
    found = {"dataset": dataset, "source": spec.name, **spec.index(dataset, Path(root), seed=seed, given=None)}
    if json.loads(json.dumps(found)) != read_json(path):
        raise InputError(
            f"{path}: files that it lists were gone, and those brought in their place are others; fetch the dataset "
            f"again (ncfl fetch --dataset {dataset})"
        )
