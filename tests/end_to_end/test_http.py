"""What is not a good HTTP request, sent byte for byte to the real server."""

import json
import socket
import time
from pathlib import Path

import pytest

from tests.service import running
from tests.small import colours, photo


@pytest.fixture(scope="module")
def colourful(tmp_path_factory):
    folder = tmp_path_factory.mktemp("http")
    with running(folder, model=colours(folder / "network"), max_bytes=1_000_000) as service:
        yield service


def send(service, raw: bytes) -> tuple[int, dict, bytes]:
    """Status, JSON body, and head of what comes back on a connection of its own."""
    host, port = service.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(raw)
        got = b""
        while b"\r\n\r\n" not in got:
            got += connection.recv(65536)
        head, _, body = got.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split()[0])
        while len(body) < length:
            body += connection.recv(65536)
    return int(head.split()[1]), json.loads(body), head


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nBad Header: x\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /healthz HTTP/1.1\r\n" + b"X-A: b\r\n" * 200 + b"\r\n", 431),
        (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
        (
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            400,
        ),
    ],
)
def test_what_is_no_request_is_refused_in_json_too(colourful, raw, status):
    got, body, head = send(colourful, raw)
    assert got == status
    assert body["success"] is False
    assert body["error"]["request_id"].encode() in head


def test_a_chunked_body_is_asked_for_its_length(colourful):
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
    raw = head + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    status, body, _ = send(colourful, raw)
    assert (status, body["error"]["code"]) == (411, "length_required")


def test_a_hundred_megabytes_are_refused_and_the_sentence_arrives(colourful):
    """Whoever is still sending must be able to read why."""
    reply = colourful.post(
        "/predict", data=bytes(100_000_000), headers={"Content-Type": "image/jpeg"}
    )
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "too_large")


def test_slow_bodies_hold_no_more_threads_than_there_are_places(tmp_path):
    """Each of sixty clients says that a photo comes, and sends three bytes of it."""
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
    with running(tmp_path, model=colours(tmp_path / "network"), queue=4, cores=1) as service:
        host, port = service.address.removeprefix("http://").split(":")
        slow = [socket.create_connection((host, int(port))) for _ in range(60)]
        for connection in slow:
            connection.sendall(head + b"Content-Length: 5000\r\n\r\nabc")
        assert service.get("/healthz").status_code == 200
        assert service.predict(photo("red")).status_code == 503
        for connection in slow:
            connection.close()
        service.wait_until_ready()
        end = time.monotonic() + 30
        while service.predict(photo("red")).status_code == 503:
            assert time.monotonic() < end


def test_refused_uploads_leave_no_memory_behind(colourful):
    """Their exceptions once kept them until the garbage collector came by."""
    (pid,) = colourful.worker_pids()
    content = bytes(900_000)
    for _ in range(20):
        colourful.predict(content)
    before = resident_mb(pid)
    for _ in range(100):
        assert colourful.predict(content).status_code == 415
    grown = resident_mb(pid) - before
    print(f"grown by {grown:.1f} MB over 100 refused uploads of 0.9 MB")
    assert grown < 20


def resident_mb(pid):
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def test_after_every_refusal_the_next_good_photo_is_answered(colourful):
    for content in (b"", b"x", photo("red")[:300], bytes(2_000_000)):
        assert colourful.predict(content).status_code in (400, 413, 415, 422)
        first = colourful.predict(photo("red")).json()["predictions"][0]
        assert first["label"] == "red"
