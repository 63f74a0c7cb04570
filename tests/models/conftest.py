"""What the tests of this room share: Keras, imported once, and a server of files."""

import os
import threading
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def keras() -> ModuleType:
    """Keras on TensorFlow: seconds to import, so once for all tests."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own, at import
        import keras
    return keras


class FileServer(ThreadingHTTPServer):
    """A real server of one file, which can be told how to misbehave.

    Attributes:
        content: the file; asked for under any path.
        etag: its version; None for a server that tells none.
        ranges: whether it can send the rest of a file.
        status: sent instead of the file, if not 200.
        breaks_after: bytes after which each connection is cut.
        silent_after: bytes after which it says nothing more, until `let_go` is set.
        announces: a Content-Length that isn't true.
        redirects_to: an address sent instead of the file.
        asked: the Range header of each request so far, "" for none.
        addresses: the path of each request so far.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = b""
        self.etag: str | None = '"1"'
        self.ranges = True
        self.status = 200
        self.breaks_after: int | None = None
        self.silent_after: int | None = None
        self.announces: int | None = None
        self.redirects_to: str | None = None
        self.asked: list[str] = []
        self.addresses: list[str] = []
        self.let_go = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that have gone: several tests have such."""

    def address(self, file: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{file}"


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(self.headers.get("Range", ""))
        server.addresses.append(self.path)
        if server.redirects_to:
            self.send_response(302)
            self.send_header("Location", server.redirects_to)
            self.end_headers()
        elif server.status != 200:
            self.send_error(server.status)
        else:
            self._send_from(self._start())

    def _start(self) -> int:
        """The first byte to send: where the client left off, if it has this version."""
        asked = self.headers.get("Range", "")
        same = self.headers.get("If-Range") == self.server.etag
        if not (asked and same and self.server.ranges):
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def _send_from(self, start: int) -> None:
        server = self.server
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            last = len(server.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
        if server.etag:
            self.send_header("ETag", server.etag)
        self.send_header("Content-Length", str(server.announces or len(body)))
        self.end_headers()
        self._send(body)

    def _send(self, body: bytes) -> None:
        server = self.server
        if server.silent_after is not None:
            self.wfile.write(body[: server.silent_after])
            server.let_go.wait(30)
        else:
            self.wfile.write(body[: server.breaks_after])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: the tests look at `asked`."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A running `FileServer`, reached without any proxy that the machine may use."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with FileServer() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.let_go.set()
        running.shutdown()
        thread.join()
