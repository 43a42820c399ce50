"""Processes of this machine."""

import contextlib
import os
from pathlib import Path


def alive(process: int) -> bool:
    """Whether a process of this id exists and has not ended."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):  # of no machine
        return False
    except PermissionError:  # another user's
        return True
    with contextlib.suppress(OSError, IndexError):  # one that has ended and whom nobody has asked about yet
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True
