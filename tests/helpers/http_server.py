"""A real HTTP server on loopback that answers as it is told: whole files, and every way to fail half-way."""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

BLOCK = 16384


@dataclass(kw_only=True)
class Answer:
    """One answer to one request.

    Attributes:
        body: the file.
        status: 200 becomes 206 or 416 where the request has a Range and ``ranges`` holds.
        headers: more of them, or others in place of the usual ones.
        ranges: whether Range is understood.
        etag, modified: the file's validators; If-Range is compared with them.
        length: Content-Length to claim instead of the right one; "" for none, the connection's end being the file's.
        cut: how many bytes of this answer to send before the connection is dropped.
        pause: seconds between blocks.
        block: bytes sent at once.
        hang: keep silent instead of answering.
        gate: send the body only when this is set.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    etag: str | None = '"one"'
    modified: str | None = None
    length: int | str | None = None
    cut: int | None = None
    pause: float = 0.0
    block: int = BLOCK
    hang: bool = False
    gate: threading.Event | None = None


@dataclass
class Request:
    """What a client asked, and how many bytes of the body it was sent."""

    path: str
    headers: dict[str, str]
    sent: int = 0

    @property
    def range(self) -> str | None:
        """The bytes asked for."""
        return self.headers.get("range")


class HttpServer:
    """Serves on 127.0.0.1 while its context lasts.

    Attributes:
        requests: all so far, in order.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._answers: dict[str, list[Answer]] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"outer": self}))
        self._server.daemon_threads = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def serve(self, path: str, *answers: Answer | bytes) -> str:
        """Give these answers to the requests for ``path`` in turn, the last one ever after; returns the address."""
        whole = [answer if isinstance(answer, Answer) else Answer(body=answer) for answer in answers]
        with self._lock:
            self._answers[path] = whole
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def answer(self, request: Request) -> Answer:
        """The answer whose turn it is; 404 for a path that is not served."""
        with self._lock:
            self.requests.append(request)
            turns = self._answers.get(request.path, [Answer(status=404, body=b"none")])
            return turns.pop(0) if len(turns) > 1 else turns[0]


class _Handler(BaseHTTPRequestHandler):
    outer: HttpServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        request = Request(self.path, {name.lower(): value for name, value in self.headers.items()})
        answer = self.outer.answer(request)
        self.close_connection = True
        if answer.hang:
            self.outer.closing.wait(30)
            return
        status, body, headers = _respond(answer, request)
        self.send_response(status)
        for name, value in {**headers, "Connection": "close", **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if answer.gate:
            answer.gate.wait(60)
        self._send(body[: answer.cut], answer, request)

    def _send(self, body: bytes, answer: Answer, request: Request) -> None:
        for start in range(0, len(body), answer.block):
            block = body[start : start + answer.block]
            # Before it goes: the client may have it, and be done, before this thread goes on.
            request.sent += len(block)
            try:
                self.wfile.write(block)
                self.wfile.flush()
            except OSError:  # the client has enough
                request.sent -= len(block)
                return
            if answer.pause and self.outer.closing.wait(answer.pause):
                return

    def log_message(self, format: str, *args: object) -> None:
        """Tests do not want it."""


def _respond(answer: Answer, request: Request) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and usual headers of an answer (RFC 9110, 13.1.5 and 14)."""
    headers = {"ETag": answer.etag, "Last-Modified": answer.modified}
    known = {name: value for name, value in headers.items() if value}
    status, body = answer.status, answer.body
    condition = request.headers.get("if-range")
    if status == 200 and answer.ranges and request.range and condition in (None, answer.etag, answer.modified):
        first = int(request.range.removeprefix("bytes=").removesuffix("-"))
        if first >= len(body):
            status, known["Content-Range"], body = 416, f"bytes */{len(body)}", b""
        else:
            status, known["Content-Range"] = 206, f"bytes {first}-{len(body) - 1}/{len(body)}"
            body = body[first:]
    length = len(body) if answer.length is None else answer.length
    return status, body, {**known, **({} if length == "" else {"Content-Length": str(length)})}
