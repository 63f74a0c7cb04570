"""Bytes to the real server and back, with nothing between that would mend them."""

import json
import socket
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.service import Service
from tests.small import photo

HOST = b"Host: x\r\n"
BOUNDARY = b"a-boundary"


@dataclass
class Reply:
    """One reply as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def is_our_error(self) -> bool:
        """A refusal in our JSON, with an id that is in the header too."""
        if not 400 <= self.status < 500 or self.headers["content-type"] != "application/json":
            return False
        said = json.loads(self.body)
        error = said["error"]
        return said["success"] is False and error["request_id"] == self.headers["x-request-id"]


class Wire:
    """A connection of its own."""

    def __init__(self, service: Service, timeout_s: float = 30.0) -> None:
        host, port = service.address.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=timeout_s)
        self._got = b""

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, raw: bytes) -> "Wire":
        with suppress(BrokenPipeError, ConnectionResetError):  # it may have been refused by now
            self.socket.sendall(raw)
        return self

    def half_close(self) -> "Wire":
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        return self

    def reset(self) -> None:
        """End it as a phone does that loses its network: at once, with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def reply(self) -> Reply | None:
        """The next reply; None if the connection ended without one."""
        while b"\r\n\r\n" not in self._got:
            if not self._more():
                return None
        head, _, self._got = self._got.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        status = int(first.split()[1])
        length = 0 if status == 100 else int(headers["content-length"])
        while len(self._got) < length:
            assert self._more(), "a reply was cut short"
        body, self._got = self._got[:length], self._got[length:]
        return Reply(status, headers, body)

    def replies(self) -> list[Reply]:
        """All until the server closes; our side says that no more will come."""
        self.half_close()
        return list(iter(self.reply, None))

    def _more(self) -> bool:
        try:
            more = self.socket.recv(65536)
        except ConnectionResetError:
            more = b""
        self._got += more
        return bool(more)


def form(*parts: bytes, boundary: bytes = BOUNDARY) -> bytes:
    """A body of these parts, heads included."""
    mark = b"--" + boundary
    return b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"


def part(content: bytes, name: bytes = b"image", filename: bytes | None = b"a.jpg") -> bytes:
    file = b"" if filename is None else b'; filename="' + filename + b'"'
    return b'Content-Disposition: form-data; name="' + name + b'"' + file + b"\r\n\r\n" + content


def post(
    body: bytes,
    *headers: bytes,
    kind: bytes = b"multipart/form-data; boundary=" + BOUNDARY,
    length: bytes | None = None,
    path: bytes = b"/predict",
) -> bytes:
    """A POST request with whatever headers besides."""
    said = str(len(body)).encode() if length is None else length
    lines = [HOST, b"Content-Type: " + kind + b"\r\n", b"Content-Length: " + said + b"\r\n"]
    more = [header + b"\r\n" for header in headers]
    return b"POST " + path + b" HTTP/1.1\r\n" + b"".join(lines + more) + b"\r\n" + body


def good_request(*headers: bytes) -> bytes:
    """A photo that is answered with `red`."""
    return post(form(part(photo("red"))), *headers)


def held(pid: int) -> Counter:
    """What a worker holds: threads, processes of its own, and open files by kind."""
    counted = Counter(threads=len(list(Path(f"/proc/{pid}/task").iterdir())))
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            counted[str(link.readlink()).partition(":")[0]] += 1
    return counted
