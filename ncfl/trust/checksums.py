"""SHA-256 of files, computed once: kept with size, times and inode, and computed anew when one of them is another.

The time of change (ctime) is among them, which no program sets: an edit that puts back the time of modification is
seen all the same. A bit that turns on the disk is not; for that there is ``fresh``.
"""

import contextlib
import json
import os
import time
from pathlib import Path

from ncfl.common.errors import InputError
from ncfl.common.files import sha256, write_json
from ncfl.config import layout

FOLDER = layout.RECORDS / "checksums"
ALWAYS_READ_BYTES = 64 * 1024  # of results, so small a file is read each time: that costs no more than to look it up
_TICK_SECONDS = 0.05  # an edit within the clock's tick after the reading would have the same times


class Checksums(contextlib.AbstractContextManager):
    """The checksums of files; use as a context manager, which keeps at its end what was computed.

    Args:
        fresh: read every file, whatever is known of it.
    """

    def __init__(self, *, fresh: bool = False) -> None:
        self.fresh = fresh
        self._known: dict[str, dict[str, list]] = {}
        self._changed: set[str] = set()
        self._now: dict[str, str] = {}

    def __exit__(self, *error: object) -> None:
        for group in self._changed:
            with contextlib.suppress(OSError, InputError):  # a place where nothing may be written: computed again then
                write_json(FOLDER / f"{group}.json", self._known[group])

    def of(self, path: Path) -> str:
        """The file's SHA-256.

        Raises:
            OSError: it is not there or cannot be read.
        """
        name = path.as_posix()
        if name not in self._now:
            self._now[name] = self._of(path, name)
        return self._now[name]

    def _of(self, path: Path, name: str) -> str:
        mark = mark_of(path.stat())
        group = _group(path)
        known = self._group(group)
        small = mark[0] <= ALWAYS_READ_BYTES and path.parts[0] != layout.DATA.name
        entry = known.get(name)
        if not self.fresh and not small and entry and entry[:4] == mark:
            return entry[4]
        return self._keep(group, name, path, mark, began=time.time())

    def know(self, path: Path, checksum: str) -> None:
        """Keep a checksum that whoever wrote the file has computed."""
        mark = mark_of(path.stat())
        group = _group(path)
        self._group(group)[path.as_posix()] = [*mark, checksum]
        self._changed.add(group)

    def _keep(self, group: str, name: str, path: Path, mark: list[int], began: float) -> str:
        found = sha256(path)
        if began - max(mark[1], mark[2]) / 1e9 > _TICK_SECONDS and path.stat().st_ctime_ns == mark[2]:
            entry, known = [*mark, found], self._known[group].get(name)
            hidden = set_back(known, mark) and known[4] != found  # what was known stays, for ncfl.trust.kept_times
            if known != entry and not hidden:
                self._known[group][name] = entry
                self._changed.add(group)
        return found

    def _group(self, group: str) -> dict[str, list]:
        if group not in self._known:
            try:
                found = json.loads((FOLDER / f"{group}.json").read_text(encoding="utf-8"))
                self._known[group] = {n: e for n, e in found.items() if isinstance(e, list) and len(e) == 5}
            except (OSError, ValueError, AttributeError):
                self._known[group] = {}
        return self._known[group]


def mark_of(status: os.stat_result) -> list[int]:
    """What tells whether a file is as it was: size, time of modification, time of change, inode."""
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def set_back(known: list | None, mark: list[int]) -> bool:
    """Whether the time of change alone is another than that of a known entry: somebody set the other time back."""
    if known is None:
        return False
    return known[2] != mark[2] and all(known[n] == mark[n] for n in (0, 1, 3))


def _group(path: Path) -> str:
    """Files that are looked at together have one file of checksums: those of a dataset, of an experiment."""
    return "-".join(path.parts[:-1][:3]) or "project"
