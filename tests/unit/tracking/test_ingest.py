"""From the spool into MLflow: whole, once, in spite of kills, damage and company."""

import contextlib
import fcntl
import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.tracking_samples import a_run, all_runs, artifacts, curve, deferred, empty_database, project, runs

from ncfl.config import layout
from ncfl.tracking import ingest, spool

__all__ = ["deferred", "empty_database", "project"]  # fixtures
ROOT = Path(__file__).resolve().parents[3]
CHANGING = (
    "create_experiment",
    "create_run",
    "log_batch",
    "set_tag",
    "log_artifacts",
    "delete_tag",
    "set_terminated",
    "update_run",
)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_times_and_artifacts_are_those_of_the_step_not_of_its_ingestion(deferred):
    Path("table.csv").write_text("first")
    Path("pictures").mkdir()
    Path("pictures/a.txt").write_text("picture")
    with a_run("tables") as run:
        run.log(5, {"loss": 1.5})
        run.artifact(Path("table.csv"))
        run.artifact(Path("pictures"))
    Path("table.csv").write_text("second, by a later run")
    (waiting,) = spool.waiting()
    written = lines(waiting)
    began, point, ended = (next(w["time"] for w in written if w["kind"] == k) for k in ("start", "points", "end"))
    while spool.now() <= ended:
        time.sleep(0.001)
    assert ingest.sync() == 1
    run = runs()["tables"]
    assert (run.info.start_time, run.info.end_time, run.info.status) == (began, ended, "FINISHED")
    assert curve(run, "loss") == [(5, 1.5, point)]
    assert artifacts(run) == {"environment.txt", "table.csv", "pictures"}
    stored = layout.MLFLOW / "artifacts" / run.info.run_id / "artifacts"
    assert (stored / "table.csv").read_text() == "first"
    assert (stored / "pictures" / "a.txt").read_text() == "picture"
    assert list(spool.FOLDER.iterdir()) == []


def test_more_points_parameters_and_tags_than_mlflow_takes_in_one_call(deferred):
    with a_run("train", **{f"p{i}": i for i in range(250)}) as run:
        for i in range(700):
            run.log(i, {"loss": i / 2, "psnr": float("nan"), "rate": float("inf")})
        for i in range(150):
            run.checksum(f"d{i}", str(i))
    ingest.sync()
    found = runs()["train"]
    assert curve(found, "loss") == [(i, i / 2, when) for i, (_, _, when) in enumerate(curve(found, "loss"))]
    assert [len(curve(found, name)) for name in ("loss", "psnr", "rate")] == [700, 700, 700]
    assert {found.data.params[f"p{i}"] == str(i) for i in range(250)} == {True}
    assert {found.data.tags[f"data.d{i}.sha256"] == str(i) for i in range(150)} == {True}


class Killed(BaseException):
    """In place of SIGKILL: from a certain call on nothing more is done, clean-up included."""


def killed_after(monkeypatch, calls: int) -> None:
    """Let so many calls of MLflow or of the spool's removal happen; the later ones find the process dead."""
    from mlflow import MlflowClient

    done = []

    def counted(function):
        def call(*arguments, **named):
            if len(done) >= calls:
                raise Killed
            done.append(function)
            return function(*arguments, **named)

        return call

    for name in CHANGING:
        monkeypatch.setattr(MlflowClient, name, counted(getattr(MlflowClient, name)))
    monkeypatch.setattr(spool, "drop", counted(spool.drop))


