"""Unpacking: every format comes back byte for byte, with its programs and libraries or without."""

import os
import shutil
import stat
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers.archive_checks import BOUNDS, FORMATS, content, needs_7z, needs_rar, refused
from helpers.archive_samples import (
    FILES,
    rar3_of,
    sevenzip_of,
    tar_files,
    zip_of,
)

from ncfl.data.transport import archive_outputs, archive_rar
from ncfl.data.transport.archives import unpack


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
def test_round_trip_whatever_the_suffix(make, tmp_path):
    target = tmp_path / "new" / "files"
    assert unpack(make(tmp_path / "archive.bin"), target, **BOUNDS) == list(FILES)
    assert content(target) == FILES
    assert [path.name for path in target.parent.iterdir()] == ["files"]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_methods(compression, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", compression) as archive:
        archive.mkdir("empty folder")
        archive.writestr("a/b.png", bytes(70_000))
    assert unpack(tmp_path / "a.zip", tmp_path / "files", **BOUNDS) == ["a/b.png"]
    assert content(tmp_path / "files") == {"a/b.png": bytes(70_000)}
    assert (tmp_path / "files" / "empty folder").is_dir()


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_modes_are_plain(tmp_path):
    before = os.umask(0o022)
    try:
        unpack(tar_files(tmp_path / "a.tar", FILES, mode=0o6777), tmp_path / "files", **BOUNDS)
        unpack(zip_of(tmp_path / "a.zip", FILES, stat.S_IFREG | 0o4001), tmp_path / "others", **BOUNDS)
    finally:
        os.umask(before)
    for root in (tmp_path / "files", tmp_path / "others"):
        modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in (root, *root.rglob("*"))}
        assert modes == {(True, 0o755), (False, 0o644)}


def test_members_larger_than_a_buffer(tmp_path):
    data = os.urandom(archive_outputs.BUFFER + 17) * 3
    bounds = {"max_files": 1, "max_bytes": len(data)}
    unpack(zip_of(tmp_path / "a", {"x": data}), tmp_path / "zip", **bounds)
    unpack(tar_files(tmp_path / "b", {"x": data}, "gz"), tmp_path / "tar", **bounds)
    assert content(tmp_path / "zip") == content(tmp_path / "tar") == {"x": data}


def test_archives_inside_stay_files(tmp_path):
    inner = zip_of(tmp_path / "inner.zip", {"../evil": b""}).read_bytes()
    assert unpack(zip_of(tmp_path / "a.zip", {"inner.zip": inner}), tmp_path / "files", **BOUNDS) == ["inner.zip"]
    assert content(tmp_path / "files") == {"inner.zip": inner}


def test_bounds_are_inclusive(tmp_path):
    archive = zip_of(tmp_path / "a.zip", {"a": b"123", "b": b"45"})
    assert unpack(archive, tmp_path / "files", max_files=2, max_bytes=5) == ["a", "b"]
    refused(archive, "expected at most 4 bytes", max_bytes=4)


@needs_7z
def test_7z_ignores_links_in_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "clip a").symlink_to("/")
    monkeypatch.chdir(tmp_path)
    unpack(sevenzip_of(tmp_path / "a.7z", FILES), Path("files"), **BOUNDS)
    assert content(tmp_path / "files") == FILES


@needs_rar
@pytest.mark.parametrize("program", [program[0] for program in archive_rar._PROGRAMS])
def test_compressed_rar_by_real_programs(program, tmp_path, monkeypatch):
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    if program.startswith("7z") and b"Rar" not in subprocess.run([program, "i"], capture_output=True).stdout:
        pytest.skip(f"this {program} was built without rar")
    monkeypatch.setattr(archive_rar, "_PROGRAMS", [p for p in archive_rar._PROGRAMS if p[0] == program])
    unpack(rar3_of(tmp_path / "a.rar", FILES, packed=True), tmp_path / "files", **BOUNDS)
    assert content(tmp_path / "files") == FILES


def program(tmp_path, monkeypatch, body):
    """An ``unrar`` that does as told, alone on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "unrar").write_text(f"#!{sys.executable} -ES\nimport sys\nout = sys.stdout.buffer\n{body}\n")
    (folder / "unrar").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@needs_rar
@pytest.mark.skipif(os.name != "posix", reason="a script as a program")
class TestRarPrograms:
    ALL = b"".join(FILES.values())

    def test_contents_are_cut_by_the_headers(self, tmp_path, monkeypatch):
        program(tmp_path, monkeypatch, f"assert sys.argv[-1].endswith('archive.rar')\nout.write({self.ALL!r})")
        assert unpack(rar3_of(tmp_path / "a.rar", FILES, packed=True), tmp_path / "f", **BOUNDS) == list(FILES)
        assert content(tmp_path / "f") == FILES

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            (f"out.write({ALL!r} + b'more')", "unpacks more than the headers list"),
            (f"out.write({ALL[:-1]!r})", "top.txt ends 1 bytes early"),
            (f"out.write({ALL[:-1] + b'P'!r})", "top.txt has a wrong checksum"),
            ("while True: out.write(bytes(1000000))", "needs a program"),
            ("open('evil', 'w').write('evil')", "needs a program"),
            ("sys.exit(3)", "(unrar failed)"),
            ("import time; time.sleep(60)", "(unrar failed)"),
            (f"out.write({ALL[:-1]!r}); out.flush(); import time; time.sleep(60)", "top.txt ends 1 bytes early"),
        ],
        ids=["more", "less", "other", "without end", "writes files", "fails", "hangs", "hangs in the end"],
    )
    def test_programs_are_not_trusted(self, body, text, tmp_path, monkeypatch):
        program(tmp_path, monkeypatch, body)
        monkeypatch.setattr(archive_rar, "_SILENCE", 0.5)
        refused(rar3_of(tmp_path / "a.rar", FILES, packed=True), text)

    def test_without_a_program(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", "")
        assert "--from" in refused(rar3_of(tmp_path / "a.rar", FILES, packed=True), "install unrar")
        unpack(rar3_of(tmp_path / "b.rar", FILES), tmp_path / "files", **BOUNDS)
        assert content(tmp_path / "files") == FILES


@pytest.mark.parametrize(("library", "magic"), [("py7zr", b"7z\xbc\xaf\x27\x1c"), ("rarfile", b"Rar!\x1a\x07\x00")])
def test_missing_library(library, magic, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    (tmp_path / "a").write_bytes(magic + struct.pack("<Q", 0))
    refused(tmp_path / "a", f"pip install {library}")
