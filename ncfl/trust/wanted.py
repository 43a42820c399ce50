"""What a record says that made its outputs, compared with what would make them now."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ncfl.config.params import GROUPS, Params
from ncfl.trust.jobs import Job

# What every step loads to say and record things, without deciding what it makes.
_DECIDES_NOTHING = ("ncfl/cli/", "ncfl/trust/", "ncfl/tracking/", "ncfl/config/", "ncfl/common/", "ncfl/__init__.py")


def settings(params: Params, job: Job) -> dict[str, Any]:
    """The values of ``params.yaml`` that decide what a job makes, as its record has them."""
    whole = params.model_dump(mode="json")
    name = job.experiment
    blocks = GROUPS
    found: dict[str, Any] = {}
    if job.name.endswith(("-fetch", "-prepare")):
        dataset = job.name.rpartition("-")[0]
        found = {f"datasets.{dataset}": whole["datasets"][dataset]}
        if job.name.endswith("-fetch"):
            found["seed"] = whole["seed"]
    elif job.name == "pretrain-flow":
        found = {"seed": whole["seed"], "motion": whole["motion"]}
    elif name:
        own = next(whole[block][name] for block in blocks if name in whole[block])
        found = {"seed": whole["seed"]}
        if job.name.endswith("-evaluate"):
            found |= {"evaluation": whole["evaluation"], f"{name}.evaluate": own["evaluate"]}
        else:
            found |= {key: whole[key] for key in ("training", "model")}
            found |= {f"schedules.{own['dataset']}": whole["schedules"][own["dataset"]]}
            found |= {f"{name}.{key}": own[key] for key in ("train", "method", "network") if key in own}
            if "method" in own:
                del found["model"]
    elif job.name in ("tables", "figures", "report"):
        found = {"preset": whole["preset"], **{block: whole[block] for block in blocks}}
    return found


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
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
            yield f"{name} is {'another' if path.is_file() else 'gone'}"
