"""What both engines ask for: one run at a time, and what was changed behind their backs."""

import atexit
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from ncfl.common.console import say
from ncfl.common.files import atomic_path, sha256
from ncfl.config.params import Params
from ncfl.config.reruns import jobs
from ncfl.trust import dvc_claim, dvc_lock, locks, step_records
from ncfl.trust.checksums import Checksums
from ncfl.trust.raw_files import raw_faults
from ncfl.trust.step_records import Fault


def claim(what: str) -> None:
    """Make this process the one engine that runs in this project, until it ends.

    Raises:
        InputError: another one runs: says which.
    """
    locks.take(locks.ENGINE, what)
    # Whoever had Snakemake's own lock was killed, or it would have ours.
    for lock in Path(".snakemake/locks").glob("*.lock"):
        lock.unlink(missing_ok=True)
    dvc_claim.claim(what)
    atexit.register(dvc_claim.let_go)  # after a kill DVC itself sees that nobody is there


def changed(params: Params, *, deep: bool = False) -> list[Fault]:
    """All files of results and data that are not what their steps made."""
    with Checksums(fresh=deep) as checksums:
        every = jobs(params)
        found = [fault for job in every.values() for fault in step_records.faults(job, checksums)]
        for job in every.values():
            if step_records.has_only_begun(job) and not step_records.is_known(job, checksums):
                there = (path for path in job.outputs if path.exists())
                found += [Fault(path, job, "its step was ended before it was done", path) for path in there]
        for dataset in params.datasets:
            found += raw_faults(params, dataset, every[f"{dataset}-fetch"], checksums)
    return found


def take_back(faults: Iterable[Fault]) -> list[Fault]:
    """Take from DVC's cache what was changed; the faults that are left, whose steps have to run again."""
    left = []
    for fault in faults:
        if _taken_back(fault):
            say(f"warning: {fault}; taken back from DVC's cache")
        else:
            say(f"warning: {fault}; made again")
            left.append(fault)
    return left


def _taken_back(fault: Fault) -> bool:
    record, name = step_records.read(fault.job), fault.path.as_posix()
    made = record["outputs"].get(name) if record else None
    source = dvc_lock.cached(name) if made else None
    if source is None or sha256(source) != made:
        return False
    with atomic_path(fault.path) as temporary:
        shutil.copyfile(source, temporary)
        # Its old time, so that nothing that was made of it looks older than it.
        time = record.get("times", {}).get(name)
        if isinstance(time, int):
            os.utime(temporary, ns=(time, time))
    return True
