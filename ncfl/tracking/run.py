"""Runs: every step leaves one, in MLflow for people to browse and as a JSON file beside the results.

A run is written to the spool as it goes (:mod:`ncfl.tracking.spool`), and :mod:`ncfl.tracking.ingest` brings it from
there to MLflow when its step ends. With ``NCFL_DEFER_MLFLOW=1`` in the environment, as in a graph of many short steps,
that is left to ``ncfl mlflow-sync``. A step that runs for minutes is brought there while it runs, so that it can be
watched.

Tracking never costs a result: if the spool or the database can't be written, one warning says so, the step goes on,
and the JSON file is complete all the same.
"""

import contextlib
import datetime
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ncfl.common.files import sha256, write_json
from ncfl.config import layout
from ncfl.tracking import ingest, provenance, spool, system

if TYPE_CHECKING:
    import numpy as np

DEFER = "NCFL_DEFER_MLFLOW"
# Short steps never pay for MLflow's import; whoever watches a longer one sees it half a minute late at most.
WATCHED_AFTER_SECONDS = 60.0
WATCHED_EVERY_SECONDS = 30.0


class Run:
    """One step's run: curves, figures, artifacts, checksums.

    Made by :func:`run`. ``log`` is what steps are handed; nothing of MLflow reaches them.
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
        self.network: dict[str, Any] | None = None
        self._artifacts: list[Path] = []
        self._forgiving = spool.Forgiving()
        self._spool: spool.Writer | None = None
        self._monitor: system.Monitor | None = None
        self._one_at_a_time = threading.Lock()
        self._watched = False
        self._began = self._brought = time.monotonic()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One point of each curve in ``values`` at iteration ``step``."""
        self._write("points", step=step, values={name: float(value) for name, value in values.items()})

    def figure(self, **values: float) -> None:
        """Final figures of the step."""
        figures = {name: float(value) for name, value in values.items()}
        self.figures.update(figures)
        self._write("figures", values=figures)

    def artifact(self, path: Path) -> None:
        """A file to keep a copy of in MLflow: small ones, tables and pictures, not weights."""
        self._artifacts.append(path)

    @property
    def is_watched(self) -> bool:
        """Whether anybody can see curves and pictures: whether MLflow is not left out."""
        return self._spool is not None

    def image(self, key: str, step: int, picture: "np.ndarray") -> None:
        """A picture at iteration ``step``: uint8 [H,W,3], RGB."""
        if self._spool is not None:
            with self._forgiving:
                self._spool.keep_image(key, step, picture)

    def model(self, checkpoint: Path, *, channels: int) -> None:
        """The network that came of the step: the file that holds it, and the channels of a frame."""
        self.network = {"path": checkpoint.as_posix(), "sha256": sha256(checkpoint), "channels": channels}
        self._write("model", **self.network)

    def checksum(self, name: str, sha256: str) -> None:
        """The checksum of data that the step read or made."""
        self.tags[f"data.{name}.sha256"] = sha256
        self._write("tags", values={f"data.{name}.sha256": sha256})

    def _open(self, mlflow_experiment: str) -> None:
        everything = {**self.parameters, **provenance.machine()}
        everything |= {f"version.{name}": version for name, version in provenance.versions().items()}
        with self._forgiving:
            self._spool = spool.Writer(
                {
                    "step": self.step,
                    "name": self.name,
                    "mlflow_experiment": mlflow_experiment,
                    "experiment": self.experiment,
                    "parameters": {name: str(value) for name, value in everything.items()},
                    "tags": {name: str(value) for name, value in self.tags.items()},
                }
            )
            self._monitor = system.Monitor(self._sample)
            self._monitor.start()

    def _sample(self, step: int, values: Mapping[str, float]) -> None:
        """What the machine does; from a thread of its own, which never brings anything to MLflow."""
        with self._forgiving, self._one_at_a_time:
            self._spool.write("points", step=step, values=values)

    def _write(self, kind: str, **values: Any) -> None:
        if self._spool is None:
            return
        with self._forgiving, self._one_at_a_time:
            self._spool.write(kind, **values)
        now = time.monotonic()
        if now - self._began > WATCHED_AFTER_SECONDS and now - self._brought > WATCHED_EVERY_SECONDS:
            self._watched = True
            self._bring(wait=0)

    def _end(self, status: str, error: str, figures: Mapping[str, float]) -> None:
        if self._monitor is not None:
            self._monitor.end()
        if self._spool is None:
            return
        with self._forgiving:
            self._spool.keep_text("environment.txt", provenance.installed())
        for path in self._artifacts:
            with self._forgiving:
                self._spool.keep(path)
        with self._forgiving:
            self._spool.write("figures", values=figures)
        with self._forgiving:
            self._spool.write("end", status=status, error=error)
        with self._forgiving:
            self._spool.close()
        # Who watched a long step wants to see its end, and MLflow is imported already.
        if self._watched or os.environ.get(DEFER, "") in ("", "0"):
            self._bring(wait=ingest.WAIT_SECONDS)

    def _bring(self, wait: float) -> None:
        if self._forgiving.warned:
            return
        with self._forgiving:
            ingest.ingest(wait=wait)
        self._brought = time.monotonic()


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
    if mlflow_experiment is not None:
        current._open(mlflow_experiment)
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
        cost = {"seconds": seconds, "peak_memory_mb": provenance.peak_memory_mb()}
        current.figures.update(cost)
        record = {
            "step": step,
            "name": current.name,
            "experiment": experiment,
            "mlflow_experiment": mlflow_experiment,
            "status": status,
            "error": error,
            "started": started.isoformat(timespec="seconds"),
            "parameters": current.parameters,
            "tags": current.tags,
            "figures": current.figures,
            "model": current.network,
            "versions": provenance.versions(),
            "machine": provenance.machine(),
        }
        try:
            write_json(layout.RUNS / f"{current.name.replace(' ', '-')}.json", record)
        finally:
            current._end(status, error, cost)


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, Mapping):
            flat |= _flat(item, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = item
    return flat
