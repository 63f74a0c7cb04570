"""Traces for OpenTelemetry, if SHIWU_TRACES asks for them: a request and the way of its photos.

Where they go and how many are kept is said by OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_
ENDPOINT, OTEL_TRACES_SAMPLER, …). All spans of a request are made when it is answered, from the
times that metrics are told anyway: nothing below `api` knows of them.
"""

import os
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import flask

from api import logs
from errors import SettingsError
from version import VERSION

# How long a process that ends waits for whoever receives its traces.
SEND_LAST_S = 3.0


class TracingMissing(SettingsError):
    """Traces are asked for, and OpenTelemetry is not installed."""


def register(app: flask.Flask) -> None:
    """Send a trace of every POST; called in the process that answers, as it starts a thread.

    Raises:
        TracingMissing: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise TracingMissing(
            f"SHIWU_TRACES=true needs OpenTelemetry ({error}); "
            "pip install -r requirements-traces.txt, or set it to false"
        ) from error
    os.environ.setdefault("OTEL_SERVICE_NAME", "shiwu")
    about = Resource.create({"service.version": VERSION})
    provider = TracerProvider(resource=about, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    app.extensions["shiwu_traces"] = provider
    app.after_request(_tell(provider.get_tracer("shiwu", VERSION)))


def close(app: flask.Flask) -> None:
    """Send what is left, if there are traces and that takes no longer than SEND_LAST_S."""
    provider = app.extensions.get("shiwu_traces")
    if provider is None:
        return
    # By itself it tries for as long as all of its retries take.
    sending = threading.Thread(target=provider.shutdown, name="last traces", daemon=True)
    sending.start()
    sending.join(SEND_LAST_S)


def _tell(tracer: Any) -> Callable[[flask.Response], flask.Response]:
    """What makes the spans of an answered request; `tracer` is an OpenTelemetry Tracer."""
    from opentelemetry.trace import SpanKind, set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    caller = TraceContextTextMapPropagator()

    def tell(response: flask.Response) -> flask.Response:
        if flask.request.method != "POST" or "begun" not in flask.g:
            return response
        clock = _Clock()
        route = flask.request.url_rule.rule if flask.request.url_rule else None
        span = tracer.start_span(
            f"POST {route}" if route else "POST",
            caller.extract(flask.request.headers),
            SpanKind.SERVER,
            _about(response, route),
            start_time=clock.ns(flask.g.begun),
        )
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            from opentelemetry.trace import StatusCode

            span.set_status(StatusCode.ERROR)
        inside = set_span_in_context(span)
        for name, begun, ended in _parts():
            part = tracer.start_span(name, inside, start_time=clock.ns(begun))
            part.end(clock.ns(ended))
        span.end(clock.ns(time.perf_counter()))
        return response

    return tell


class _Clock:
    """Times of the performance counter as those of the wall clock, which spans are told in."""

    def __init__(self) -> None:
        self._ahead = time.time_ns() - time.perf_counter_ns()

    def ns(self, seconds: float) -> int:
        return self._ahead + int(seconds * 1e9)


def _about(response: flask.Response, route: str | None) -> dict[str, str | int]:
    """OpenTelemetry's names for what is known; no address, no filename, nothing of a photo."""
    about: dict[str, str | int] = {
        "http.request.method": "POST",
        "http.response.status_code": response.status_code,
        "http.request.body.size": flask.request.content_length or 0,
        "shiwu.outcome": flask.g.get("outcome", "ok"),
        "shiwu.request_id": logs.request_id(),
    }
    return about | ({"http.route": route} if route else {})


def _parts() -> list[tuple[str, float, float]]:
    """Name, begin and end of each step, in seconds of the performance counter.

    The photos of a request are put into the queue together, as soon as they have been read.
    """
    if "read_at" not in flask.g:
        return []
    parts = [("read", flask.g.begun, flask.g.read_at)]
    for way in flask.g.get("ways", []):
        at = flask.g.read_at
        steps = {"wait": way.wait_s, "decode": way.decode_s, "infer": way.infer_s}
        for name, took_s in steps.items():
            parts.append((name, at, at + took_s))
            at += took_s
    return parts
