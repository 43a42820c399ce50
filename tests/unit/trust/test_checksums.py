"""Checksums are computed once, and anew after whatever may have changed a file."""

import hashlib
import os
import time

import pytest

from ncfl.trust import checksums
from ncfl.trust.checksums import Checksums


@pytest.fixture
def array(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from pathlib import Path

    path = Path("data/prepared/set8/000.npy")
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(range(256)) * 1000)
    time.sleep(2 * checksums._TICK_SECONDS)
    return path


def counted(monkeypatch):
    """The files that are read from now on."""
    read = []

    def sha256(path):
        read.append(path)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(checksums, "sha256", sha256)
    return read


def test_a_file_is_read_once_for_all_processes(array, monkeypatch):
    read = counted(monkeypatch)
    expected = hashlib.sha256(array.read_bytes()).hexdigest()
    for _ in range(3):
        with Checksums() as found:
            assert found.of(array) == expected
    assert read == [array]
    with Checksums(fresh=True) as found:
        assert found.of(array) == expected
    assert read == [array, array]


def test_an_edit_that_puts_back_the_time_is_seen(array):
    with Checksums() as found:
        before = found.of(array)
    status = array.stat()
    with array.open("r+b") as file:
        file.write(b"x" * 10)
    os.utime(array, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (array.stat().st_mtime_ns, array.stat().st_size) == (status.st_mtime_ns, status.st_size)
    with Checksums() as found:
        assert found.of(array) == hashlib.sha256(array.read_bytes()).hexdigest() != before


def test_a_file_written_a_moment_ago_is_not_taken_for_known(array, monkeypatch):
    array.write_bytes(b"new" * 1000)
    read = counted(monkeypatch)
    for _ in range(2):
        with Checksums() as found:
            found.of(array)
    assert read == [array, array]


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"data/prepared/set8/000.npy": 3}', "\0"])
def test_damaged_notes_cost_nothing_but_time(array, content):
    with Checksums() as found:
        expected = found.of(array)
    notes = next(checksums.FOLDER.glob("*.json"))
    notes.write_text(content)
    with Checksums() as found:
        assert found.of(array) == expected
