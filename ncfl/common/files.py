"""Files that are either whole or absent: atomic writes, and the few formats that steps exchange."""

import contextlib
import csv
import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ncfl.common.errors import InputError

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
    temporary = path.with_name(short_name(f".{path.stem}.{os.getpid()}", path.suffix))
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
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
