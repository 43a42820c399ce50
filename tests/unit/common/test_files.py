"""Files are whole or absent."""

import errno
import hashlib
import os
import subprocess
import sys

import pytest

from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path, read_json, remove_leftovers, replace_link, sha256, write_csv, write_json
from ncfl.common.processes import alive


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    def fail_half_way():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert read_json(path) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path, ended_process):
    write_json(tmp_path / "a.json", 1)
    (tmp_path / f".a.{ended_process}.json").write_text("half")
    (tmp_path / f".a.{os.getppid()}.json").write_text("another writer is at it")
    (tmp_path / f".ab.{ended_process}.json").write_text("another file's")
    write_json(tmp_path / "a.json", 2)
    kept = {"a.json", f".a.{os.getppid()}.json", f".ab.{ended_process}.json"}
    assert {p.name for p in tmp_path.iterdir()} == kept
    assert read_json(tmp_path / "a.json") == 2


def test_folders_and_links_of_killed_processes_go_too(tmp_path, ended_process):
    folder = tmp_path / f".clips.{ended_process}"
    folder.mkdir()
    (folder / "part").write_text("half")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine").write_text("stays")
    (tmp_path / f".link.{ended_process}").symlink_to(tmp_path / "elsewhere")
    remove_leftovers(tmp_path / "clips")
    replace_link(tmp_path / "link", tmp_path / "elsewhere")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["elsewhere", "link"]
    assert (tmp_path / "link" / "mine").read_text() == "stays"


def test_a_number_that_no_process_has_is_of_none():
    assert not alive(10**20)


@pytest.fixture
def ended_process():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_full_disk_is_the_users_to_mend(tmp_path):
    with pytest.raises(InputError, match="no space left"), atomic_path(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(InputError, match="cannot be written"), atomic_path(tmp_path / "a"):
        raise PermissionError(errno.EACCES, "Permission denied")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"), atomic_path(tmp_path / "file" / "a"):
        pass
    with pytest.raises(OSError, match="broken"), atomic_path(tmp_path / "a"):
        raise OSError(errno.EIO, "broken")


def test_the_temporary_name_keeps_the_suffix_by_which_writers_choose_the_format(tmp_path):
    with atomic_path(tmp_path / "folder" / "a.png") as temporary:
        assert temporary.suffix == ".png"
        temporary.write_bytes(b"x")
    assert (tmp_path / "folder" / "a.png").read_bytes() == b"x"


def test_csv_and_json_bytes(tmp_path):
    write_csv(tmp_path / "a.csv", ["x", "y"], [[1, "a,b"], [2.5, None]])
    assert (tmp_path / "a.csv").read_bytes() == b'x,y\n1,"a,b"\n2.5,\n'
    write_json(tmp_path / "a.json", [1, {"b": None}])
    assert (tmp_path / "a.json").read_bytes() == b'[\n 1,\n {\n  "b": null\n }\n]\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "nan.json", float("nan"))
    assert not (tmp_path / "nan.json").exists()


def test_json_that_is_missing_or_broken_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "none.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(InputError, match=r"broken\.json: not readable as JSON"):
        read_json(tmp_path / "broken.json")


def test_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
