"""gunicorn's threaded worker, whose threads are only given requests with a whole head.

By itself gunicorn gives a thread to every connection, and the thread waits for the head: some forty
clients that send a byte a second would hold all threads. Here the main loop, which waits for any
number of sockets at once, takes in heads; a connection without one costs a file descriptor and
the bytes that came.
"""

import re
import selectors
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from gunicorn.http.errors import InvalidRequestLine, LimitRequestHeaders, ParseException
from gunicorn.workers.gthread import ThreadWorker

# A request's head must come within so many seconds.
HEAD_S = 15.0
# Of those who are still sending one when the service goes down.
_LAST_HEAD_S = 2.0
_MAX_HEAD_BYTES = 64 * 1024
_END = b"\r\n\r\n"
# What gunicorn reads on behind; anything else it refuses at once.
_REQUEST_LINE = re.compile(rb"[^ ]+ [^ ]+ HTTP/1\.\d")
# How one begins, after the empty line that a parser skips (RFC 9112, 2.2); TLS doesn't.
_BEGINNING = re.compile(rb"\r?\n?(?![\x00-\x09\x0b\x0c\x0e-\x1f\x80-\xff])")


@dataclass
class _Waiting:
    """A connection whose head isn't whole yet."""

    end: float
    head: bytearray = field(default_factory=bytearray)
    searched: int = 0  # bytes of it that the end of a head doesn't begin in


# gunicorn has no types, so its class is Any to mypy.
class LobbyWorker(ThreadWorker):  # type: ignore[misc]
    """Connections wait in a lobby, in the order they came, until their head is whole."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lobby: dict[Any, _Waiting] = {}

    def enqueue_req(self, conn: Any) -> None:
        """Give a connection to a thread when its head is there; called on the main loop alone."""
        waiting = _Waiting(time.monotonic() + HEAD_S)
        if conn.parser is not None:  # kept alive: the next request may have come with the last
            waiting.head += conn.parser.unreader.take_buffered()
        conn.sock.setblocking(False)
        if self._took_in(conn, waiting):
            return
        self._lobby[conn] = waiting
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._on_more, conn))

    def murder_pending(self) -> None:
        """Close connections whose head doesn't come; where there are too many, the oldest."""
        super().murder_pending()
        now = time.monotonic()
        if not self.alive:
            for waiting in self._lobby.values():
                waiting.end = min(waiting.end, now + _LAST_HEAD_S)
        if self.nr_conns >= self.worker_connections:
            self._make_room(self.worker_connections // 10, now)
        for conn, waiting in list(self._lobby.items()):
            if waiting.end > now and self.alive:
                break
            if waiting.end <= now:
                self._leave(conn)
                self._close(conn)

    def _make_room(self, places: int, now: float) -> None:
        """Say that the time of the oldest silent connections is over, so that others come in."""
        for waiting in islice(self._lobby.values(), places):
            waiting.end = now
        for conn in islice(self.keepalived_conns, places):
            conn.timeout = now
        self.murder_keepalived()

    def _on_more(self, conn: Any, _: object) -> None:
        if self._took_in(conn, self._lobby[conn]):
            self._leave(conn)

    def _took_in(self, conn: Any, waiting: _Waiting) -> bool:
        """Read what there is; whether the connection needs no more waiting."""
        is_over = False
        try:
            more = conn.sock.recv(8192)
            is_over = not more
            waiting.head += more
        except BlockingIOError:
            pass
        except OSError:
            self._close(conn)
            return True
        if is_over and not waiting.head:
            self._close(conn)
        elif len(waiting.head) > _MAX_HEAD_BYTES and _END not in waiting.head[:_MAX_HEAD_BYTES]:
            too_long = f"its head has more than {_MAX_HEAD_BYTES:,} bytes"
            self._refuse(conn, LimitRequestHeaders(too_long))
        elif not _BEGINNING.match(waiting.head):
            self._refuse(conn, InvalidRequestLine(bytes(waiting.head[:20])))
        elif is_over or is_whole(waiting.head, waiting.searched):
            self._give_to_a_thread(conn, waiting)
        else:
            waiting.searched = max(0, len(waiting.head) - len(_END))
            return False
        return True

    def _give_to_a_thread(self, conn: Any, waiting: _Waiting) -> None:
        conn.init()
        conn.parser.unreader.unread(bytes(waiting.head))
        super().enqueue_req(conn)

    def _refuse(self, conn: Any, why: ParseException) -> None:
        """Say why, on a thread, as that may take its time."""
        conn.init()
        said = self.tpool.submit(self.handle_error, None, conn.sock, conn.client, why)
        said.add_done_callback(lambda _: self.method_queue.defer(self._close, conn, True))

    def _leave(self, conn: Any) -> None:
        with suppress(KeyError, ValueError, OSError):
            self.poller.unregister(conn.sock)
        del self._lobby[conn]

    def _close(self, conn: Any, graceful: bool = False) -> None:
        self.nr_conns -= 1
        conn.close(graceful=graceful)


def lies_ready(connection: socket.socket) -> bool:
    """Whether a whole head has come; it stays where it is."""
    try:
        return is_whole(connection.recv(8192, socket.MSG_PEEK))
    except OSError:
        return False


def is_whole(head: bytes | bytearray, searched: int = 0) -> bool:
    """Whether the parser has all it needs: a head, or a first line that it refuses."""
    if head.find(_END, searched) >= 0:
        return True
    begin = 2 if head.startswith(b"\r\n") else 0  # the parser skips an empty line (RFC 9112, 2.2)
    line_end = head.find(b"\r\n", begin)
    return line_end >= 0 and _REQUEST_LINE.fullmatch(head, begin, line_end) is None
