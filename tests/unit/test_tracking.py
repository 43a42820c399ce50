"""Runs in MLflow and beside it: nesting, curves, failures, and several processes at once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ncfl import layout, tracking

ROOT = Path(__file__).resolve().parents[2]
TAGS = {"preset": "demo", "data": "davis (demo stand-in)"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def client():
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking.database())


def runs():
    experiment = client().get_experiment_by_name("ncfl")
    return {run.info.run_name: run for run in client().search_runs([experiment.experiment_id])}


def a_run(step, experiment=None, **parameters):
    return tracking.run(step, experiment=experiment, mlflow_experiment="ncfl", parameters=parameters, tags=TAGS)


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
    curve = client().get_metric_history(train.info.run_id, "loss")
    assert [(m.step, m.value) for m in sorted(curve, key=lambda m: m.step)] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    names = {item.path for item in client().list_artifacts(train.info.run_id)}
    assert names == {"environment.txt", "table.csv"}
    assert parent.data.metrics["set8.psnr.sigma50"] == 25.25


def test_a_failed_step_is_marked_with_its_reason_and_the_error_goes_on(project):
    with pytest.raises(RuntimeError, match="lost the way"), a_run("prepare"):
        raise RuntimeError("lost the way")
    run = runs()["prepare"]
    assert run.info.status == "FAILED"
    assert run.data.tags["error"] == "RuntimeError: lost the way"
    record = json.loads((layout.RUNS / "prepare.json").read_text())
    assert (record["status"], record["error"]) == ("FAILED", "RuntimeError: lost the way")


def test_a_broken_database_costs_a_warning_but_no_result(project, capsys):
    layout.MLFLOW.mkdir(parents=True)
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


def test_one_step_on_two_datasets_leaves_two_records(project):
    for dataset in ("davis", "set8"):
        with tracking.run("prepare", subject=dataset, mlflow_experiment=None, parameters={}, tags=TAGS):
            pass
    assert {path.name for path in layout.RUNS.iterdir()} == {"davis-prepare.json", "set8-prepare.json"}


def test_processes_that_start_together_share_one_database_and_one_parent(project):
    code = """
import sys
from ncfl import tracking
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
