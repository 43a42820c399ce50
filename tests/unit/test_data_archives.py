"""Unpacking: every format comes back byte for byte, and what is hostile leaves nothing behind, inside or outside."""

import errno
import gzip
import os
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import unicodedata
import zipfile
from pathlib import Path

import pytest
from archive_samples import (
    FILES,
    RAR_CONTINUED,
    RAR_ENCRYPTED,
    overlapping_zip,
    patch_zip,
    rar3_of,
    rar5_of,
    renamed_7z,
    sevenzip_of,
    tar_entry,
    tar_files,
    tar_of,
    zip_of,
)

from ncfl.data.transport import archive_outputs, archive_rar
from ncfl.data.transport.archives import unpack
from ncfl.errors import InputError

BOUNDS = {"max_files": 50, "max_bytes": 200_000}


def has(library: str) -> bool:
    try:
        __import__(library)
    except ImportError:
        return False
    return True


def content(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def traces(root):
    """Everything below a folder, links not followed, with contents."""
    return {path: path.read_bytes() if path.is_file() else None for path in root.rglob("*")}


def refused(archive, text, **bounds):
    """The archive is refused in one line that names it, and the disk is as it was."""
    (archive.parent / "out").mkdir()
    before = traces(archive.parent)
    with pytest.raises(InputError) as caught:
        unpack(archive, archive.parent / "out" / "files", **BOUNDS | bounds)
    message = str(caught.value)
    assert message.startswith(str(archive))
    assert text in message.removeprefix(str(archive))  # the path holds the test's name
    assert message.isprintable()
    assert traces(archive.parent) == before
    return message


needs_7z = pytest.mark.skipif(not has("py7zr"), reason="py7zr is not installed")
needs_rar = pytest.mark.skipif(not has("rarfile"), reason="rarfile is not installed")


def zstd_tar(path):
    archive_tar = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    path.write_bytes(archive_tar.compress(tar_files(path, FILES).read_bytes()))
    return path


FORMATS = {
    "zip": lambda path: zip_of(path, FILES),
    "tar": lambda path: tar_files(path, FILES),
    "tar.gz": lambda path: tar_files(path, FILES, "gz"),
    "tar.bz2": lambda path: tar_files(path, FILES, "bz2"),
    "tar.xz": lambda path: tar_files(path, FILES, "xz"),
    "tar.zst": zstd_tar,
    "7z": pytest.param(lambda path: sevenzip_of(path, FILES), marks=needs_7z),
    "rar3": pytest.param(lambda path: rar3_of(path, FILES), marks=needs_rar),
    "rar5": pytest.param(lambda path: rar5_of(path, FILES), marks=needs_rar),
}


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
    refused(archive, "more than 4 bytes", max_bytes=4)


HOSTILE_NAMES = {
    "parent": ("../evil", "leads out of the folder (..)"),
    "parent inside": ("a/../../evil", "leads out of the folder (..)"),
    "harmless parent": ("a/../b", "leads out of the folder (..)"),
    "absolute": ("/tmp/evil", "absolute path"),
    "UNC with slashes": ("//server/share/evil", "absolute path"),
    "drive": ("C:/evil", "has : in its name"),
    "stream": ("a.png:evil", "has : in its name"),
    "control": ("a\nb", "U+000A"),
    "escape": ("a\x1b[2Jb", "U+001B"),
    "delete": ("a\x7f", "U+007F"),
    "turned around": ("a\u202egnp.exe", "U+202E"),
    "device": ("clip/con.png", "Windows reserves"),
    "device with a digit": ("LPT¹", "Windows reserves"),
    "final dot": ("a./b", "ends in a dot or a space"),
    "final space": ("a /b", "ends in a dot or a space"),
    "long part": ("a" * 256, "more than 255 bytes"),
    "long part in bytes": ("雨" * 86, "more than 255 bytes"),
    "long path": ("/".join(["a" * 100] * 11), "more than 1024 bytes"),
    "deep": ("/".join("a" * 70), "more than 64 folders deep"),
    "nothing": ("", "without a name"),
    "only dots": ("./.", "without a name"),
}
BACKSLASHES = {
    "backslash": ("..\\evil", "has \\ in its name"),
    "UNC": ("\\\\server\\share\\evil", "has \\ in its name"),
}


@pytest.mark.parametrize(("name", "text"), (HOSTILE_NAMES | BACKSLASHES).values(), ids=HOSTILE_NAMES | BACKSLASHES)
def test_hostile_names_in_zip(name, text, tmp_path):
    refused(zip_of(tmp_path / "a.zip", {"good.png": b"good", name: b"evil"}), text)


@pytest.mark.parametrize(
    ("name", "text"),
    [value for key, value in (HOSTILE_NAMES | BACKSLASHES).items() if "dots" not in key and "nothing" not in key],
)
def test_hostile_names_in_tar(name, text, tmp_path):
    refused(tar_of(tmp_path / "a.tar", [(tar_entry("good"), b"good"), (tar_entry(name), b"evil")], "gz"), text)


@needs_rar
@pytest.mark.parametrize(("name", "text"), HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_hostile_names_in_rar(name, text, tmp_path):
    refused(rar3_of(tmp_path / "a.rar", {"good.png": b"good", name: b"evil"}), text)


@needs_rar
def test_rar_of_windows_leads_out(tmp_path):
    refused(rar3_of(tmp_path / "a.rar", {"..\\evil": b"evil"}), "member ../evil leads out of the folder")
    (tmp_path / "out").rmdir()
    refused(rar5_of(tmp_path / "b.rar", {"..\\evil": b"evil"}), "has \\ in its name")


@needs_7z
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("../evil", "leads out of the folder"),
        ("/abs/ev", "absolute path"),
        ("..\\evil", "leads out of the folder"),
        ("C:/evil", "has : in its name"),
        ("nul.png", "Windows reserves"),
        ("a\u202eb.png"[:7], "U+202E"),
    ],
)
def test_hostile_names_in_7z(name, text, tmp_path):
    archive = sevenzip_of(tmp_path / "a.7z", {"good.png": b"good", "aa/evil": b"evil"})
    refused(renamed_7z(archive, "aa/evil", name), text)


