"""From the numbers in tables back to the data: each link a step, its record, its inputs and its outputs."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ncfl.config.params import Params
from ncfl.config.reruns import Job, jobs
from ncfl.trust import step_records
from ncfl.trust.checksums import Checksums
from ncfl.trust.raw_files import raw_faults
from ncfl.trust.staleness import changed_parameters, changed_sources, changed_versions

HOLD = ("done", "away")  # states in which nothing is due


class Link(NamedTuple):
    """A step, and whether what it made can be believed.

    Attributes:
        job: the step.
        state: ``done``, ``to do``, ``away`` (made once and not here: only its record came, and who reads it is done),
            ``stale`` (made of something else than is there now), ``changed`` (its files are not what it made) or
            ``unrecorded``.
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
        recorded = {name: _record(job) for name, job in every.items()}
        for name, job in every.items():
            given = {path: recorded[makers[path]].get("outputs", {}) for path in job.inputs if path in makers}
            link = _link(params, job, recorded[name], given, checksums)
            if link.state in HOLD:
                upstream = dict.fromkeys(makers[path] for path in job.inputs if path in makers)
                broken = [u for u in upstream if found[u].state in ("stale", "changed", "to do")]
                if broken:
                    link = link._replace(state="stale", reasons=tuple(f"{u} is {found[u].state}" for u in broken))
            found[name] = link
    return found


def behind(found: Mapping[str, Link], name: str) -> list[Link]:
    """A step, and all whose outputs it depends on, back to the data."""
    makers = {path: link.job.name for link in found.values() for path in link.job.outputs}
    seen, todo = {name: found[name]}, [name]
    while todo:
        upstream = [makers[path] for path in found[todo.pop()].job.inputs if path in makers]
        new = [one for one in dict.fromkeys(upstream) if one not in seen]
        seen |= {one: found[one] for one in new}
        todo += new
    return list(seen.values())


def _record(job: Job) -> Mapping[str, Any]:
    """A job's record; where nothing that it made is here, the last that was kept."""
    found = step_records.read(job)
    if found is None and not any(path.exists() for path in job.outputs):
        found = step_records.kept(job)
    return found or {}


def _link(
    params: Params, job: Job, record: Mapping[str, Any], given: Mapping[Path, Mapping[str, str]], checksums: Checksums
) -> Link:
    """One step by itself; ``given``: what the makers of its inputs recorded of them, for those that are away."""
    absent = [path for path in job.outputs if not path.exists()]
    if absent and (not record or len(absent) < len(job.outputs)):
        return Link(job, "to do", (f"{absent[0]} is not there",) if len(absent) < len(job.outputs) else (), record)
    faults = list(step_records.faults(job, checksums))
    if job.name.endswith("-fetch"):
        faults += raw_faults(params, job.name.removesuffix("-fetch"), job, checksums)
    if faults:
        return Link(job, "changed", tuple(map(str, faults)), record)
    if not record:
        known = step_records.is_known(job, checksums)
        return Link(job, "done" if known else "unrecorded", ("known to DVC alone",) if known else (), record)
    inputs = _changed_inputs(job, record, given, checksums)
    changed = (changed_parameters(params, job, record), changed_sources(job, record), changed_versions(record))
    reasons = (*inputs, *itertools.chain(*changed))
    if absent:
        return Link(job, "to do" if reasons else "away", reasons, record)
    return Link(job, "stale" if reasons else "done", reasons, record)


def _changed_inputs(
    job: Job, record: Mapping[str, Any], given: Mapping[Path, Mapping[str, str]], checksums: Checksums
) -> Iterator[str]:
    now, then = step_records.checksums_of(job.inputs, checksums), record["inputs"]
    for path, made in given.items():
        if not path.exists():
            now |= {name: checksum for name, checksum in made.items() if Path(name).is_relative_to(path)}
    for name in sorted(now.keys() | then.keys()):
        if now.get(name) != then.get(name):
            yield f"{name} is {'new' if name not in then else 'gone' if name not in now else 'another'}"
