"""What stands around every step: its lock, its engine, its inputs as they were made, and its record."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ncfl.common.files import sha256
from ncfl.config import made_by
from ncfl.config.params import Params
from ncfl.config.reruns import jobs
from ncfl.trust import dvc_waiting, locks, step_records, watchdog
from ncfl.trust.staleness import settings, watched_sources


@contextlib.contextmanager
def guarded(params: Params, name: str) -> Iterator[dict[str, Any]]:
    """Run a step under guard.

    Args:
        params: the configuration.
        name: of its job (:mod:`ncfl.config.reruns`).

    Yields:
        A mapping, to be filled with what the record shall say of the step.

    Raises:
        InputError: another process does the same now, another engine runs, or an input is not what its step made.
    """
    made_by.check_lock()
    every = jobs(params)
    job = every[name]
    engine = locks.engine_of(os.environ)
    with contextlib.ExitStack() as stack:
        if engine is not None and locks.OF_ENGINE not in os.environ:  # DVC, which knows nothing of our lock
            stack.enter_context(locks.held(locks.ENGINE, "dvc"))
            dvc_waiting.keep()
        stack.enter_context(locks.held(name, f"`{job.command}`"))
        stack.enter_context(watchdog.ends_with(engine))
        inputs = step_records.inputs_of(job, every)
        step_records.begin(job)
        about: dict[str, Any] = {}
        watched = watched_sources(job)
        yield about
        wanted = {"settings": settings(params, job), "sources": sources(), "watched_sources": watched}
        step_records.write(job, {**about, **wanted}, inputs)


def sources() -> dict[str, str]:
    """The package's files that this process has loaded, with their checksums: what made the outputs."""
    root = Path(__file__).resolve().parents[2]
    files = {
        Path(file)
        for name, module in list(sys.modules.items())
        if name.split(".")[0] == "ncfl" and (file := getattr(module, "__file__", None))
    }
    return {
        file.relative_to(root).as_posix(): sha256(file)
        for file in sorted(files)
        if file.is_relative_to(root) and file.is_file()
    }
