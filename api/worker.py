"""gunicorn's threaded worker, with a polite end, and JSON for what is not even a request."""

import errno
import logging
import os
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cached_property
from http import HTTPStatus
from types import FrameType
from typing import Any

import flask
from gunicorn import util
from gunicorn.glogging import Logger
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException

from api import body, headers, schemas, tracing
from api.leaving import Leaving
from api.lobby import LobbyWorker, lies_ready
from serving.predictor import Predictor
from settings import Settings

# A slow body holds a thread, and so does an answer that is taken slowly; this bounds for how long.
# A phone needs its time for a photo.
BODY_S = 60.0
# For so long while slow bodies hold most places and others find none.
CROWDED_BODY_S = 5.0
# How long a thread waits for what its client asks next.
NEXT_MS = 5

# A photo at work for so many of its deadlines beyond it, and at least so long, never comes back.
STUCK_DEADLINES = 3
STUCK_S = 45.0  # more than `imaging.apart` lets a decoder start, read and end
# How many looks, twice a second, must find it so: whoever was stopped for a while is not stuck.
_STUCK_LOOKS = 10

# What the system says when it has no file descriptor or memory for one more connection.
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_S = 0.05

_STATUS = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
}

_log = logging.getLogger("shiwu.request")


class Log(Logger):  # type: ignore[misc]
    """gunicorn's log without its lines about requests: `api.logs` writes ours."""

    def access(self, *_: object) -> None:
        """Write nothing; gunicorn's own makes the line before it sees that nobody wants it."""


class Worker(LobbyWorker):
    """On SIGTERM it says "not ready" at once, and goes on serving for SHIWU_DRAIN_S seconds.

    A load balancer needs that time to see it and to send requests elsewhere; without it the
    requests on their way would find a closed door.
    """

    alive: bool
    _draining = False
    _exhausted = False
    _late_looks = 0

    def init_process(self) -> None:
        """Start watching for requests that don't come to their end, then serve."""
        self._watch = _Watch(self._end_if_stuck, self._is_held_up)
        body.install()
        super().init_process()

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """All threads at once: one that can't be started later would end the worker."""
        pool = ThreadPoolExecutor(self.cfg.threads)
        all_are_there = threading.Barrier(self.cfg.threads + 1)
        try:
            for _ in range(self.cfg.threads):
                pool.submit(all_are_there.wait)
        except RuntimeError:  # no more threads to be had; those that wait would be waited for
            all_are_there.abort()
            raise
        all_are_there.wait()
        return pool

    def handle(self, conn: Any) -> object:
        """Handle a connection's request, whose head is there.

        A client that goes on at once is served by the same thread: on the way through gunicorn's
        loop and back, two more threads would have to be woken.
        """
        while True:
            with self._watch.over(conn.sock, BODY_S):
                kept = super().handle(conn)
            if kept is not True or not self._goes_on(conn):
                return kept

    def _goes_on(self, conn: Any) -> bool:
        """Whether the next request's head comes in a moment, while nobody waits for a thread."""
        begun = conn.parser.unreader.buf.getbuffer().nbytes  # a part of the next head: not for here
        if begun or not self.alive or self.tpool._work_queue.qsize():
            return False
        poll = select.poll()
        poll.register(conn.sock, select.POLLIN)
        return bool(poll.poll(NEXT_MS)) and lies_ready(conn.sock)

    def finish_request(self, conn: Any, done: Future[object]) -> None:
        """A thread is done with a connection, which is kept or closed; called on the main loop."""
        if done.cancelled() or done.exception() or done.result():
            super().finish_request(conn, done)
        else:
            self._close(conn, graceful=True)

    def murder_pending(self) -> None:
        """Close the connections that take too long; called on the main loop, again and again."""
        super().murder_pending()
        self._leaving.close_late(is_last=not self.alive)

    def _make_room(self, places: int, now: float) -> None:
        self._leaving.close_oldest(places)
        if self.nr_conns >= self.worker_connections:
            super()._make_room(places, now)

    def _close(self, conn: Any, graceful: bool = False) -> None:
        if graceful:
            self._leaving.add(conn.sock)
        else:
            super()._close(conn)

    @cached_property
    def _leaving(self) -> Leaving:
        return Leaving(self.poller, self._has_left)

    def _has_left(self) -> None:
        self.nr_conns -= 1

    def handle_request(self, req: object, conn: Any) -> object:
        """The head is there; the body must come, and the answer be taken, within BODY_S seconds."""
        self._watch.extend(conn.sock, BODY_S)
        conn.sock.settimeout(BODY_S)  # the watch ends reading; this is for all that is sent
        try:
            return super().handle_request(req, conn)
        except TimeoutError as error:  # gunicorn would log its traceback
            raise BrokenPipeError(errno.EPIPE, "the answer was not taken") from error

    def is_parent_alive(self) -> bool:
        """Without its parent the worker goes down as after SIGTERM, and closes its door."""
        self.alive = self.alive and super().is_parent_alive()
        return self.alive

    def accept(self, listener: socket.socket) -> None:
        """Take in one connection; those that there is no descriptor for wait outside.

        gunicorn's own would end the worker, and with it everybody who is already inside. The
        listener stays readable, so without a pause the loop would spin.
        """
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            if not self._exhausted:
                _log.warning("new connections have to wait: %s", error)
            self._exhausted = True
            time.sleep(_PAUSE_S)
        else:
            self._exhausted = False

    def _is_held_up(self) -> bool:
        predictor = self._predictor()
        return predictor is not None and predictor.queue.is_held_up

    def _end_if_stuck(self) -> None:
        """End this process, for gunicorn to start another, if a runner never comes back.

        Whoever waited for it has had their 504 long ago; with one runner fewer, or none, it is no
        service, and a thread inside C++ can't be stopped in any other way.
        """
        predictor = self._predictor()
        if predictor is None:
            return
        overdue_s = predictor.queue.overdue_s
        is_late = overdue_s > max(STUCK_S, STUCK_DEADLINES * predictor.deadline_s)
        self._late_looks = self._late_looks + 1 if is_late else 0
        if self._late_looks > _STUCK_LOOKS:
            _log.critical(
                "a photo is still being worked on %.0f s after its deadline (SHIWU_DEADLINE_S); "
                "this worker is stuck, so it ends and another one starts",
                overdue_s,
            )
            os._exit(1)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Close the door behind whoever has already come through it.

        The kernel completes connections before we accept them. At the end those must be taken in
        and the listener closed at once: what came later would be reset without an answer.
        """
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        for listener in self.sockets:
            while select.select([listener], [], [], 0)[0]:
                self.accept(listener)
                if self._exhausted:
                    break  # they can't be taken in, and who is inside waits for us
            listener.close()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The signal handler for SIGTERM."""
        if self._draining:
            return
        self._draining = True
        predictor = self._predictor()
        if predictor is None:  # still starting
            super().handle_exit(sig, frame)
            return
        predictor.drain()
        # Not here: a signal handler must not wait, nor take the locks of the metrics.
        close_door = super().handle_exit
        threading.Thread(target=self._drain, args=[close_door, sig, frame], daemon=True).start()

    def _drain(self, close_door: Callable[..., None], *arguments: object) -> None:
        from api import metrics  # not in gunicorn's master: it must be imported after the fork

        metrics.READY.set(0)
        time.sleep(Settings.from_environment().drain_s)
        close_door(*arguments)

    def handle_error(
        self, _req: object, client: socket.socket, _addr: object, exc: Exception
    ) -> None:
        """Answer bytes that are no HTTP request in JSON, as everything else; gunicorn's is HTML."""
        request_id = secrets.token_hex(16)
        if isinstance(exc, ParseException):
            status = _STATUS.get(type(exc), HTTPStatus.BAD_REQUEST)
            code, message = "bad_request", f"this is not an HTTP request we can read: {exc}"[:300]
        else:
            status, code = HTTPStatus.INTERNAL_SERVER_ERROR, "internal"
            message = "something went wrong on our side; the request_id leads to the log"
        _log.log(
            logging.ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO,
            "unreadable request",
            exc_info=exc if status >= HTTPStatus.INTERNAL_SERVER_ERROR else None,
            extra={"request_id": request_id, "status": status.value, "outcome": code},
        )
        error = schemas.Error(code=code, message=message, request_id=request_id)
        _send(client, status, schemas.Refused(error=error).model_dump_json(), request_id)

    def close_app(self) -> None:
        """Answer what waits and join the threads; called when the worker has left its loop."""
        predictor = self._predictor()
        if predictor is None:
            return
        is_loading = predictor.shelf.is_loading
        predictor.close()
        tracing.close(self.wsgi)
        if is_loading:
            os._exit(0)  # a loader inside C++ can't be stopped, and aborts an ordinary end

    def _predictor(self) -> Predictor | None:
        app = getattr(self, "wsgi", None)
        return app.extensions["shiwu_predictor"] if isinstance(app, flask.Flask) else None


