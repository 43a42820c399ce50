"""The step ``ncfl prepare``: from source files to memory-mapped clips."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ncfl.common.errors import InputError
from ncfl.common.files import read_json, sha256
from ncfl.data.fetch import INDEX
from ncfl.data.sources import index_file
from ncfl.data.sources.interface import Source
from ncfl.data.store_writer import write_store


def prepare(dataset: str, spec: Source, raw: Path, output: Path) -> dict[str, Any]:
    """Write the store of a dataset.

    Args:
        dataset: its name.
        spec: its source, the one it was fetched with.
        raw: the folder that :func:`ncfl.data.fetch.fetch` wrote (``data/raw/<dataset>``).
        output: the store's folder (``data/prepared/<dataset>``), replaced as a whole.

    Returns:
        The store's manifest.

    Raises:
        InputError: a missing or foreign index, source files that changed since, unusable clips, no space
        left.
    """
    path = Path(raw) / INDEX
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; fetch the dataset first (ncfl fetch --dataset {dataset})")
    index = read_json(path)
    if not isinstance(index, dict) or (index.get("dataset"), index.get("source")) != (dataset, spec.name):
        raise InputError(
            f"{path}: it is not the index of dataset {dataset} from source {spec.name}; "
            f"fetch it again (ncfl fetch --dataset {dataset})"
        )
    index_file.check(spec.index_form, index, path, dataset)
    return write_store(
        output,
        dataset=dataset,
        source=spec.name,
        stand_in=spec.stand_in,
        splits=spec.splits(dataset, index, Path(raw)),
        details={"settings": _settings(spec), "index": sha256(path)},
        convention=spec.convention(dataset),
        raw=spec.raw(dataset),
        part=spec.part,
    )


def _settings(spec: Source) -> dict[str, Any]:
    return {key: value.as_posix() if isinstance(value, Path) else value for key, value in asdict(spec).items()}
