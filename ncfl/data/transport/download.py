"""Downloads that arrive whole and verified, or not at all.

What has come is kept in ``<file>.part`` until then, so that the next attempt, or the next run, asks only for the
rest. ``<file>.lock`` lets one process at a time work on a file; the others wait and then find it done.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ncfl.common import files
from ncfl.common.console import say
from ncfl.common.errors import InputError
from ncfl.common.files import writing
from ncfl.data.transport import google_drive
from ncfl.data.transport.partial_file import Part
from ncfl.data.transport.transfer import ConnectionLost, Unavailable, transfer

if TYPE_CHECKING:
    import requests

ATTEMPTS = 5  # in a row that bring (almost) nothing
TIMEOUT = (15.0, 60.0)  # seconds for a connection, and for the next bytes
LONGEST_WAIT = 120.0  # seconds between attempts, whatever a server asks for
PROGRESS = 1 << 20  # bytes that an attempt must add to count as one that brought something


class _Wanted(NamedTuple):
    """What is to arrive, and how hard to try."""

    target: Path
    length: int | None
    checksum: str | None
    attempts: int
    timeout: tuple[float, float]
    sleep: Callable[[float], None]

    def wrong(self, size: int, checksum: str) -> str | None:
        """What is wrong with a file of this size and checksum; None: nothing."""
        if self.length not in (None, size):
            return f"expected {self.length} bytes, got {size}"
        if self.checksum not in (None, checksum):
            return f"expected sha256 {self.checksum}, got {checksum}"
        return None


def download(
    address: str,
    target: Path,
    *,
    bytes_: int | None = None,
    sha256: str | None = None,
    mirror: str | None = None,
    hint: str = "",
    attempts: int = ATTEMPTS,
    timeout: tuple[float, float] = TIMEOUT,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Download a file; where it is there already, verify it.

    Args:
        address: http(s), or a file or folder of Google Drive.
        target: where to put it.
        bytes_: its length; None where unknown.
        sha256: its checksum, hexadecimal; None where unknown.
        mirror: another address, for when ``address`` fails.
        hint: what the user can do otherwise, for the end of the error's line.
        attempts: how often in a row to ask in vain, for each address.
        timeout: seconds to wait for a connection, and for the next bytes.
        sleep: waits between attempts.

    Returns:
        The file's SHA-256, hexadecimal.

    Raises:
        InputError: no address gives the file, or gives one of another length or checksum; no space. The reason
            of each address is named. ``target`` is not made, but what came is kept for the next run.
    """
    target = Path(target)
    wanted = _Wanted(target, bytes_, sha256 and sha256.lower(), attempts, timeout, sleep)
    with alone(target):
        if target.exists():
            return _present(wanted)
        reasons = []
        for source in filter(None, (address, mirror)):
            over = _over_google_drive if google_drive.is_google_drive(source) else _over_http
            try:
                return over(source, wanted)
            except Unavailable as error:
                reasons.append(f"{source}: {error}")
        said = "; ".join([*reasons, hint] if hint else reasons)
        raise InputError(f"{target}: it cannot be downloaded: {said}")


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other processes from what concerns ``path``; the lock's file ``<path>.lock`` stays."""
    from filelock import FileLock, Timeout

    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(path.name + ".lock"))
        try:
            lock.acquire(blocking=False)
        except Timeout:
            say(f"{path}: another process is at work on it; waiting")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _present(wanted: _Wanted) -> str:
    found = files.sha256(wanted.target)
    if wrong := wanted.wrong(wanted.target.stat().st_size, found):
        raise InputError(f"{wanted.target}: {wrong}, since another file is there already; move it away")
    return found


def _over_http(address: str, wanted: _Wanted) -> str:
    import requests

    with requests.Session() as session, Part(wanted.target) as part:
        for last in (False, True):
            _persist(session, address, part, wanted)
            found, spliced, wrong = part.digest, part.spliced, wanted.wrong(part.size, part.digest)
            if not wrong:
                part.publish()
                return found
            part.restart({})
            # Pieces that do not fit together deserve another try; a file that came in one go is what it is.
            if last or not spliced:
                break
            say(f"{wanted.target.name}: {wrong}: the pieces do not fit; from the start again")
        raise Unavailable(f"gives another file: {wrong}: damaged, or replaced")


def _persist(session: "requests.Session", address: str, part: Part, wanted: _Wanted) -> None:
    """Ask until ``part`` is whole; only attempts in a row that bring nothing count."""
    failures, furthest = 0, part.size
    while True:
        try:
            return transfer(
                session,
                address,
                part,
                expected=wanted.length,
                verified=wanted.checksum is not None,
                timeout=wanted.timeout,
            )
        except ConnectionLost as error:
            failures += 1
            # Measured against the furthest so far: a server that always begins anew must not go on for ever.
            if part.size - furthest >= PROGRESS:
                failures, furthest = 1, part.size
            if failures >= wanted.attempts:
                raise Unavailable(f"{error}; gave up after {failures} attempts") from error
            wait = min(LONGEST_WAIT, _back_off(failures) if error.after is None else error.after)
            say(f"{wanted.target.name}: {error}; trying again in {wait:.0f} s")
            wanted.sleep(wait)


def _back_off(failures: int) -> float:
    """Seconds to wait: twice as long each time, spread so that many clients do not come back at once."""
    return 2 ** (failures - 1) * random.uniform(0.5, 1.0)


def _over_google_drive(address: str, wanted: _Wanted) -> str:
    path = wanted.target.with_name(wanted.target.name + ".drive")
    google_drive.fetch(
        address,
        path,
        name=wanted.target.name,
        total=wanted.length,
        verified=wanted.checksum is not None,
        attempts=wanted.attempts,
        timeout=wanted.timeout,
    )
    found = files.sha256(path)
    if wrong := wanted.wrong(path.stat().st_size, found):
        path.unlink()
        raise Unavailable(f"gives another file: {wrong}: damaged, or replaced")
    path.replace(wanted.target)
    return found
