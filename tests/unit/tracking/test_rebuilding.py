"""A lost database comes back from the records; a moved project keeps its artifacts; curves have no false points."""

import contextlib
import shutil
import sqlite3

import pytest
from helpers.command_line import ncfl
from helpers.tracking_samples import a_run, all_runs, artifacts, client, curve, runs

from ncfl.config import layout
from ncfl.tracking import ingest, places


def test_a_final_figure_is_no_point_of_the_curve_of_its_name(deferred):
    with a_run("train-stage1", "ncfl-davis") as run:
        for step in (10, 20):
            run.log(step, {"loss": 1 / step})
        run.figure(loss=0.07, iterations=20)
    assert ingest.sync() == 1
    found = runs()["ncfl-davis train-stage1"]
    assert [(step, value) for step, value, _ in curve(found, "loss")] == [(10, 0.1), (20, 0.05)]
    assert found.data.metrics["final/loss"] == 0.07
    assert found.data.metrics["iterations"] == 20


@pytest.fixture
def seen_afresh(deferred, monkeypatch):
    """A function: from now on the tests read a copy of the database, since MLflow keeps open what is there no more."""

    def see() -> None:
        shutil.copy(layout.MLFLOW / "mlflow.db", deferred / "copy.db")
        monkeypatch.setattr(places, "local_address", lambda: f"sqlite:///{deferred / 'copy.db'}")

    return see


def test_a_lost_database_is_rebuilt_once_with_curves_parents_and_parameters(deferred, seen_afresh):
    with a_run("train-stage1", "ncfl-davis", seed=3) as run:
        run.log(5, {"loss": 0.5})
        run.figure(loss=0.25)
    folder = layout.stage("ncfl-davis", 1)
    folder.mkdir(parents=True)
    (folder / "history.csv").write_text("iteration,loss\n5,0.5\n10,0.125\n")
    with a_run("evaluate", "ncfl-davis") as run:
        run.figure(psnr=30.5)
    with a_run("tables"):
        pass
    assert ingest.sync() == 3
    (layout.MLFLOW / "mlflow.db").unlink()
    with a_run("figures"):
        pass  # waits in the spool, and comes from there alone
    for _ in range(2):
        assert ncfl("mlflow-sync", cwd=deferred).returncode == 0
    seen_afresh()
    found = runs()
    assert set(found) == {"ncfl-davis", "ncfl-davis train-stage1", "ncfl-davis evaluate", "tables", "figures"}
    training = found["ncfl-davis train-stage1"]
    assert [(step, value) for step, value, _ in curve(training, "loss")] == [(5, 0.5), (10, 0.125)]
    assert training.data.metrics["final/loss"] == 0.25
    assert training.data.params["seed"] == "3"
    assert training.data.tags["mlflow.parentRunId"] == found["ncfl-davis"].info.run_id
    assert training.info.status == "FINISHED"
    assert found["ncfl-davis"].data.metrics["psnr"] == 30.5
    assert len(all_runs()) == 5


def test_a_damaged_record_costs_itself(deferred, seen_afresh):
    with a_run("tables"):
        pass
    ingest.sync()
    (layout.MLFLOW / "mlflow.db").unlink()
    for name, text in (("half.json", '{"step": "x"'), ("list.json", "[]"), ("empty.json", "{}")):
        (layout.RUNS / name).write_text(text)
    done = ncfl("mlflow-sync", cwd=deferred)
    seen_afresh()
    assert set(runs()) == {"tables"}
    assert done.stderr.count("no record of a run") >= 3


def test_a_moved_project_finds_its_artifacts_and_adds_to_them(deferred, tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("one")
    with a_run("tables") as run:
        run.artifact(tmp_path / "a.txt")
    ingest.sync()
    moved = tmp_path.parent / f"{tmp_path.name} moved"
    shutil.copytree(tmp_path, moved)
    shutil.rmtree(tmp_path / "results")
    monkeypatch.chdir(moved)
    with a_run("figures") as run:
        run.artifact(moved / "a.txt")
    ingest.sync()
    assert not (tmp_path / "results").exists()
    for found in runs().values():
        assert "a.txt" in artifacts(found)
        assert found.info.artifact_uri.startswith((moved / layout.MLFLOW / "artifacts").as_uri())
    assert client().get_experiment_by_name("ncfl").artifact_location == (moved / layout.MLFLOW / "artifacts").as_uri()


def test_addresses_of_other_places_are_left_alone(deferred):
    with a_run("tables"):
        pass
    ingest.sync()
    path = layout.MLFLOW / "mlflow.db"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update experiments set artifact_location = 's3://bucket/artifacts' where name = 'ncfl'")
    here = (layout.MLFLOW / "artifacts").resolve().as_uri()
    assert places.relocate(path, here) == 0
    assert places.relocate(path, "file:///elsewhere/results/mlflow/artifacts") == 1  # the run's