def test_killed_after_any_call_and_repeated_the_result_is_the_same(deferred):
    Path("table.csv").write_text("a,b\n")
    for calls in range(30):
        for step in ("train", "evaluate"):
            with a_run(step, f"e{calls}", rate=1) as run:
                run.log(0, {"loss": 2.0})
                run.log(1, {"loss": 1.0})
                run.figure(psnr=20.0)
                run.checksum("davis", "ab")
                run.artifact(Path("table.csv"))
        with pytest.MonkeyPatch.context() as patched:
            killed_after(patched, calls)
            try:
                ingest.ingest()
                interrupted = False
            except Killed:
                interrupted = True
        ingest.ingest()
        assert spool.waiting() == []
        found = runs()
        assert set(found) >= {f"e{calls}", f"e{calls} train", f"e{calls} evaluate"}
        for step in ("train", "evaluate"):
            run = found[f"e{calls} {step}"]
            assert [point[:2] for point in curve(run, "loss")] == [(0, 2.0), (1, 1.0)]
            assert len(curve(run, "psnr")) == 1
            assert run.data.tags["mlflow.parentRunId"] == found[f"e{calls}"].info.run_id
            assert (run.info.status, run.data.params["rate"]) == ("FINISHED", "1")
            assert run.data.tags["data.davis.sha256"] == "ab"
            assert artifacts(run) == {"environment.txt", "table.csv"}
        parent = found[f"e{calls}"]
        assert (parent.info.status, len(curve(parent, "psnr"))) == ("FINISHED", 1)
        assert parent.info.start_time <= found[f"e{calls} train"].info.start_time
        assert parent.info.end_time == found[f"e{calls} evaluate"].info.end_time
        if not interrupted:
            break
    assert not interrupted
    assert calls > 10  # there was something to kill


LIVING = """
import sys, time
from ncfl.tracking import run as tracking
with tracking.run("train", experiment="e", mlflow_experiment="ncfl", parameters={}, tags={"preset": "demo"}) as run:
    run.log(0, {"loss": 2.0})
    print("written", flush=True)
    sys.stdin.readline()
    run.log(1, {"loss": 1.0})
    print("written", flush=True)
    time.sleep(600)
"""


def test_a_killed_step_is_running_while_it_lives_and_killed_when_it_is_gone(deferred):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    step = subprocess.Popen(
        [sys.executable, "-c", LIVING], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        step.stdout.readline()
        for _ in range(2):  # the second time there is nothing new
            assert ingest.sync() == 0
            assert {name: run.info.status for name, run in runs().items()} == {"e": "RUNNING", "e train": "RUNNING"}
            assert len(curve(runs()["e train"], "loss")) == 1
        step.stdin.write("\n")
        step.stdin.flush()
        step.stdout.readline()
    finally:
        step.kill()
        step.wait()
    (waiting,) = spool.waiting()
    last = lines(waiting)[-1]["time"]
    with waiting.open("a") as file:
        file.write('{"kind": "points", "ti')  # what it was writing when it was killed
    assert ingest.sync() == 1
    found = runs()
    assert {name: run.info.status for name, run in found.items()} == {"e": "KILLED", "e train": "KILLED"}
    assert [point[:2] for point in curve(found["e train"], "loss")] == [(0, 2.0), (1, 1.0)]
    assert found["e train"].info.end_time == last
    assert "killed" in found["e train"].data.tags["error"]
    assert spool.waiting() == []


def test_a_step_of_another_machine_counts_as_living_for_a_day(deferred):
    with a_run("train"):
        pass
    (waiting,) = spool.waiting()
    without_end = [{**line, "host": "elsewhere"} for line in lines(waiting)[:-1]]
    waiting.write_text("".join(json.dumps(line) + "\n" for line in without_end))
    assert ingest.sync() == 0
    assert runs()["train"].info.status == "RUNNING"
    os.utime(waiting, (time.time() - 25 * 3600,) * 2)
    assert ingest.sync() == 1
    assert runs()["train"].info.status == "KILLED"


@pytest.mark.parametrize("damage", ["no JSON", '{"kind": "points", "time": 1}', '{"kind": "new", "time": 1}', "[1]"])
def test_a_damaged_line_costs_itself(deferred, damage, capsys):
    with a_run("train") as run:
        run.log(0, {"loss": 2.0})
    (waiting,) = spool.waiting()
    whole = waiting.read_text().splitlines()
    waiting.write_text("\n".join([whole[0], damage, *whole[1:]]) + "\n")
    assert ingest.sync() == 1
    assert "1 damaged line" in capsys.readouterr().err
    assert [point[:2] for point in curve(runs()["train"], "loss")] == [(0, 2.0)]


def test_a_damaged_first_line_costs_that_run_alone(deferred, capsys):
    for step in ("prepare", "tables"):
        with a_run(step):
            pass
    first = spool.waiting()[0]
    first.write_bytes(b"\x00\xff garbage" + first.read_bytes()[20:])
    assert ingest.sync() == 1
    assert capsys.readouterr().err.count("damaged") == 2  # what is wrong, and the file's new name
    assert set(runs()) == {"tables"}
    assert first.with_suffix(".damaged").exists()
    assert ingest.sync() == 0
    assert capsys.readouterr().err == ""


def test_what_mlflow_refuses_is_said_once_and_kept_and_the_others_go_on(deferred, capsys):
    with a_run("prepare") as run:
        run.figure(**{"no such name?": 1.0})
    with a_run("tables"):
        pass
    assert ingest.sync() == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "refuses" in said[0]
    assert runs()["tables"].info.status == "FINISHED"
    assert len(spool.waiting()) == 1
    assert ingest.sync() == 0
    assert capsys.readouterr().err == ""


def test_the_parent_keeps_the_status_of_the_step_that_ended_last(deferred):
    with pytest.raises(RuntimeError, match="lost"), a_run("train", "e"):
        raise RuntimeError("lost")
    with a_run("train", "e"):
        pass
    failed = spool.waiting()[0]
    failed.rename(Path("later"))
    assert ingest.sync() == 1
    Path("later").rename(failed)
    assert ingest.sync() == 1
    (parent,) = (run for run in all_runs() if run.info.run_name == "e")
    assert parent.info.status == "FINISHED"
    assert sorted(run.info.status for run in all_runs()) == ["FAILED", "FINISHED", "FINISHED"]


def test_several_processes_bring_each_run_once(deferred):
    for i in range(6):
        with a_run(f"step{i}", "e"):
            pass
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "ncfl.cli.main", "mlflow-sync"]
    processes = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
    assert set(runs()) == {"e", *(f"e step{i}" for i in range(6))}


