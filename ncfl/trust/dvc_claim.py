"""DVC's own lock: whether it works here, and that it does not begin while Snakemake does.

DVC notes in ``.dvc/tmp/rwlock`` which process writes which paths, and begins nothing on a path that a living process
has. Before a stage runs it removes its outputs, so it has to be kept out by its own lock, not by the steps alone.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path
from ncfl.common.processes import alive

NOTES = Path(".dvc/tmp/rwlock")


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


def _read() -> dict[str, Any]:
    """DVC's notes; none where they are missing or damaged."""
    try:
        notes = json.loads(NOTES.read_text(encoding="utf-8"))
        owners = [*notes.get("write", {}).values(), *(o for some in notes.get("read", {}).values() for o in some)]
        if all(isinstance(owner["pid"], int) and isinstance(owner["cmd"], str) for owner in owners):
            return {"write": {}, "read": {}} | notes
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return {"write": {}, "read": {}}


def _write(notes: dict[str, Any]) -> None:
    with contextlib.suppress(InputError, OSError), atomic_path(NOTES) as temporary:
        temporary.write_text(json.dumps(notes), encoding="utf-8")
