"""``ncfl fetch`` and ``ncfl prepare``."""

from pathlib import Path
from typing import TYPE_CHECKING

from ncfl.common.console import say
from ncfl.common.files import sha256
from ncfl.config import layout
from ncfl.config.data import Dataset
from ncfl.config.params import Params
from ncfl.steps.common import one_of, step
from ncfl.trust.raw_files import gone_from

if TYPE_CHECKING:
    from ncfl.data.sources.interface import Source


def _source(data: Dataset) -> "Source":
    """The source that a block of params.yaml names; the data package itself knows nothing of that file."""
    from ncfl.data.sources.clips import ClipsSource
    from ncfl.data.sources.demo import DemoSource
    from ncfl.data.sources.published import PublishedSource

    sources = {"demo": DemoSource, "clips": ClipsSource, "published": PublishedSource}
    return sources[data.source](**data.model_dump(exclude={"source"}))


def fetch(params: Params, dataset: str, given: Path | None = None) -> Path:
    """Bring a dataset's sources, or list and check them where they already lie here.

    Args:
        params: the configuration.
        dataset: one of its datasets.
        given: archives, or a folder of unpacked files, that the user has: linked in place of a download.

    Returns:
        ``data/raw/<dataset>/index.json``: every source file with its bytes and SHA-256.
    """
    one_of(dataset, params.datasets, "dataset")
    data = params.datasets[dataset]
    parameters = {"dataset": dataset, "seed": params.seed, **data.model_dump()}
    with step(params, "fetch", subject=dataset, parameters=parameters, datasets=[dataset]) as run:
        from ncfl.data.fetch import fetch as bring

        folder = layout.raw(dataset)
        index = bring(dataset, _source(data), folder, seed=params.seed, given=given)
        run.figure(files=len(index["files"]), bytes=sum(file["bytes"] for file in index["files"]))
        run.checksum(dataset, sha256(folder / "index.json"))
        run.artifact(folder / "index.json")
    return folder / "index.json"


def prepare(params: Params, dataset: str) -> Path:
    """Make the clip store of a dataset: memory-mapped clips and their manifest.

    Returns:
        ``data/prepared/<dataset>``.
    """
    one_of(dataset, params.datasets, "dataset")
    data = params.datasets[dataset]
    parameters = {"dataset": dataset, **data.model_dump()}
    with step(params, "prepare", subject=dataset, parameters=parameters, datasets=[dataset]) as run:
        from ncfl.data.fetch import bring_again
        from ncfl.data.prepare import prepare as make

        store = layout.prepared(dataset)
        if gone := gone_from(params, dataset):
            say(f"{dataset} prepare: {gone[0]} and {len(gone) - 1} more files of the source are gone; brought again")
            bring_again(dataset, _source(data), layout.raw(dataset), seed=params.seed)
        manifest = make(dataset, _source(data), layout.raw(dataset), store)
        clips = manifest["clips"]
        run.figure(clips=len(clips), frames=sum(clip["frames"] for clip in clips))
        run.checksum(dataset, sha256(store / "manifest.json"))
        run.artifact(store / "manifest.json")
    return store
