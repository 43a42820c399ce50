"""Downloads from a real server that fails in every way."""

import datetime
import email.utils
import errno
import hashlib
import json
import random
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from helpers.http_server import Answer

from ncfl.common.errors import InputError
from ncfl.data.transport import transfer
from ncfl.data.transport.download import download
from ncfl.data.transport.partial_file import Part

FILE = random.Random(0).randbytes(300_000)
OTHER = random.Random(1).randbytes(300_000)
SHA256 = hashlib.sha256(FILE).hexdigest()
PAGE = b"\n<!DOCTYPE html><html><title>Sign in</title></html>"


def arrived(get):
    """The file is there, whole, and nothing beside it but the lock."""
    assert get.target.read_bytes() == FILE
    return sorted(p.name for p in get.target.parent.iterdir()) == ["a.zip", "a.zip.lock"]


def test_a_file_arrives_with_its_checksum(server, get):
    address = server.serve("/a.zip", FILE)
    assert get(address, bytes_=len(FILE), sha256=SHA256.upper()) == SHA256
    assert arrived(get)
    assert [r.range for r in server.requests] == [None]
    # What is there is verified, not asked for again.
    assert get(address, bytes_=len(FILE), sha256=SHA256) == SHA256
    assert len(server.requests) == 1
    with pytest.raises(
        InputError, match=rf"a\.zip: expected sha256 {'0' * 64}, got {SHA256}, since another file is there already"
    ):
        get(address, sha256="0" * 64)
    assert get.target.read_bytes() == FILE


def test_an_empty_file_and_one_of_unknown_length(server, get, tmp_path):
    address = server.serve("/empty", b"")
    assert download(address, tmp_path / "empty") == hashlib.sha256(b"").hexdigest()
    assert get(server.serve("/a.zip", Answer(body=FILE, length="")), sha256=SHA256) == SHA256


def test_a_dropped_connection_is_resumed_where_it_broke(server, get, capsys):
    address = server.serve("/a.zip", Answer(body=FILE, cut=100_000), Answer(body=FILE, cut=50_000), Answer(body=FILE))
    assert get(address) == SHA256
    assert arrived(get)
    assert [r.range for r in server.requests] == [None, "bytes=100000-", "bytes=150000-"]
    assert [r.sent for r in server.requests] == [100_000, 50_000, 150_000]
    assert {r.headers["if-range"] for r in server.requests[1:]} == {'"one"'}
    assert {r.headers["accept-encoding"] for r in server.requests} == {"identity"}
    assert 0.5 <= get.waits[0] <= 1 <= get.waits[1] <= 2
    assert "a.zip: connection lost after 100000 bytes; trying again in" in capsys.readouterr().err


def test_the_next_run_goes_on_where_the_last_one_ended(server, get):
    address = server.serve("/a.zip", Answer(body=FILE, cut=100_000), Answer(status=404))
    with pytest.raises(InputError, match="404 Not Found"):
        get(address)
    assert get.part.read_bytes() == FILE[:100_000]
    server.serve("/a.zip", FILE)
    assert get(address, sha256=SHA256) == SHA256
    assert server.requests[-1].sent == 200_000
    assert arrived(get)


def test_last_modified_guards_a_resumed_file_where_there_is_no_strong_etag(server, get):
    modified = "Tue, 01 Jun 2021 10:00:00 GMT"
    kind = {"etag": 'W/"weak"', "modified": modified}
    address = server.serve("/a.zip", Answer(body=FILE, cut=100_000, **kind), Answer(body=FILE, **kind))
    assert get(address) == SHA256
    assert server.requests[1].headers["if-range"] == modified
    assert server.requests[1].sent == 200_000


def test_without_validator_pieces_are_joined_only_where_a_checksum_tells(server, get):
    answers = Answer(body=FILE, etag=None, cut=100_000), Answer(body=FILE, etag=None)
    address = server.serve("/a.zip", *answers)
    assert get(address) == SHA256
    assert [r.range for r in server.requests] == [None, None]
    get.target.unlink()
    server.serve("/a.zip", *answers)
    assert get(address, sha256=SHA256) == SHA256
    assert server.requests[3].range == "bytes=100000-"


