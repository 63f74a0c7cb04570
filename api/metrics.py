"""What /metrics tells Prometheus; right under several workers."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import flask
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from api.errors import refused
from api.logs import seconds
from errors import RequestError
from serving.answer import Timings

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS = Counter("shiwu_requests_total", "Requests answered.", ["route", "outcome"])
TOTAL = Histogram("shiwu_request_seconds", "From request to reply.", ["route"], buckets=_SECONDS)
WAIT = Histogram("shiwu_wait_seconds", "A photo's time in the queue.", ["model"], buckets=_SECONDS)
DECODE = Histogram("shiwu_decode_seconds", "Bytes to a square.", ["model"], buckets=_SECONDS)
INFER = Histogram("shiwu_infer_seconds", "Square to numbers.", ["model"], buckets=_SECONDS)
EXPLAIN = Histogram(
    "shiwu_explain_seconds", "Bytes to a heat map, not drawn.", ["model"], buckets=_SECONDS
)
PHOTOS = Counter("shiwu_photos_total", "Photos, also of requests with several.", ["outcome"])
IN_FLIGHT = Gauge("shiwu_in_flight", "Requests being answered.", multiprocess_mode="livesum")
WAITING = Gauge("shiwu_queue_length", "Photos in the queue.", multiprocess_mode="livesum")
READY = Gauge("shiwu_ready", "Workers that are ready.", multiprocess_mode="livesum")

# What is wrong with a request as a whole: no photo of it was looked at.
_OF_REQUESTS = ("bad_request", "busy", "not_ready")


def register(app: flask.Flask) -> None:
    """Count and time every request."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_leave)


def observe(model: str, timings: Timings) -> None:
    """Count a photo that was answered, and its way."""
    _remember(timings)
    PHOTOS.labels("ok").inc()
    WAIT.labels(model).observe(timings.wait_s)
    DECODE.labels(model).observe(timings.decode_s)
    INFER.labels(model).observe(timings.infer_s)


def tell(model: str, photos: Sequence[Timings | RequestError]) -> None:
    """Count a request's photos by outcome, and their ways; the sums of their times go to the log.

    Args:
        model: the network that was asked.
        photos: of each what its answer took, or why it has none.
    """
    answered = [one for one in photos if isinstance(one, Timings)]
    for one in photos:
        if isinstance(one, Timings):
            observe(model, one)
        else:
            PHOTOS.labels(refused(one)[0].error.code).inc()
    flask.g.timings = {
        "photos": len(photos),
        "wait_ms": round(1000 * sum(one.wait_s for one in answered), 2),
        "decode_ms": round(1000 * sum(one.decode_s for one in answered), 2),
        "infer_ms": round(1000 * sum(one.infer_s for one in answered), 2),
    }


def observe_explained(model: str, timings: Timings) -> None:
    """Count a photo that was explained, and its way."""
    _remember(timings)
    PHOTOS.labels("ok").inc()
    WAIT.labels(model).observe(timings.wait_s)
    EXPLAIN.labels(model).observe(timings.decode_s + timings.infer_s)


@contextmanager
def counting_refusals() -> Iterator[None]:
    """Count the photo under its error's code, where it is the photo that can't be answered."""
    try:
        yield
    except RequestError as error:
        code = refused(error)[0].error.code
        if code not in _OF_REQUESTS:
            PHOTOS.labels(code).inc()
        raise


def exposition() -> flask.Response:
    """All metrics, of all workers where there are several."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        # prometheus_client doesn't type this class.
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return flask.Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _remember(timings: Timings) -> None:
    """For `api.tracing`, if it is on."""
    flask.g.setdefault("ways", []).append(timings)


def _begin() -> None:
    IN_FLIGHT.inc()
    flask.g.in_flight = True


def _end(response: flask.Response) -> flask.Response:
    route = flask.request.url_rule.rule if flask.request.url_rule else "unmatched"
    REQUESTS.labels(route, flask.g.get("outcome", "ok")).inc()
    TOTAL.labels(route).observe(seconds())
    return response


def _leave(_: BaseException | None) -> None:
    if flask.g.pop("in_flight", False):
        IN_FLIGHT.dec()
