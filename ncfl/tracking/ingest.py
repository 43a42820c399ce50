"""From the spool into MLflow, which is imported only when something waits in the spool.

It may be killed anywhere and called again, by several processes at once: one at a time works, under a lock; a run is
searched by the tag ``ncfl.spool`` before it is made; MLflow takes a point or a parameter that it has already as the
same; and a spool file goes only when its run is complete.
"""

import logging
import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ncfl.common.console import say
from ncfl.config import layout
from ncfl.tracking import browsing, places, rebuilding, registry, spool

WAIT_SECONDS = places.WAIT_SECONDS
FOLLOW_SECONDS = 10.0
_METRICS, _OTHERS = 500, 100  # a call; MLflow refuses more than 1000 in all and more than 100 parameters or tags
# What MLflow says of one run, not of the database: the others go on.
_REFUSALS = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE")
_SENT = "ncfl.spool.sent"  # while a run lives: the number of the last line that MLflow has
_refused: set[Path] = set()


def sync(*, follow: bool = False) -> int:
    """Bring all that waits to MLflow; where that fails say so in one line, and leave it waiting.

    Args:
        follow: again every few seconds for as long as the process lives: for those who browse while steps run.

    Returns:
        How many runs came to their end in MLflow.
    """
    forgiving, ended = spool.Forgiving(), 0
    while True:
        with forgiving:
            ended += ingest()
        if not follow:
            return ended
        time.sleep(FOLLOW_SECONDS)


def ingest(*, wait: float = WAIT_SECONDS) -> int:
    """Bring all that waits to MLflow: ended and killed runs whole, living ones as far as they are.

    Args:
        wait: how long to wait for another process that does the same, in seconds. 0: leave it to that one.

    Returns:
        How many runs came to their end in MLflow.

    Raises:
        Exception: whatever a database or a disk can raise; what has not been brought still waits.
    """
    lost = places.server() is None and not places.database().exists() and bool(rebuilding.all_but(()))
    if not spool.waiting() and not lost:
        return 0
    from filelock import FileLock, Timeout

    _import_quietly()
    try:
        with FileLock(layout.MLFLOW / "lock", timeout=wait):
            return _bring_all()
    except Timeout:
        if wait > 0:
            raise
        return 0


def _bring_all() -> int:
    store = _Store()
    try:
        for path in spool.waiting():
            if path not in _refused:
                store.bring(path)
    finally:  # what was brought before a disk was full has been brought
        ended = store.settle()
    return ended