def test_a_server_without_ranges_starts_over(server, get):
    address = server.serve("/a.zip", Answer(body=FILE, cut=100_000, ranges=False), Answer(body=FILE, ranges=False))
    assert get(address, sha256=SHA256) == SHA256
    assert server.requests[1].sent == len(FILE)
    assert arrived(get)


def test_a_file_that_changed_between_attempts_is_not_spliced(server, get):
    address = server.serve("/a.zip", Answer(body=OTHER, cut=100_000), Answer(body=FILE, etag='"two"'))
    assert get(address) == SHA256
    assert server.requests[1].headers["if-range"] == '"one"'
    assert server.requests[1].sent == len(FILE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ETag": '"two"'},  # a server that ignores If-Range
        {"Content-Range": "bytes 100001-299999/300000"},
        {"Content-Range": "bytes 100000-299999/300001"},
        {"Content-Range": "nonsense"},
    ],
)
def test_a_rest_that_does_not_belong_to_the_beginning_is_not_taken(server, get, wrong):
    rest = Answer(body=OTHER[100_000:], status=206, headers={"Content-Range": "bytes 100000-299999/300000", **wrong})
    address = server.serve("/a.zip", Answer(body=OTHER, cut=100_000), rest, FILE)
    assert get(address) == SHA256
    assert server.requests[2].range is None


def test_a_part_that_was_whole_already_is_finished(server, get):
    address = server.serve("/a.zip", Answer(body=FILE, length=len(FILE) + 100), FILE)  # claims more than there is
    assert get(address) == SHA256
    assert server.requests[1].range == f"bytes={len(FILE)}-"
    assert server.requests[1].sent == 0
    assert arrived(get)


def test_a_part_that_is_longer_than_the_file_is_dropped(server, get):
    address = server.serve("/a.zip", Answer(body=FILE + b"more", length=400_000), FILE)
    assert get(address) == SHA256
    assert [r.range for r in server.requests] == [None, "bytes=300004-", None]


def test_a_wrong_length_is_noticed_before_the_file_comes(server, get):
    address = server.serve("/a.zip", Answer(body=FILE, length=len(FILE) - 100), FILE)
    assert get(address, bytes_=len(FILE)) == SHA256
    get.target.unlink()
    server.serve("/a.zip", FILE)
    with pytest.raises(InputError, match="announces 300000 bytes where 300001 are expected; gave up after 3 attempts"):
        get(address, bytes_=300_001)
    assert not get.target.exists()


def test_a_file_without_a_length_is_held_to_the_one_expected(server, get):
    address = server.serve("/a.zip", Answer(body=FILE, length=""))
    with pytest.raises(InputError, match="sends more than the 200000 bytes that are expected"):
        get(address, bytes_=200_000)
    with pytest.raises(InputError, match="gives another file: expected 300001 bytes, got 300000"):
        get(address, bytes_=300_001)
    assert not get.target.exists()


def test_a_cut_that_only_the_expected_length_shows_is_resumed(server, get):
    address = server.serve("/a.zip", Answer(body=FILE, length="", cut=100_000), FILE)
    assert get(address, bytes_=len(FILE)) == SHA256
    assert [r.range for r in server.requests] == [None, "bytes=100000-"]


def test_a_wrong_checksum_is_refused_with_both_named_and_nothing_kept(server, get):
    address = server.serve("/a.zip", FILE)
    with pytest.raises(
        InputError, match=rf"/a\.zip: gives another file: expected sha256 {'0' * 64}, got {SHA256}"
    ) as error:
        get(address, sha256="0" * 64, hint="or ask Bob")
    assert str(error.value).endswith("; or ask Bob")
    assert "\n" not in str(error.value)
    assert [p.name for p in get.target.parent.iterdir()] == ["a.zip.lock"]
    assert len(server.requests) == 1  # it came in one go: it would come like that again


