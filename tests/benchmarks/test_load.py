"""What a round of load counts, seen from the server's side."""

import base64
import io
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from werkzeug.wrappers import Request

from benchmarks import load

PHOTOS = [b"\xff\xd8 one \r\n--", b"\xff\xd8 two, which is longer"]


class Counting(ThreadingHTTPServer):
    """Answers a POST with 200, and every fourth with another status if one is given.

    It gives back a request's id; 0 for a status is no answer.
    """

    daemon_threads = True

    def __init__(self, fourth=200):
        super().__init__(("127.0.0.1", 0), Answering)
        self.fourth = fourth
        self.bodies = []
        self.asked_alive = 0
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}/predict"


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.bodies.append(body)
            status = 200 if len(self.server.bodies) % 4 else self.server.fourth
        self.answer(status)

    def do_GET(self):
        with self.server.lock:
            self.server.asked_alive += 1
        self.answer(200)

    def answer(self, status):
        if status == 0:  # no answer at all
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.send_header("X-Request-Id", self.headers.get("X-Request-Id", ""))
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


@contextmanager
def serving(**options):
    with Counting(**options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def bodies(tmp_path, program):
    program("wrk")
    return load.multipart(PHOTOS, tmp_path)


def test_every_request_that_was_sent_is_waited_for_and_counted(bodies):
    """Requests cut off at the end would make slow servers look slower than they are."""
    with serving() as server:
        measured = load.measure(server.url, bodies, seconds=0.3)
        assert measured.answered == len(server.bodies) > 0
    assert 0.3 <= measured.elapsed_s < 5
    assert measured.per_s == measured.answered / measured.elapsed_s
    assert 0 < measured.p50_ms <= measured.p99_ms


def test_all_photos_are_sent_in_turn(bodies):
    """A server with a cache of its own must not be flattered by one photo sent for ever."""
    with serving() as server:
        load.measure(server.url, bodies, seconds=0.2)
        often = [server.bodies.count(file.read_bytes()) for file in bodies.files]
        assert sum(often) == len(server.bodies)
        assert abs(often[0] - often[1]) <= 1


def test_an_answer_that_is_not_200_fails_the_round_and_is_counted(bodies):
    """Refusing is fast: a benchmark that counted refusals would praise them."""
    with serving(fourth=503) as server, pytest.raises(load.LoadFailed, match="with 503 instead"):
        load.measure(server.url, bodies, seconds=0.2)


def test_a_server_that_is_not_there_fails_the_round(bodies):
    with Counting() as gone:
        url = gone.url
    with pytest.raises(load.LoadFailed):
        load.measure(url, bodies, seconds=0.2)


def test_a_body_is_a_form_that_a_server_reads_back_byte_for_byte(tmp_path):
    """The bodies are written by hand, with one boundary for all, as wrk's script wants them."""
    bodies = load.multipart(PHOTOS, tmp_path)
    for file, photo in zip(bodies.files, PHOTOS, strict=True):
        sent = io.BytesIO(file.read_bytes())
        kind = {"content_type": bodies.content_type, "content_length": file.stat().st_size}
        with Request.from_values(method="POST", input_stream=sent, **kind) as request:
            assert request.files["image"].read() == photo


def arrive(server, bodies, seed=1, rate=60.0):
    return load.measure_arrivals(server.url, bodies, 1.0, rate, seed, connections=20)


def test_photos_arrive_as_often_as_asked_whatever_the_answers_do(bodies):
    with serving() as server:
        found = arrive(server, bodies)
        assert 30 < len(server.bodies) < 100  # a random number around 60: six deviations
        assert server.asked_alive >= 5  # every tenth of a second
        assert set(server.bodies) == {file.read_bytes() for file in bodies.files}
    assert 0 < found.per_s <= 100
    assert (found.refused, found.failed, found.unanswered) == (0, 0, 0)
    assert 0 < found.p50_ms <= found.p99_ms
    assert 0 < found.healthz_p99_ms <= found.healthz_max_ms
    assert found.refused_p99_ms is None
    assert found.late_ms >= 0


def test_the_same_seed_gives_the_same_arrivals(bodies):
    counts = []
    for seed in (1, 1, 2, 3):
        with serving() as server:
            arrive(server, bodies, seed)
            counts.append(len(server.bodies))
    assert counts[0] == counts[1]
    assert len(set(counts)) > 1


def test_refusals_are_counted_apart_and_their_times_too(bodies):
    with serving(fourth=503) as server:
        found = arrive(server, bodies)
        assert found.refused == len(server.bodies) // 4 > 0
    assert found.refused_p99_ms > 0
    assert (found.failed, found.unanswered) == (0, 0)


def test_other_statuses_and_missing_answers_do_not_pass_for_answers(bodies):
    with serving(fourth=500) as server:
        failed = arrive(server, bodies)
        assert failed.failed == len(server.bodies) // 4 > 0
    with serving(fourth=0) as server:
        unanswered = arrive(server, bodies)
        assert unanswered.unanswered == len(server.bodies) // 4 > 0


@pytest.mark.parametrize(
    ("values", "of", "is_"),
    [([], 99, None), ([7.0], 50, 7.0), ([3.0, 1.0, 2.0], 50, 2.0), (list(range(200)), 99, 197)],
)
def test_percentiles_are_values_that_occurred(values, of, is_):
    assert load.percentile(values, of) == is_


def test_raw_bodies_are_the_photos_and_json_holds_them_in_base64(tmp_path):
    raw = load.raw(PHOTOS, tmp_path / "raw")
    assert [file.read_bytes() for file in raw.files] == PHOTOS
    in_json = load.in_json(PHOTOS, tmp_path / "json")
    for file, photo in zip(in_json.files, PHOTOS, strict=True):
        assert base64.b64decode(json.loads(file.read_text())["image"]) == photo
    assert (raw.content_type, in_json.content_type) == ("image/jpeg", "application/json")
