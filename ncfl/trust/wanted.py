"""What a record says that made its outputs, compared with what would make them now."""

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from ncfl.common.files import sha256
from ncfl.config.jobs import Job
from ncfl.config.params import Params
from ncfl.tracking.provenance import versions

# What every step loads to say and record things, without deciding what it makes.
_DECIDES_NOTHING = ("ncfl/cli/", "ncfl/trust/", "ncfl/tracking/", "ncfl/config/", "ncfl/common/", "ncfl/__init__.py")


def settings(params: Params, job: Job) -> dict[str, Any]:
    """The values of ``params.yaml`` that decide what a job makes, as its record has them."""
    whole = params.model_dump(mode="json")
    return {key: reduce(getitem, key.split("."), whole) for key in job.watched}


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


def changed_sources(record: Mapping[str, Any]) -> Iterator[str]:
    """The package's files that the step had loaded and that are others now."""
    root = Path(__file__).resolve().parents[2]
    for name, checksum in record.get("sources", {}).items():
        if name.startswith(_DECIDES_NOTHING):
            continue
        path = root / name
        if not path.is_file() or sha256(path) != checksum:
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