def test_pieces_that_do_not_fit_together_are_fetched_anew_once(server, get):
    address = server.serve("/a.zip", Answer(body=OTHER, cut=100_000), Answer(body=FILE), Answer(body=FILE))
    assert get(address, sha256=SHA256) == SHA256
    assert [r.range for r in server.requests] == [None, "bytes=100000-", None]
    get.target.unlink()
    cut = Answer(body=OTHER, cut=100_000)
    server.serve("/a.zip", cut, Answer(body=FILE), cut, Answer(body=FILE))
    with pytest.raises(InputError, match=f"expected sha256 {SHA256}, got "):
        get(address, sha256=SHA256)
    assert len(server.requests) == 7
    assert not get.part.exists()


@pytest.mark.parametrize("status", [401, 403, 404, 410, 204])
def test_a_refusal_is_not_asked_again_but_the_mirror_is(server, get, status):
    address = server.serve("/a.zip", Answer(status=status, length=0))
    with pytest.raises(InputError, match=rf"{address}: {status}") as error:
        get(address)
    assert ("login" in str(error.value)) == (status in (401, 403))
    assert len(server.requests) == 1
    assert get(address, mirror=server.serve("/mirror", FILE), sha256=SHA256) == SHA256
    assert [r.path for r in server.requests] == ["/a.zip", "/a.zip", "/mirror"]
    assert get.waits == []


def test_both_addresses_failing_are_both_named(server, get):
    mirror = server.serve("/mirror", Answer(status=503, length=0))
    with pytest.raises(InputError, match=r"a\.zip: 404 Not Found; .*/mirror: 503 .*; gave up after 3 attempts"):
        get(server.serve("/a.zip", Answer(status=404)), mirror=mirror)
    assert [r.path for r in server.requests] == ["/a.zip", *["/mirror"] * 3]


def test_a_mirror_does_not_continue_what_came_from_elsewhere(server, get):
    address = server.serve("/a.zip", Answer(body=OTHER, cut=100_000), Answer(status=404))
    assert get(address, mirror=server.serve("/mirror", FILE)) == SHA256
    assert server.requests[-1].range is None


def test_a_busy_server_says_how_long_to_wait_within_bounds(server, get):
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=30)
    date = email.utils.format_datetime(soon, usegmt=True)
    busy = [Answer(status=503, headers={"Retry-After": value}, length=0) for value in ("7", "86400", date, "soon")]
    address = server.serve("/a.zip", *busy, Answer(status=429, length=0), FILE)
    assert get(address, attempts=6) == SHA256
    assert get.waits[:2] == [7, 120]
    assert 25 <= get.waits[2] <= 30
    assert 4 <= get.waits[3] <= 8 <= get.waits[4] <= 16


def test_attempts_that_bring_nothing_are_counted_not_those_that_bring_much(server, get):
    big = FILE * 24
    address = server.serve("/a.zip", *[Answer(body=big, cut=1_200_000)] * 6, big)
    assert get(address, attempts=2) == hashlib.sha256(big).hexdigest()
    get.target.unlink()
    server.serve("/a.zip", Answer(body=big, cut=1_200_000, ranges=False))  # always from the start
    with pytest.raises(InputError, match="gave up after 2 attempts"):
        get(address, attempts=2)


def test_a_page_in_place_of_the_file_is_recognized_and_costs_nothing(server, get):
    login = Answer(body=PAGE, headers={"Content-Type": "text/html; charset=utf-8"}, etag=None)
    address = server.serve("/a.zip", Answer(body=FILE, cut=100_000), login)
    with pytest.raises(InputError, match="gives a web page in place of the file"):
        get(address, bytes_=len(FILE), sha256=SHA256)
    assert len(server.requests) == 2
    assert get.part.stat().st_size == 100_000
    with pytest.raises(InputError, match="web page"):
        get(server.serve("/b.zip", PAGE))
    server.serve("/a.zip", FILE)
    assert get(address, sha256=SHA256) == SHA256
    assert server.requests[-1].sent == 200_000


def test_an_archive_that_is_called_a_page_by_a_careless_server_is_taken(server, get):
    assert get(server.serve("/a.zip", Answer(body=FILE, headers={"Content-Type": "text/html"}))) == SHA256


