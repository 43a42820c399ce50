"""The tidy frame of every figure, from a made-up results folder and from none."""

import csv
from pathlib import Path

import pytest
from helpers.report_samples import EXPERIMENTS, made_up_psnr, write_results

import ncfl
from ncfl.api.results_frame import COLUMNS
from ncfl.report import published
from ncfl.report.table_files import write_tables


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    results = write_results(root / "results")
    write_tables(results=results, output=results / "tables", preset="demo", experiments=EXPERIMENTS)
    return root


def figures_of(table: str) -> list[float]:
    """The published figures of a file, counted without the package's reader."""
    with (published.FOLDER / f"{table}.csv").open() as file:
        rows = csv.DictReader(file)
        return [float(row[key]) for row in rows for key in ("psnr_db", "ssim", "gflops") if row.get(key)]


def test_without_results_there_are_the_published_figures_alone(tmp_path):
    frame = ncfl.results(tmp_path)
    assert tuple(frame.columns) == COLUMNS
    assert set(frame.origin) == {"paper"}
    for table in ("table1_modules", "table2_lambda", "table4_deraining", "table5_median"):
        found = frame[frame.table == table.partition("_")[0]]
        assert sorted(found.value) == sorted(figures_of(table))
    third = frame[frame.table == "table3"]
    assert sorted(third.value) == sorted(figures_of("table3_davis") + figures_of("table3_gflops"))


def test_measured_figures_stand_beside_published_ones_with_what_they_were_measured_on(project):
    frame = ncfl.results(project)
    assert not frame.duplicated(["table", "row", "dataset", "sigma", "space", "metric", "origin"]).any()
    third = frame.query("table == 'table3' and row == 'FastDVDNet' and metric == 'psnr_db' and sigma == 30")
    by_origin = third.set_index("origin")
    assert by_origin.value["measured"] == pytest.approx(made_up_psnr("fastdvdnet-davis", "davis", 30), abs=0.005)
    assert by_origin.data["measured"] == "demo stand-in"
    assert by_origin.experiment["measured"] == "fastdvdnet-davis"
    assert by_origin.data["paper"] == ""
    counted = frame.query("table == 'table1' and row == 'M_a' and metric == 'gflops'").set_index("origin").value
    assert dict(counted) == {"paper": 534, "measured": 540}
    # Every published figure is there still, and none of those measured is without what it was measured on.
    assert len(frame.query("origin == 'paper'")) == len(ncfl.results(project / "nowhere"))
    assert (frame.query("origin == 'measured' and metric != 'gflops'").data != "").all()


def test_figures_of_every_frame(project):
    folder = project / "results" / "experiments" / "noisy" / "evaluation"
    (folder / "frames.csv").write_text("dataset,sequence,psnr\nset8,a,20.5\nset8,a,20.7\n")
    frame = ncfl.results(project, by="frame")
    assert list(frame.psnr) == [20.5, 20.7]
    assert set(frame.experiment) == {"noisy"}
    assert ncfl.results(project, by="sequence").empty


def test_refusals(project, tmp_path):
    with pytest.raises(ncfl.InputError, match="'tables'"):
        ncfl.results(project, by="tables")
    path = tmp_path / "results" / "tables" / "table1.csv"
    path.parent.mkdir(parents=True)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ncfl.InputError, match=r"table1\.csv"):
        ncfl.results(tmp_path)
