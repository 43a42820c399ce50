"""What tests of unpacking share: archives of all formats, and what a refused one must leave behind: nothing."""

import sys

import pytest

from helpers.archive_samples import (
    FILES,
    rar3_of,
    rar5_of,
    sevenzip_of,
    tar_files,
    zip_of,
)
from ncfl.common.errors import InputError
from ncfl.data.transport.archives import unpack

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
