"""One line of JSON a request, with its id; no filename, no address, no pixel."""

import logging
import re
import secrets
import time

import flask
from pythonjsonlogger.json import JsonFormatter

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_log = logging.getLogger("shiwu.request")


def formatter() -> logging.Formatter:
    """How every line of the log is written."""
    return JsonFormatter(
        "{asctime}{levelname}{name}{message}",
        style="{",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        datefmt="%Y-%m-%dT%H:%M:%S%z",
        json_ensure_ascii=False,
    )


def set_up(level: str) -> None:
    """Send all logging of this process to standard error, a JSON object a line."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # At "debug" Pillow writes every EXIF value of every photo.
    logging.getLogger("PIL").setLevel(logging.INFO)


def request_id() -> str:
    """This request's id: the caller's, if it is short and plain, or a new one."""
    if "request_id" not in flask.g:
        given = flask.request.headers.get("X-Request-Id", "")
        flask.g.request_id = given if _ID.fullmatch(given) else secrets.token_hex(16)
    return str(flask.g.request_id)


def register(app: flask.Flask) -> None:
    """Log every request when it is answered, and tell its id in the reply."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    flask.g.begun = time.perf_counter()


def _end(response: flask.Response) -> flask.Response:
    response.headers["X-Request-Id"] = request_id()
    # The rule and not the path: what a stranger writes into an address stays out of the log.
    rule = flask.request.url_rule.rule if flask.request.url_rule else "unmatched"
    _log.info(
        "request",
        extra={
            "request_id": request_id(),
            "method": flask.request.method,
            "route": rule,
            "status": response.status_code,
            "outcome": flask.g.get("outcome", "ok"),
            "bytes": flask.request.content_length or 0,
            "total_ms": round(1000 * seconds(), 2),
            **({"key": flask.g.key.name} if "key" in flask.g else {}),
            **flask.g.get("timings", {}),
        },
    )
    return response


def seconds() -> float:
    """Seconds since this request began."""
    return time.perf_counter() - float(flask.g.get("begun", time.perf_counter()))
