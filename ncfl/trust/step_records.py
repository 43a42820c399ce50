"""The record of a step: the checksums of what it read and wrote, beside what made them; and who still is as recorded.

A step writes ``results/records/<job>.json`` when it ends well, and compares its inputs with the records of the steps
that made them when it begins. What DVC brought from its cache, of another branch or another machine, is known by
``dvc.lock`` instead (:mod:`ncfl.trust.dvc_lock`).
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ncfl.common.errors import InputError
from ncfl.common.files import read_json, write_json
from ncfl.config import layout
from ncfl.config.reruns import Job
from ncfl.trust import dvc_lock
from ncfl.trust.checksums import Checksums

FOLDER = layout.RECORDS
FORMAT = "ncfl-record-1"
BEGUN = "ncfl-record-1, begun"
_IGNORED = ("__pycache__", ".snakemake_timestamp")


class Fault(NamedTuple):
    """A file that is not what its step made.

    Attributes:
        path: the file.
        job: whose output it is.
        reason: what is wrong, to be read behind the path.
        output: the file or folder, as the graph names it.
    """

    path: Path
    job: Job
    reason: str
    output: Path

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def path_of(job: Job) -> Path:
    """Where a job's record lies."""
    return layout.about(job.name)[1]


def files_of(path: Path) -> list[Path]:
    """A file itself, or all files below a folder but those that engines leave there; in one order everywhere."""
    if not path.is_dir():
        return [path] if path.exists() else []
    return sorted(p for p in path.rglob("*") if p.is_file() and not set(_IGNORED) & set(p.parts))


def checksums_of(paths: Iterable[Path], checksums: Checksums) -> dict[str, str]:
    """Name -> SHA-256 of all files in or below ``paths``; what is not there is left out."""
    return {file.as_posix(): checksums.of(file) for path in paths for file in files_of(path)}


def read(job: Job) -> dict[str, Any] | None:
    """A job's record; None where there is none, or none that can be understood."""
    return _read(path_of(job))


def kept(job: Job) -> dict[str, Any] | None:
    """The last record of a job that neither engine has removed; for where its outputs are gone too.

    Both remove what a step made, its record with it, when they begin or when it fails. Data that are made anew and fail
    (their source is on another machine) are those that trainings used all the same.
    """
    return _read(_kept(job))


def keep(job: Job) -> None:
    """Keep a job's record apart, if it has one that is not kept already."""
    if (found := read(job)) is not None and found != kept(job):
        write_json(_kept(job), found)


def _kept(job: Job) -> Path:
    return FOLDER / "kept" / f"{job.name}.json"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = read_json(path)
    except InputError:
        return None
    parts = ("inputs", "outputs")
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        return None
    return found if all(isinstance(found.get(part), dict) for part in parts) else None


def begin(job: Job) -> None:
    """Note that ``job`` has begun: until it has ended well nothing vouches for its outputs."""
    write_json(path_of(job), {"format": BEGUN})


def has_only_begun(job: Job) -> bool:
    """Whether a job began, and neither ended well nor was followed by another that did."""
    try:
        found = read_json(path_of(job))
    except InputError:
        return False
    return isinstance(found, dict) and found.get("format") == BEGUN


def write(job: Job, about: Mapping[str, Any], inputs: Mapping[str, str]) -> None:
    """Record that ``job`` has ended well.

    Args:
        job: what ran.
        about: parameters, versions, commit and what else is to be known of it.
        inputs: name -> SHA-256 when it began.
    """
    with Checksums() as checksums:
        _know_arrays(job, checksums)
        outputs = checksums_of(job.outputs, checksums)
    times = {name: Path(name).stat().st_mtime_ns for name in outputs}
    what = {"format": FORMAT, "job": job.name, "command": job.command, **about}
    write_json(path_of(job), {**what, "inputs": dict(inputs), "outputs": outputs, "times": times})
    keep(job)


def _know_arrays(job: Job, checksums: Checksums) -> None:
    """Take the checksums of prepared arrays from the manifest that was just written: they need not be read again."""
    for folder in job.outputs:
        if folder.parent == layout.prepared("x").parent:
            for clip in read_json(folder / "manifest.json")["clips"]:
                for file in clip["files"].values():
                    checksums.know(folder / file["path"], file["sha256"])


def inputs_of(job: Job, all_jobs: Mapping[str, Job]) -> dict[str, str]:
    """The checksums of what a job is about to read.

    Raises:
        InputError: a file is not what its step made; says which, and what makes it again.
    """
    with Checksums() as checksums:
        makers = {path: maker for maker in all_jobs.values() for path in maker.outputs}
        for path in job.inputs:
            maker = makers.get(path)
            for fault in faults(maker, checksums, only=path) if maker else ():
                raise InputError(f"{fault}; make it again: {fault.job.command}, or take it back: dvc checkout {path}")
        return checksums_of(job.inputs, checksums)


def faults(job: Job, checksums: Checksums, *, only: Path | None = None) -> Iterator[Fault]:
    """The outputs of a job that are not what it made, nor what DVC knows; outputs of which nothing is known pass.

    What is not there at all is no fault: the engines make it.
    """
    record = read(job)
    for path in job.outputs if only is None else (only,):
        found = checksums_of([path], checksums)
        if record is None or not found:
            continue
        below = f"{path.as_posix()}/"
        made = {n: c for n, c in record["outputs"].items() if n == path.as_posix() or n.startswith(below)}
        if found == made or dvc_lock.knows(path, found):
            continue
        for name in sorted(found.keys() | made.keys()):
            if found.get(name) != made.get(name):
                yield Fault(Path(name), job, _difference(found.get(name), made.get(name), job), path)


def _difference(found: str | None, made: str | None, job: Job) -> str:
    verb = " ".join(job.command.split()[:2])
    if found is None:
        return f"gone since `{verb}` made it"
    if made is None:
        return f"not made by `{verb}`"
    return f"changed since `{verb}` made it (sha256 is {found[:12]}..., recorded {made[:12]}...)"


def is_known(job: Job, checksums: Checksums) -> bool:
    """Whether a record or DVC vouches for every output of a job that is there."""
    if read(job) is not None:
        return next(faults(job, checksums), None) is None
    return all(dvc_lock.knows(path, checksums_of([path], checksums)) for path in job.outputs if path.exists())
