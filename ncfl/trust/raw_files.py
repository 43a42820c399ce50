"""Source files of a dataset, compared with what was written down when it was fetched."""

from pathlib import Path

from ncfl.config import layout
from ncfl.config.data import ClipsData
from ncfl.config.params import Params
from ncfl.config.reruns import Job
from ncfl.trust.checksums import Checksums
from ncfl.trust.fetched import changed_files, entries, read_index
from ncfl.trust.step_records import Fault


def root_of(params: Params, dataset: str) -> Path:
    """The folder below which the names in a dataset's index lie."""
    data = params.datasets[dataset]
    return Path(data.root) if isinstance(data, ClipsData) else layout.raw(dataset) / data.source / "files"


def raw_faults(params: Params, dataset: str, job: Job, checksums: Checksums) -> list[Fault]:
    """The files that are not as they were fetched; files that are gone are none: prepared clips do without them."""
    index = layout.raw(dataset) / "index.json"
    changed = changed_files(read_index(index), root_of(params, dataset), checksums)
    return [Fault(path, job, "changed since the dataset was fetched (sha256)", index) for path in changed]


def gone_from(params: Params, dataset: str) -> list[Path]:
    """The files of a dataset's index that are gone and can be brought again: not those of the user's own clips."""
    if isinstance(params.datasets[dataset], ClipsData):
        return []
    root = root_of(params, dataset)
    listed = (root / entry["name"] for entry in entries(read_index(layout.raw(dataset) / "index.json")))
    return [path for path in listed if not path.exists()]
