"""A ``dvc.lock`` that waits until DVC is asked, so that a run alone changes no file of git.

It says what the results of this machine are, times and rounding among them, and so is another on each. DVC writes it at
the end of a complete run (:mod:`ncfl.trust.dvc_commit`). Then it is laid aside, under the checksum of the one that was
there before, which comes back. The environment's ``dvc`` (:mod:`ncfl.trust.before_dvc`) lays it down again where that
one is still there; beside any other it would be wrong, and stays aside.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from ncfl.common.console import say
from ncfl.common.files import atomic_path
from ncfl.trust import dvc_claim

LOCK = Path("dvc.lock")
FOLDER = Path(".dvc/tmp/ncfl-locks")
KEPT = Path(".dvc/tmp/ncfl-lock-kept")
_BUSY = Path(".dvc/tmp/lock")  # DVC has it while it works


def current() -> Path:
    """Where what DVC knows of the results stands: in the lock that waits for the present one, if there is one."""
    waits = _place(_content())
    return waits if waits.is_file() else LOCK


def lay_down() -> None:
    """Make the lock that waits for the present one the present one."""
    waits = _place(_content())
    if not waits.is_file():
        return
    with dvc_claim.holding(_BUSY) as ours:
        if ours:
            _write(LOCK, waits.read_bytes())
            waits.unlink()


@contextlib.contextmanager
def laid_aside() -> Iterator[None]:
    """Within, the lock that waits is the present one; what it is at the end waits, and the one of before is back."""
    before = _content()
    lay_down()
    try:
        yield
    finally:
        now = _content()
        _place(now).unlink(missing_ok=True)  # what followed once on this one is no longer so
        with dvc_claim.holding(_BUSY) as ours:
            # Else another DVC has begun meanwhile, and reads it.
            if ours and now != before and now is not None:
                _write(_place(before), now)
                if before is None:
                    LOCK.unlink()
                else:
                    _write(LOCK, before)


def keep() -> None:
    """Keep a copy of the lock as it is: DVC writes it in place, after each stage."""
    content = _content()
    if content is not None and _is_whole(content) and (not KEPT.is_file() or KEPT.read_bytes() != content):
        _write(KEPT, content)


def mend() -> None:
    """Put the copy in the place of a lock that a killed DVC left half-written, and that nobody is writing."""
    content = _content()
    if content is None or _is_whole(content) or not KEPT.is_file():
        return
    with dvc_claim.holding(_BUSY) as ours:
        if ours and _content() == content:
            _write(LOCK, KEPT.read_bytes())
            say(f"note: {LOCK}, half-written by a dvc that was killed, is again what it was before")


def _is_whole(content: bytes) -> bool:
    """DVC's last byte is the end of a line; what a kill cuts off ends at a multiple of a buffer's size."""
    return content.endswith(b"\n")


def _content() -> bytes | None:
    try:
        return LOCK.read_bytes()
    except OSError:
        return None


def _place(content: bytes | None) -> Path:
    return FOLDER / f"{hashlib.sha256(content or b'').hexdigest()[:32]}.lock"


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
