"""A file that was changed and given its old time again gets a new one; all others keep theirs."""

import os
from pathlib import Path

import pytest

from ncfl.trust import kept_times
from ncfl.trust.checksums import Checksums

FILE = Path("results/flow/spynet.pt")
OLD = 1_600_000_000 * 10**9  # ns


@pytest.fixture
def known(tmp_path, monkeypatch):
    """A project's file of an old time, whose checksum was kept."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ncfl.trust.checksums._TICK_SECONDS", 0)
    FILE.parent.mkdir(parents=True)
    FILE.write_bytes(bytes(100_000))
    os.utime(FILE, ns=(OLD, OLD))
    look()


def look() -> str:
    with Checksums() as checksums:
        return checksums.of(FILE)


def change(byte: int = 1) -> None:
    """Write another byte, and put the time back."""
    with FILE.open("r+b") as file:
        file.write(bytes([byte]))
    os.utime(FILE, ns=(OLD, OLD))


@pytest.mark.usefixtures("known")
def test_a_time_put_back_is_renewed():
    change()
    kept_times.renew()
    assert FILE.stat().st_mtime_ns > OLD


@pytest.mark.usefixtures("known")
def test_a_step_that_looked_in_between_does_not_hide_it():
    before = look()
    change()
    assert look() != before
    kept_times.renew()
    assert FILE.stat().st_mtime_ns > OLD


@pytest.mark.usefixtures("known")
def test_nothing_is_renewed_that_is_as_it_was():
    kept_times.renew()
    assert FILE.stat().st_mtime_ns == OLD


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("of_the_cache", ["linked", "not to be written"])
def test_what_is_as_the_cache_of_dvc_has_it_is_left_alone(of_the_cache):
    change()
    if of_the_cache == "linked":
        os.link(FILE, "cache")
    else:
        FILE.chmod(0o444)
    kept_times.renew()
    assert FILE.stat().st_mtime_ns == OLD


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("kept", ["no JSON", "[]", '{"results/flow/spynet.pt": [1]}', '{"gone": [1, 2, 3, 4, "a"]}'])
def test_damaged_notes_say_nothing(kept):
    (kept_times.FOLDER / "results-flow.json").write_text(kept)
    change()
    kept_times.renew()
    assert FILE.stat().st_mtime_ns == OLD
