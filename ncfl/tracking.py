"""Runs: every step leaves one, in MLflow for people to browse and as a JSON file beside the results.

The only module that imports mlflow, and only when a step really runs: it costs a second or two. Tracking never
costs a result: if the database can't be written, one warning says so, the step goes on, and the JSON file is
complete all the same.
"""

import contextlib
import datetime
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ncfl import layout, provenance
from ncfl.console import say
from ncfl.files import write_json

FLUSH_SECONDS = 20.0
_BATCH = 500  # metrics per call; MLflow refuses more than 1000


class Run:
    """One step's run: curves, figures, artifacts, checksums.

    Made by :func:`run`. ``log`` is what steps are handed; nothing else of MLflow reaches them.
    """

    def __init__(
        self,
        step: str,
        experiment: str | None,
        subject: str,
        parameters: Mapping[str, Any],
        tags: Mapping[str, str],
    ) -> None:
        self.step, self.experiment = step, experiment
        self.name = f"{subject} {step}".strip()
        self.parameters, self.tags = dict(parameters), dict(tags)
        self.figures: dict[str, float] = {}
        self._points: list[tuple[int, int, str, float]] = []
        self._artifacts: list[Path] = []
        self._mlflow: _MLflow | None = None
        self._flushed = time.monotonic()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One point of each curve in ``values`` at iteration ``step``."""
        now = round(time.time() * 1000)
        self._points += [(now, step, name, float(value)) for name, value in values.items()]
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def figure(self, **values: float) -> None:
        """Final figures of the step."""
        self.figures.update({name: float(value) for name, value in values.items()})

    def artifact(self, path: Path) -> None:
        """A file to keep a copy of in MLflow: small ones, tables and pictures, not weights."""
        self._artifacts.append(path)

    def checksum(self, name: str, sha256: str) -> None:
        """The checksum of data that the step read or made."""
        self.tags[f"data.{name}.sha256"] = sha256

    def flush(self) -> None:
        """Send what has gathered, so that a long training can be watched."""
        self._flushed = time.monotonic()
        if self._mlflow is not None and self._points:
            points, self._points = self._points, []
            self._mlflow.metrics(points)


@contextlib.contextmanager
def run(
    step: str,
    *,
    experiment: str | None = None,
    subject: str = "",
    mlflow_experiment: str | None,
    parameters: Mapping[str, Any],
    tags: Mapping[str, str],
) -> Iterator[Run]:
    """Track one step.

    Args:
        step: the step's name, as ``train-stage1``.
        experiment: the experiment it belongs to; its steps nest under one parent run.
        subject: what it was run on, where a step without an experiment runs more than once: a dataset.
        mlflow_experiment: name under which MLflow shows the runs; None leaves MLflow out.
        parameters: what the step depends on; nested mappings become dotted names.
        tags: preset, data, and what else people may want to filter by.
    """
    current = Run(step, experiment, experiment or subject, _flat(parameters), {**tags, **provenance.commit()})
    started, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
    current._mlflow = None if mlflow_experiment is None else _MLflow.open(mlflow_experiment, current)
    status, error = "FAILED", ""
    try:
        yield current
        status = "FINISHED"
    except BaseException as caught:
        status = "KILLED" if isinstance(caught, (KeyboardInterrupt, SystemExit)) else "FAILED"
        error = f"{type(caught).__name__}: {caught}"
        raise
    finally:
        seconds = round(time.monotonic() - clock, 2)
        current.figure(seconds=seconds, peak_memory_mb=provenance.peak_memory_mb())
        if current._mlflow is not None:
            current._mlflow.end(current, status, error)
        record = {
            "step": step, "experiment": experiment, "status": status, "error": error,
            "started": started.isoformat(timespec="seconds"), "parameters": current.parameters, "tags": current.tags,
            "figures": current.figures, "versions": provenance.versions(), "machine": provenance.machine(),
        }  # fmt: skip
        write_json(layout.RUNS / f"{current.name.replace(' ', '-')}.json", record)


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, Mapping):
            flat |= _flat(item, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = item
    return flat


def database() -> str:
    """The address of the tracking database."""
    return f"sqlite:///{(layout.MLFLOW / 'mlflow.db').resolve()}"


def _forgiving(method: Callable[..., Any]) -> Callable[..., Any]:
    """After the first failure of MLflow: one warning, then silence, and the step goes on."""

    def call(self: "_MLflow", *arguments: Any) -> Any:
        if self.broken:
            return None
        try:
            return method(self, *arguments)
        except Exception as error:  # whatever a database or a disk can raise
            self.broken = True
            reason = (str(error).splitlines() or [""])[0][:200]
            say(f"warning: MLflow tracking stopped ({type(error).__name__}: {reason})")
            return None

    return call


class _MLflow:
    """The few calls we make, in batches, each safe beside other processes."""

    def __init__(self) -> None:
        self.broken = False
        self.run_id = self.parent_id = ""

    @classmethod
    def open(cls, name: str, run: Run) -> "_MLflow":
        self = cls()
        self._begin(name, run)
        return self

    @_forgiving
    def _begin(self, name: str, run: Run) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
        import logging

        from filelock import FileLock

        for noisy in ("alembic", "mlflow"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        layout.MLFLOW.mkdir(parents=True, exist_ok=True)
        # Several steps start at once: the first creates the database, the others wait. The same lock keeps
        # an experiment from getting two parents.
        with FileLock(layout.MLFLOW / "lock"):
            from mlflow import MlflowClient
            from mlflow.entities import RunStatus

            _create_database()
            self.client = MlflowClient(tracking_uri=database())
            found = self.client.get_experiment_by_name(name)
            experiment_id = found.experiment_id if found else self.client.create_experiment(
                name, artifact_location=(layout.MLFLOW / "artifacts").resolve().as_uri()
            )  # fmt: skip
            if run.experiment:
                self.parent_id = self._parent(experiment_id, run)
        self._running, self._ended = RunStatus.to_string(RunStatus.RUNNING), RunStatus
        tags = {**run.tags, "ncfl.step": run.step}
        if self.parent_id:
            tags["mlflow.parentRunId"] = self.parent_id
            self.client.update_run(self.parent_id, status=self._running)
        self.run_id = self.client.create_run(experiment_id, tags=tags, run_name=run.name).info.run_id
        self._parameters(run)

    def _parent(self, experiment_id: str, run: Run) -> str:
        query = f"tags.`ncfl.experiment` = '{run.experiment}' and tags.preset = '{run.tags['preset']}'"
        found = self.client.search_runs([experiment_id], query, max_results=1)
        if found:
            return found[0].info.run_id
        tags = {**run.tags, "ncfl.experiment": run.experiment}
        return self.client.create_run(experiment_id, tags=tags, run_name=run.experiment).info.run_id

    def _parameters(self, run: Run) -> None:
        from mlflow.entities import Param

        everything = {**run.parameters, **provenance.machine()}
        everything |= {f"version.{name}": version for name, version in provenance.versions().items()}
        parameters = [Param(name, str(value)) for name, value in everything.items()]
        for start in range(0, len(parameters), 100):
            self.client.log_batch(self.run_id, params=parameters[start : start + 100])

    @_forgiving
    def metrics(self, points: list[tuple[int, int, str, float]]) -> None:
        from mlflow.entities import Metric

        for start in range(0, len(points), _BATCH):
            batch = [Metric(name, value, when, step) for when, step, name, value in points[start : start + _BATCH]]
            self.client.log_batch(self.run_id, metrics=batch)

    @_forgiving
    def end(self, run: Run, status: str, error: str) -> None:
        from mlflow.entities import Metric, RunTag

        run.flush()
        now = round(time.time() * 1000)
        metrics = [Metric(name, value, now, 0) for name, value in run.figures.items()]
        tags = [RunTag(name, str(value)) for name, value in run.tags.items()]
        if error:
            tags.append(RunTag("error", error[:4000]))
        self.client.log_batch(self.run_id, metrics=metrics, tags=tags)
        self.client.log_text(self.run_id, provenance.installed(), "environment.txt")
        for path in run._artifacts:
            if path.is_dir():
                self.client.log_artifacts(self.run_id, str(path), path.name)
            else:
                self.client.log_artifact(self.run_id, str(path))
        self.client.set_terminated(self.run_id, status)
        if self.parent_id:
            if run.step == "evaluate":
                self.client.log_batch(self.parent_id, metrics=metrics)
            self.client.set_terminated(self.parent_id, status)


def _create_database() -> None:
    """Create the database under another name and rename it, so that a kill leaves none rather than half."""
    final = layout.MLFLOW / "mlflow.db"
    if final.exists():
        return
    from mlflow import MlflowClient

    temporary = layout.MLFLOW / "creating.db"
    temporary.unlink(missing_ok=True)
    MlflowClient(tracking_uri=f"sqlite:///{temporary.resolve()}").search_experiments(max_results=1)
    temporary.replace(final)
