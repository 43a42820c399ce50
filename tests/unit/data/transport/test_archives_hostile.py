"""Archives that are hostile leave nothing behind, inside or outside."""

import gzip
import stat
import tarfile
import unicodedata

import pytest
from helpers.archive_checks import needs_7z, needs_rar, refused
from helpers.archive_samples import (
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
    refused(zip_of(tmp_path / "a.zip", {str(n): b"" for n in range(51)}), "expected at most 50 files")


def test_too_many_folders(tmp_path):
    refused(
        zip_of(tmp_path / "a.zip", {"a": b"x"} | {f"{n}/": b"" for n in range(101)}), "expected at most 100 folders"
    )


def test_folder_entries_without_end(tmp_path):
    entries = [(tar_entry("same", tarfile.DIRTYPE), b"") for _ in range(200)]
    refused(tar_of(tmp_path / "a.tar", entries), "expected at most 150 entries")


def test_declared_bomb_is_not_even_begun(tmp_path):
    refused(zip_of(tmp_path / "a.zip", {"a": bytes(300_000)}), "expected at most 200000 bytes")


def test_tar_bomb(tmp_path):
    bomb = tar_of(tmp_path / "a.tar.gz", [(tar_entry("a"), bytes(50_000_000))], "gz")
    assert bomb.stat().st_size < 100_000
    refused(bomb, "expected at most 200000 bytes")


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
    refused(sevenzip_of(tmp_path / "a.7z", {"a": bytes(5_000_000)}), "expected at most 200000 bytes")


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