def test_who_may_not_wait_leaves_it_to_the_one_at_work_and_who_waits_in_vain_says_so(deferred, monkeypatch, capsys):
    with a_run("tables"):
        pass
    with (layout.MLFLOW / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert ingest.ingest(wait=0) == 0
        assert capsys.readouterr().err == ""
        monkeypatch.setattr(ingest.ingest, "__kwdefaults__", {"wait": 0.05})
        assert ingest.sync() == 0
        assert capsys.readouterr().err.count("Timeout") == 1
    assert ingest.sync() == 1


def test_an_empty_spool_costs_no_import_of_mlflow(project):
    code = "import sys\nfrom ncfl.tracking.ingest import sync\nprint(sync(), 'mlflow' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False"]


@pytest.mark.parametrize("calls", [0, 1, 4, 9])
def test_a_database_that_is_locked_meanwhile_loses_and_doubles_nothing(deferred, monkeypatch, capsys, calls):
    """Another program takes the database before so many of our calls; later it gives it back."""
    for step in ("train", "evaluate"):
        with a_run(step, "e", rate=1) as run:
            run.log(0, {"loss": 2.0})
            run.log(1, {"loss": 1.0})
            run.figure(psnr=20.0)
    from mlflow.store.db import utils

    asks = utils.sql.text
    monkeypatch.setattr(
        utils.sql, "text", lambda words: asks(words.replace("busy_timeout = 20000", "busy_timeout = 100"))
    )
    monkeypatch.setattr(ingest, "WAIT_SECONDS", 0.1)
    with contextlib.closing(sqlite3.connect(layout.MLFLOW / "mlflow.db", isolation_level=None)) as other:
        with pytest.MonkeyPatch.context() as patched:
            locked_after(patched, calls, lambda: other.execute("begin exclusive"))
            assert ingest.sync() == 0
        assert "database is locked" in capsys.readouterr().err
        assert len(spool.waiting()) == 2
        other.rollback()
    assert ingest.sync() == 2
    assert spool.waiting() == []
    found = runs()
    assert set(found) == {"e", "e train", "e evaluate"}
    for step in ("train", "evaluate"):
        assert [point[:2] for point in curve(found[f"e {step}"], "loss")] == [(0, 2.0), (1, 1.0)]
        assert [point[1] for point in curve(found[f"e {step}"], "psnr")] == [20.0]


def locked_after(patched, calls: int, lock) -> None:
    """Let so many calls of MLflow happen before ``lock`` is called; a database that is locked is given up soon."""
    from mlflow import MlflowClient

    left = [calls]

    def counted(function):
        def call(*arguments, **named):
            left[0] -= 1
            if left[0] == -1:
                lock()
            return function(*arguments, **named)

        return call

    if calls == 0:
        lock()
    for name in CHANGING:
        patched.setattr(MlflowClient, name, counted(getattr(MlflowClient, name)))
