"""gunicorn's threaded worker, with a polite end, and JSON for what is not even a request."""

import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from types import FrameType

import flask
from gunicorn import util
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import ThreadWorker

from api import metrics, schemas
from serving.predictor import Predictor
from settings import Settings

_STATUS = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
}

_log = logging.getLogger("shiwu.request")


class Worker(ThreadWorker):  # type: ignore[misc]
    """On SIGTERM it says "not ready" at once, and goes on serving for SHIWU_DRAIN_S seconds.

    A load balancer needs that time to see it and to send requests elsewhere; without it the
    requests on their way would find a closed door.
    """

    _draining = False

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
        if predictor is not None:
            predictor.close()

    def _predictor(self) -> Predictor | None:
        app = getattr(self, "wsgi", None)
        return app.extensions["shiwu_predictor"] if isinstance(app, flask.Flask) else None


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
