"""What a training shows besides its curves: pictures, the machine's work, and its network as a model."""

import contextlib
import json
import shutil
import sqlite3
import time

import cv2
import mlflow
import numpy as np
import pytest
from helpers.command_line import ncfl as command
from helpers.tracking_samples import TAGS, a_run, client, curve, runs
from mlflow.exceptions import MlflowException

import ncfl
from ncfl.common.errors import InputError
from ncfl.config import layout
from ncfl.tracking import ingest, places, spool, system
from ncfl.tracking import run as tracking

KEY = "validation/degraded-restored-clean"
PICTURE = np.zeros((200, 600, 3), np.uint8) + np.uint8([200, 100, 50])


def pictures(run):
    """Key, step and kind of each, as MLflow's page reads them out of the names of files."""
    found = []
    for item in client().list_artifacts(run.info.run_id, "images"):
        key, word, step, stamp, when, rest = item.path.removeprefix("images/").split("+", 5)
        assert (word, stamp) == ("step", "timestamp")
        assert int(when) > 1_600_000_000_000
        found.append((key.replace("~", "/"), int(step), rest[36:]))
    return sorted(found)


def test_pictures_have_the_names_that_mlflow_gives_its_own(deferred, tmp_path):
    with a_run("train-stage1", "ncfl-davis") as run:
        run.image(KEY, 10, PICTURE)
    ingest.sync()
    own = client().create_run("1")
    client().log_image(own.info.run_id, PICTURE, key=KEY, step=10, synchronous=True)
    theirs = client().get_run(own.info.run_id)
    ours = runs()["ncfl-davis train-stage1"]
    assert pictures(ours) == pictures(theirs) == [(KEY, 10, "+compressed.webp"), (KEY, 10, ".png")]
    assert ours.data.tags["mlflow.loggedImages"].lower() == theirs.data.tags["mlflow.loggedImages"].lower() == "true"
    for run in (ours, theirs):
        folder = layout.MLFLOW / "artifacts" / run.info.run_id / "artifacts" / "images"
        shapes = {path.suffix: cv2.imread(str(path)) for path in folder.iterdir()}
        assert shapes[".png"].shape == (200, 600, 3)
        assert shapes[".png"][0, 0].tolist() == [50, 100, 200]  # OpenCV reads blue first
        assert max(shapes[".webp"].shape) == 256


def test_pictures_are_seen_while_the_training_runs_and_once_when_it_has_ended(deferred):
    with a_run("train-stage1", "ncfl-davis") as run:
        run.log(10, {"loss": 1.0, "validation/psnr": 25.0})
        run.image(KEY, 10, PICTURE)
        ingest.sync()
        assert [step for _, step, _ in pictures(runs()["ncfl-davis train-stage1"])] == [10, 10]
        run.image(KEY, 20, PICTURE)
        run.log(20, {"loss": 0.5, "validation/psnr": 26.0})
    ingest.sync()
    with a_run("train-stage2", "ncfl-davis") as run:
        run.log(30, {"loss": 0.25, "validation/psnr": 27.0})
        run.image(KEY, 30, PICTURE)
    ingest.sync()
    found = runs()
    assert [step for _, step, _ in pictures(found["ncfl-davis train-stage1"])] == [10, 10, 20, 20]
    # Both stages on one axis.
    assert [step for _, step, _ in pictures(found["ncfl-davis"])] == [10, 10, 20, 20, 30, 30]
    assert [point[:2] for point in curve(found["ncfl-davis"], "validation/psnr")] == [
        (10, 25.0),
        (20, 26.0),
        (30, 27.0),
    ]
    assert "train/validation/psnr" not in found["ncfl-davis"].data.metrics


def test_without_mlflow_nobody_watches_and_nothing_is_kept(deferred):
    with tracking.run("train-stage1", mlflow_experiment=None, parameters={}, tags=TAGS) as run:
        assert not run.is_watched
        run.image(KEY, 10, PICTURE)
    assert spool.waiting() == []


def test_a_step_tells_what_it_asks_of_the_machine_and_its_experiment_does_not(deferred, monkeypatch):
    monkeypatch.setattr(system, "FIRST_SECONDS", 0.02)
    with a_run("train-stage1", "ncfl-davis"):
        held = np.ones(25_000_000)  # 200 MB
        time.sleep(0.5)
    ingest.sync()
    run = runs()["ncfl-davis train-stage1"]
    seen = {name for name in run.data.metrics if name.startswith("system/")}
    assert seen >= {
        "system/cpu_utilization_percentage",
        "system/system_memory_usage_megabytes",
        "system/system_memory_usage_percentage",
        "system/process_memory_usage_megabytes",
    }
    points = curve(run, "system/process_memory_usage_megabytes")
    assert [step for step, _, _ in points] == list(range(1, len(points) + 1))
    assert points[-1][1] > held.nbytes / 1e6
    assert 0 <= run.data.metrics["system/cpu_utilization_percentage"] <= 100
    assert not [name for name in runs()["ncfl-davis"].data.metrics if "system/" in name]


def test_a_short_step_is_not_looked_at(deferred):
    with a_run("prepare"):
        pass
    assert '"points"' not in spool.waiting()[0].read_text()


