"""Clients that take their time, many at once: whoever sends a photo meanwhile is answered."""

import contextlib
import itertools
import resource
import time

import pytest

from tests.hostile.wire import HOST, Wire, good_request, held
from tests.service import running
from tests.small import colours, photo

CLIENTS = 200
# Far more than a good photo needs on any machine, and far less than slow clients are given.
SOON_S = 8.0


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A few places and threads only; slow clients outnumber them by far."""
    folder = tmp_path_factory.mktemp("slow")
    network = colours(folder / "network")
    with running(folder, model=network, queue=4, cores=1) as started:
        yield started


@pytest.fixture
def many_files(service):
    """More open files for the clients than the service has, which was started before."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def answered_meanwhile(service, wires, bytes_each):
    """Good photos are answered while each of the slow ones sends a byte now and then."""
    for number in range(10):
        for wire in wires:
            wire.send(bytes_each[number % len(bytes_each) :][:1])
        begun = time.monotonic()
        with Wire(service) as good:
            reply = good.send(good_request()).reply()
        assert reply.status == 200
        assert time.monotonic() - begun < SOON_S


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"P",
        b"\r\n",
        b"\r\nGET / HTTP/1.1\r\n",
        b"POST /predict HTTP/1.1\r\n",
        b"POST /predict HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 50,
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\nGET /healthz HTTP/1.1\r\nA",
    ],
    ids=[
        "silent",
        "one byte",
        "an empty line",
        "an empty and a first line",
        "a first line",
        "half a head",
        "half a second head",
    ],
)
def test_heads_that_come_byte_by_byte_hold_nobody_up(service, start):
    wires = [Wire(service).send(start) for _ in range(CLIENTS)]
    try:
        answered_meanwhile(service, wires, b"X-A: b" if start else b"POST /")
    finally:
        for wire in wires:
            wire.socket.close()


def test_bodies_that_come_byte_by_byte_give_way_to_others(service):
    """They hold all places at first; then who has had five seconds gives theirs back."""
    head = b"POST /predict HTTP/1.1\r\n" + HOST + b"Content-Type: image/jpeg\r\n"
    wires = [Wire(service).send(head + b"Content-Length: 5000\r\n\r\nabc") for _ in range(20)]
    end = time.monotonic() + 40
    while (status := service.predict(photo("red")).status_code) == 503 and time.monotonic() < end:
        for wire in wires:
            wire.send(b"x")
        time.sleep(0.1)
    assert status == 200
    # Some may have been spared, as there was room again: those end here.
    refused = [wire.half_close().reply() for wire in wires]
    assert {reply.status for reply in refused} == {400, 503}
    for wire in wires:
        wire.socket.close()


def test_more_connections_than_are_kept_leave_room_for_newcomers(service, many_files):
    """The thousand that a worker keeps are taken; who has been silent longest goes."""
    with contextlib.ExitStack() as opened:
        for _ in range(1100):
            opened.enter_context(Wire(service))
        for _ in range(5):
            with Wire(service) as good:
                assert good.send(good_request()).reply().status == 200


@pytest.mark.slow
def test_a_head_has_fifteen_seconds_and_then_its_connection_ends(service):
    """However its bytes come; and nothing of it stays."""
    (pid,) = service.worker_pids()
    before = held(pid)
    begun = time.monotonic()
    wires = [Wire(service) for _ in range(50)]
    for _ in itertools.takewhile(lambda _: time.monotonic() - begun < 20, itertools.count()):
        for wire in wires:
            wire.send(b"A")
        time.sleep(0.5)
    assert [wire.reply() for wire in wires] == [None] * 50
    assert not held(pid) - before
