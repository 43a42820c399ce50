"""A tracking server elsewhere: MLflow's own before PostgreSQL, on loopback, asked for by MLFLOW_TRACKING_URI."""

import csv
import json
from pathlib import Path

import pytest
from helpers.command_line import within
from helpers.engines import run
from helpers.projects import set_value
from helpers.services import MlflowServer, postgres
from helpers.tracking_samples import a_run, trained

from ncfl.config import layout
from ncfl.tracking import run as tracking
from ncfl.tracking import spool

STEP = "ncfl-davis train-stage1"


@pytest.fixture(scope="module")
def database():
    with postgres() as running:
        yield running


@pytest.fixture(scope="module")
def server(database, tmp_path_factory):
    running = MlflowServer(database.address, tmp_path_factory.mktemp("mlflow"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def here(server, tmp_path, monkeypatch):
    """A project without a step yet, whose runs go to the server; a call that fails is not repeated for long."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(tracking.DEFER, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return tmp_path


def runs(server, experiment="ncfl"):
    """Name -> run, where no two may have the same name."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=server.address)
    known = client.get_experiment_by_name(experiment)
    found = client.search_runs([known.experiment_id]) if known else []
    assert len({each.info.run_name for each in found}) == len(found)
    return {each.info.run_name: each for each in found}


def points(server, run, name):
    from mlflow import MlflowClient

    found = MlflowClient(tracking_uri=server.address).get_metric_history(run.info.run_id, name)
    return sorted((point.step, point.value) for point in found)


def artifacts(server, run):
    from mlflow import MlflowClient

    return {item.path for item in MlflowClient(tracking_uri=server.address).list_artifacts(run.info.run_id)}


def test_a_training_arrives_whole_and_once(server, project, monkeypatch):
    """A step brings its own run; its history and its record, which know nothing of MLflow, say what must be there."""
    set_value(project, "machine.mlflow_experiment", "trained")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
    record = project / layout.RUNS / f"{STEP.replace(' ', '-')}.json"
    record.unlink()
    run("ncfl train --experiment ncfl-davis --stage 1", project)
    assert f"0 runs brought to {server.address}" in run("ncfl mlflow-sync", project)
    assert not (project / layout.MLFLOW / "mlflow.db").exists()
    assert list((project / spool.FOLDER).iterdir()) == []

    found, told = runs(server, "trained"), json.loads(record.read_text())
    assert set(found) == {STEP, "ncfl-davis"}
    step = found[STEP]
    assert (step.info.status, found["ncfl-davis"].info.status) == ("FINISHED", "FINISHED")
    assert step.data.tags["mlflow.parentRunId"] == found["ncfl-davis"].info.run_id
    with (project / layout.stage("ncfl-davis", 1) / "history.csv").open(newline="") as file:
        history = {int(row["iteration"]): float(row["loss"]) for row in csv.DictReader(file)}
    arrived = points(server, step, "loss")
    assert len(arrived) == len(history) > 0
    assert dict(arrived) == pytest.approx(history, rel=1e-5)  # the file has six digits
    assert step.data.params.items() >= {name: str(value) for name, value in told["parameters"].items()}.items()
    assert told["figures"]
    for name, value in told["figures"].items():
        assert step.data.metrics.get(f"final/{name}", step.data.metrics.get(name)) == pytest.approx(value)
    assert "environment.txt" in artifacts(server, step)


@pytest.mark.parametrize("stopped", ["server", "database"])
def test_a_service_that_stops_in_the_middle_loses_nothing(server, database, here, monkeypatch, capsys, stopped):
    service, name = {"server": server, "database": database}[stopped], f"{stopped}-stops"
    monkeypatch.setattr(tracking, "WATCHED_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(tracking, "WATCHED_EVERY_SECONDS", 0.0)
    Path("table.csv").write_text("a,b\n")
    with a_run("train-stage1", name, rate=0.5) as step:
        for n in range(3):
            step.log(n, {"loss": 1 / (n + 1)})
        step.artifact(Path("table.csv"))
        assert runs(server)[f"{name} train-stage1"].info.status == "RUNNING"
        service.stop()
        for n in range(3, 6):
            step.log(n, {"loss": 1 / (n + 1)})
    said = capsys.readouterr().err.splitlines()
    assert [line.startswith("warning: MLflow tracking stopped (") for line in said] == [True]
    assert len(spool.waiting()) == 1

    done = within("mlflow-sync", cwd=here)  # too early
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert len(spool.waiting()) == 1

    service.start()
    done = within("mlflow-sync", cwd=here)
    assert (done.returncode, done.stdout) == (0, f"1 runs brought to {server.address}\n"), done.stderr
    assert list(spool.FOLDER.iterdir()) == []
    found = {each: run for each, run in runs(server).items() if each.startswith(name)}
    assert set(found) == {name, f"{name} train-stage1"}
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    expected = [(n, 1 / (n + 1)) for n in range(6)]
    assert points(server, found[f"{name} train-stage1"], "loss") == expected
    assert points(server, found[name], "train/loss") == expected
    assert artifacts(server, found[f"{name} train-stage1"]) == {"environment.txt", "table.csv"}


def test_what_was_brought_half_is_brought_once(server, here, monkeypatch):
    """Cut off behind any call, as by a network: the next call makes whole what is there."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    monkeypatch.setenv(tracking.DEFER, "1")
    calls = {"log_batch": 3, "set_terminated": 2}
    for method, allowed in calls.items():
        trained(f"cut-at-{method}")
        original, done = getattr(MlflowClient, method), []

        def cut(self, *given, original=original, done=done, allowed=allowed, **named):
            answer = original(self, *given, **named)
            done.append(answer)
            if len(done) > allowed:  # the server has done it, and nobody is told
                raise MlflowException("API request failed")
            return answer

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(MlflowClient, method, cut)
            assert within("mlflow-sync", cwd=here).returncode == 0
        assert spool.waiting(), method
        within("mlflow-sync", cwd=here)
        assert spool.waiting() == []
        found = {name: run for name, run in runs(server).items() if name.startswith(f"cut-at-{method}")}
        assert len(found) == 4
        assert {run.info.status for run in found.values()} == {"FINISHED"}
        own = found[f"cut-at-{method}"]
        assert points(server, own, "train/loss") == [(n, 1 / n) for n in (5, 10, 15, 20)]
        assert own.data.metrics["set8.psnr.sigma50"] == 30.25


def test_the_password_of_an_address_is_not_shown(here, server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address.replace("//", "//me:secret@"))
    done = within("mlflow-sync", cwd=here)
    assert done.stdout == f"0 runs brought to {server.address}\n"
