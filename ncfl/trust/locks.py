"""Who works in this project now: locks that the system takes away however their owner ends.

A lock is a file in ``results/locks`` that its owner holds with ``flock``; what is written in it only says who that is.
So nobody has to guess from process ids whether an owner lives, and nothing is left to unlock after a kill.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from ncfl.common.errors import InputError
from ncfl.config import layout

FOLDER = layout.RESULTS / "locks"
ENGINE = "engine"
# Set by an engine for the steps that it starts: its process id.
OF_ENGINE = "NCFL_ENGINE"


def take(name: str, what: str) -> int | None:
    """Take a lock until the process ends, or :func:`let_go`.

    Args:
        name: of the lock: ``engine``, or that of a step.
        what: the owner does, in a few words; others are told.

    Returns:
        What to hand to :func:`let_go`; None on a file system without locks.

    Raises:
        InputError: another process has it; says which, since when, and what it does.
    """
    path = FOLDER / f"{name}.lock"
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _owner(path)
            os.close(file)
            raise InputError(f"{owner}; wait until it ends, or end it") from None
        except OSError:
            os.close(file)
            return None
        # The owner before may have removed the file between our opening and locking it: then it is nobody's.
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(file).st_ino == path.stat().st_ino:
                break
        os.close(file)
    try:
        os.ftruncate(file, 0)
        os.write(file, json.dumps({"pid": os.getpid(), "since": time.time(), "what": what}).encode())
    except OSError as error:
        let_go(name, file)
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    return file


def let_go(name: str, file: int | None) -> None:
    """Give a lock back and leave no file."""
    if file is None:
        return
    with contextlib.suppress(OSError):
        (FOLDER / f"{name}.lock").unlink()
    os.close(file)


@contextlib.contextmanager
def held(name: str, what: str) -> Iterator[None]:
    """Hold a lock while the block runs."""
    file = take(name, what)
    try:
        yield
    finally:
        let_go(name, file)


def _owner(path: Path) -> str:
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner["since"]))
        return f"{owner['what']} is running here: process {owner['pid']}, since {since}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"another process has {path}"


def engine_of(environment: Mapping[str, str]) -> int | None:
    """The process id of the engine that started this process; None where a person did."""
    given = environment.get(OF_ENGINE, "")
    if given.isdecimal():
        return int(given)
    return _beyond_shells(os.getppid()) if "DVC_STAGE" in environment else None


def _beyond_shells(process: int) -> int:
    """The process, or what started it if it is only a shell that an engine began for a command."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")
        name = fields[0].partition("(")[2]
        return int(fields[2].split()[1]) if name in ("sh", "bash", "dash", "zsh") else process
    except (OSError, ValueError, IndexError):
        return process
