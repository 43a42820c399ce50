"""What people see in MLflow: experiments that can be compared, with their data, curves and a view to begin with."""

import json

from helpers.tracking_samples import client, curve, deferred, empty_database, project, runs, trained

from ncfl.config import layout
from ncfl.tracking import browsing, ingest

__all__ = ["deferred", "empty_database", "project"]  # fixtures


def test_an_experiment_has_the_parameters_figures_data_and_curves_of_its_steps(deferred):
    trained("modules-a")
    ingest.sync()
    found = runs()["modules-a"]
    assert {name: found.data.params.get(name) for name in ("rate", "seed", "stage")} == {
        "rate": "0.5",
        "seed": "7",
        "stage": None,
    }
    assert not [name for name in found.data.params if name.startswith("version.")]
    assert found.data.metrics["set8.psnr.sigma50"] == 30.25
    assert found.data.tags["method"] == "m_a"
    # Both stages on one axis, and the final loss is no point of it.
    assert [(step, value) for step, value, _ in curve(found, "train/loss")] == [
        (5, 1 / 5),
        (10, 1 / 10),
        (15, 1 / 15),
        (20, 1 / 20),
    ]
    shown = {(one.dataset.name, one.tags[0].value) for one in found.inputs.dataset_inputs}
    assert shown == {("davis", "training"), ("set8", "evaluation")}
    assert runs()["modules-a train-stage1"].inputs.dataset_inputs[0].dataset.digest == "abababab"


def test_another_value_of_a_parameter_is_told_and_not_refused(deferred, capsys):
    trained("modules-a")
    ingest.sync()
    trained("modules-a", rate=0.25)
    ingest.sync()
    (found,) = client().search_runs(["1"], "tags.`ncfl.experiment` = 'modules-a'")
    assert found.data.params["rate"] == "0.5"
    assert found.data.tags["now.rate"] == "0.25"
    assert "refuses" not in capsys.readouterr().err


def test_the_view_that_people_begin_with_shows_experiments(deferred):
    trained("modules-a")
    ingest.sync()
    found = client().get_experiment_by_name("ncfl")
    assert found.tags["mlflow.experimentKind"] == "custom_model_development"
    page = browsing.address(layout.MLFLOW / "mlflow.db")
    assert f"/experiments/{found.experiment_id}/runs" in page
    view = json.loads(found.tags["mlflow.sharedViewState." + page.rpartition("=")[2]])
    shown = client().search_runs([found.experiment_id], view["searchFilter"])
    assert [run.info.run_name for run in shown] == ["modules-a"]
    client().set_experiment_tag(found.experiment_id, "mlflow.note.content", "mine")
    trained("modules-b")
    ingest.sync()
    assert client().get_experiment_by_name("ncfl").tags["mlflow.note.content"] == "mine"


def test_a_database_without_experiments_has_no_page(project):
    assert browsing.address(layout.MLFLOW / "mlflow.db") is None
