"""Files that were changed and given their old time again, which DVC believes: they get a new one, and it looks.

DVC knows a file by size, time of modification and inode. The checksums that steps keep (:mod:`ncfl.trust.checksums`)
have the time of change beside them, which no program sets: where that alone is another, somebody set the time back.
Few imports: this runs before every ``dvc``.
"""

import contextlib
import json
import os
import stat

from ncfl.trust.checksums import FOLDER, mark_of, set_back


def renew() -> None:
    """Give the present time to each file below here whose time of change is the only thing about it that is new.

    What was only renamed or given other rights is among them: DVC then reads it once and finds what it knew. Links and
    files that nobody may write, as DVC's cache has them, are left alone.
    """
    for group in FOLDER.glob("*.json"):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            for name, entry in json.loads(group.read_text(encoding="utf-8")).items():
                with contextlib.suppress(OSError, ValueError, TypeError, LookupError):
                    _renew(name, entry)


def _renew(name: str, entry: list) -> None:
    found = os.lstat(name)
    own = stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_mode & stat.S_IWUSR
    if own and set_back(entry, mark_of(found)):
        os.utime(name)
