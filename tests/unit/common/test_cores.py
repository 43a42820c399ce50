"""How many cores count, and that threads wait asleep."""

import os

import pytest

from ncfl.common.cores import physical_cores, wait_passively


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Four cores of two threads each: 0 and 4, 1 and 5, ..."""
    for number in range(8):
        place = tmp_path / f"cpu{number}" / "topology"
        place.mkdir(parents=True)
        (place / "thread_siblings_list").write_text(f"{number % 4},{number % 4 + 4}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("bound", "share", "cores"),
    [
        (range(8), "max 100000\n", 4),
        ((0, 4, 1), "max 100000\n", 2),
        (range(8), "200000 100000\n", 2),
        (range(8), "30000 100000\n", 1),
        (range(8), "nonsense", 4),
    ],
)
def test_physical_cores(machine, monkeypatch, bound, share, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(bound))
    (machine / "cpu.max").write_text(share)
    assert physical_cores(machine, machine / "cpu.max") == cores


def test_where_the_system_says_nothing_every_processor_counts(tmp_path, machine):
    assert physical_cores(tmp_path / "none", tmp_path / "none") == 8


@pytest.mark.parametrize("set_by_user", [None, "ACTIVE"])
def test_threads_wait_asleep_unless_the_user_wants_otherwise(monkeypatch, set_by_user):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if set_by_user:
        monkeypatch.setenv("OMP_WAIT_POLICY", set_by_user)
    wait_passively()
    assert os.environ["OMP_WAIT_POLICY"] == (set_by_user or "PASSIVE")
