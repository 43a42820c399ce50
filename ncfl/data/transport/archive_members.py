"""What an archive may hold: files and folders whose names mean the same, inside the target, on every system.

Refused are links of every kind, even those that stay inside, because no dataset here has one and a link is the
step that makes other tricks work; devices, pipes and sockets; and names that lead out of the folder, that some
system cannot have, or that fall together where upper and lower case or Unicode's forms do not count.
"""

import re
import stat
import unicodedata
from pathlib import Path
from typing import NamedTuple

from ncfl.common.errors import InputError

FOLDERS_AT_LEAST = 100  # so that a bound of few files does not forbid the folders around them
_LONGEST_PART, _LONGEST_PATH, _DEEPEST = 255, 1024, 64  # bytes, bytes, folders: what common file systems take
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)", re.IGNORECASE)
_NOT_EVERYWHERE = frozenset('\\:*?"<>|')
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode categories; Cs is what a byte outside UTF-8 turns into


class Member(NamedTuple):
    """One entry, as the archive states it.

    Attributes:
        name: with ``/`` between parts; nothing about it has been checked.
        kind: ``file``, ``folder``, or in words what else it is.
        size: bytes it says that it unpacks to.
    """

    name: str
    kind: str
    size: int


class Contents:
    """What an archive says that it holds, checked entry by entry; nothing of it is believed while unpacking.

    Args:
        archive: named by errors.
        max_files: how many files it may hold; as many folders, though at least 100, may be there beside them.
        max_bytes: how many bytes the files may come to.

    Attributes:
        files: path from the target, POSIX -> bytes declared, in the archive's order.
        folders: every folder that is needed, parents first.
    """

    def __init__(self, archive: Path, *, max_files: int, max_bytes: int) -> None:
        self.archive, self.max_files, self.max_bytes = archive, max_files, max_bytes
        self.files: dict[str, int] = {}
        self.folders: dict[str, None] = {}
        self.total = 0
        self._spelled: dict[str, tuple[str, str]] = {}  # folded path -> (path, kind)

    def add(self, member: Member) -> None:
        """Take the entry in.

        Raises:
            InputError: it is neither file nor folder, its name is unsafe or taken, or it is one too many.
        """
        reason = f"is {member.kind}" if member.kind not in ("file", "folder") else _unsafe(member.name)
        if reason:
            raise self._refused(member.name, reason)
        path = clean(member.name)
        if path:
            self._add_folders(path if member.kind == "folder" else path.rpartition("/")[0], member.name)
        if member.kind == "folder":
            return
        if not path or member.name.endswith("/"):
            raise self._refused(member.name, "is a file without a name")
        if member.size < 0:
            raise self._refused(member.name, f"says that it has {member.size} bytes")
        self._claim(path, "file", member.name)
        self.files[path] = member.size
        self.total += member.size
        self._check_bounds()

    def check_not_empty(self) -> None:
        """Refuse an archive without a single file."""
        if not self.files:
            raise InputError(f"{self.archive}: expected files in it, got none; nothing was unpacked")

    def _add_folders(self, folder: str, name: str) -> None:
        missing = []
        while folder and folder not in self.folders:
            missing.append(folder)
            folder = folder.rpartition("/")[0]
        for path in reversed(missing):
            self._claim(path, "folder", name)
            self.folders[path] = None
        self._check_bounds()

    def _claim(self, path: str, kind: str, name: str) -> None:
        before, kind_before = self._spelled.setdefault(_folded(path), (path, ""))
        if kind_before and kind_before != kind:
            reason = f"needs {_shown(before)} as a {kind}, but another one has it as a {kind_before}"
            raise self._refused(name, reason)
        if before != path:
            raise self._refused(
                name, f"and {_shown(before)} have one name on systems where case or Unicode's forms do not count"
            )
        if kind_before:
            raise self._refused(name, "is there twice")
        self._spelled[_folded(path)] = (path, kind)

    def _check_bounds(self) -> None:
        folders = max(self.max_files, FOLDERS_AT_LEAST)
        for found, allowed, what in (
            (len(self.files), self.max_files, "files"),
            (len(self.folders), folders, "folders"),
            (self.total, self.max_bytes, "bytes"),
        ):
            if found > allowed:
                column = "unpacked_bytes" if what == "bytes" else "unpacked_files"
                raise InputError(
                    f"{self.archive}: expected at most {allowed} {what} ({column} of this archive in "
                    "ncfl/data/sources.csv), got more; nothing was unpacked"
                )

    def _refused(self, name: str, reason: str) -> InputError:
        return InputError(f"{self.archive}: member {_shown(name)} {reason}; nothing was unpacked")


def clean(name: str) -> str:
    """A checked name as a path from the target: without ``.`` parts and doubled or final slashes."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def kind_of(mode: int) -> str:
    """What a Unix mode says that an entry is, in :attr:`Member.kind`'s words; a mode without a type is a file's."""
    kinds = {0: "file", stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "a symbolic link"}
    others = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return (kinds | others).get(stat.S_IFMT(mode), "of an unknown kind")


def _unsafe(name: str) -> str | None:
    """Why a name cannot be taken, or None."""
    if not name.isascii() or not name.isprintable():
        for character in name:
            if unicodedata.category(character) in _INVISIBLE:
                return f"has U+{ord(character):04X} in its name: a control character, or no UTF-8"
    if name.startswith("/"):
        return "has an absolute path"
    if len(name.encode()) > _LONGEST_PATH:
        return f"has a path of more than {_LONGEST_PATH} bytes"
    parts = name.split("/")
    if len(parts) > _DEEPEST:
        return f"lies more than {_DEEPEST} folders deep"
    return next(filter(None, map(_unsafe_part, parts)), None)


def _unsafe_part(part: str) -> str | None:
    if part in ("", "."):
        return None
    if part == "..":
        return "leads out of the folder (..)"
    if not _NOT_EVERYWHERE.isdisjoint(part):
        return f"has {next(c for c in part if c in _NOT_EVERYWHERE)} in its name, which is not a letter everywhere"
    if part[-1] in " .":
        return "has a part that ends in a dot or a space, which some systems drop"
    if len(part.encode()) > _LONGEST_PART:
        return f"has a name of more than {_LONGEST_PART} bytes"
    return f"has a name that Windows reserves for a device ({part})" if _RESERVED.match(part) else None


def _folded(path: str) -> str:
    """Equal for paths that a system may take for one."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())


def _shown(name: str) -> str:
    """A hostile name in one line: what cannot be printed is escaped, what is long is cut."""
    shown = name if name.isprintable() else ascii(name)[1:-1]
    return shown if len(shown) <= 100 else f"{shown[:97]}..."