def test_absolute_path_of_a_real_folder(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    refused(zip_of(tmp_path / "a.zip", {f"{tmp_path}/elsewhere/evil": b"evil"}), "absolute path")


def test_nul_in_a_zip_name(tmp_path):
    # zipfile's writer leaves the name whole in the file; its reader would cut it to "a.png".
    refused(zip_of(tmp_path / "a.zip", {"a.png\x00/../../evil": b"evil"}), "U+0000")


def test_bytes_that_are_no_utf8(tmp_path):
    refused(tar_of(tmp_path / "a.tar", [(tar_entry("\udcb0\udca1.png"), b"x")]), "no UTF-8")


NFC, NFD = (unicodedata.normalize(form, "clip é/a.png") for form in ("NFC", "NFD"))
COLLISIONS = {
    "case": (["clip/a.png", "clip/A.png"], "have one name on systems"),
    "case beyond ASCII": (["straße", "STRASSE"], "have one name on systems"),
    "Unicode forms": ([NFC, NFD], "have one name on systems"),
    "folders": (["Clip/a.png", "clip/b.png"], "have one name on systems"),
    "twice": (["a.png", "a.png"], "is there twice"),
    "twice after cleaning": (["a//b.png", "./a/b.png"], "is there twice"),
    "file, then folder": (["a", "a/b"], "needs a as a folder, but another one has it as a file"),
    "folder, then file": (["a/b", "a"], "needs a as a file, but another one has it as a folder"),
    "file and folder by case": (["a", "A/b"], "needs a as a folder, but another one has it as a file"),
}


@pytest.mark.parametrize(("names", "text"), COLLISIONS.values(), ids=COLLISIONS)
@pytest.mark.parametrize("make", ["zip", "tar"])
def test_collisions(make, names, text, tmp_path):
    if make == "zip":
        archive = zip_of(tmp_path / "a", [(name, b"x") for name in names])
    else:
        archive = tar_of(tmp_path / "a", [(tar_entry(name), b"x") for name in names])
    refused(archive, text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (stat.S_IFLNK, "is a symbolic link"),
        (stat.S_IFIFO, "is a pipe"),
        (stat.S_IFCHR, "is a device"),
        (stat.S_IFBLK, "is a device"),
        (stat.S_IFSOCK, "is a socket"),
    ],
)
def test_zip_of_other_kinds(kind, text, tmp_path):
    refused(zip_of(tmp_path / "a.zip", {"a": b"/etc/passwd"}, kind | 0o777), text)


