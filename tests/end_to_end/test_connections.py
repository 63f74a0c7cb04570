"""What becomes of connections, seen from the socket: kept, closed with an answer, or abandoned."""

import contextlib
import socket
import time

import pytest
import requests

from tests.service import running
from tests.small import colours, photo

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
TOO_LARGE = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: 30000000\r\n\r\n"


@pytest.fixture(scope="module")
def colourful(tmp_path_factory):
    folder = tmp_path_factory.mktemp("connections")
    with running(folder, model=colours(folder / "network"), max_bytes=1_000_000) as service:
        yield service


@pytest.fixture
def connect(colourful):
    host, port = colourful.address.removeprefix("http://").split(":")
    opened = []

    def open_one() -> socket.socket:
        opened.append(socket.create_connection((host, int(port)), timeout=30))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


def read_all(connection: socket.socket) -> bytes:
    """All that comes until the server closes its side."""
    got = b""
    while more := connection.recv(65536):
        got += more
    return got


def read_answer(connection: socket.socket) -> bytes:
    """The next answer; its head and its body may come one after the other."""
    got = b""
    while not got.endswith(b"}"):
        got += connection.recv(65536)
    return got


def test_who_is_refused_unread_hears_so_though_he_goes_on_sending(connect):
    client = connect()
    client.sendall(TOO_LARGE)
    for _ in range(40):
        client.sendall(bytes(250_000))
    answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"}")


def test_clients_that_never_close_hold_up_nobody(colourful, connect):
    lingering = [connect() for _ in range(30)]
    for client in lingering:
        client.sendall(TOO_LARGE)
    for client in lingering:
        assert read_all(client).startswith(b"HTTP/1.1 413 ")
    begun = time.monotonic()
    assert colourful.get("/healthz").status_code == 200
    assert time.monotonic() - begun < 10  # one after the other, they would take a minute


def test_silent_connections_hold_up_nobody(colourful, connect):
    for _ in range(200):
        connect()
    begun = time.monotonic()
    assert colourful.get("/healthz").status_code == 200
    assert time.monotonic() - begun < 4  # each would hold a thread for 5 s


def test_a_connection_is_kept_whether_its_client_goes_on_at_once_or_later(connect):
    client = connect()
    for pause in (0.0, 0.0, 0.1, 0.0):
        time.sleep(pause)
        client.sendall(HEALTH)
        assert read_answer(client).startswith(b"HTTP/1.1 200 ")


def test_requests_that_come_together_are_answered_one_after_the_other(connect):
    client = connect()
    client.sendall(HEALTH * 3 + HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert read_all(client).count(b"HTTP/1.1 200 ") == 4


def test_photos_that_come_together_are_all_answered(connect):
    client, body = connect(), photo("red")
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n"
    asked = head.encode() + b"\r\n" + body
    client.sendall(asked + asked + HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    answers = read_all(client)
    assert answers.count(b'"label":"red"') >= 2
    assert answers.count(b"HTTP/1.1 200 ") == 3


def test_a_request_whose_end_comes_later_does_not_hold_back_the_one_before_it(connect):
    client = connect()
    client.sendall(HEALTH * 2 + HEALTH[:10])
    got = b""
    while got.count(b"HTTP/1.1 200 ") < 2:
        got += client.recv(65536)
    client.sendall(HEALTH[10:].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert (got + read_all(client)).count(b"HTTP/1.1 200 ") == 3


def test_who_speaks_tls_where_there_is_none_hears_so_at_once(connect):
    client = connect()
    client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert read_all(client).startswith(b"HTTP/1.1 400 ")


@pytest.mark.slow  # a minute: an answer has that long to be taken
def test_clients_that_never_take_their_answers_give_their_threads_back(colourful, connect):
    """There are more of them than threads, and they ask for more than the kernel keeps for them."""

    def is_answered() -> bool:
        with contextlib.suppress(requests.RequestException):
            address = f"{colourful.address}/healthz"
            return requests.get(address, timeout=5).status_code == 200
        return False

    for _ in range(60):
        client = connect()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
    end = time.monotonic() + 60
    while is_answered():
        assert time.monotonic() < end, "they never held all threads, so this shows nothing"
    end = time.monotonic() + 150
    while not is_answered():
        assert time.monotonic() < end


def test_a_body_in_pieces_is_read_whole(connect):
    client, body = connect(), photo("red")
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n"
    client.sendall(head.encode() + b"Connection: close\r\n\r\n" + body[:1])
    for at in range(1, len(body), 100):
        time.sleep(0.001)
        client.sendall(body[at : at + 100])
    assert b'"label":"red"' in read_all(client)


def test_a_small_body_that_nobody_reads_costs_no_connection(connect):
    client = connect()
    for _ in range(2):
        client.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
        assert read_answer(client).startswith(b"HTTP/1.1 404 ")
