"""The spool: what a run has to tell MLflow, kept in a file until :mod:`ncfl.tracking.ingest` brings it there.

MLflow costs seconds to import, more than many a step takes. A step therefore only appends lines to a file of its own::

    results/mlflow/spool/<id>.jsonl    one JSON object a line: start, points, figures, tags, model, end
    results/mlflow/spool/<id>/         copies of its artifacts: the originals may be gone or newer by then

A line is written whole or torn, and a torn one costs nothing but itself. As long as the process lives it holds a lock
on its file, which the system takes away however the process ends; so a file without an end whose lock is free is that
of a killed run, and nobody has to guess from process ids, which mean nothing in another container.
"""

import contextlib
import fcntl
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from ncfl.common.console import say
from ncfl.config import layout

if TYPE_CHECKING:
    import numpy as np

FOLDER = layout.MLFLOW / "spool"
IMAGES = "images"  # among a run's artifacts: where MLflow looks for pictures
THUMBNAIL = 256  # pixels of the longer side, as MLflow makes them
# A lock of another machine may be invisible here (some network file systems): so long its silence means nothing.
_FOREIGN_SECONDS = 24 * 3600.0


class Forgiving(contextlib.AbstractContextManager):
    """Swallows whatever a disk or a database raises inside ``with``, after one warning for all its uses."""

    def __init__(self) -> None:
        self.warned = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        if not self.warned:
            say(f"warning: MLflow tracking stopped ({reason(error)})")
        self.warned = True
        return True


def reason(error: Exception) -> str:
    """An error's kind and the first line of what it says, short enough for one line."""
    first = (str(error).splitlines() or [""])[0][:200]
    return f"{type(error).__name__}: {first}"


def now() -> int:
    """The time as MLflow counts it: milliseconds since 1970."""
    return round(time.time() * 1000)