@pytest.fixture
def trained(deferred, monkeypatch):
    """A checkpoint in the project, as a training of `ncfl-davis` leaves it and tells of it."""
    from ncfl.models.variants import m_a
    from ncfl.weights import checkpoint

    monkeypatch.setenv("MLFLOW_TRACKING_URI", places.local_address())
    path = layout.stage("ncfl-davis", 2) / "checkpoint.pt"
    path.parent.mkdir(parents=True)
    model = m_a(channels=3, unet_widths=[4, 4, 4, 4, 4], feature_width=4)
    checkpoint.save(path, model=model, extra={})
    with a_run("train-stage2", "ncfl-davis") as run:
        run.model(path, channels=3)
    mlflow.set_tracking_uri(None)
    yield path
    mlflow.set_tracking_uri(None)


def test_the_network_is_a_model_that_restores_a_clip(trained):
    ingest.sync()
    mlflow.set_tracking_uri(places.local_address())
    loaded = mlflow.pyfunc.load_model("models:/ncfl-davis/1")
    clip = np.random.default_rng(0).integers(0, 256, (3, 32, 48, 3), dtype=np.uint8)
    restored = loaded.predict(clip)
    assert np.array_equal(restored, ncfl.restore(clip, weights=trained))
    assert restored.dtype == np.uint8
    with pytest.raises(MlflowException, match="uint8"):  # the signature
        loaded.predict(clip.astype(np.float32))
    run = runs()["ncfl-davis train-stage2"]
    assert loaded.metadata.run_id == run.info.run_id
    assert [model.model_id for model in run.outputs.model_outputs] == [loaded.metadata.model_id]
    weights = [
        path for path in (layout.MLFLOW / "artifacts").rglob("*") if path.is_file() and path.stat().st_size > 9999
    ]
    assert [path for path in weights if path.name != "environment.txt"] == []  # a reference, no copy


def test_a_training_that_is_brought_twice_is_one_version_and_another_training_the_next(trained):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(mlflow.MlflowClient, "set_terminated", stop)
        with pytest.raises(KeyboardInterrupt):
            ingest.ingest()
    ingest.ingest()
    with a_run("train-stage2", "ncfl-davis") as run:
        run.model(trained, channels=3)
    ingest.ingest()
    assert sorted(int(each.version) for each in client().search_model_versions("name = 'ncfl-davis'")) == [1, 2]
    assert len(client().search_logged_models(["1"])) == 2


def stop(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_network_for_packed_raw_is_no_such_model(trained):
    spool.drop(spool.waiting()[0])
    with a_run("train-stage2", "crvd") as run:
        run.model(trained, channels=4)
    ingest.sync()
    assert runs()["crvd train-stage2"].info.status == "FINISHED"
    assert client().search_logged_models(["1"]) == []


def test_a_model_of_a_checkpoint_that_is_another_by_now_is_refused(trained):
    ingest.sync()
    mlflow.set_tracking_uri(places.local_address())
    trained.write_bytes(trained.read_bytes() + b"more")
    with pytest.raises(InputError, match=r"checkpoint\.pt: expected the checkpoint with sha256 .*, got [0-9a-f]{64}"):
        mlflow.pyfunc.load_model("models:/ncfl-davis/1")
    trained.unlink()
    with pytest.raises(InputError, match=r"expected the checkpoint .*, got nothing"):
        mlflow.pyfunc.load_model("models:/ncfl-davis/1")
    (reference,) = layout.MLFLOW.rglob("checkpoint.json")
    reference.write_text(json.dumps({"path": "a"}))
    with pytest.raises(InputError, match="expected the path and the sha256"):
        mlflow.pyfunc.load_model("models:/ncfl-davis/1")


def test_models_of_a_moved_project_are_those_of_its_new_place(trained, tmp_path, monkeypatch):
    ingest.sync()
    moved = tmp_path.parent / f"{tmp_path.name} moved"
    shutil.copytree(tmp_path, moved)
    shutil.rmtree(tmp_path / "results")
    monkeypatch.chdir(moved)
    with a_run("tables"):
        pass
    ingest.sync()
    monkeypatch.chdir("/")
    mlflow.set_tracking_uri(f"sqlite:///{moved / layout.MLFLOW / 'mlflow.db'}")
    clip = np.full((2, 32, 32, 3), 128, np.uint8)
    assert mlflow.pyfunc.load_model("models:/ncfl-davis/1").predict(clip).shape == clip.shape


def test_a_lost_database_has_its_models_again(trained, deferred):
    ingest.sync()
    record = layout.RUNS / "ncfl-davis-train-stage2.json"
    damaged = {**json.loads(record.read_text()), "name": "other train-stage2", "model": {"path": 1}}
    (layout.RUNS / "other-train-stage2.json").write_text(json.dumps(damaged))
    (layout.MLFLOW / "mlflow.db").unlink()
    done = command("mlflow-sync", cwd=deferred)
    assert done.returncode == 0
    with contextlib.closing(sqlite3.connect(layout.MLFLOW / "mlflow.db")) as database:
        assert database.execute("select name, version from model_versions").fetchall() == [("ncfl-davis", 1)]
        assert database.execute("select count(*) from runs where name = 'other train-stage2'").fetchall() == [(1,)]
