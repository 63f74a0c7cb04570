"""Traces, sent by the real service to a receiver that reads OpenTelemetry's own messages."""

import itertools
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from api.tracing import TracingMissing
from tests import small
from tests.service import ROOT, free_port, running

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Receiver(ThreadingHTTPServer):
    """The other side of OTLP over HTTP: keeps every span that comes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.spans, self.services = [], set()

    def wait_for(self, count):
        end = time.monotonic() + 20
        while len(self.spans) < count:
            assert time.monotonic() < end, [span.name for span in self.spans]
            time.sleep(0.02)
        return self.spans


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/v1/traces"
        said = ExportTraceServiceRequest.FromString(body)
        for resource in said.resource_spans:
            named = {one.key: one.value.string_value for one in resource.resource.attributes}
            self.server.services.add(named["service.name"])
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def traced(tmp_path, network_folder, receiver, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{receiver.server_port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    with running(tmp_path, model=network_folder, traces="true") as service:
        yield service


def attributes(span):
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_a_request_is_a_trace_of_its_callers_with_a_span_for_each_step(traced, receiver):
    header = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    sent_ns = time.time_ns()
    reply = traced.post("/predict", files={"image": small.photo("red")}, headers=header)
    answered_ns = time.time_ns()
    assert reply.status_code == 200
    spans = {span.name: span for span in receiver.wait_for(5)}
    assert set(spans) == {"POST /predict", "read", "wait", "decode", "infer"}
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    request = spans.pop("POST /predict")
    assert request.parent_span_id.hex() == CALLER
    assert {span.parent_span_id for span in spans.values()} == {request.span_id}
    said = attributes(request)
    assert said["http.response.status_code"] == 200
    assert said["shiwu.request_id"] == reply.headers["X-Request-Id"]
    assert sent_ns <= request.start_time_unix_nano <= request.end_time_unix_nano <= answered_ns
    ends = [spans[step] for step in ("read", "wait", "decode", "infer")]
    for before, after in itertools.pairwise(ends):
        assert request.start_time_unix_nano <= before.start_time_unix_nano
        assert before.end_time_unix_nano == pytest.approx(after.start_time_unix_nano, abs=1000)
        assert before.end_time_unix_nano <= after.end_time_unix_nano
    assert ends[-1].end_time_unix_nano <= request.end_time_unix_nano
    assert receiver.services == {"shiwu"}


def test_every_photo_of_a_request_has_its_steps(traced, receiver):
    files = [("image", small.photo(colour)) for colour in ("red", "green", "blue")]
    nonsense = {"traceparent": '00-zz-"zz-01', "tracestate": "=" * 2000}
    assert traced.post("/predict", files=files, headers=nonsense).status_code == 200
    names = [span.name for span in receiver.wait_for(11)]
    assert sorted(names) == sorted(["POST /predict", "read"] + 3 * ["wait", "decode", "infer"])


def test_a_refused_photo_is_a_trace_that_says_why_and_holds_nothing_of_it(traced, receiver):
    files = {"image": ("our-secret-holiday.jpg", b"no picture, our secret")}
    assert traced.post("/predict", files=files).status_code == 415
    (request,) = [span for span in receiver.wait_for(2) if span.name == "POST /predict"]
    assert attributes(request)["shiwu.outcome"] == "unsupported_image"
    assert "secret" not in "".join(map(str, receiver.spans))


def test_probes_are_no_traces(traced, receiver):
    for path in ("/healthz", "/readyz", "/metrics"):
        assert traced.get(path).status_code == 200
    traced.predict(small.photo("red"))
    assert {span.name.split()[-1] for span in receiver.wait_for(5)} <= {
        "/predict", "read", "wait", "decode", "infer"
    }  # fmt: skip


def test_what_is_left_is_sent_at_the_end(tmp_path, network_folder, receiver, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{receiver.server_port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")
    with running(tmp_path, model=network_folder, traces="true") as service:
        assert service.predict(small.photo("red")).status_code == 200
        assert not receiver.spans
        assert service.stop() == 0
    assert len(receiver.spans) == 5


def test_a_receiver_that_is_not_there_costs_no_answer_and_no_end(
    tmp_path, network_folder, monkeypatch
):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    with running(tmp_path, model=network_folder, traces="true") as service:
        for _ in range(20):
            assert service.predict(small.photo("red")).status_code == 200
        begun = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - begun < 10, "it waits three seconds for a receiver at most"


def test_nothing_is_imported_as_long_as_it_is_off():
    code = "import sys, app, settings, api.app; app.create_app(settings.Settings()); sys.exit('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_without_opentelemetry_the_start_says_what_to_install(make_app, monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(TracingMissing, match=r"requirements-traces\.txt"):
        make_app(load=False, traces=True)
