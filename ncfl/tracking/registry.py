"""Trained networks among MLflow's models: a reference to the checkpoint, which stays where it is, and a signature."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, RunInfo

LOADER = "ncfl.api.served"
REFERENCE = "checkpoint.json"
_OF_RUN = "ncfl.run"
_TOLD = ("preset", "data", "method", "dataset", "tables", "commit")


def register(
    client: "MlflowClient", run: "RunInfo", experiment: str, tags: Mapping[str, str], told: Mapping[str, Any]
) -> None:
    """Log the network of a training as a model of its run, and as the next version of the registered model.

    What was logged already, by a call that was killed, is not logged again.

    Args:
        run: the training's.
        experiment: of the configuration; the registered model bears its name.
        tags: of the run.
        told: path, sha256 and channels, as the step told them.
    """
    from mlflow.entities import LoggedModelOutput

    if told["channels"] != 3:  # a clip of RGB frames is what the signature promises
        return
    known = client.search_logged_models([run.experiment_id], f"tags.`{_OF_RUN}` = '{run.run_id}'", max_results=1)
    shown = {name: tags[name] for name in _TOLD if name in tags}
    model = (
        known[0]
        if known
        else client.create_logged_model(
            run.experiment_id,
            name=experiment,
            source_run_id=run.run_id,
            tags={**shown, _OF_RUN: run.run_id},
            model_type="video restoration",
        )
    )
    if model.status != "READY":
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), model.model_id, run.run_id, told)
            client.log_model_artifacts(model.model_id, folder)
        client.log_outputs(run.run_id, [LoggedModelOutput(model.model_id, step=0)])
        client.finalize_logged_model(model.model_id, "READY")
    _add_version(client, experiment, model, shown)


def _add_version(client: "MlflowClient", name: str, model: "LoggedModel", tags: Mapping[str, str]) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description="A training of params.yaml; restores uint8 clips [T,H,W,3].")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    run = model.source_run_id
    if not client.search_model_versions(f"name = '{name}' and run_id = '{run}'", max_results=1):
        client.create_model_version(name, model.artifact_location, run, tags=dict(tags), model_id=model.model_id)


def _write(folder: Path, model_id: str, run_id: str, told: Mapping[str, Any]) -> None:
    """The model as MLflow reads it: MLmodel, and the reference to the checkpoint."""
    import numpy as np
    from mlflow import pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    reference = {key: told[key] for key in ("path", "sha256")}
    (folder / REFERENCE).write_text(json.dumps(reference, indent=1), encoding="utf-8")
    clip = Schema([TensorSpec(np.dtype(np.uint8), (-1, -1, -1, 3))])
    model = Model(run_id=run_id, signature=ModelSignature(inputs=clip, outputs=clip), model_id=model_id)
    pyfunc.add_to_model(model, loader_module=LOADER, data=REFERENCE)
    model.save(str(folder / "MLmodel"))
