"""A lock is laid aside beside the one that was there, and lies where it should once DVC is asked."""

from pathlib import Path

import pytest

from ncfl.trust import before_dvc, dvc_commit, dvc_lock, dvc_waiting

MD5 = {name: letter * 32 for name, letter in (("old", "a"), ("new", "b"), ("newer", "c"))}


def lock_with(name):
    return f"schema: '2.0'\nstages:\n  t:\n    cmd: x\n    outs:\n    - path: results/t\n      md5: {MD5[name]}\n"


@pytest.fixture(autouse=True)
def lock(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    Path(".dvc/tmp").mkdir(parents=True)
    path = Path("dvc.lock")
    path.write_text(lock_with("old"))
    return path


def told(lock, name):
    with dvc_waiting.laid_aside():
        lock.write_text(lock_with(name))


def waiting():
    return sorted(dvc_waiting.FOLDER.glob("*")) if dvc_waiting.FOLDER.exists() else []


def test_git_sees_the_old_one_and_the_steps_the_new_one(lock):
    told(lock, "new")
    assert lock.read_text() == lock_with("old")
    assert dvc_lock._outputs() == {"results/t": MD5["new"]}
    before_dvc.prepare(["status"])
    assert lock.read_text() == lock_with("new")
    assert dvc_lock._outputs() == {"results/t": MD5["new"]}
    assert waiting() == []


def test_the_next_run_begins_with_what_waits(lock):
    told(lock, "new")
    with dvc_waiting.laid_aside():
        assert lock.read_text() == lock_with("new")
    assert lock.read_text() == lock_with("old")
    told(lock, "newer")
    before_dvc.prepare(["repro"])
    assert lock.read_text() == lock_with("newer")


def test_a_run_that_changes_nothing_leaves_nothing_to_wait(lock):
    told(lock, "old")
    assert waiting() == []


def test_it_waits_for_the_lock_that_it_was_made_beside(lock):
    told(lock, "new")
    lock.write_text(lock_with("newer"))  # another branch, or a pull
    before_dvc.prepare(["checkout"])
    assert lock.read_text() == lock_with("newer")
    assert dvc_lock._outputs() == {"results/t": MD5["newer"]}
    lock.write_text(lock_with("old"))
    before_dvc.prepare(["checkout"])
    assert lock.read_text() == lock_with("new")
    lock.write_text(lock_with("old"))  # DVC has seen it: who takes the old one back means it
    before_dvc.prepare(["checkout"])
    assert lock.read_text() == lock_with("old")


def test_results_that_are_what_they_were_are_not_followed_by_what_came_between(lock):
    lock.write_text(lock_with("new"))
    told(lock, "newer")
    lock.write_text(lock_with("old"))
    told(lock, "new")
    for _ in range(2):
        before_dvc.prepare(["status"])
        assert lock.read_text() == lock_with("new")


def test_where_there_was_none_there_is_none(lock):
    lock.unlink()
    told(lock, "new")
    assert not lock.exists()
    before_dvc.prepare(["status"])
    assert lock.read_text() == lock_with("new")


@pytest.mark.parametrize("arguments", [[], ["--version"], ["repro", "--help"], ["remote", "list"], ["config", "-l"]])
def test_what_asks_for_no_results_changes_nothing(lock, arguments):
    told(lock, "new")
    before_dvc.prepare(arguments)
    assert lock.read_text() == lock_with("old")


def test_a_dvc_that_a_stage_calls_leaves_it_to_its_own(lock, monkeypatch):
    told(lock, "new")
    monkeypatch.setenv("DVC_STAGE", "agree")
    before_dvc.prepare(["status"])
    assert lock.read_text() == lock_with("old")


def test_a_lock_that_a_living_dvc_reads_is_not_exchanged(lock):
    with dvc_waiting.laid_aside():
        lock.write_text(lock_with("new"))
        working = dvc_waiting.dvc_claim.holding(Path(".dvc/tmp/lock"))
        assert working.__enter__()
    assert lock.read_text() == lock_with("new")
    working.__exit__(None, None, None)
    told(lock, "newer")
    with dvc_waiting.dvc_claim.holding(Path(".dvc/tmp/lock")):
        before_dvc.prepare(["status"])
        assert lock.read_text() == lock_with("new")
    before_dvc.prepare(["status"])
    assert lock.read_text() == lock_with("newer")


def test_what_dvc_was_told_counts_before_and_after_it_is_asked(lock):
    told(lock, "new")
    state = dvc_commit._state()
    before_dvc.prepare(["status"])
    assert dvc_commit._state() == state
    lock.write_text(lock_with("newer"))
    assert dvc_commit._state() != state


def test_with_dvcs_own_program_nothing_can_wait(tmp_path, monkeypatch):
    for text, ours in (("from dvc.cli import main", False), ("from ncfl.trust import before_dvc", True)):
        (tmp_path / "dvc").write_text(text)
        (tmp_path / "dvc").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert dvc_commit._dvc_is_ours() == ours


def test_a_lock_that_a_kill_cut_off_is_what_it_was_before(lock, capsys):
    before_dvc.prepare(["repro"])
    lock.write_text(lock_with("new")[:40])
    before_dvc.prepare(["status"])
    assert lock.read_text() == lock_with("old")
    assert (
        capsys.readouterr().err
        == "note: dvc.lock, half-written by a dvc that was killed, is again what it was before\n"
    )


def test_a_stage_keeps_what_the_stages_before_it_came_to(lock):
    before_dvc.prepare(["repro"])
    lock.write_text(lock_with("new"))
    dvc_waiting.keep()
    lock.write_text("")
    before_dvc.prepare(["repro"])
    assert lock.read_text() == lock_with("new")


def test_a_lock_that_a_living_dvc_writes_stays(lock):
    from dvc.lock import make_lock

    before_dvc.prepare(["repro"])
    lock.write_text("schema: '2")
    with make_lock(".dvc/tmp/lock", tmp_dir=".dvc/tmp"):
        before_dvc.prepare(["status"])
        assert lock.read_text() == "schema: '2"
    before_dvc.prepare(["status"])
    assert lock.read_text() == lock_with("old")


def test_without_a_copy_dvc_says_what_it_finds(lock):
    lock.write_text("schema: '2")
    before_dvc.prepare(["status"])
    assert lock.read_text() == "schema: '2"
