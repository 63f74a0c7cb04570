"""Something between a browser and the service, as proxies are; it misbehaves when told to."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Reply = tuple[int, dict[str, str], bytes]  # status, headers, body


class Between(ThreadingHTTPServer):
    """A small reverse proxy on a free port."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.bodies: list[tuple[str, bytes]] = []  # of each POST: its path, what was sent
        self.held_paths: set[str] = set()
        self.most_at_once = 0  # photos on their way
        self._at_once = 0
        self._change = threading.Condition()
        self.answers_itself: int | None = None  # this status, in HTML
        self._thread = threading.Thread(target=self.serve_forever, args=[0.05])

    def __enter__(self) -> "Between":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def hold(self, path: str) -> None:
        """Keep requests to this path waiting until `release`."""
        with self._change:
            self.held_paths.add(path)

    def release(self) -> None:
        with self._change:
            self.held_paths.clear()
            self._change.notify_all()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a photo on its way."""
        with self._change:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self._change:
                self._at_once -= 1

    def came(self, path: str, body: bytes) -> None:
        with self._change:
            self.bodies.append((path, body))
            self._change.notify_all()

    def wait_for_photo(self) -> None:
        """Wait until the first photo has come here."""
        with self._change:
            assert self._change.wait_for(lambda: self.bodies, 60)

    def wait_for_release(self, path: str) -> None:
        with self._change:
            self._change.wait_for(lambda: path not in self.held_paths)

    def handle_error(self, request: object, client_address: object) -> None:
        """Browsers hang up as they like."""


class _Handler(BaseHTTPRequestHandler):
    server: Between

    def do_GET(self) -> None:
        self._reply(self._forward(b""))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = urlsplit(self.path).path
        with self.server.counted():
            self.server.came(path, body)
            self.server.wait_for_release(path)
            reply = self._answer(body)
        self._reply(reply)  # no longer counted: whoever has it may send the next photo

    def _answer(self, body: bytes) -> Reply | None:
        status = self.server.answers_itself
        if status:
            return status, {"Content-Type": "text/html"}, b"<h1>?</h1>"
        return self._forward(body)

    def _forward(self, body: bytes) -> Reply | None:
        to = HTTPConnection(urlsplit(self.server.upstream).netloc, timeout=60)
        try:
            with closing(to) as upstream:
                upstream.request(self.command, self.path, body, dict(self.headers.items()))
                reply = upstream.getresponse()
                content = reply.read()
        except (OSError, HTTPException):
            return None
        return reply.status, dict(reply.getheaders()), content

    def _reply(self, reply: Reply | None) -> None:
        if reply is None:
            return  # hang up without a word
        status, headers, content = reply
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""
