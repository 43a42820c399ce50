"""What a record says that made its outputs, compared with what would make them now."""

import functools
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ncfl.common.files import sha256
from ncfl.config import made_by
from ncfl.config.params import Params
from ncfl.config.reruns import Job, value_at
from ncfl.tracking.provenance import versions
from ncfl.trust.checksums import Checksums


def settings(params: Params, job: Job) -> dict[str, Any]:
    """The values of ``params.yaml`` that decide what a job makes, as its record has them."""
    whole = params.model_dump(mode="json")
    return {key: value_at(whole, key) for key in job.watched}


def changed_parameters(params: Params, job: Job, record: Mapping[str, Any]) -> Iterator[str]:
    """The parameters that are others than when the job ran, a few words each."""
    then, now = record.get("settings", {}), settings(params, job)
    for key in sorted(now):
        for where, old, new in _differences(key, then.get(key), now[key]):
            yield f"{where}: {old} -> {new}"


def _differences(key: str, then: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(then, dict) and isinstance(now, dict):
        for name in sorted(then.keys() | now.keys()):
            yield from _differences(f"{key}.{name}", then.get(name), now.get(name))
    elif then != now:
        yield key, *(str(value)[:40] for value in (then, now))


def watched_sources(job: Job) -> str:
    """One checksum of all files that both engines watch for a job: an edit in any of them makes it due."""
    return checksum_of_sources(job.sources)


def checksum_of_sources(parts: tuple[str, ...]) -> str:
    """The same of parts of ``ncfl/``, as the jobs name them."""
    return _checksum_of_all(parts, Path.cwd())


@functools.cache
def _checksum_of_all(sources: tuple[str, ...], _here: Path) -> str:
    """The same, known once for each project that the process works in."""
    digest = hashlib.sha256()
    with Checksums() as checksums:  # which keeps their times, so that one that is set back is seen before DVC looks
        for path in made_by.source_files(sources):
            if path.is_file():
                digest.update(f"{path.as_posix()} {checksums.of(path)}\n".encode())
    return digest.hexdigest()


@functools.cache
def _checksum(path: Path) -> str:
    """Of a source file, which stays as it is while a process runs."""
    return sha256(path)


def changed_sources(job: Job, record: Mapping[str, Any]) -> Iterator[str]:
    """The package's files that a job watches and that are others than when it ran; those that it loaded by name."""
    loaded = list(_changed_loaded(job, record))
    yield from loaded
    if not loaded and record.get("watched_sources", now := watched_sources(job)) != now:
        yield "sources of the package that its graph watches are others"


def _changed_loaded(job: Job, record: Mapping[str, Any]) -> Iterator[str]:
    root, watched = Path(__file__).resolve().parents[2], tuple(f"ncfl/{part}" for part in job.sources)
    for name, checksum in record.get("sources", {}).items():
        if not name.startswith(watched):
            continue
        path = root / name
        if not path.is_file() or _checksum(path) != checksum:
            yield f"{name} is {'another' if path.is_file() else 'gone'}"


def changed_versions(record: Mapping[str, Any]) -> Iterator[str]:
    """The libraries on which figures depend and that are other ones than when the step ran."""
    then, now = record.get("versions", {}), versions()
    for name in pinned():
        if name in then and then[name] != now.get(name):
            yield f"{name}: {then[name]} -> {now.get(name, 'none')}"


def pinned() -> list[str]:
    """The names of those libraries, as ``versions.txt`` has them."""
    lines = (Path(__file__).resolve().parents[1] / "versions.txt").read_text(encoding="utf-8").splitlines()
    return [line.partition("==")[0] for line in lines]
