"""Which tables an experiment is shown in, by the paper's own text."""

import pytest
from helpers.command_line import ROOT

from ncfl.config import describing
from ncfl.config.data import PublishedData
from ncfl.config.params import load
from ncfl.report.denoising_tables import CLEAN, MODULES, WEIGHTS
from ncfl.steps.common import data_label

SHOWN = {
    "modules-a": ["Table 1"],
    "lambda-256": ["Table 2"],
    "ncfl-davis": ["Table 1", "Table 2", "Table 3", "Table 5"],
    "clean-adapq": ["Section 4.3"],
    "fastdvdnet-davis": ["Table 3", "Table 5"],
    "ncfl-ntu-rain": ["Table 4"],
    "ncfl-crvd": ["Additional table"],
    "median-3x3": ["Table 3", "Table 5"],
}


@pytest.fixture(scope="module")
def params():
    return load(ROOT / "params.yaml")


@pytest.mark.parametrize("name", SHOWN)
def test_tables_of_an_experiment(params, name):
    assert describing.tables(params, name) == SHOWN[name]


@pytest.mark.parametrize(("table", "rows"), [("Table 1", MODULES), ("Table 2", WEIGHTS), ("Section 4.3", CLEAN)])
def test_the_tables_own_queries_say_the_same(params, table, rows):
    assert {name for name in params.evaluated if table in describing.tables(params, name)} == set(rows.values())


def test_tags_say_method_data_and_that_they_are_a_stand_in(params):
    tags = describing.tags(params, "modules-a")
    assert (tags["method"], tags["dataset"], tags["tables"]) == ("m_a", "davis", "Table 1")
    assert "stand-in (demo)" in tags["mlflow.note.content"]
    assert describing.tags(params, "fastderain")["method"] == "fastderain"


def test_runs_say_that_their_data_are_a_part(params):
    part = PublishedData(source="published", max_frames=None, part=["tractor"])
    some = params.model_copy(update={"datasets": {**params.datasets, "set8": part}})
    assert "Of set8 a part: tractor" in describing.tags(some, "modules-a")["mlflow.note.content"]
    assert data_label(some, "set8", "davis") == "set8 (part: tractor), davis (demo stand-in)"
