"""What a round of load counts, seen from the server's side."""

import io
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from werkzeug.wrappers import Request

from benchmarks import load

PHOTOS = [b"\xff\xd8 one \r\n--", b"\xff\xd8 two, which is longer"]


class Counting(ThreadingHTTPServer):
    """Answers a POST with 200, and every fourth with another status if one is given."""

    daemon_threads = True

    def __init__(self, fourth=200):
        super().__init__(("127.0.0.1", 0), Answering)
        self.fourth = fourth
        self.bodies = []
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}/predict"


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.bodies.append(body)
            status = 200 if len(self.server.bodies) % 4 else self.server.fourth
        self.send_response(status)
        self.send_header("Content-Length", "2")
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
