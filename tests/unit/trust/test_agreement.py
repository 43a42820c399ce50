"""Snakemake's notes and times after results came from elsewhere."""

import os
from pathlib import Path

import pytest

from ncfl.config import layout
from ncfl.config.reruns import Job
from ncfl.trust import agreement, step_records
from ncfl.trust.chains import Link

DATA, OUTPUT = Path("data/prepared/set8"), Path("results/experiments/x/evaluation/summary.json")
JOB = Job("x-evaluate", "ncfl evaluate --experiment x", (DATA,), (OUTPUT,), "x")
ABOUT = layout.about(JOB.name)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A step that ran at 100 s on data of 50 s."""
    monkeypatch.chdir(tmp_path)
    DATA.mkdir(parents=True)
    OUTPUT.parent.mkdir(parents=True)
    OUTPUT.write_text("{}")
    step_records.write(JOB, {}, {})
    ABOUT[0].parent.mkdir()
    ABOUT[0].write_text("{}")
    at(DATA, 50)
    for path in (OUTPUT, *ABOUT):
        at(path, 100)


def at(path, seconds):
    os.utime(path, (seconds, seconds))


def agreed(state, noted):
    """What is due, and the notes that are forgotten."""
    forgotten = []
    link = Link(JOB, state, (), step_records.read(JOB) or {})
    due = agreement.agree({JOB.name: link}, lambda path: noted, forgotten.append)
    return due, forgotten


def test_what_snakemake_made_itself_is_left_alone():
    assert agreed("done", 100.0) == ([], [])
    assert OUTPUT.stat().st_mtime == 100


def test_notes_of_another_run_are_dropped():
    """A record that is newer than the note came from elsewhere."""
    assert agreed("done", 90.0) == ([], [path.as_posix() for path in (OUTPUT, *ABOUT)])


def test_data_that_are_newer_and_the_same_make_nothing_due():
    at(DATA, 200)
    assert agreed("done", 100.0)[0] == []
    assert all(path.stat().st_mtime > 200 for path in (OUTPUT, *ABOUT))


def test_what_is_stale_is_due_and_keeps_its_time():
    at(DATA, 200)
    assert agreed("stale", 100.0) == ([OUTPUT], [])
    assert OUTPUT.stat().st_mtime == 100


def test_inputs_that_are_away_are_not_asked_for():
    DATA.rmdir()
    link = Link(JOB, "done", (), step_records.read(JOB))
    assert agreement.away({JOB.name: link}) == {JOB.name: {DATA}}
    assert agreement.away({JOB.name: link._replace(state="stale")}) == {}


def test_the_last_record_stays_where_an_engine_removes_the_other():
    before = step_records.read(JOB)
    ABOUT[1].unlink()
    assert step_records.read(JOB) is None
    assert step_records.kept(JOB) == before
    step_records.begin(JOB)
    assert step_records.kept(JOB) == before
