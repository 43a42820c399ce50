"""What people see of a run of the graph: steps done of all, those that run with what they say, and the time left.

On a terminal a view that is kept up to date, below a line for each step that has ended; elsewhere plain lines alone.
Snakemake's own talk stands in its log file (``.snakemake/log``), what a step says in ``results/logs/<step>.log``.
"""

import contextlib
import logging
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ncfl.common.errors import InputError
from ncfl.common.files import read_json
from ncfl.steps.planning import duration
from ncfl.trust.step_records import FOLDER

if TYPE_CHECKING:
    from rich.text import Text

PLAIN_SECONDS = 60.0  # between two lines about steps that run, where there is no terminal
TAIL_BYTES = 2000
UNKNOWN = 0.1  # of the steps that are left: so many may be of kinds whose time nobody knows
# How the names of steps end, by rule: what a step took before tells what those like it take.
_ENDINGS = {
    "fetch": "-fetch",
    "prepare": "-prepare",
    "train_stage1": "-train-stage1",
    "train_compared": "-train-stage1",
    "train_stage2": "-train-stage2",
    "evaluate": "-evaluate",
    "pretrain_flow": "pretrain-flow",
    "complexity": "complexity",
    "tables": "tables",
    "figures": "figures",
    "report": "report",
}
# Of what Snakemake says without an event these are worth a line; the rest is in its log file.
_SAID = ("Nothing to be done", "Will exit after", "Trying to restart", "Terminating")
_PROGRESS = re.compile(r"\d+(/\d+)? \w+  ")  # as ncfl.common.progress writes it
_OF_A_STEP = re.compile(r"CalledProcessError.* > (\S+\.log) 2>&1", re.DOTALL)
# Each failure has its own lines already.
_FINAL = ("Exiting because a job execution failed", "At least one job did not complete successfully")


@dataclass
class Running:
    """A step that runs."""

    rule: str
    log: Path
    began: float = field(default_factory=lambda: time.monotonic())

    @property
    def name(self) -> str:
        """As its log is called."""
        return self.log.stem


class RunView:
    """The state of a run, and how it is shown.

    Args:
        stream: where; a terminal or not.
        known: seconds that a step of a rule took before.
    """

    def __init__(self, stream: TextIO, known: Mapping[str, float]) -> None:
        self.stream, self.known = stream, known
        self.began = time.monotonic()
        self.counts: Counter[str] = Counter()  # by rule: still to end
        self.total = self.done = 0
        self.running: dict[int, Running] = {}
        self.took: dict[str, list[float]] = {}
        self._over, self._live, self._lock = threading.Event(), None, threading.RLock()

    def plan(self, counts: Mapping[str, int]) -> None:
        """How many steps of each rule there are to do."""
        with self._lock:
            self.counts, self.total = Counter(counts), sum(counts.values())
            self.say(f"{self.total} steps to do{self._left()}")
            self._open()

    def started(self, number: int, rule: str, log: Path) -> None:
        """A step begins."""
        with self._lock:
            self.running[number] = Running(rule, log)

    def ended(self, number: int) -> None:
        """A step has ended well."""
        with self._lock:
            step = self.running.pop(number, None)
            if step is None:
                return
            seconds = time.monotonic() - step.began
            self.took.setdefault(step.rule, []).append(seconds)
            self.counts[step.rule] -= 1
            self.done += 1
            self.say(f"[{self.done}/{self.total}] {step.name}: {duration(seconds)}{self._left()}")
            if self.done == self.total:
                self.close()
                self.say(f"{self.total} steps done in {duration(time.monotonic() - self.began)}")

    def failed(self, number: int) -> None:
        """A step has failed: what it said last, and where the rest stands."""
        with self._lock:
            step = self.running.pop(number, None)
            if step is not None:
                self.say(
                    f"failed: {step.name}: {last_line(step.log) or 'it said nothing'}\n  all that it said: {step.log}"
                )

    def failed_with(self, log: Path) -> None:
        """The step with this log has failed."""
        for number in [number for number, step in self.running.items() if step.log == log]:
            self.failed(number)

    def say(self, line: str) -> None:
        """A line that stays."""
        if self._live is not None:
            self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=self.stream, flush=True)

    def close(self) -> None:
        """No more than lines from now on."""
        self._over.set()
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def lines(self) -> list[str]:
        """The view at present: a line for all, and one for each step that runs."""
        with self._lock:
            head = f"{self.done} of {self.total} steps done, {len(self.running)} running{self._left()}"
            return [head, *(f"  {step.name}: {_progress(step)}" for step in self.running.values())]

    def seconds_left(self) -> tuple[float, bool]:
        """Seconds until all is done, at as many steps at once as run now; whether nearly all times are known."""
        means = {rule: sum(took) / len(took) for rule, took in self.took.items()}
        due = {rule: number for rule, number in self.counts.items() if number > 0}
        unknown = sum(number for rule, number in due.items() if rule not in means and rule not in self.known)
        whole = unknown <= UNKNOWN * sum(due.values())
        seconds = sum(number * means.get(rule, self.known.get(rule, 0.0)) for rule, number in due.items())
        for step in self.running.values():  # of what it takes, a part is over
            expected = means.get(step.rule, self.known.get(step.rule, 0.0))
            seconds -= min(expected, time.monotonic() - step.began)
        return seconds / max(1, len(self.running)), whole

    def _left(self) -> str:
        seconds, whole = self.seconds_left()
        return f", about {duration(seconds)} left" if whole and seconds >= 1 else ""

    def _open(self) -> None:
        if self.stream.isatty():
            with contextlib.suppress(ImportError):
                from rich.console import Console
                from rich.live import Live

                console = Console(file=self.stream)
                self._live = Live(
                    console=console,
                    get_renderable=self._rendered,
                    refresh_per_second=1,
                    transient=True,
                    redirect_stdout=False,
                )
                self._live.start()
                return
        threading.Thread(target=self._tell, name="run view", daemon=True).start()

    def _tell(self) -> None:
        while not self._over.wait(PLAIN_SECONDS):
            with self._lock:
                for line in self.lines() if self.running else ():
                    self.say(line)

    def _rendered(self) -> "Text":
        from rich.text import Text

        return Text("\n".join(self.lines()), no_wrap=True, overflow="ellipsis")


