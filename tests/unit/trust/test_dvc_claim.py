"""DVC is kept out by its own notes, and keeps us out by them; the dead keep nobody out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ncfl.common.errors import InputError
from ncfl.trust import dvc_claim


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dvc_claim.NOTES.parent.mkdir(parents=True)
    return tmp_path


def note(pid):
    dvc_claim.NOTES.write_text(json.dumps({"write": {}, "read": {"/p/a": [{"pid": pid, "cmd": "dvc repro"}]}}))


def test_dvc_itself_finds_the_claim(project):
    from dvc.fs import localfs
    from dvc.lock import LockError
    from dvc.rwlock import rwlock

    dvc_claim.claim("snakemake")
    owner = {"pid": os.getpid(), "cmd": "snakemake"}
    assert json.loads(dvc_claim.NOTES.read_text())["write"] == {str(project): owner}
    taken = rwlock(str(project / ".dvc/tmp"), localfs, "dvc repro", [], [str(project / "results/x")], False)
    with pytest.raises(LockError, match=f"PID {os.getpid()}.: snakemake"), taken:
        pass
    dvc_claim.let_go()
    with rwlock(str(project / ".dvc/tmp"), localfs, "dvc repro", [], [str(project / "results/x")], False):
        pass


def test_a_living_dvc_is_named_and_a_dead_one_is_not():
    note(os.getpid())
    with pytest.raises(InputError, match=rf"^dvc is running here: process {os.getpid()} \(dvc repro\); wait until"):
        dvc_claim.claim("snakemake")
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    note(process.pid)
    dvc_claim.claim("snakemake")


@pytest.mark.parametrize("content", ["", "[]", '{"write": {"a": 3}}', '{"write": {"a": {"pid": "1", "cmd": 2}}}'])
def test_damaged_notes_are_none(content):
    dvc_claim.NOTES.write_text(content)
    dvc_claim.claim("snakemake")
    dvc_claim.let_go()
    assert json.loads(dvc_claim.NOTES.read_text())["write"] == {}


def test_without_dvc_there_is_nothing_to_claim(tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    dvc_claim.claim("snakemake")
    dvc_claim.let_go()
    assert list(Path().iterdir()) == []
