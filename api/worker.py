"""gunicorn's threaded worker, with a polite end, and JSON for what is not even a request."""

import logging
import os
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from types import FrameType
from typing import Any

import flask
from gunicorn import util
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import ThreadWorker

from api import schemas
from serving.predictor import Predictor
from settings import Settings

# Slow clients hold a thread; these bound for how long. A phone needs its time for a photo.
HEAD_S = 15.0
BODY_S = 60.0

_STATUS = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
}

_log = logging.getLogger("shiwu.request")


# gunicorn has no types, so its class is Any to mypy.
class Worker(ThreadWorker):  # type: ignore[misc]
    """On SIGTERM it says "not ready" at once, and goes on serving for SHIWU_DRAIN_S seconds.

    A load balancer needs that time to see it and to send requests elsewhere; without it the
    requests on their way would find a closed door.
    """

    _draining = False

    def init_process(self) -> None:
        """Start watching for requests that don't come to their end, then serve."""
        self._watch = _Watch()
        super().init_process()

    def handle(self, conn: Any) -> object:
        """Handle one request; its head must come within HEAD_S seconds."""
        with self._watch.over(conn.sock, HEAD_S):
            return super().handle(conn)

    def handle_request(self, req: object, conn: Any) -> object:
        """The head is there; the body must come within BODY_S seconds."""
        self._watch.extend(conn.sock, BODY_S)
        return super().handle_request(req, conn)

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

    def __init__(self) -> None:
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
            with self._change:
                now = time.monotonic()
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
        f"X-Request-Id: {request_id}\r\n\r\n"
    )
    try:
        util.write_nonblock(client, head.encode() + encoded)
    except OSError:  # whoever asked is gone
        _log.debug("the error could not be sent")