class SnakemakeHandler(logging.Handler):
    """Takes the place of what Snakemake writes on the terminal: its events go into a :class:`RunView`."""

    def __init__(self, view: RunView) -> None:
        super().__init__(logging.INFO)
        self.view, self._last = view, ""

    def emit(self, record: logging.LogRecord) -> None:
        """See :meth:`logging.Handler.emit`; the attributes of an event are Snakemake's."""
        try:
            self._take(str(getattr(record, "event", None) or ""), record)
        except Exception:
            self.handleError(record)

    def _take(self, event: str, record: Any) -> None:
        if event == "run_info":
            self.view.plan({rule: n for rule, n in record.stats.items() if rule not in ("all", "total")})
        elif event == "job_info" and record.log:
            self.view.started(record.jobid, record.rule_name, Path(record.log[0]))
        elif event == "job_finished":
            self.view.ended(record.job_id)
        elif event == "job_error":
            self.view.failed(record.jobid)
        elif event in ("", "error"):
            self._hand_on(str(record.msg or ""), record.levelno)

    def _hand_on(self, text: str, level: int) -> None:
        if failed := _OF_A_STEP.search(text):
            self.view.failed_with(Path(failed[1]))
        elif any(final in text for final in _FINAL):
            self.view.close()
        elif text.strip() and text != self._last and (level >= logging.WARNING or text.startswith(_SAID)):
            self._last = text  # Snakemake says some things again and again
            self.view.say(text)

    def close(self) -> None:
        """See :meth:`logging.Handler.close`."""
        self.view.close()
        super().close()


def take_over(logger: logging.Logger) -> bool:
    """Show a run of Snakemake this way, unless the user chose a logger of their own; whether it is.

    Args:
        logger: Snakemake's.
    """
    own = next((handler for handler in logger.handlers if handler.name == "DefaultStreamHandler"), None)
    if own is None:
        return False
    logger.removeHandler(own)
    logger.addHandler(SnakemakeHandler(RunView(sys.stderr, known_seconds())))
    return True


def known_seconds(folder: Path = FOLDER) -> dict[str, float]:
    """Mean seconds of the steps of each rule that ran here before, by the records that they left."""
    took: dict[str, list[float]] = {}
    for path in folder.glob("*.json"):
        with contextlib.suppress(InputError, AttributeError):
            seconds = read_json(path).get("seconds")
            if isinstance(seconds, int | float) and seconds >= 0:
                for rule in (rule for rule, ending in _ENDINGS.items() if path.stem.endswith(ending)):
                    took.setdefault(rule, []).append(float(seconds))
    return {rule: sum(seconds) / len(seconds) for rule, seconds in took.items()}


def last_line(path: Path) -> str:
    """The last line of a log that is not empty; nothing where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "").strip()


def _progress(step: Running) -> str:
    """What a step says of itself, without its name; how long it has run where it says nothing."""
    said = last_line(step.log).rpartition(": ")[2]
    return said if _PROGRESS.match(said) else duration(time.monotonic() - step.began)
