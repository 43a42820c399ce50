"""Unpacks what was downloaded, and takes every archive for hostile: whole and inside its folder, or not at all.

Members are listed and checked first (:mod:`ncfl.data.transport.archive_members`), then streamed into a hidden folder
beside the target, each bounded by the size it declared (:mod:`ncfl.data.transport.archive_outputs`); the folder gets
its name when all is there. Owners, times, permissions and executable bits are not taken over. Archives inside are left
as files.
"""

import contextlib
from pathlib import Path
from typing import BinaryIO

from ncfl.common.errors import InputError
from ncfl.common.progress import Progress
from ncfl.data.transport.archive_members import Contents
from ncfl.data.transport.archive_outputs import Outputs, Reader, new_folder
from ncfl.data.transport.archive_rar import RarReader
from ncfl.data.transport.archive_sevenzip import SevenZipReader
from ncfl.data.transport.archive_tar import DECOMPRESSORS, TarReader
from ncfl.data.transport.archive_zip import ZipReader, check_not_a_piece

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")  # the last one of a zip that was split
_RAR = (b"Rar!\x1a\x07\x00", b"Rar!\x1a\x07\x01\x00")
_SEVENZIP = b"7z\xbc\xaf\x27\x1c"
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257


def unpack(archive: Path, target: Path, *, max_files: int, max_bytes: int) -> list[str]:
    """Unpack a zip, tar (also .gz, .bz2, .xz, .zst), 7z or rar, recognized by its content.

    Args:
        archive: the file.
        target: the folder to make; it must not exist.
        max_files: how many files it may hold.
        max_bytes: how many bytes they may come to.

    Returns:
        The files written, as POSIX paths from ``target``, in the archive's order.

    Raises:
        InputError: not such an archive, damaged, encrypted, empty, with a member that is a link or a device or has
            an unsafe name, more than its bounds allow, ``target`` exists, or no space left. ``target`` does not
            exist then, and nothing was written elsewhere.
    """
    archive, target = Path(archive), Path(target)
    try:
        with archive.open("rb") as file:
            reader = _reader(archive, file, max_files=max_files, max_bytes=max_bytes)
            contents = Contents(archive, max_files=max_files, max_bytes=max_bytes)
            for member in reader.members():
                contents.add(member)
            contents.check_not_empty()
            _write(reader, contents, target)
    except InputError:
        raise
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise InputError(f"{archive}: it cannot be read ({error.strerror}); get it again") from None
    except Exception as error:
        # The libraries raise all kinds of exceptions for archives that are made to break them.
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(
            f"{archive}: it is damaged, or of a kind that cannot be read ({said}); download it again, or unpack it by "
            f"hand and pass the folder with --from"
        ) from error
    return list(contents.files)


def _write(reader: Reader, contents: Contents, target: Path) -> None:
    label = f"unpack {contents.archive.name}"
    with new_folder(target) as building, Progress(contents.total // 1_000_000, label, unit="MB") as progress:
        outputs = Outputs(contents.archive, target, building, contents.files, progress)
        with contextlib.closing(outputs):
            outputs.make_folders(contents.folders)
            reader.extract(outputs)
        outputs.check_whole()


def _reader(archive: Path, file: BinaryIO, *, max_files: int, max_bytes: int) -> Reader:
    start = file.read(512)
    file.seek(0)
    if start.startswith(_ZIP):
        return ZipReader(archive, file)
    if start.startswith(_SEVENZIP):
        return SevenZipReader(archive, file)
    if start.startswith(_RAR):
        return RarReader(archive, file)
    decompress = next((opens for magic, opens in DECOMPRESSORS.items() if start.startswith(magic)), None)
    if decompress or start[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC):
        return TarReader(archive, file, decompress, max_files=max_files, max_bytes=max_bytes)
    check_not_a_piece(archive, file)
    raise InputError(f"{archive}: expected an archive (zip, tar, 7z, rar), got a file that begins with {start[:16]!r}")