def _import_quietly() -> None:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines for each run
    # MLflow's own patience with a server that does not answer would hold a step up for minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    import mlflow  # noqa: F401 - before the lock, because it takes seconds; before the levels, because it sets them

    for noisy in ("alembic", "mlflow"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class _Store:
    """The few calls we make, in batches. Only to be used under the lock: it keeps an experiment from two parents."""

    def __init__(self) -> None:
        from mlflow import MlflowClient

        created = False
        if places.server() is None:
            created = places.create_database()
            places.relocate(places.database(), places.artifacts())
        self.client = MlflowClient(tracking_uri=places.address())
        self._experiments: dict[str, str] = {}
        self._parents: dict[tuple[str, ...], str] = {}
        # What :meth:`settle` does at the end, once: each commit costs milliseconds.
        self._parent_ends: dict[str, dict[str, Any]] = {}
        self._parent_figures: dict[str, list[Any]] = {}
        self._parent_parameters: dict[str, dict[str, str]] = {}
        self._parent_inputs: dict[str, list[Any]] = {}
        self._ended: list[Path] = []
        if created:  # the first one, or one that was lost: what the records know comes back
            for record in rebuilding.all_but(spool.waiting()):
                self._bring_record(record)

    def bring(self, path: Path) -> None:
        """Bring one spool file. What MLflow refuses is warned of once, and stays."""
        from mlflow.exceptions import MlflowException

        try:
            self._bring(path)
        except (MlflowException, LookupError, TypeError, ValueError) as error:
            if getattr(error, "error_code", _REFUSALS[0]) not in _REFUSALS:
                raise
            _refused.add(path)
            say(f"warning: MLflow refuses the run in {path} ({spool.reason(error)})")

    def _bring(self, path: Path) -> None:
        found = spool.read(path)
        if found is None:
            say(f"warning: {path} is damaged and no run for MLflow: renamed to {path.stem}.damaged")
            path.rename(path.with_suffix(".damaged"))
            return
        end = found.end
        experiment_id = self._experiment(found.start["mlflow_experiment"])
        parent_id = self._parent(experiment_id, found.start) if found.start["experiment"] else ""
        run = self._run(experiment_id, parent_id, found)
        if run.info.end_time is None:
            self._send(run, found)
            if end is not None:
                self._end(run, path, found)
            else:
                self._add_pictures(run.info.run_id, path)
        if end is not None:
            self._ended.append(path)
        if parent_id:
            self._note_for(parent_id, path, found)

    def settle(self) -> int:
        """Give the parents their figures and status, and empty the spool of what has ended; how many runs that was."""
        for parent_id, figures in self._parent_figures.items():
            for batch in _chunks(metrics=(figures, _METRICS)):
                self.client.log_batch(parent_id, **batch)
        for parent_id, parameters in self._parent_parameters.items():
            self._add_parameters(parent_id, parameters)
        for parent_id, inputs in self._parent_inputs.items():
            self.client.log_inputs(parent_id, inputs)
        for parent_id, end in self._parent_ends.items():
            if end["status"] == "RUNNING":
                self.client.update_run(parent_id, status="RUNNING")
            elif (self.client.get_run(parent_id).info.end_time or 0) <= end["time"]:
                self.client.set_terminated(parent_id, end["status"], end["time"])
        for path in self._ended:
            spool.drop(path)
        return len(self._ended)

    def _note_for(self, parent_id: str, path: Path, found: spool.Spooled) -> None:
        """The experiment's run has the figures of its evaluation, and the status of the step that ended last."""
        end = found.end or {"status": "RUNNING", "time": float("inf")}
        if end["time"] >= self._parent_ends.get(parent_id, end)["time"]:
            self._parent_ends[parent_id] = end
        if found.end is None:
            return
        self._add_pictures(parent_id, path)
        if found.start["step"] == "evaluate":
            figures = [m for _, line in found.lines if line and line["kind"] == "figures" for m in _metrics(line)]
            self._parent_figures.setdefault(parent_id, []).extend(figures)
        self._tell_parent(parent_id, found.start, _tags(found), browsing.curves(found))

    def _tell_parent(
        self, parent_id: str, start: dict[str, Any], tags: dict[str, str], points: list[browsing.Point]
    ) -> None:
        """An experiment's run has the parameters, the data and the curves of its steps, so that it can be compared."""
        from mlflow.entities import Metric

        self._parent_parameters.setdefault(parent_id, {}).update(browsing.parameters(start["parameters"]))
        self._parent_inputs.setdefault(parent_id, []).extend(browsing.inputs(start["step"], tags))
        self._parent_figures.setdefault(parent_id, []).extend(
            Metric(name, value, time, step) for time, step, values in points for name, value in values.items()
        )

    def _add_parameters(self, parent_id: str, parameters: dict[str, str]) -> None:
        """MLflow never changes a parameter: where a later run has another value, a tag ``now.<name>`` says which."""
        from mlflow.entities import Param, RunTag

        known = self.client.get_run(parent_id).data.params
        new = [Param(name, value) for name, value in parameters.items() if name not in known]
        now = [RunTag(f"now.{name}", v) for name, v in parameters.items() if known.get(name, v[:6000]) != v[:6000]]
        for batch in _chunks(params=(new, _OTHERS), tags=(now, _OTHERS)):
            self.client.log_batch(parent_id, **batch)

    def _bring_record(self, record: rebuilding.Record) -> None:
        """A run that a record remembers: parameters, tags, final figures, and the curve where a file has it."""
        from mlflow.entities import Metric, Param

        start = {"experiment": record.experiment, "tags": record.tags, "time": record.began}
        experiment_id = self._experiment(record.mlflow_experiment)
        tags = {**record.tags, "ncfl.step": record.step, "ncfl.rebuilt": "from the record of the run"}
        if record.experiment:
            tags["mlflow.parentRunId"] = self._parent(experiment_id, start)
        run = self.client.create_run(experiment_id, start_time=record.began, tags=tags, run_name=record.name)
        curves = {name for _, values in record.curve for name in values}
        metrics = [
            Metric(name, value, record.began, step) for step, values in record.curve for name, value in values.items()
        ]
        for name, value in record.figures.items():
            metrics.append(Metric(f"final/{name}" if name in curves else name, value, record.ended, 0))
        parameters = [Param(name, str(value)) for name, value in record.parameters.items()]
        for batch in _chunks(metrics=(metrics, _METRICS), params=(parameters, _OTHERS)):
            self.client.log_batch(run.info.run_id, **batch)
        if inputs := browsing.inputs(record.step, tags):
            self.client.log_inputs(run.info.run_id, inputs)
        if record.model:
            registry.register(self.client, run.info, record.experiment or record.name, tags, record.model)
        self.client.set_terminated(run.info.run_id, record.status, record.ended)
        if record.experiment:
            points = [(record.began, step, values) for step, values in record.curve]
            told = {"step": record.step, "parameters": record.parameters}
            self._tell_parent(tags["mlflow.parentRunId"], told, tags, browsing.prefixed(record.step, points))
            figures = [Metric(name, value, record.ended, 0) for name, value in record.figures.items()]
            if record.step == "evaluate":
                self._parent_figures.setdefault(tags["mlflow.parentRunId"], []).extend(figures)
            self._parent_ends[tags["mlflow.parentRunId"]] = {"status": record.status, "time": record.ended}

    def _experiment(self, name: str) -> str:
        if name not in self._experiments:
            found = self.client.get_experiment_by_name(name)
            self._experiments[name] = (
                found.experiment_id
                if found
                else self.client.create_experiment(name, artifact_location=places.artifacts())
            )
            known = found.tags if found else {}
            for tag, value in browsing.experiment_tags().items():
                if tag not in known:  # what people have changed there stays
                    self.client.set_experiment_tag(self._experiments[name], tag, value)
        return self._experiments[name]

    def _parent(self, experiment_id: str, start: dict[str, Any]) -> str:
        name, preset = start["experiment"], start["tags"]["preset"]
        if (experiment_id, name, preset) not in self._parents:
            query = f"tags.`ncfl.experiment` = '{name}' and tags.preset = '{preset}'"
            found = self.client.search_runs([experiment_id], query, max_results=1)
            tags = {**start["tags"], "ncfl.experiment": name}
            self._parents[experiment_id, name, preset] = (
                found[0].info.run_id
                if found
                else self.client.create_run(
                    experiment_id, start_time=start["time"], tags=tags, run_name=name
                ).info.run_id
            )
        return self._parents[experiment_id, name, preset]

    def _run(self, experiment_id: str, parent_id: str, found: spool.Spooled) -> Any:
        """The run in MLflow."""
        start = found.start
        known = self.client.search_runs([experiment_id], f"tags.`ncfl.spool` = '{start['id']}'", max_results=1)
        if known:
            return known[0]
        tags = {**_tags(found), "ncfl.step": start["step"], "ncfl.spool": start["id"]}
        if parent_id:
            tags["mlflow.parentRunId"] = parent_id
        return self.client.create_run(experiment_id, start_time=start["time"], tags=tags, run_name=start["name"])

    def _send(self, run: Any, found: spool.Spooled) -> None:
        """Parameters, and what stands behind the last line that was sent; a run that lives remembers that line."""
        from mlflow.entities import Param, RunTag

        sent = int(run.data.tags.get(_SENT, 0))
        curves = {name for _, line in found.lines if line and line["kind"] == "points" for name in line["values"]}
        lines = [line for number, line in found.lines if line and number > sent]
        metrics = [metric for line in lines for metric in _metrics(line, curves)]
        parameters = [] if sent else [Param(name, value) for name, value in found.start["parameters"].items()]
        tags = [RunTag(name, value) for name, value in _tags(found).items() if run.data.tags.get(name) != value]
        for batch in _chunks(metrics=(metrics, _METRICS), params=(parameters, _OTHERS), tags=(tags, _OTHERS)):
            self.client.log_batch(run.info.run_id, **batch)
        if found.end is None and found.lines:  # the last call: after a kill before it everything is sent again
            self.client.set_tag(run.info.run_id, _SENT, found.lines[-1][0])

    def _add_pictures(self, run_id: str, path: Path) -> None:
        """The pictures of a training so far. Each has a name of its own, so that sending it again changes nothing."""
        folder = spool.artifacts(path)
        if folder and (folder / spool.IMAGES).is_dir():
            self.client.log_artifacts(run_id, str(folder / spool.IMAGES), spool.IMAGES)
            self._tell_of_pictures(run_id, folder)

    def _tell_of_pictures(self, run_id: str, folder: Path) -> None:
        if (folder / spool.IMAGES).is_dir():
            self.client.set_tag(run_id, "mlflow.loggedImages", "true")

    def _end(self, run: Any, path: Path, found: spool.Spooled) -> None:
        """The artifacts, and the end itself as the last call: where it is set, the run is complete."""
        if torn := sum(line is None for _, line in found.lines):
            say(f"warning: {path}: {torn} damaged lines left out of MLflow")
        if folder := spool.artifacts(path):
            self.client.log_artifacts(run.info.run_id, str(folder))
            self._tell_of_pictures(run.info.run_id, folder)
        if inputs := browsing.inputs(found.start["step"], _tags(found)):
            self.client.log_inputs(run.info.run_id, inputs)
        if model := found.last("model"):
            registry.register(self.client, run.info, found.start["experiment"], _tags(found), model)
        if _SENT in run.data.tags:
            self.client.delete_tag(run.info.run_id, _SENT)
        self.client.set_terminated(run.info.run_id, found.end["status"], found.end["time"])


def _tags(found: spool.Spooled) -> dict[str, str]:
    """All tags of a run so far: of its start, checksums, and the reason of a bad end."""
    tags = {name: str(value) for name, value in (found.start["tags"] | found.gathered("tags")).items()}
    if found.end and found.end["error"]:
        tags["error"] = found.end["error"][:4000]
    return tags


def _metrics(line: dict[str, Any], curves: Collection[str] = ()) -> list[Any]:
    """The metrics of a line. A final figure that bears a curve's name is no point of it: it is called ``final/...``."""
    from mlflow.entities import Metric

    if line["kind"] not in ("points", "figures"):
        return []
    final = line["kind"] == "figures"
    named = {f"final/{name}" if final and name in curves else name: value for name, value in line["values"].items()}
    return [Metric(name, value, line["time"], line.get("step", 0)) for name, value in named.items()]


def _chunks(**lists: tuple[list[Any], int]) -> Iterator[dict[str, list[Any]]]:
    """Keyword arguments of as few calls as it takes, at most so many of each list in one."""
    start = 0
    while batch := {name: part for name, (items, n) in lists.items() if (part := items[start * n : (start + 1) * n])}:
        yield batch
        start += 1
