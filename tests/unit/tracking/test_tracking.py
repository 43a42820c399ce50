"""Runs in MLflow and beside it: nesting, curves, failures, and several processes at once."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.tracking_samples import TAGS, a_run, all_runs, artifacts, curve, deferred, empty_database, project, runs

from ncfl.config import layout
from ncfl.tracking import ingest, spool
from ncfl.tracking import run as tracking

__all__ = ["deferred", "empty_database", "project"]  # fixtures
ROOT = Path(__file__).resolve().parents[3]


def test_steps_of_an_experiment_nest_under_one_parent_with_curves_and_artifacts(project):
    Path("table.csv").write_text("a,b\n")
    with a_run("train-stage1", "ncfl-davis", training={"batch": 4}) as run:
        for i in range(3):
            run.log(i, {"loss": 1.0 / (i + 1)})
        run.figure(psnr=30.5)
        run.checksum("davis", "ab" * 32)
        run.artifact(Path("table.csv"))
    with a_run("evaluate", "ncfl-davis") as run:
        run.figure(**{"set8.psnr.sigma50": 25.25})
    with a_run("tables"):
        pass
    found = runs()
    parent = found["ncfl-davis"]
    train, evaluate = found["ncfl-davis train-stage1"], found["ncfl-davis evaluate"]
    assert {r.data.tags["mlflow.parentRunId"] for r in (train, evaluate)} == {parent.info.run_id}
    assert "mlflow.parentRunId" not in found["tables"].data.tags
    assert {r.info.status for r in found.values()} == {"FINISHED"}
    assert train.data.params["training.batch"] == "4"
    assert train.data.params["version.torch"]
    assert train.data.tags["data.davis.sha256"] == "ab" * 32
    assert train.data.tags["preset"] == "demo"
    assert [point[:2] for point in curve(train, "loss")] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert artifacts(train) == {"environment.txt", "table.csv"}
    assert parent.data.metrics["set8.psnr.sigma50"] == 25.25


def test_a_failed_step_is_marked_with_its_reason_and_the_error_goes_on(project):
    with pytest.raises(RuntimeError, match="lost the way"), a_run("prepare"):
        raise RuntimeError("lost the way")
    run = runs()["prepare"]
    assert run.info.status == "FAILED"
    assert run.data.tags["error"] == "RuntimeError: lost the way"
    record = json.loads((layout.RUNS / "prepare.json").read_text())
    assert (record["status"], record["error"]) == ("FAILED", "RuntimeError: lost the way")


def test_a_broken_database_costs_a_warning_but_no_result_and_the_run_waits(project, capsys):
    (layout.MLFLOW / "mlflow.db").write_bytes(b"this is no database" * 100)
    with a_run("evaluate", "ncfl-davis") as run:
        run.log(0, {"loss": 1.0})
        run.figure(psnr=20.0)
    said = capsys.readouterr().err
    assert said.count("MLflow tracking stopped") == 1
    record = json.loads((layout.RUNS / "ncfl-davis-evaluate.json").read_text())
    assert record["status"] == "FINISHED"
    assert record["figures"]["psnr"] == 20.0
    assert record["figures"]["peak_memory_mb"] > 10
    (layout.MLFLOW / "mlflow.db").unlink()  # by hand, and then what anybody would call:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "ncfl.cli.main", "mlflow-sync"], env=environment, check=True)
    assert spool.waiting() == []
    with sqlite3.connect(layout.MLFLOW / "mlflow.db") as database:
        found = database.execute("select key, value from latest_metrics where key in ('psnr', 'loss')").fetchall()
    assert sorted(set(found)) == [("loss", 1.0), ("psnr", 20.0)]


def test_a_place_where_nothing_can_be_written_costs_a_warning_but_no_result(project, capsys):
    spool.FOLDER.write_text("a file where the folder should be")
    with a_run("evaluate") as run:
        run.log(0, {"loss": 1.0})
        run.artifact(Path("no such file"))
    assert capsys.readouterr().err.count("warning") == 1
    assert json.loads((layout.RUNS / "evaluate.json").read_text())["status"] == "FINISHED"


def test_what_is_written_after_a_full_disk_has_room_again_is_kept(deferred, monkeypatch, capsys):
    write = os.write
    with a_run("train") as run:
        run.log(0, {"loss": 3.0})
        monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:7]))  # what still had room
        run.log(1, {"loss": 2.0})
        monkeypatch.setattr(os, "write", write)
        run.log(2, {"loss": 1.0})
    assert capsys.readouterr().err.count("MLflow tracking stopped") == 1
    ingest.sync()
    assert "1 damaged line" in capsys.readouterr().err
    assert [point[:2] for point in curve(runs()["train"], "loss")] == [(0, 3.0), (2, 1.0)]
    assert runs()["train"].info.status == "FINISHED"


def test_a_missing_artifact_costs_a_warning_and_the_others_are_kept(project, capsys):
    Path("table.csv").write_text("a,b\n")
    with a_run("tables") as run:
        run.artifact(Path("missing.csv"))
        run.artifact(Path("table.csv"))
    assert capsys.readouterr().err.count("warning") == 1
    ingest.sync()
    assert artifacts(runs()["tables"]) == {"environment.txt", "table.csv"}


def test_a_deferred_step_leaves_its_run_waiting_and_imports_no_mlflow(project):
    code = (
        "import sys\nfrom ncfl.tracking import run as tracking\n"
        "with tracking.run('check', mlflow_experiment='ncfl', parameters={}, tags={'preset': 'demo'}) as run:\n"
        "    run.figure(x=1)\n"
        "print('mlflow' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), tracking.DEFER: "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert all_runs() == []
    assert ingest.sync() == 1
    assert runs()["check"].data.metrics["x"] == 1


def test_a_step_ends_by_bringing_what_others_left(project, monkeypatch):
    monkeypatch.setenv(tracking.DEFER, "1")
    with a_run("prepare"):
        pass
    monkeypatch.setenv(tracking.DEFER, "0")
    with a_run("tables"):
        pass
    assert {name: run.info.status for name, run in runs().items()} == {"prepare": "FINISHED", "tables": "FINISHED"}


def test_a_long_step_can_be_watched_even_when_deferred(deferred, monkeypatch):
    with a_run("train-stage1", "ncfl-davis") as run:
        run.log(0, {"loss": 2.0})
        assert all_runs() == []  # a short one so far
        monkeypatch.setattr(tracking, "WATCHED_AFTER_SECONDS", 0.0)
        monkeypatch.setattr(tracking, "WATCHED_EVERY_SECONDS", 0.0)
        run.log(1, {"loss": 1.0})
        seen = runs()
        assert {run.info.status for run in seen.values()} == {"RUNNING"}
        assert [point[:2] for point in curve(seen["ncfl-davis train-stage1"], "loss")] == [(0, 2.0), (1, 1.0)]
        monkeypatch.setattr(tracking, "WATCHED_EVERY_SECONDS", 3600.0)
        run.log(2, {"loss": 0.5})
        assert len(curve(seen["ncfl-davis train-stage1"], "loss")) == 2
    ended = runs()
    assert {run.info.status for run in ended.values()} == {"FINISHED"}
    assert len(curve(ended["ncfl-davis train-stage1"], "loss")) == 3
    assert not {tag for tag in ended["ncfl-davis train-stage1"].data.tags if "sent" in tag}


def test_one_step_on_two_datasets_leaves_two_records(project):
    for dataset in ("davis", "set8"):
        with tracking.run("prepare", subject=dataset, mlflow_experiment=None, parameters={}, tags=TAGS):
            pass
    assert {path.name for path in layout.RUNS.iterdir()} == {"davis-prepare.json", "set8-prepare.json"}


def test_without_mlflow_nothing_of_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with tracking.run("tables", mlflow_experiment=None, parameters={}, tags=TAGS) as run:
        run.log(0, {"loss": 1.0})
    assert ingest.sync() == 0
    assert not layout.MLFLOW.exists()


def test_processes_that_start_together_share_one_database_and_one_parent(project):
    (layout.MLFLOW / "mlflow.db").unlink()
    code = """
import sys
from ncfl.tracking import run as tracking
with tracking.run(sys.argv[1], experiment="e", mlflow_experiment="ncfl", parameters={}, tags={"preset": "demo"}) as run:
    run.figure(x=1)
"""
    environment = {"PYTHONPATH": str(ROOT), "PATH": str(Path(sys.executable).parent) + ":/usr/bin:/bin"}
    processes = [
        subprocess.Popen([sys.executable, "-c", code, f"step{i}"], env=environment, stderr=subprocess.PIPE, text=True)
        for i in range(3)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert "warning" not in errors
    found = runs()
    assert set(found) == {"e", "e step0", "e step1", "e step2"}
    assert len({run.data.tags.get("mlflow.parentRunId") for name, run in found.items() if name != "e"}) == 1
    assert {path.name for path in layout.MLFLOW.iterdir()} >= {"mlflow.db", "artifacts"}
