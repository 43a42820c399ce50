"""Locks: one owner, who is named; a dead one's is free; no file stays."""

import os
import signal
import subprocess
import sys

import pytest

from ncfl.common.errors import InputError
from ncfl.common.processes import alive
from ncfl.trust import locks

HOLD = """
import time
from ncfl.trust import locks
locks.take("engine", "snakemake")
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def owner(project):
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, cwd=project) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_owner_is_told_who_the_first_is(owner):
    with pytest.raises(
        InputError, match=rf"^snakemake is running here: process {owner.pid}, since \d{{4}}-.*; wait until"
    ):
        locks.take("engine", "dvc")


def test_a_killed_owner_has_nothing(owner):
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    with locks.held("engine", "dvc"):
        assert (locks.FOLDER / "engine.lock").exists()
    assert list(locks.FOLDER.iterdir()) == []


def test_two_locks_do_not_meet():
    with locks.held("a", "one"), locks.held("b", "other"):
        assert len(list(locks.FOLDER.iterdir())) == 2


def test_where_nothing_may_be_written_a_line_says_so(project):
    (project / "results").write_text("a file in the place of the folder")
    with pytest.raises(InputError, match=r"^results/locks/a\.lock: cannot be written"):
        locks.take("a", "one")


def test_who_started_a_step():
    assert locks.engine_of({}) is None
    assert locks.engine_of({"NCFL_ENGINE": "4711"}) == 4711
    assert locks.engine_of({"DVC_STAGE": "train"}) in (os.getppid(), locks._beyond_shells(os.getppid()))


def test_the_dead_and_those_whom_nobody_asked_about_are_not_alive():
    assert alive(os.getpid())
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie
    assert not alive(process.pid)
    process.wait()
    assert not alive(process.pid)
