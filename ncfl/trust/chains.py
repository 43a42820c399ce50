"""From the numbers in tables back to the data: each link a step, its record, its inputs and its outputs."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ncfl.config.jobs import Job, jobs
from ncfl.config.params import Params
from ncfl.trust import records
from ncfl.trust.checksums import Checksums
from ncfl.trust.raw import raw_faults
from ncfl.trust.wanted import changed_parameters, changed_sources, changed_versions


class Link(NamedTuple):
    """A step, and whether what it made can be believed.

    Attributes:
        job: the step.
        state: ``done``, ``to do``, ``stale`` (made of something else than is there now), ``changed`` (its files are
            not what it made) or ``unrecorded``.
        reasons: why, a few words each.
        record: what is known of how it was made; empty where there is none.
    """

    job: Job
    state: str
    reasons: tuple[str, ...]
    record: Mapping[str, Any]


def links(params: Params, *, deep: bool = False) -> dict[str, Link]:
    """Every step by name, in the order of the graph."""
    found: dict[str, Link] = {}
    every = jobs(params)
    makers = {path: job.name for job in every.values() for path in job.outputs}
    with Checksums(fresh=deep) as checksums:
        for name, job in every.items():
            link = _link(params, job, checksums)
            if link.state == "done":
                upstream = dict.fromkeys(makers[path] for path in job.inputs if path in makers)
                broken = [u for u in upstream if found[u].state in ("stale", "changed", "to do")]
                if broken:
                    link = link._replace(state="stale", reasons=tuple(f"{u} is {found[u].state}" for u in broken))
            found[name] = link
    return found


def _link(params: Params, job: Job, checksums: Checksums) -> Link:
    record = records.read(job) or {}
    absent = [path for path in job.outputs if not path.exists()]
    if absent:
        return Link(job, "to do", (f"{absent[0]} is not there",) if len(absent) < len(job.outputs) else (), record)
    faults = list(records.faults(job, checksums))
    if job.name.endswith("-fetch"):
        faults += raw_faults(params, job.name.removesuffix("-fetch"), job, checksums)
    if faults:
        return Link(job, "changed", tuple(map(str, faults)), record)
    if not record:
        known = records.is_known(job, checksums)
        return Link(job, "done" if known else "unrecorded", ("known to DVC alone",) if known else (), record)
    inputs = _changed_inputs(job, record, checksums)
    changed = (changed_parameters(params, job, record), changed_sources(record), changed_versions(record))
    reasons = (*inputs, *itertools.chain(*changed))
    return Link(job, "stale" if reasons else "done", reasons, record)


def _changed_inputs(job: Job, record: Mapping[str, Any], checksums: Checksums) -> Iterator[str]:
    now, then = records.checksums_of(job.inputs, checksums), record["inputs"]
    for name in sorted(now.keys() | then.keys()):
        if now.get(name) != then.get(name):
            yield f"{name} is {'new' if name not in then else 'gone' if name not in now else 'another'}"
