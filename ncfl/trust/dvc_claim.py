"""DVC's own lock: whether it works here, that it does not begin while Snakemake does, and what its killed left of it.

DVC notes in ``.dvc/tmp/rwlock`` which process writes which paths, and begins nothing on a path that a living process
has. Before a stage runs it removes its outputs, so it has to be kept out by its own lock, not by the steps alone.
It writes these notes in place, under the lock ``rwlock.lock``, and will not begin where a kill left half of them.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ncfl.common.console import say
from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path
from ncfl.common.processes import alive

NOTES = Path(".dvc/tmp/rwlock")
GUARD = Path(".dvc/tmp/rwlock.lock")


def claim(what: str) -> None:
    """Keep DVC out of this folder until the process ends, or :func:`let_go`.

    Raises:
        InputError: DVC works here: says which process.
    """
    if not NOTES.parent.parent.is_dir():
        return
    notes = _read()
    write = notes.setdefault("write", {})
    readers = [owner for owners in notes.setdefault("read", {}).values() for owner in owners]
    for owner in (*write.values(), *readers):
        if owner["cmd"] != what and alive(owner["pid"]):
            raise InputError(
                f"dvc is running here: process {owner['pid']} ({owner['cmd']}); wait until it ends, or end it"
            )
    write[str(Path.cwd())] = {"pid": os.getpid(), "cmd": what}
    _write(notes)


def let_go() -> None:
    """Let DVC in again."""
    notes = _read()
    if notes["write"].get(str(Path.cwd()), {}).get("pid") == os.getpid():
        del notes["write"][str(Path.cwd())]
        _write(notes)


def mend() -> None:
    """Remove notes that cannot be read and that nobody is writing."""
    if not NOTES.exists() or _understood(NOTES) is not None:
        return
    with holding(GUARD) as ours:  # else a living DVC writes them at this moment
        if ours and NOTES.exists() and _understood(NOTES) is None:
            NOTES.unlink()
            say(f"note: {NOTES}, half-written by a dvc that was killed, is removed")


@contextlib.contextmanager
def holding(lock: Path) -> Iterator[bool]:
    """Hold a file by which DVC keeps others out, as it does; whether it could be had at once."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        file.seek(0)
        # `core.hardlink_lock`: the file itself is the lock, and has more in it than a process's number.
        yield not file.read().strip().strip("0123456789")


def _read() -> dict[str, Any]:
    """DVC's notes; none where they are missing or damaged."""
    with contextlib.suppress(OSError):
        return {"write": {}, "read": {}} | (_understood(NOTES) or {})
    return {"write": {}, "read": {}}


def _understood(path: Path) -> dict[str, Any] | None:
    """The notes in a file, if DVC would understand them."""
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
        owners = [*notes.get("write", {}).values(), *(o for some in notes.get("read", {}).values() for o in some)]
        if all(isinstance(owner["pid"], int) and isinstance(owner["cmd"], str) for owner in owners):
            return notes
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def _write(notes: dict[str, Any]) -> None:
    with contextlib.suppress(InputError, OSError), atomic_path(NOTES) as temporary:
        temporary.write_text(json.dumps(notes), encoding="utf-8")