@pytest.mark.parametrize(
    ("kind", "link", "text"),
    [
        (tarfile.SYMTYPE, "/etc", "is a symbolic link"),
        (tarfile.SYMTYPE, "../..", "is a symbolic link"),
        (tarfile.SYMTYPE, "good", "is a symbolic link"),
        (tarfile.LNKTYPE, "/etc/passwd", "is a hard link"),
        (tarfile.LNKTYPE, "good", "is a hard link"),
        (tarfile.FIFOTYPE, "", "is a pipe"),
        (tarfile.CHRTYPE, "", "is a device"),
        (tarfile.BLKTYPE, "", "is a device"),
        (tarfile.GNUTYPE_SPARSE, "", "is a sparse file"),
        (b"Z", "", "is of an unknown kind"),
    ],
)
def test_tar_of_other_kinds(kind, link, text, tmp_path):
    entries = [(tar_entry("good"), b"x"), (tar_entry("a", kind, link), b""), (tar_entry("a/through it"), b"evil")]
    refused(tar_of(tmp_path / "a.tar", entries), text)


@needs_7z
def test_7z_link(tmp_path):
    import py7zr

    (tmp_path / "link").symlink_to("/etc")
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as archive:
        archive.write(tmp_path / "link", "link")
    (tmp_path / "link").unlink()
    refused(tmp_path / "a.7z", "is a symbolic link")


@needs_rar
def test_rar_of_other_kinds(tmp_path):
    refused(rar3_of(tmp_path / "a.rar", {"a": b"/etc"}, mode=stat.S_IFLNK | 0o777), "is a link")
    (tmp_path / "out").rmdir()
    refused(rar3_of(tmp_path / "b.rar", {"a": b""}, mode=stat.S_IFIFO | 0o777), "is a pipe")
    (tmp_path / "out").rmdir()
    refused(rar5_of(tmp_path / "c.rar", {"a": b""}, link="/etc"), "is a link")


def test_too_many_files(tmp_path):
    refused(zip_of(tmp_path / "a.zip", {str(n): b"" for n in range(51)}), "more than 50 files")


def test_too_many_folders(tmp_path):
    refused(zip_of(tmp_path / "a.zip", {"a": b"x"} | {f"{n}/": b"" for n in range(101)}), "more than 100 folders")


def test_folder_entries_without_end(tmp_path):
    entries = [(tar_entry("same", tarfile.DIRTYPE), b"") for _ in range(200)]
    refused(tar_of(tmp_path / "a.tar", entries), "more than 150 entries")


def test_declared_bomb_is_not_even_begun(tmp_path):
    refused(zip_of(tmp_path / "a.zip", {"a": bytes(300_000)}), "more than 200000 bytes")


def test_tar_bomb(tmp_path):
    bomb = tar_of(tmp_path / "a.tar.gz", [(tar_entry("a"), bytes(50_000_000))], "gz")
    assert bomb.stat().st_size < 100_000
    refused(bomb, "more than 200000 bytes")


