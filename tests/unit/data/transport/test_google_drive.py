"""Google Drive's branch: gdown itself, asked to fetch from loopback; the real server is not asked."""

import errno
import hashlib
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import gdown
import pytest
from helpers.http_server import Answer

from ncfl.common.errors import InputError
from ncfl.data.transport import google_drive

FILE = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(FILE).hexdigest()
PAGE = b"<!DOCTYPE html><html><title>Sign in</title></html>"


DRIVE = "https://drive.google.com/file/d/1aBcDeFgHiJkLmNoPqRsTuVwXyZ/view"


@pytest.fixture
def drive(monkeypatch, server):
    """gdown itself, but for what it asks: a loopback address in place of Google Drive's."""
    asked, real = [], gdown.download

    def stand_in(**settings):
        asked.append({key: settings.pop(key) for key in ("id", "url") if key in settings})
        real(**settings, url=server.serve("/drive", *stand_in.answers), use_cookies=False)

    stand_in.asked, stand_in.answers = asked, [Answer(body=FILE)]
    monkeypatch.setattr(gdown, "download", stand_in)
    return stand_in


def test_google_drives_addresses_are_known():
    for host in ("drive.google.com", "docs.google.com", "drive.usercontent.google.com", "DRIVE.google.com"):
        assert google_drive.is_google_drive(f"https://{host}/uc?id=1")
    assert not google_drive.is_google_drive("https://example.org/drive.google.com")


def test_google_drive_goes_through_gdown(drive, get):
    assert get(DRIVE, bytes_=len(FILE), sha256=SHA256) == SHA256
    assert get.target.read_bytes() == FILE
    get.target.unlink()
    assert get("https://drive.usercontent.google.com/download?id=abc&export=download") == SHA256
    assert drive.asked == [{"url": DRIVE}, {"id": "abc"}]


def test_google_drives_file_is_verified_too(drive, get, server):
    with pytest.raises(InputError, match=f"gives another file: expected sha256 {'0' * 64}, got {SHA256}"):
        get(DRIVE, sha256="0" * 64)
    with pytest.raises(InputError, match="gives another file: expected 5 bytes, got 300000"):
        get(DRIVE, bytes_=5)
    drive.answers = [PAGE]
    with pytest.raises(InputError, match="Google Drive gives a web page in place of the file"):
        get(DRIVE)
    assert [p.name for p in get.target.parent.iterdir()] == ["a.zip.lock"]
    assert get(DRIVE, mirror=server.serve("/mirror", FILE)) == SHA256


@pytest.mark.parametrize("verified", [True, False])
def test_google_drives_file_goes_on_where_it_ended_if_a_checksum_tells(drive, get, server, verified):
    big = FILE * 8  # gdown writes 512 kB at a time
    checksum = hashlib.sha256(big).hexdigest()
    drive.answers = [Answer(body=big, cut=1_200_000)]
    with pytest.raises(InputError, match="Google Drive does not give it"):
        get(DRIVE, sha256=checksum, attempts=1)
    drive.answers = [big]
    assert get(DRIVE, sha256=checksum if verified else None) == checksum
    assert (server.requests[-1].range == f"bytes={2 << 19}-") == verified
    assert sorted(p.name for p in get.target.parent.iterdir()) == ["a.zip", "a.zip.lock"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Too many users have viewed\n or downloaded this file", "limit of downloads is used up"),
        ("Quota exceeded", "limit of downloads is used up"),
        ("Cannot retrieve the public link of the file. You may", "not public, or it was asked for too often"),
        ("something\n\n\telse", r"does not give it \(something else\)"),
    ],
)
def test_what_google_drive_refuses_is_one_line(monkeypatch, get, text, said):
    def refuse(**_):
        raise gdown.FileURLRetrievalError(f"Failed to retrieve file url:\n\n\t{text}\n")

    monkeypatch.setattr(gdown, "download", refuse)
    said = said.replace(r"\(something", r"\(Failed to retrieve file url: something")
    with pytest.raises(InputError, match=rf"{DRIVE}: .*{said}.*; or ask") as error:
        get(DRIVE, hint="or ask")
    assert "\n" not in str(error.value)


def test_a_full_disk_is_one_line_from_gdown_too(monkeypatch, get):
    def full(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(gdown, "download", full)
    with pytest.raises(InputError, match="no space left on the device"):
        get(DRIVE)


def test_a_file_in_a_folder_of_google_drive_is_found_by_its_name(monkeypatch, drive, get):
    listed = [SimpleNamespace(id=str(n), path=path) for n, path in enumerate(["b.zip", "x/a.zip"])]
    monkeypatch.setattr(gdown, "download_folder", lambda **settings: listed)
    folder = "https://drive.google.com/drive/folders/1aBcDeFgHiJkLmNoPqRsTuVwXyZ?usp=sharing"
    assert get(folder) == SHA256
    assert drive.asked == [{"id": "1"}]
    get.target.unlink()
    listed.pop()
    with pytest.raises(InputError, match=r"the folder holds 0 files called a\.zip; it lists b\.zip"):
        get(folder)


def test_without_gdown_its_install_command_is_named(monkeypatch, get):
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(InputError, match="pip install gdown"):
        get(DRIVE)
    assert not Path(f"{get.target}.drive").exists()
