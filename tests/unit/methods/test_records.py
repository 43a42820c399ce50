"""The records of the methods: what they say agrees with the folders, with the code and with the paper's tables."""

import importlib
import pkgutil

import pytest
from helpers.small_methods import small

import ncfl.methods
from ncfl.methods import BASELINES, LEARNED, METHODS, OFFICIAL, interface
from ncfl.methods.networks import method_of
from ncfl.report import published

SHAPES = {"recurrent": interface.Recurrent, "window": interface.Window, "chunk": interface.Chunk}


def test_every_record_of_every_module_is_listed():
    found = []
    for module in pkgutil.iter_modules(ncfl.methods.__path__, "ncfl.methods."):
        holder = importlib.import_module(module.name)
        found += [holder.METHOD] if hasattr(holder, "METHOD") else getattr(holder, "METHODS", [])
    assert len(found) == len(METHODS)
    assert {id(record) for record in found} == {id(record) for record in METHODS}


def test_names_and_titles_are_given_once():
    for names in ([record.name for record in METHODS], [record.title for record in METHODS], list(OFFICIAL)):
        assert len(set(names)) == len(names)
    assert len(OFFICIAL) == 1 + sum(len(record.official) for record in LEARNED.values())


@pytest.mark.parametrize("table", ["table3_davis", "table3_gflops", "table4_deraining", "table5_median"])
def test_every_method_that_a_table_prints_has_a_record(table: str):
    assert {row["method"] for row in published.rows(table)} <= {record.title for record in METHODS}


@pytest.mark.parametrize(
    "record", [record for record in METHODS if record.name != "ncfl"], ids=lambda record: record.name
)
def test_a_record_says_of_a_method_what_its_code_does(record):
    method = record.build() if record.name in BASELINES else method_of(small(record.name), name=record.name)
    assert method.name == record.name
    assert [shape for shape, protocol in SHAPES.items() if isinstance(method, protocol)] == [record.shape]
    assert method.blind is not record.needs_sigma


@pytest.mark.parametrize("record", LEARNED.values(), ids=LEARNED)
def test_motion_is_of_spynets_kind_where_the_record_says_so(record):
    network = small(record.name)
    assert type(network) is record.network().network
    assert hasattr(getattr(network, "motion", None), "adopt") is record.spynet