def test_bomb_beneath_the_members(tmp_path):
    # A good tar with 100 MB of nothing behind its end, and one whose header is to be 100 MB long.
    good = tar_files(tmp_path / "good.tar", {"a": b"x"}).read_bytes()
    bomb = tmp_path / "a.tar.gz"
    bomb.write_bytes(gzip.compress(good + bytes(100_000_000), 1))
    refused(bomb, "as a bomb does")
    (tmp_path / "out").rmdir()
    header = tar_entry("x", tarfile.XHDTYPE, size=100_000_000).tobuf()
    bomb.write_bytes(gzip.compress(header + bytes(100_000_000), 1))
    refused(bomb, "a header of 100000000 bytes")


def test_header_that_grows_without_end(tmp_path):
    # The map of a sparse file, as its header announces it, goes on for 40 MB of small numbers.
    bomb = tmp_path / "a.tar.gz"
    entry = tar_entry("x", size=40_000_000)
    entry.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1"}
    bomb.write_bytes(gzip.compress(entry.tobuf(tarfile.PAX_FORMAT) + b"9999999\n" + b"1\n" * 20_000_000, 1))
    refused(bomb, "as a bomb does")


def test_zip_bombs_by_overlap(tmp_path):
    refused(overlapping_zip(tmp_path / "a.zip"), "overlap")


def test_zip_that_says_less_than_it_holds(tmp_path):
    archive = zip_of(tmp_path / "a.zip", {"a": bytes(50_000_000)})
    refused(patch_zip(archive, 22, 24, "<I", 1000), "Bad CRC-32")


def test_zip_that_says_more_than_it_holds(tmp_path):
    archive = zip_of(tmp_path / "a.zip", {"a": b"12345"})
    refused(patch_zip(archive, 22, 24, "<I", 1000), "a ends after 5 of 1000 bytes")


@needs_7z
def test_7z_bomb(tmp_path):
    refused(sevenzip_of(tmp_path / "a.7z", {"a": bytes(5_000_000)}), "more than 200000 bytes")


def test_encrypted_zip(tmp_path):
    refused(patch_zip(zip_of(tmp_path / "a.zip", {"a": b"x"}), 6, 8, "<H", 1), "is encrypted")


@needs_7z
@pytest.mark.parametrize("header", [True, False])
def test_encrypted_7z(header, tmp_path):
    refused(sevenzip_of(tmp_path / "a.7z", FILES, password="p", header_encryption=header), "is encrypted")


@needs_rar
def test_encrypted_rar(tmp_path):
    refused(rar3_of(tmp_path / "a.rar", FILES, flags=RAR_ENCRYPTED), "is encrypted")


@needs_rar
def test_one_part_of_a_rar(tmp_path):
    refused(rar3_of(tmp_path / "a.rar", FILES, flags=RAR_CONTINUED), "one of several parts")


def test_empty_archives(tmp_path):
    refused(zip_of(tmp_path / "a.zip", {}), "holds no files")
    (tmp_path / "out").rmdir()
    refused(zip_of(tmp_path / "b.zip", {"only a folder/": b""}), "holds no files")
    (tmp_path / "out").rmdir()
    refused(tar_of(tmp_path / "c.tar.gz", [], "gz"), "holds no files")


@needs_7z
def test_empty_7z(tmp_path):
    refused(sevenzip_of(tmp_path / "a.7z", {}), "holds no files")


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
    assert "b'<!DOCTYPE html><'" in refused(page, "no archive that is known")
    page.write_bytes(b"")
    (tmp_path / "out").rmdir()
    refused(page, "no archive that is known")
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
        with pytest.raises(InputError, match=f"{name}: is there already"):
            unpack(archive, tmp_path / name, **BOUNDS)
    with pytest.raises(InputError, match=r"file.x: cannot be written"):
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
