"""A project folder whose MLflow database is there already (making one takes seconds), and short words for runs."""

import shutil

import pytest

from ncfl.config import layout
from ncfl.tracking import places
from ncfl.tracking import run as tracking

TAGS = {"preset": "demo", "data": "davis (demo stand-in)"}


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """An MLflow database without runs."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments(max_results=1)
    return path


@pytest.fixture
def project(tmp_path, monkeypatch, empty_database):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(tracking.DEFER, raising=False)
    layout.MLFLOW.mkdir(parents=True)
    shutil.copy(empty_database, layout.MLFLOW / "mlflow.db")
    return tmp_path


@pytest.fixture
def deferred(project, monkeypatch):
    """As under Snakemake: steps leave their runs in the spool."""
    monkeypatch.setenv(tracking.DEFER, "1")
    return project


def client():
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=places.local_address())


def all_runs():
    """Every run of the experiment `ncfl`; none where there is no such experiment yet."""
    experiment = client().get_experiment_by_name("ncfl")
    return [] if experiment is None else client().search_runs([experiment.experiment_id])


def runs():
    """Name -> run, where no two may have the same name."""
    found = all_runs()
    assert len({run.info.run_name for run in found}) == len(found)
    return {run.info.run_name: run for run in found}


def curve(run, name):
    """(step, value, timestamp) of each point, by step."""
    return sorted((m.step, m.value, m.timestamp) for m in client().get_metric_history(run.info.run_id, name))


def artifacts(run):
    return {item.path for item in client().list_artifacts(run.info.run_id)}


def a_run(step, experiment=None, **parameters):
    return tracking.run(step, experiment=experiment, mlflow_experiment="ncfl", parameters=parameters, tags=TAGS)


def trained(name: str, rate: float = 0.5, psnr: float = 30.25) -> None:
    """Both stages and the evaluation of an experiment, as the steps track them."""
    own = {"mlflow_experiment": "ncfl", "experiment": name, "tags": {**TAGS, "method": "m_a"}}
    for stage, first in ((1, 0), (2, 10)):
        with tracking.run(f"train-stage{stage}", parameters={"stage": stage, "rate": rate}, **own) as run:
            run.checksum("davis", "ab" * 32)
            run.checksum("checkpoint", "cd" * 32)
            for n in (5, 10):
                run.log(first + n, {"loss": 1 / (first + n)})
            run.figure(loss=0.25)
    with tracking.run("evaluate", parameters={"seed": 7}, **own) as run:
        run.checksum("set8", "ef" * 32)
        run.figure(**{"set8.psnr.sigma50": psnr})
