"""Snakemake is told what was made elsewhere, and what of it is stale.

It knows a result by its time and by notes of its own (``.snakemake/metadata``), which neither DVC nor git carry: a
fresh clone with pulled results has no notes, and after a change of branch they are those of the other branch. Records
travel with the results. So where a record says that a result is that of the present configuration, notes of another
run are dropped and times are put in order; where it says that it is stale, its step is due.
"""

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from ncfl.common.errors import InputError
from ncfl.config import layout
from ncfl.config.reruns import Job
from ncfl.trust import step_records
from ncfl.trust.chains import HOLD, Link

_STAMP = ".snakemake_timestamp"  # the time of a folder, as Snakemake has it


def agree(
    links: Mapping[str, Link], noted: Callable[[str], float | None], forget: Callable[[str], object]
) -> list[Path]:
    """Bring times and notes in order.

    Args:
        links: every step, those first that others need.
        noted: when Snakemake noted how a file was made, in seconds since 1970; None where it did not.
        forget: drops such a note.

    Returns:
        An output of each step that is due although Snakemake would not see it.
    """
    due = []
    for link in links.values():
        if link.state == "stale":
            due.append(link.job.outputs[0])
        elif link.state in HOLD and link.record:
            with contextlib.suppress(InputError):  # a place where nothing may be written, and where nothing will fail
                step_records.keep(link.job)
            _accept(link.job, noted, forget)
    return due


def away(links: Mapping[str, Link]) -> dict[str, set[Path]]:
    """For steps that hold: their inputs that are not here and need not be made for them."""
    return {
        name: {path for path in link.job.inputs if not path.exists()}
        for name, link in links.items()
        if link.state in HOLD
    }


def _accept(job: Job, noted: Callable[[str], float | None], forget: Callable[[str], object]) -> None:
    outputs = [*job.outputs, *layout.about(job.name)]
    record = layout.about(job.name)[1]
    when, made = noted(record.as_posix()), _time(record)
    if (when is not None and made is not None and when < made) or not all(path.exists() for path in job.inputs):
        for path in outputs:
            forget(path.as_posix())
    if job.outputs[0].exists():
        given = [time for path in job.inputs if (time := _time(path))]
        if max(given, default=0.0) > min(time for path in outputs if (time := _time(path))):
            for path in outputs:
                _touch(path)


def _time(path: Path) -> float | None:
    for place in (path / _STAMP, path):
        with contextlib.suppress(OSError):
            return place.stat().st_mtime
    return None


def _touch(path: Path) -> None:
    # A run's own record may be missing, and decides nothing; a dry run may be of results that nobody may write.
    with contextlib.suppress(OSError):
        if path.is_dir():
            (path / _STAMP).touch()
        os.utime(path)
