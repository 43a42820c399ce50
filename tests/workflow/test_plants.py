"""A change planted in each kind of file, its time new or kept, is found by who should find it: all are asked."""

import shutil
from pathlib import Path

import pytest
from helpers.plants import PLANTS, complete
from helpers.who_finds import ALL, who_finds

# Who does not find a plant, and why that can't be otherwise; what such a plant would spoil is safe with the others.
NO_STEP = "people may change it: no step refuses it, what was made of it is stale"
NOT_IN_GRAPH = "no step of the graph reads it"
NEVER: dict[str, dict[str, str]] = {
    "start": {"step": NO_STEP},
    "source of the package": {"step": NO_STEP},
    "same, not loaded": {"step": NO_STEP},
    "same, as many bytes": {"step": NO_STEP},
    "versions": {"step": NO_STEP},
    "parameter": {"step": NO_STEP},
    "shipped weights": {"snakemake": NOT_IN_GRAPH, "dvc": NOT_IN_GRAPH},
}


@pytest.fixture(scope="module")
def original(finished, tmp_path_factory) -> Path:
    """The project with all that is planted in; whoever keeps checksums knows them."""
    root = Path(shutil.copytree(finished, tmp_path_factory.mktemp("plants") / "original", symlinks=True))
    complete(root)
    return root


@pytest.mark.parametrize("keep_time", [False, True], ids=["new time", "kept time"])
@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_change_is_found(original, name, keep_time):
    found = who_finds(PLANTS[name], original, keep_time=keep_time)
    assert found == set(ALL) - set(NEVER.get(name, {}))
