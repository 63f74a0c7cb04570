"""THE place where an exception becomes a status, a code and a sentence."""

import logging
import math
from http import HTTPStatus

import flask
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge

from api import images, keys, limits, options, schemas, upload
from api.logs import request_id
from errors import EngineError, RequestError, ShiwuError
from imaging import apart, read
from serving import forms, predictor, queue, shelf

# An exception's nearest class counts; what is not here is our fault.
STATUS: dict[type[Exception], tuple[int, str]] = {
    RequestError: (400, "bad_request"),
    options.BadOption: (400, "bad_request"),
    upload.BadUpload: (400, "bad_request"),
    shelf.NotLoaded: (400, "bad_request"),
    keys.NoKey: (401, "unauthorized"),
    keys.WrongKey: (403, "forbidden"),
    limits.TooManyRequests: (429, "too_many_requests"),
    upload.LengthRequired: (411, "length_required"),
    upload.BodyTooLarge: (413, "too_large"),
    read.PictureTooLarge: (413, "too_large"),
    read.UnsupportedImage: (415, "unsupported_image"),
    read.BrokenImage: (422, "broken_image"),
    apart.DecoderUnavailable: (503, "busy"),
    images.ImageTooLarge: (413, "too_large"),
    images.StoreUnavailable: (503, "not_ready"),
    queue.Busy: (503, "busy"),
    queue.Closed: (503, "not_ready"),
    predictor.TooManyPhotos: (413, "too_large"),
    forms.NotReady: (503, "not_ready"),
    queue.TooLate: (504, "too_late"),
    EngineError: (500, "internal"),
}
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_INTERNAL = "something went wrong on our side; the request_id leads to the details in the log"

_log = logging.getLogger(__name__)


class NotFound(RequestError):
    """There is nothing at this address (any more)."""


STATUS[NotFound] = (404, "not_found")


def register(app: flask.Flask) -> None:
    """Answer every exception of the app in JSON."""
    app.register_error_handler(ShiwuError, _shiwu)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(MemoryError, _no_memory)
    app.register_error_handler(Exception, _unexpected)


def refused(error: ShiwuError) -> tuple[schemas.Refused, int]:
    """The reply's body and status for one of our own exceptions."""
    status, code = _status(error)
    return _body(code, _INTERNAL if status == 500 else str(error)), status


def _status(error: ShiwuError) -> tuple[int, str]:
    found = (STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    return next(found, (500, "internal"))


def _shiwu(error: ShiwuError) -> flask.Response:
    body, status = refused(error)
    if status == 500:
        _log.error("request failed", exc_info=error)
    response = _reply(body, status)
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(math.ceil(retry_after_s))
    challenge = getattr(error, "challenge", None)
    if challenge is not None:
        response.headers["WWW-Authenticate"] = challenge
    return response


def _http(error: HTTPException) -> flask.Response:
    """404, 405 and whatever else Flask and Werkzeug raise."""
    status = error.code or 500
    if isinstance(error, RequestEntityTooLarge):
        message = f"the form has more than {upload.MAX_PARTS} parts, or options over 500 kB"
    elif isinstance(error, ClientDisconnected):
        message = "the connection ended, or stood still, before the whole body had come"
    elif status == 404:
        message = "there is nothing at this address; see /docs for what there is"
    elif status == 405:
        allowed = sorted(set(getattr(error, "valid_methods", None) or ()) - {"OPTIONS", "HEAD"})
        message = f"this address doesn't take {flask.request.method}; it takes {', '.join(allowed)}"
    else:
        message = HTTPStatus(status).description or HTTPStatus(status).phrase
    response = _reply(_body(_HTTP_CODES.get(status, "bad_request"), message), status)
    for name, value in error.get_headers():
        if name in ("Allow", "Location"):
            response.headers[name] = value
    return response


def _no_memory(error: MemoryError) -> flask.Response:
    """Not the photo's fault, and perhaps gone in a moment."""
    _log.error("there was no memory for a request", exc_info=error)
    response = _reply(_body("busy", "there is no memory for this just now; try again later"), 503)
    response.headers["Retry-After"] = "5"
    return response


def _unexpected(error: Exception) -> flask.Response:
    _log.error("request failed", exc_info=error)
    return _reply(_body("internal", _INTERNAL), 500)


def _body(code: str, message: str) -> schemas.Refused:
    said = schemas.Error(code=code, message=message, request_id=request_id())
    return schemas.Refused(error=said)


def _reply(body: schemas.Refused, status: int) -> flask.Response:
    flask.g.outcome = body.error.code
    said = body.model_dump_json()
    if (flask.request.path + "/").startswith("/v2/"):  # the Open Inference Protocol's shape
        error = body.error
        said = schemas.InferenceRefused(
            error=error.message, code=error.code, request_id=error.request_id
        ).model_dump_json()
    return flask.Response(said, status, mimetype="application/json")
