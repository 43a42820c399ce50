"""Archives that are empty, cut off or damaged, and unpacking that is interrupted: refused, and nothing is left."""

import errno
import gzip
import os
import tarfile

import pytest
from helpers.archive_checks import BOUNDS, FORMATS, needs_7z, needs_rar, refused, traces
from helpers.archive_samples import (
    FILES,
    rar3_of,
    sevenzip_of,
    tar_entry,
    tar_files,
    tar_of,
    zip_of,
)

from ncfl.common.errors import InputError
from ncfl.data.transport import archive_outputs
from ncfl.data.transport.archives import unpack


def test_empty_archives(tmp_path):
    refused(zip_of(tmp_path / "a.zip", {}), "expected files in it, got none")
    (tmp_path / "out").rmdir()
    refused(zip_of(tmp_path / "b.zip", {"only a folder/": b""}), "expected files in it, got none")
    (tmp_path / "out").rmdir()
    refused(tar_of(tmp_path / "c.tar.gz", [], "gz"), "expected files in it, got none")


@needs_7z
def test_empty_7z(tmp_path):
    refused(sevenzip_of(tmp_path / "a.7z", {}), "expected files in it, got none")


DAMAGEABLE = [key for key in FORMATS if key not in ("tar", "tar.zst")]


@pytest.mark.parametrize("key", [pytest.param(k, marks=getattr(FORMATS[k], "marks", ())) for k in DAMAGEABLE])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.99])
def test_cut_off(key, part, tmp_path):
    make = getattr(FORMATS[key], "values", (FORMATS[key],))[0]
    archive = make(tmp_path / "archive")
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data) * part)])
    refused(archive, "damaged")


@needs_rar
def test_rar_cut_off_between_members(tmp_path):
    refused(rar3_of(tmp_path / "a.rar", FILES, end=False), "ends before the archive's end")


def test_tar_cut_off_between_members(tmp_path):
    archive = tar_files(tmp_path / "a.tar", {"a": bytes(512), "b": b"x"})
    archive.write_bytes(archive.read_bytes()[:1024])
    refused(archive, "empty header, where a tar header should be")


def test_tar_with_a_broken_header_in_the_middle(tmp_path):
    archive = tar_files(tmp_path / "a.tar", {"a": bytes(512), "b": b"x"})
    data = bytearray(archive.read_bytes())
    data[1024] ^= 1
    archive.write_bytes(data)
    refused(archive, "bad checksum, where a tar header should be")


def test_tar_with_a_negative_size(tmp_path):
    info = tar_entry("a")
    info.size = -512
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10_000))
    refused(tmp_path / "a.tar", "damaged")


def flip(archive, at):
    data = bytearray(archive.read_bytes())
    data[at] ^= 0x10
    archive.write_bytes(data)
    return archive


def test_flipped_bits(tmp_path):
    files = {"a": os.urandom(5000)}
    refused(flip(zip_of(tmp_path / "a.zip", files), 2000), "damaged")
    (tmp_path / "out").rmdir()
    refused(flip(tar_files(tmp_path / "a.tar.gz", files, "gz"), -6), "CRC check failed")


@needs_7z
def test_flipped_bits_in_7z(tmp_path):
    refused(flip(sevenzip_of(tmp_path / "a.7z", {"a": os.urandom(5000)}), 2000), "damaged")


@needs_rar
def test_flipped_bits_in_rar(tmp_path):
    refused(flip(rar3_of(tmp_path / "a.rar", {"a": os.urandom(5000)}), 2000), "CRC check failed")


def test_no_archive_at_all(tmp_path):
    page = tmp_path / "a.zip"
    page.write_text("<!DOCTYPE html><title>Sign in</title>")
    assert "b'<!DOCTYPE html><'" in refused(
        page, "expected an archive (zip, tar, 7z, rar), got a file that begins with"
    )
    page.write_bytes(b"")
    (tmp_path / "out").rmdir()
    refused(page, "expected an archive (zip, tar, 7z, rar), got a file that begins with")
    page.write_bytes(gzip.compress(b"one file, no tar" * 100))
    (tmp_path / "out").rmdir()
    refused(page, "where a tar header should be")


def test_missing_and_not_a_file(tmp_path):
    for path in (tmp_path / "missing.zip", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            unpack(path, tmp_path / "files", **BOUNDS)


def test_target_is_left_alone(tmp_path):
    archive = zip_of(tmp_path / "a.zip", FILES)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").write_bytes(b"mine")
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    before = traces(tmp_path)
    for name in ("folder", "file", "link"):
        with pytest.raises(InputError, match=f"{name}: it is there already"):
            unpack(archive, tmp_path / name, **BOUNDS)
    with pytest.raises(InputError, match=r"file.x: it cannot be written"):
        unpack(archive, tmp_path / "file" / "x", **BOUNDS)
    assert traces(tmp_path) == before


def test_full_disk(tmp_path, monkeypatch):
    class Full:
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            pass

    opened = []
    monkeypatch.setattr(archive_outputs.os, "fdopen", lambda file, mode: opened.append(os.close(file)) or Full())
    with pytest.raises(InputError, match=r"files.*: no space left"):
        unpack(zip_of(tmp_path / "a.zip", FILES), tmp_path / "out" / "files", **BOUNDS)
    assert opened
    assert list((tmp_path / "out").iterdir()) == []


def test_interrupted(tmp_path, monkeypatch):
    def interrupt(self, size):
        raise KeyboardInterrupt

    monkeypatch.setattr(archive_outputs.Outputs, "count", interrupt)
    with pytest.raises(KeyboardInterrupt):
        unpack(zip_of(tmp_path / "a.zip", FILES), tmp_path / "out" / "files", **BOUNDS)
    assert list((tmp_path / "out").iterdir()) == []
