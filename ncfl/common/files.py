"""Files that are either whole or absent: atomic writes, and the few formats that steps exchange."""

import contextlib
import csv
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ncfl.common.errors import InputError
from ncfl.common.processes import alive

LONGEST_NAME = 255  # bytes, of most file systems
FULL = (errno.ENOSPC, errno.EDQUOT)
UNWRITABLE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG),
    errno.EFBIG,  # a file system with a limit, such as FAT, or a limit of the shell's (ulimit -f)
)


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; rename it to ``path`` when the block ends without an error.

    A reader therefore never sees half a file. The temporary file is removed when the block fails. A full disk
    or a place where nothing may be written is reported as :class:`InputError`, because only the user can mend it.
    """
    path = Path(path)
    # The suffix is kept, since writers choose the format by it.
    temporary = temporary_beside(path, path.stem, path.suffix)
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_leftovers(path, path.stem, path.suffix)
            yield temporary
            temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Report a full disk, or a place where nothing may be written, as the user's to mend: :class:`InputError`."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            where = f"the device that holds {path.parent}; make room and run the command again"
            raise InputError(f"{path}: no space left on {where}") from error
        if error.errno in UNWRITABLE:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from error
        raise


def temporary_beside(path: Path, stem: str | None = None, suffix: str = "") -> Path:
    """Where this process builds what will be ``path``: a hidden name in the same folder, with the process's number.

    Args:
        path: what it will be.
        stem: the name in it; ``path.name`` where None.
        suffix: what the name shall end with.
    """
    return path.with_name(short_name(f".{path.name if stem is None else stem}.{os.getpid()}", suffix))


def remove_leftovers(path: Path, stem: str | None = None, suffix: str = "") -> None:
    """Remove what processes that are no more began to build for ``path``: a kill gives nobody time to clear up.

    The arguments are those of :func:`temporary_beside`. What cannot be removed stays, since nothing depends on it.
    """
    with contextlib.suppress(OSError):
        for leftover in leftovers(path, stem, suffix):
            remove(leftover)


def leftovers(path: Path, stem: str | None = None, suffix: str = "") -> list[Path]:
    """What :func:`remove_leftovers` would remove."""
    name = re.escape(path.name if stem is None else stem)
    found = []
    for entry in path.parent.iterdir() if path.parent.is_dir() else []:
        match = re.fullmatch(rf"\.{name}\.(\d+){re.escape(suffix)}", entry.name)
        if match and not alive(int(match[1])):
            found.append(entry)
    return sorted(found)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def replace_link(link: Path, target: Path) -> None:
    """Make ``link`` lead to a file or folder, whatever it led to; at no moment is there no link."""
    temporary = temporary_beside(link)
    with writing(link):
        link.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(link)
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.replace(link)


def short_name(stem: str, suffix: str = "") -> str:
    """``stem + suffix``, its middle replaced by a checksum where the name would be longer than file systems take."""
    name = f"{stem}{suffix}"
    if len(os.fsencode(name)) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return f".{digest}.{os.getpid()}{suffix}"


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON with a final newline; NaN is refused because JSON has none."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read JSON; a file that is missing or no JSON is an :class:`InputError` that names it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as JSON ({error})") from None


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write one header line and ``rows``, with Unix line ends on every platform."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal, read in constant memory."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