def test_silence_and_a_server_that_drips_end_in_time(server, get):
    address = server.serve("/a.zip", Answer(hang=True))
    began = time.monotonic()
    with pytest.raises(InputError, match="no answer in time; gave up after 3 attempts"):
        get(address, timeout=(10, 0.2))
    drip = server.serve("/drip", Answer(body=FILE, block=1, pause=0.05))  # for hours
    with pytest.raises(InputError, match=r"less than 1024 bytes per second for 0\.8 s; gave up after 2 attempts"):
        get(drip, attempts=2, timeout=(10, 0.8))
    stop = server.serve("/stop", Answer(body=FILE, block=100_000, pause=30))
    with pytest.raises(InputError, match="nothing more came after 200000 bytes; gave up after 2"):
        get(stop, attempts=2, timeout=(10, 0.3))
    assert time.monotonic() - began < 20


def test_nobody_there_and_no_such_address(get):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/a.zip"
        with pytest.raises(InputError, match="connection refused; gave up after 3 attempts"):
            get(address)
    with pytest.raises(InputError, match="cannot be downloaded"):
        get("http://")
    assert len(get.waits) == 2


def test_a_redirect_is_followed_and_one_without_end_is_not(server, get):
    there = server.serve("/there", FILE)
    address = server.serve("/a.zip", Answer(status=302, headers={"Location": there}, length=0))
    assert get(address) == SHA256
    loop = server.serve("/loop", Answer(status=302, headers={"Location": "/loop"}, length=0))
    get.target.unlink()
    with pytest.raises(InputError, match="30 redirects"):
        get(loop)


def test_a_full_disk_is_one_line_before_or_while_it_fills(server, get, monkeypatch):
    address = server.serve("/a.zip", FILE)
    with monkeypatch.context() as patch:
        patch.setattr(transfer.shutil, "disk_usage", lambda path: SimpleNamespace(free=299_999))
        with pytest.raises(InputError, match=r"a\.zip: 300000 bytes are to come, but only 299999 are free"):
            get(address)
        assert server.requests[0].sent <= len(FILE)
        patch.setattr(transfer.shutil, "disk_usage", lambda path: SimpleNamespace(free=300_000))
        assert get(address) == SHA256

    def full(data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with Part(get.target.with_name("b.zip")) as part:
        part.restart({"address": address, "validator": None, "total": None})
        part.append(b"some")
        with monkeypatch.context() as patch:
            patch.setattr(part, "_file", SimpleNamespace(write=full, close=part._file.close))
            with pytest.raises(InputError, match=r"b\.zip\.part: no space left on the device that holds"):
                part.append(b"more")
    assert part.path.read_bytes() == b"some"


def test_a_part_whose_note_is_damaged_is_not_continued(server, get):
    get.part.write_bytes(OTHER[:1000])
    note = get.part.with_name("a.zip.part.json")
    address = server.serve("/a.zip", FILE)
    for text in ("{", "[]", json.dumps({"address": address})):
        note.write_text(text)
        assert get(address) == SHA256
        assert server.requests[-1].range is None
        assert arrived(get)
        get.target.unlink()
        get.part.write_bytes(OTHER[:1000])


def test_a_folder_where_nothing_can_be_written_is_named(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file.a\.zip: cannot be written"):
        download(server.serve("/a.zip", FILE), tmp_path / "file" / "a.zip")


def test_two_processes_that_want_the_same_file_fetch_it_once(server, get, tmp_path_factory):
    gate = threading.Event()
    address = server.serve("/a.zip", Answer(body=FILE, gate=gate))
    code = "import sys; from pathlib import Path; from ncfl.data.transport.download import download as d"
    command = [sys.executable, "-c", f"{code}; print(d(sys.argv[1], Path(sys.argv[2])))", address, str(get.target)]
    notes = [tmp_path_factory.mktemp("run") / "said" for _ in range(2)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=note.open("w"), text=True) for note in notes]
    until = time.monotonic() + 60
    while not any("another process is at work on it; waiting" in note.read_text() for note in notes):
        assert time.monotonic() < until
        time.sleep(0.02)
    gate.set()
    assert [run.communicate(timeout=120)[0].strip() for run in runs] == [SHA256] * 2
    assert len(server.requests) == 1
    assert arrived(get)