class _Watch:
    """Ends the reading side of connections whose request doesn't come to its end in time.

    A blocking read has no deadline of its own, and a client that sends a byte a second never
    stands still; so one thread looks at all of them twice a second.
    """

    def __init__(self, also: Callable[[], None], is_crowded: Callable[[], bool]) -> None:
        """Start looking; `also` is called at every look."""
        self._also = also
        self._is_crowded = is_crowded
        self._ends: dict[socket.socket, float] = {}
        self._change = threading.Lock()
        threading.Thread(target=self._look, name="watch", daemon=True).start()

    @contextmanager
    def over(self, connection: socket.socket, seconds: float) -> Iterator[None]:
        """Watch the connection inside the block."""
        self.extend(connection, seconds)
        try:
            yield
        finally:
            with self._change:
                self._ends.pop(connection, None)

    def extend(self, connection: socket.socket, seconds: float) -> None:
        """Give the connection so many seconds from now."""
        with self._change:
            self._ends[connection] = time.monotonic() + seconds

    def _look(self) -> None:
        while True:
            time.sleep(0.5)
            self._also()
            hurry_s = BODY_S - CROWDED_BODY_S if self._is_crowded() else 0.0
            with self._change:
                now = time.monotonic() + hurry_s
                late = [one for one, end in self._ends.items() if end < now]
                for connection in late:
                    del self._ends[connection]
                    with suppress(OSError):  # gone by itself
                        connection.shutdown(socket.SHUT_RD)


def _send(client: socket.socket, status: HTTPStatus, body: str, request_id: str) -> None:
    encoded = body.encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "Connection: close\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(encoded)}\r\n"
        f"X-Request-Id: {request_id}\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in headers.ALWAYS.items())
        + "\r\n"
    )
    try:
        util.write_nonblock(client, head.encode() + encoded)
    except OSError:  # whoever asked is gone
        _log.debug("the error could not be sent")