class Writer:
    """The file of one run. Every method may raise OSError; a later call then goes on behind the torn line.

    Args:
        start: what is known when the run begins: step, name, mlflow_experiment, experiment (or None), parameters, tags.
    """

    def __init__(self, start: Mapping[str, Any]) -> None:
        self.id = f"{now()}-{uuid.uuid4().hex[:8]}"  # sorts by the time of start
        FOLDER.mkdir(parents=True, exist_ok=True)
        new, self._torn = FOLDER / f"{self.id}.new", False
        self._file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        try:
            with contextlib.suppress(OSError):  # a file system without locks: the run then counts as living to its end
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.write("start", id=self.id, host=socket.gethostname(), pid=os.getpid(), **start)
            new.replace(FOLDER / f"{self.id}.jsonl")  # so that nobody sees a file without lock and start
        except BaseException:
            os.close(self._file)
            new.unlink(missing_ok=True)
            raise

    def write(self, kind: str, **values: Any) -> None:
        """Append one line."""
        line = json.dumps({"kind": kind, "time": now(), **values}).encode() + b"\n"
        line, self._torn = (b"\n" + line if self._torn else line), True
        if os.write(self._file, line) < len(line):
            raise OSError(f"{FOLDER}: a line could not be written in full")
        self._torn = False

    def keep(self, path: Path) -> None:
        """Keep a copy of a file or a folder, to become an artifact under its own name."""
        target = FOLDER / self.id / path.name
        target.parent.mkdir(exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(path, target)

    def keep_text(self, name: str, text: str) -> None:
        """Keep a text as an artifact."""
        target = FOLDER / self.id / name
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def keep_image(self, key: str, step: int, picture: "np.ndarray") -> None:
        """Keep a picture, uint8 [H,W,3], under the names by which MLflow shows pictures along a curve's axis."""
        from cv2 import COLOR_RGB2BGR, cvtColor, imencode, resize

        folder = FOLDER / self.id / IMAGES
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{key.replace('/', '~')}+step+{step}+timestamp+{now()}+{uuid.uuid4()}"
        whole = cvtColor(picture, COLOR_RGB2BGR)
        scale = min(1.0, THUMBNAIL / max(whole.shape[:2]))
        small = resize(whole, None, fx=scale, fy=scale)
        for file, image in ((f"{name}.png", whole), (f"{name}+compressed.webp", small)):
            (folder / file).write_bytes(imencode(Path(file).suffix, image)[1].tobytes())

    def close(self) -> None:
        """Let go of the file: from now on it is that of a run that is over."""
        os.close(self._file)


class Spooled(NamedTuple):
    """What a spool file holds at present.

    ``lines`` are (its number in the file, its content) of all whole lines behind the first, a torn one being None.
    """

    start: dict[str, Any]
    lines: list[tuple[int, dict[str, Any] | None]]
    alive: bool

    @property
    def end(self) -> dict[str, Any] | None:
        """How the run ended: time (ms), status, error. None while it lives; the killed one's end is its last line."""
        end = next((line for _, line in self.lines if line and line["kind"] == "end"), None)
        if end is not None or self.alive:
            return end
        last = max([self.start["time"], *(line["time"] for _, line in self.lines if line)])
        return {"time": last, "status": "KILLED", "error": "the process ended without a word (killed?)"}

    def last(self, kind: str) -> dict[str, Any] | None:
        """The last line of a kind."""
        return next((line for _, line in reversed(self.lines) if line and line["kind"] == kind), None)

    def gathered(self, kind: str) -> dict[str, Any]:
        """The values of all lines of a kind, the last one of each name: ``figures``, ``tags``."""
        return {
            name: value
            for _, line in self.lines
            if line and line["kind"] == kind
            for name, value in line["values"].items()
        }


def waiting() -> list[Path]:
    """The spool files that wait, in the order in which their runs began."""
    return sorted(FOLDER.glob("*.jsonl"))


def artifacts(path: Path) -> Path | None:
    """The folder of a spool file's artifacts, if there are any."""
    folder = path.with_suffix("")
    return folder if folder.is_dir() else None


def read(path: Path) -> Spooled | None:
    """What ``path`` holds; None where its first line is damaged, so that nobody can say what run it is.

    Raises:
        OSError: it cannot be read.
    """
    locked, content = _locked(path), path.read_bytes()  # in this order: an end written between the two is seen
    whole = content.split(b"\n")[:-1]  # behind the last newline stands what is being written, or was when it was killed
    start = _parsed(whole[0], "start") if whole else None
    if start is None:
        return None
    lines = [(number, _parsed(line)) for number, line in enumerate(whole[1:], 1) if line]
    foreign = start["host"] != socket.gethostname() and time.time() - path.stat().st_mtime < _FOREIGN_SECONDS
    return Spooled(start, lines, locked or foreign)


_FIELDS = {
    "start": {"id", "host", "step", "name", "mlflow_experiment", "experiment", "parameters", "tags"},
    "points": {"step", "values"},
    "figures": {"values"},
    "tags": {"values"},
    "model": {"path", "sha256", "channels"},
    "end": {"status", "error"},
}


def _parsed(text: bytes, kind: str | None = None) -> dict[str, Any] | None:
    """The line's content; None unless it is whole, and of this kind where one is asked for."""
    try:
        line = json.loads(text)
        whole = isinstance(line["time"], int) and _FIELDS[line["kind"]] <= line.keys()
    except (ValueError, TypeError, KeyError):
        return None
    return line if whole and kind in (None, line["kind"]) else None


def _locked(path: Path) -> bool:
    """Whether the process that writes ``path`` lives; so it is taken to do where the file system has no locks."""
    file = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def drop(path: Path) -> None:
    """Remove a spool file and its artifacts; the file last, so that a kill in between leaves nothing forgotten."""
    shutil.rmtree(path.with_suffix(""), ignore_errors=True)
    path.unlink(missing_ok=True)
