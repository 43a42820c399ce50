"""What people see of a run: lines that stay, steps that run with what they say, the time left, failures."""

import io
import json
import logging
import time
from pathlib import Path

import pytest

from ncfl.cli import run_view
from ncfl.cli.run_view import RunView, SnakemakeHandler, known_seconds, last_line, take_over


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when the test says so."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    return Clock


@pytest.fixture
def view():
    made = RunView(io.StringIO(), {"fetch": 10.0, "evaluate": 30.0})
    yield made
    made.close()


def said(view):
    return view.stream.getvalue().splitlines()


def handler_of(view):
    logger = logging.Logger("of a test", logging.INFO)
    logger.addHandler(SnakemakeHandler(view))
    return logger


def event(kind, **values):
    return {"extra": {"event": kind, **values}}


def started(logger, number, rule, log):
    logger.info("", **event("job_info", jobid=number, rule_name=rule, log=[log]))


def test_a_run_from_its_plan_to_its_end(clock, view, tmp_path):
    logger = handler_of(view)
    logger.info("Building DAG of jobs...")
    logger.info("Job stats", **event("run_info", stats={"all": 1, "fetch": 2, "evaluate": 1, "total": 4}))
    assert said(view) == ["3 steps to do, about 50 s left"]
    started(logger, 1, "fetch", "results/logs/davis-fetch.log")
    started(logger, 2, "fetch", "results/logs/set8-fetch.log")
    clock.now += 6
    # 2 x 10 s less the 6 s that each has run, and 30 s: 38 s, two at a time.
    assert view.lines() == ["0 of 3 steps done, 2 running, about 19 s left", "  davis-fetch: 6 s", "  set8-fetch: 6 s"]
    logger.info("", **event("job_finished", job_id=1))
    # From now on a fetch takes 6 s, and that of set8 has had them: the evaluation is left.
    assert said(view)[-1] == "[1/3] davis-fetch: 6 s, about 30 s left"
    logger.info("", **event("progress", done=1, total=4))
    logger.info("", **event("job_finished", job_id=2))
    started(logger, 3, "evaluate", str(tmp_path / "noisy-evaluate.log"))
    logger.info("", **event("job_info", jobid=4, rule_name="all", log=[]))
    clock.now += 40
    logger.info("", **event("job_finished", job_id=3))
    logger.info("", **event("job_finished", job_id=4))
    assert said(view)[-2:] == ["[3/3] noisy-evaluate: 40 s", "3 steps done in 46 s"]


def test_a_training_shows_its_loss(view, tmp_path):
    log = tmp_path / "modules-a-train-stage1.log"
    log.write_text(
        "modules-a train-stage1: started\nmodules-a stage 1: 62/120 it  loss 0.0015  psnr 28.2  0:46 left\n\n"
    )
    view.plan({"train_stage1": 1})
    view.started(1, "train_stage1", log)
    assert view.lines()[1] == "  modules-a-train-stage1: 62/120 it  loss 0.0015  psnr 28.2  0:46 left"
    log.write_text("modules-a train-stage1: started\n")
    assert view.lines()[1] == "  modules-a-train-stage1: 0 s"


def test_where_times_are_not_known_none_is_told(view):
    view.plan({"fetch": 8, "tables": 1})  # 1 of 9 is more than a tenth
    assert said(view) == ["9 steps to do"]
    view.plan({"fetch": 10, "tables": 1})
    assert said(view)[-1] == "11 steps to do, about 2 min left"


def test_a_failure_is_the_last_line_of_its_step_and_the_way_to_the_others_once(view, tmp_path):
    log = tmp_path / "davis-fetch.log"
    log.write_text("davis fetch: started\nncfl: params.yaml: no\n")
    view.plan({"fetch": 1})
    logger = handler_of(view)
    started(logger, 1, "fetch", str(log))
    logger.error(
        f"RuleException:\nCalledProcessError in file x, line 3:\nCommand 'ncfl fetch > {log} 2>&1' returned 2."
    )
    logger.error("Error in rule", **event("job_error", jobid=1))
    logger.error("Exiting because a job execution failed. Look below for error messages")
    logger.error("WorkflowError:\nAt least one job did not complete successfully.", **event("error"))
    assert said(view)[1:] == ["failed: davis-fetch: ncfl: params.yaml: no", f"  all that it said: {log}"]


def test_a_failure_without_a_word_is_told_too(view, tmp_path):
    view.plan({"fetch": 1})
    view.started(1, "fetch", tmp_path / "davis-fetch.log")
    view.failed(1)
    assert said(view)[1] == "failed: davis-fetch: it said nothing"


def test_warnings_and_the_end_of_an_idle_run_are_handed_on_and_boilerplate_is_not(view):
    logger = handler_of(view)
    logger.info("Using shell: /bin/bash")
    logger.info("Nothing to be done (all requested files are present and up to date).")
    for _ in range(3):
        logger.warning("The disk is full")
    logger.error("WorkflowError:\nno such rule", **event("error"))
    assert said(view) == [
        "Nothing to be done (all requested files are present and up to date).",
        "The disk is full",
        "WorkflowError:",
        "no such rule",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_steps_that_run_are_drawn_and_lines_stay_above(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    view = RunView(Terminal(), {"fetch": 10.0})
    view.plan({"fetch": 2})
    view.started(1, "fetch", tmp_path / "davis-fetch.log")
    view._live.refresh()
    view.ended(1)
    view.close()
    text = view.stream.getvalue()
    assert "0 of 2 steps done, 1 running" in text
    assert "[1/2] davis-fetch:" in text
    assert "\x1b[" in text


def test_elsewhere_a_line_now_and_then_says_what_runs(view, monkeypatch, tmp_path):
    monkeypatch.setattr(run_view, "PLAIN_SECONDS", 0.02)
    view.plan({"fetch": 1})
    view.started(1, "fetch", tmp_path / "davis-fetch.log")
    deadline = time.monotonic() + 20
    while len(said(view)) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert said(view)[2].startswith("  davis-fetch: ")
    view.failed(1)
    told = len(said(view))
    time.sleep(0.2)
    assert len(said(view)) == told


def test_a_logger_of_the_user_stays():
    logger = logging.Logger("of a test")
    own = logging.StreamHandler(io.StringIO())
    logger.addHandler(own)
    assert not take_over(logger)
    assert logger.handlers == [own]
    own.name = "DefaultStreamHandler"  # as Snakemake calls its own
    assert take_over(logger)
    assert [type(handler) for handler in logger.handlers] == [SnakemakeHandler]


def test_snakemake_still_calls_its_handler_so():
    from snakemake.logging import LoggerManager
    from snakemake.settings.types import OutputSettings

    logger = logging.Logger("of a test")
    LoggerManager(logger, OutputSettings())
    assert take_over(logger)


def test_times_are_those_of_the_records(tmp_path):
    for name, seconds in (("davis-fetch", 4.0), ("set8-fetch", 6.0), ("ncfl-davis-train-stage1", 60.0)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"seconds": seconds}))
    (tmp_path / "tables.json").write_text("{")
    (tmp_path / "figures.json").write_text("[1]")
    (tmp_path / "report.json").write_text('{"seconds": -1}')
    assert known_seconds(tmp_path) == {"fetch": 5.0, "train_stage1": 60.0, "train_compared": 60.0}
    assert known_seconds(Path("no such folder")) == {}


def test_the_last_line_of_a_long_log(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * 5000 + b"\n\xff the end\r\n\n")
    assert last_line(log) == "\ufffd the end"
    assert last_line(tmp_path / "none.log") == ""
