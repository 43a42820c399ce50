"""The plan of ``ncfl check``: what is to do, how long that takes here, and what is missing for it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ncfl.common.text import paragraph, table
from ncfl.config import layout
from ncfl.config.data import PublishedData
from ncfl.config.params import Params
from ncfl.config.reruns import Job, jobs
from ncfl.data.transport.source_table import archives
from ncfl.trust import step_records
from ncfl.trust.staleness import changed_parameters

GB = 1e9


def plan(params: Params) -> str:
    """The steps by kind, with the time that those to do took here when they ran before; then what is missing.

    A step counts as done when all its outputs are there; whether they are still right is what ``ncfl status`` and the
    engines find out. A time is known for a step that ran here with the same parameters; for others of its kind the
    mean of those is taken, and nothing where there are none.
    """
    kinds: dict[str, list[Job]] = {}
    for job in jobs(params).values():
        kinds.setdefault(kind_of(params, job), []).append(job)
    rows, total, unknown = [], 0.0, 0
    for kind, found in kinds.items():
        due = [job for job in found if not all(path.exists() for path in job.outputs)]
        seconds = estimate(params, found, due)
        total, unknown = total + (seconds or 0.0), unknown + (len(due) if seconds is None else 0)
        time = "-" if not due else "not known yet" if seconds is None else duration(seconds)
        rows.append({"steps": kind, "in all": len(found), "to do": len(due), "time of those": time})
    known = f"to do: {duration(total)} of one process after the other" if total else ""
    words = [known, f"{unknown} steps to do never ran here, so their time is not known" if unknown else ""]
    lines = [*(paragraph(word) for word in words if word), *(paragraph(word) for word in missing(params))]
    return "\n".join([table([{k: str(v) for k, v in row.items()} for row in rows]), *lines])


def kind_of(params: Params, job: Job) -> str:
    """What people call such steps."""
    if job.name.endswith(("-fetch", "-prepare")) and not job.experiment:
        return "data"
    if job.name == "pretrain-flow":
        return "motion estimation"
    if "-train-stage" in job.name:
        return "trainings of compared methods" if job.experiment in params.all_compared else "trainings of NCFL"
    return "evaluations" if job.experiment else "counts, tables, figures, page"


def estimate(params: Params, alike: list[Job], due: list[Job]) -> float | None:
    """Seconds that the ``due`` among steps of one kind take here; None where none of the kind has run."""
    known = {job.name: seconds for job in alike if (seconds := _seconds(params, job)) is not None}
    if not due:
        return 0.0
    if not known:
        return None
    mean = sum(known.values()) / len(known)
    return sum(known.get(job.name, mean) for job in due)


def _seconds(params: Params, job: Job) -> float | None:
    """How long a step took, if it ran with today's parameters."""
    record: dict[str, Any] = step_records.read(job) or {}
    seconds = record.get("seconds")
    if not isinstance(seconds, int | float) or seconds < 0 or next(changed_parameters(params, job, record), None):
        return None
    return float(seconds)


def missing(params: Params) -> Iterator[str]:
    """What the steps need and this place has not got, with what to do; a sentence each."""
    for name, data in params.datasets.items():
        if isinstance(data, PublishedData) and not (layout.raw(name) / "index.json").exists():
            rows = archives(name)
            limits = [row.unpacked_bytes for row in rows]
            size = f", at most {sum(limits) / GB:.1f} GB unpacked" if rows and None not in limits else ""
            count = "1 archive" if len(rows) == 1 else f"{len(rows)} archives"
            yield f"missing: {name}, {count}{size}: ncfl fetch --dataset {name}"
    yield f"free on this disk: {shutil.disk_usage(Path.cwd()).free / GB:.0f} GB"
    if params.machine.device != "cpu" and not Path("/dev/nvidia0").exists():
        yield "no GPU here: trainings run on the processor"


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
