"""One request for one file over HTTP(S), which goes on where an earlier request ended."""

import contextlib
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from ncfl.common.errors import InputError
from ncfl.common.progress import Progress
from ncfl.data.transport.partial_file import PIECE, Part

if TYPE_CHECKING:
    import requests

MB = 1_000_000  # the unit of progress
SLOWEST = 1024  # bytes per second; a connection that gives less is taken for dead
TRY_AGAIN = (408, 425, 429)  # and all from 500


class Unavailable(Exception):
    """An address does not give the file, and asking again would not help."""


class ConnectionLost(Exception):
    """A request ended before the file did; asking again may help.

    Args:
        reason: a few words.
        after: seconds that the server asks to wait.
    """

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


def transfer(
    session: "requests.Session",
    address: str,
    part: Part,
    *,
    expected: int | None,
    verified: bool,
    timeout: tuple[float, float],
) -> None:
    """Ask once, for what is missing of ``part``, and take what comes.

    Args:
        session: of ``requests``.
        address: http(s).
        part: the bytes so far; whole when this returns.
        expected: length of the whole file, in bytes; None: as the server says.
        verified: whether a checksum will tell if the parts fit; without one, they are only joined where the
            server can say that the file is the same still.
        timeout: seconds to wait for a connection, and for the next bytes.

    Raises:
        Interrupted: the request failed, or ended early; what came is in ``part``.
        Unavailable: this address does not give the file.
        InputError: no space for it.
    """
    import requests
    from urllib3.exceptions import HTTPError

    # Bytes must be those of the file: a compressed answer could not be resumed.
    headers = {"Accept-Encoding": "identity", **_range(part, address, verified)}
    try:
        with session.get(address, headers=headers, stream=True, timeout=timeout) as response:
            if not _is_whole(response, part):
                _receive(response, part, address, expected, timeout[1])
    except (requests.ConnectionError, requests.Timeout, HTTPError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise Unavailable("its certificate cannot be verified") from error
        raise ConnectionLost(_in_brief(error, part)) from error
    except requests.RequestException as error:
        raise Unavailable(" ".join(str(error).split())) from error


def _range(part: Part, address: str, verified: bool) -> dict[str, str]:
    validator = part.origin.get("validator")
    if part.size == 0 or part.origin.get("address") != address or not (validator or verified):
        return {}
    return {"Range": f"bytes={part.size}-", **({"If-Range": validator} if validator else {})}


def _validator(headers: Mapping[str, str]) -> str | None:
    """What tells one version of the file from another; a weak ETag does not promise equal bytes."""
    etag = headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")


def _is_whole(response: "requests.Response", part: Part) -> bool:
    """Whether the answer is that nothing is missing; answers without a file are refused."""
    status = response.status_code
    if status == 416 and part.size:
        total = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
        if total and int(total[1]) == part.size:
            return True
        part.restart({})
        raise ConnectionLost("the file on the server is shorter than what had come of it")
    if status in (200, 206):
        return False
    reason = f"{status} {response.reason}"
    if status in TRY_AGAIN or status >= 500:
        raise ConnectionLost(reason, _retry_after(response.headers.get("Retry-After", "")))
    raise Unavailable(reason + (" (a login or a permission is needed)" if status in (401, 403) else ""))


def _retry_after(value: str) -> float | None:
    """Seconds from a header that holds seconds or a date."""
    if value.isdecimal():
        return float(value)
    with contextlib.suppress(ValueError):
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    return None


def _receive(response: "requests.Response", part: Part, address: str, expected: int | None, patience: float) -> None:
    """Add the answer's bytes to ``part``."""
    joins = response.status_code == 206
    total = _continued(response, part) if joins else _announced(response, expected)
    length = expected or total
    _check_room(part, length, part.size if joins else 0)
    pieces = _pieces(response, patience)
    first = next(pieces, b"")
    if joins:
        part.spliced = True
    else:
        # Only now, so that a page in place of the file does not cost what had come of it.
        if is_page(first, response.headers.get("Content-Type", "")):
            raise Unavailable("gives a web page in place of the file: a login, a notice or a limit")
        part.restart({"address": address, "validator": _validator(response.headers), "total": total})
    part.append(first)
    with Progress(length and -(-length // MB), part.target.name, start=part.size // MB, unit="MB") as bar:
        for piece in pieces:
            part.append(piece)
            bar.update(part.size // MB)
            if length is not None and part.size > length:
                part.restart({})
                raise Unavailable(f"sends more than the {length} bytes that are expected")
    if length is not None and part.size < length:
        raise ConnectionLost(f"connection lost after {part.size} of {length} bytes")


def _continued(response: "requests.Response", part: Part) -> int | None:
    """The length of the whole file by an answer that goes on where ``part`` ends, if it is the same file still."""
    span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    known = part.origin.get("total")
    total = int(span[2]) if span and span[2] != "*" else known
    same = span and int(span[1]) == part.size and known in (None, total)
    if not same or _validator(response.headers) not in (None, part.origin.get("validator")):
        part.restart({})
        raise ConnectionLost("the file on the server changed meanwhile")
    return total


def _announced(response: "requests.Response", expected: int | None) -> int | None:
    """The length by an answer that begins at the start."""
    length = response.headers.get("Content-Length", "")
    if not length.isdecimal() or "Transfer-Encoding" in response.headers:
        return None
    # A page's length says nothing; that it is a page is found out with its first bytes.
    is_text = response.headers.get("Content-Type", "").startswith("text/html")
    if expected not in (None, int(length)) and not is_text:
        raise ConnectionLost(f"the server announces {length} bytes where {expected} are expected")
    return int(length)


def _check_room(part: Part, length: int | None, kept: int) -> None:
    """Refuse at once what cannot fit; bytes that are not kept make room."""
    free = shutil.disk_usage(part.path.parent).free + part.size - kept
    if length is not None and length - kept > free:
        raise InputError(
            f"{part.target}: {length - kept} bytes are to come, but only {free} are free on the device that holds "
            f"{part.target.parent}; make room and run the command again"
        )


def _pieces(response: "requests.Response", patience: float) -> Iterator[bytes]:
    """The bytes as they arrive, undecoded."""
    began, received = time.monotonic(), 0
    while piece := response.raw.read1(PIECE, decode_content=False):
        yield piece
        received += len(piece)
        # A server that drips never runs into the time limit of a single read.
        if time.monotonic() - began > patience:
            if received < SLOWEST * patience:
                raise ConnectionLost(f"less than {SLOWEST} bytes per second for {patience:g} s")
            began, received = time.monotonic(), 0


def is_page(first: bytes, content_type: str = "") -> bool:
    """Whether a file begins as HTML does; servers call archives text/html at times, so the bytes decide."""
    begins = first[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    said = content_type.startswith(("text/html", "application/xhtml"))
    return begins.startswith((b"<!doctype html", b"<html", b"<head")) or (said and begins.startswith(b"<"))


def _in_brief(error: Exception, part: Part) -> str:
    """The cause, without the layers that it came through."""
    text = str(error)
    if "timed out" in text.lower():
        return "no answer in time" if part.size == 0 else f"nothing more came after {part.size} bytes"
    cause = re.search(r"\[Errno -?\d+\] ([^')\"]+)", text)
    return cause[1].lower() if cause else f"connection lost after {part.size} bytes"
