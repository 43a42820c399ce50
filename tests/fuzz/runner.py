"""Each damaged file is read in a process of its own, with a limit of time and memory, in a folder that is watched."""

import contextlib
import os
import random
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fuzz.mutations import Mutation
from ncfl.common.errors import InputError, StepError

SECONDS = 20  # of processor time: on a machine that does much else a second is a short time
LONGEST = 6 * SECONDS  # until something that waits, and computes nothing, counts as hung
BYTES = 4_000_000_000
READ, REFUSED, TRACEBACK = 0, 2, 1


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        name: as the table shows it.
        make: writes good files into an empty folder and returns the one that is damaged.
        read: reads it as the program would; the folder is its second argument.
        mutations: how it is damaged; one is taken at random.
    """

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path, Path], object]
    mutations: tuple[Mutation, ...]


class Found(NamedTuple):
    """What a damaged file led to: its kind and number, and ``read``, ``refused`` or what must not happen."""

    kind: str
    number: int
    outcome: str
    words: str


def fuzz(kind: Kind, inputs: int, seed: int, folder: Path) -> list[Found]:
    """Damage a file so many times, and see what reading it does."""
    original = folder / "original"
    shutil.rmtree(folder, ignore_errors=True)
    original.mkdir(parents=True)
    target = kind.make(original).relative_to(original)
    copy = _copied(original, folder)
    ended = _in_a_process(lambda: kind.read(copy / target, copy), copy)
    if ended[0] != "read":
        raise RuntimeError(f"{kind.name}: the file that is not damaged is {ended[0]}: {ended[1]}")
    found = []
    for number in range(inputs):
        chance = random.Random(f"{kind.name} {seed} {number}")
        copy = _copied(original, folder)
        mutation = chance.choice(kind.mutations)
        (copy / target).write_bytes(mutation((original / target).read_bytes(), chance))
        outcome, words = _in_a_process(lambda copy=copy: kind.read(copy / target, copy), copy)
        strangers = {path.name for path in copy.parent.iterdir()} - {"inside"}
        if strangers:
            outcome, words = "wrote outside", ", ".join(strangers)
        found.append(Found(kind.name, number, outcome, words))
        if outcome not in ("read", "refused"):
            kept = folder / f"{kind.name}-{number}{target.suffix}"
            with contextlib.suppress(OSError):
                shutil.copyfile(copy / target, kept)
    return found


def _copied(original: Path, folder: Path) -> Path:
    copy = folder / "work" / "inside"
    shutil.rmtree(copy.parent, ignore_errors=True)
    shutil.copytree(original, copy)
    return copy


def _in_a_process(action: Callable[[], object], folder: Path) -> tuple[str, str]:
    """What became of an action in a child: an outcome, and the last words where it went wrong."""
    words = folder.parent / f".words.{os.getpid()}"
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _act(action, folder, words)
    begun = time.monotonic()
    _, status, usage = os.wait4(child, 0)
    said = words.read_text(encoding="utf-8", errors="replace").strip() if words.exists() else ""
    words.unlink(missing_ok=True)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number in (signal.SIGALRM, signal.SIGXCPU):
            computing = usage.ru_utime + usage.ru_stime
            return "hung", f"{time.monotonic() - begun:.0f} s, {computing:.0f} s of them computing"
        return "crashed", signal.Signals(number).name
    if usage.ru_maxrss * 1024 > BYTES:
        return "too much memory", f"{usage.ru_maxrss * 1024 / 1e9:.1f} GB"
    code = os.WEXITSTATUS(status)
    return {READ: "read", REFUSED: "refused"}.get(code, "traceback"), said


def _act(action: Callable[[], object], folder: Path, words: Path) -> None:
    code, said = TRACEBACK, ""
    try:
        os.chdir(folder)
        signal.alarm(LONGEST)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
        # Of data: a library's address space is larger than what it ever uses.
        resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        action()
        code = READ
    except (InputError, StepError) as error:
        code, said = REFUSED, str(error)
        if "\n" in said or len(said) > 2000:
            code, said = (
                TRACEBACK,
                f"a refusal of {len(said)} characters, {said.count(chr(10)) + 1} lines: {said[:200]!r}",
            )
    except SystemExit as error:
        code = REFUSED if error.code == 2 else TRACEBACK
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)
        place = next((f for f in reversed(where) if "/ncfl/" in f.filename), where[-1])
        said = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {str(error)[:150]}"
    finally:
        with contextlib.suppress(OSError):
            words.write_text(said, encoding="utf-8", errors="replace")
        os._exit(code)
