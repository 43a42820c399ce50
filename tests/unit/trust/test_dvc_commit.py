"""DVC is told once of what the steps made; where it can't work a line says why, and nothing fails."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ncfl.common.errors import InputError
from ncfl.trust import dvc_commit, dvc_waiting


class Dvc:
    """Stands for the program: counts what it is asked, and answers with exit codes."""

    def __init__(self):
        self.asked, self.codes, self.says = [], {"status": 1, "commit": 0}, ""

    def __call__(self, command, **_):
        self.asked.append(command[1])
        return subprocess.CompletedProcess(command, self.codes[command[1]], stderr=self.says)


@pytest.fixture
def dvc(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in (".git", ".dvc/tmp", "data", "results/records", "ncfl"):
        Path(folder).mkdir(parents=True)
    Path("ncfl/a.py").write_text("x = 1\n")
    program = Dvc()
    monkeypatch.setattr(dvc_commit.shutil, "which", lambda name: name)
    monkeypatch.setattr(dvc_commit.subprocess, "run", program)
    monkeypatch.setattr(dvc_commit.engines, "changed", lambda params: [])
    monkeypatch.setattr(dvc_commit, "jobs", lambda params: {})
    return program


def test_what_dvc_knows_it_is_not_asked_again(dvc):
    dvc_commit.tell_dvc(None)
    assert dvc.asked == ["status", "commit"]
    dvc_commit.tell_dvc(None)
    assert dvc.asked == ["status", "commit"]


@pytest.mark.parametrize("file", ["ncfl/a.py", "params.yaml", "dvc.lock", "results/records/a.json", "pretrained/w"])
def test_whatever_decides_is_looked_at_again(dvc, file):
    dvc_commit.tell_dvc(None)
    Path(file).parent.mkdir(exist_ok=True)
    Path(file).write_text("another\n")
    dvc.codes["status"] = 0
    dvc_commit.tell_dvc(None)
    assert dvc.asked == ["status", "commit", "status"]


def test_notes_that_are_none_cost_only_time(dvc):
    dvc_commit.TOLD.write_bytes(b"\xff\xfe")
    dvc_commit.tell_dvc(None)
    assert dvc.asked == ["status", "commit"]


def test_without_git_a_line_says_so(dvc, capsys):
    Path(".git").rmdir()
    dvc_commit.tell_dvc(None)
    assert not dvc.asked
    assert "this is no git repository; `git init`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "works"), [("[core]\n    no_scm = true\n", True), ("[core]\nno_scm = 7\n", False), ("[", False)]
)
def test_dvc_without_git_where_it_is_configured_so(dvc, text, works):
    Path(".git").rmdir()
    Path(".dvc/config.local").write_text(text)
    dvc_commit.tell_dvc(None)
    assert bool(dvc.asked) == works


def test_a_link_out_of_the_project_is_named(dvc, tmp_path_factory, capsys):
    disk = tmp_path_factory.mktemp("disk")
    Path("data").rmdir()
    Path("data").symlink_to(disk)
    dvc_commit.tell_dvc(None)
    assert not dvc.asked
    assert f"data is a link to {disk}, outside of the project" in capsys.readouterr().err


def test_a_link_inside_the_project_is_none_of_our_business(dvc):
    Path("data").rmdir()
    Path("elsewhere").mkdir()
    Path("data").symlink_to("elsewhere")
    assert dvc_commit.why_not() is None


def test_what_dvc_refuses_is_said_in_its_own_words(dvc):
    dvc.codes["commit"], dvc.says = 255, "ERROR: one\nERROR: 'x' is outside of git repository\n"
    with pytest.raises(InputError, match=r"complete, but `dvc commit .*` failed: ERROR: 'x' is outside"):
        dvc_commit.tell_dvc(None)
    assert not dvc_commit.TOLD.exists()


@pytest.fixture
def real(tmp_path, monkeypatch):
    """A project of one stage whose output is there, and the real DVC."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    subprocess.run(["dvc", "init", "--no-scm", "--quiet"], check=True)
    Path("a.txt").write_text("made\n")
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"a": {"cmd": "true", "outs": ["a.txt"]}}}))
    monkeypatch.setattr(dvc_commit.engines, "changed", lambda params: [])
    monkeypatch.setattr(dvc_commit, "jobs", lambda params: {})


def test_another_dvc_that_ends_is_waited_for(real, monkeypatch):
    told = []
    with Path(".dvc/tmp/lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def say(text):
            told.append(text)
            fcntl.flock(lock, fcntl.LOCK_UN)  # DVC itself has given up by now

        monkeypatch.setattr(dvc_commit, "say", say)
        dvc_commit.tell_dvc(None)
    assert told == ["another dvc keeps its lock; waiting for it, 60 s at most"]
    assert yaml.safe_load(dvc_waiting.current().read_text())["stages"]["a"]["outs"][0]["size"] == 5
    assert dvc_commit.TOLD.exists()


def test_another_dvc_that_does_not_end_is_named_with_the_way_out(real, monkeypatch):
    monkeypatch.setattr(dvc_commit, "_PATIENCE", 0.0)
    with Path(".dvc/tmp/lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InputError, match=r"its lock for 0 s; .* the same command again goes on from here$"):
            dvc_commit.tell_dvc(None)
    assert not dvc_waiting.current().exists()
    assert not dvc_commit.TOLD.exists()
    dvc_commit.tell_dvc(None)
    assert dvc_waiting.current().exists()
