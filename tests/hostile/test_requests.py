"""Requests that are none, or not quite: each is refused in our JSON, and nothing is left of it."""

import time

import pytest

from tests.hostile.wire import BOUNDARY, HOST, Wire, form, good_request, held, part, post
from tests.service import running
from tests.small import colours, photo

PHOTO = photo("red")
GOOD = form(part(PHOTO))


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("requests")
    with running(folder, model=colours(folder / "network"), max_bytes=1_000_000) as started:
        assert started.predict(photo("red", kind="GIF")).status_code == 200  # its decoder is there
        yield started


def is_well(service) -> bool:
    reply = service.predict(PHOTO)
    return reply.status_code == 200 and reply.json()["predictions"][0]["label"] == "red"


LENGTHS = [
    b"-1",
    b"+5",
    b"0x5",
    b"5,5",
    b"5 5",
    b"1e3",
    b"",
    b"abc",
    "５".encode(),
    b"5\x0b",
    b"5\0",
    b"9" * 4000,
]


@pytest.mark.parametrize("length", LENGTHS, ids=repr)
def test_a_length_that_is_no_number_is_refused(service, length):
    with Wire(service) as wire:
        (reply,) = wire.send(post(GOOD, length=length)).replies()
    assert reply.is_our_error()


@pytest.mark.parametrize("length", [b"99999999", b"9" * 18, b"0"])
def test_a_length_that_is_not_the_body_s_is_refused(service, length):
    with Wire(service) as wire:
        replies = wire.send(post(GOOD, length=length)).replies()
    assert replies[0].is_our_error()
    assert all(reply.is_our_error() for reply in replies)


def test_a_body_that_ends_too_soon_is_refused(service):
    with Wire(service) as wire:
        (reply,) = wire.send(post(GOOD[:-40], length=str(len(GOOD)).encode())).replies()
    assert reply.is_our_error()


SMUGGLED = b"GET /models HTTP/1.1\r\n" + HOST + b"\r\n"
AMBIGUOUS = [
    [b"Content-Length: 6", b"Transfer-Encoding: chunked"],
    [b"Transfer-Encoding: chunked", b"Content-Length: 6"],
    [b"Content-Length: 5", b"Content-Length: 6"],
    [b"Transfer-Encoding: xchunked"],
    [b"Transfer-Encoding: chunked, identity"],
    [b"Transfer-Encoding: gzip, chunked"],
    [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
    [b"Transfer-Encoding:\x0bchunked"],
    [b"Transfer-Encoding : chunked"],
    [b"X: y\r\n Transfer-Encoding: chunked"],
    [b"X: y\nTransfer-Encoding: chunked"],
    [b"X: y\rTransfer-Encoding: chunked"],
    [b"Transfer_Encoding: chunked", b"Content-Length: 5", b"Content-Length: 0"],
]


@pytest.mark.parametrize("headers", AMBIGUOUS, ids=repr)
def test_no_second_request_is_smuggled_in_the_body_of_a_first(service, headers):
    """Where servers may differ about a body's end, one sees a request that the other doesn't."""
    head = b"".join(header + b"\r\n" for header in headers)
    raw = b"POST /predict HTTP/1.1\r\n" + HOST + head + b"\r\n0\r\n\r\n" + SMUGGLED
    with Wire(service) as wire:
        replies = wire.send(raw).replies()
    assert [reply.is_our_error() for reply in replies] == [True]
    assert replies[0].headers["connection"] == "close"


CHUNKS = [
    b"-1\r\n",
    b"0x3\r\nabc\r\n",
    b"f" * 40 + b"\r\n",
    b"3;" + b"a" * 20_000 + b"\r\nabc\r\n",
    b"3\r\nabcdef",
    b"zz\r\n",
    b"\r\n",
    b"3\nabc\n0\n\n",
    b"0\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
]


@pytest.mark.parametrize("chunks", CHUNKS, ids=lambda chunks: repr(chunks[:12]))
def test_chunks_of_any_kind_are_refused(service, chunks):
    head = b"POST /predict HTTP/1.1\r\nContent-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n"
    with Wire(service) as wire:
        replies = wire.send(head + HOST + b"\r\n" + chunks + b"0\r\n\r\n").replies()
    assert replies
    assert all(reply.is_our_error() for reply in replies)


LINES = [
    b"GET / HTTP/1.1\r\n" + HOST + b"A" * 10_000 + b": b\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"b" * 10_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 10_000 + b"\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"b" * 200_000,
    b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"A: \0\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b": b\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"no colon\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"A B: c\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n folded\r\n\r\n",
    b"GET /\0 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /\r\n\r\n",
    b"GET  / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1 \r\n\r\n",
    b"GET / http/1.1\r\n\r\n",
    b"GET / HTTP/0.9\r\n\r\n",
    b"G\x00T / HTTP/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\r\n\r\n\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n" + bytes(300),
    b"SSH-2.0-OpenSSH_9.9\r\n",
    b"EHLO mail.example\r\n",
    bytes(range(256)) * 300,
]


@pytest.mark.parametrize("raw", LINES, ids=lambda raw: repr(raw[:24]))
def test_what_is_no_request_is_refused_in_json(service, raw):
    with Wire(service) as wire:
        replies = wire.send(raw).replies()
    assert replies
    assert all(reply.is_our_error() for reply in replies)


ODD = [
    (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
    (b"GET http://elsewhere/healthz HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    (b"GET //healthz HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    (b"GET /../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    (b"GET /image/..%2f..%2fetc%2fpasswd HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    (b"GET /image/%00 HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    (b"GET /%ff%fe HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    (b"GET /%zz%u0041 HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    ("GET /图 HTTP/1.1\r\n".encode() + HOST + b"\r\n", 400),
    (b"BREW /predict HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    (b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    (b"CONNECT elsewhere:443 HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    (b"DELETE /predict HTTP/1.1\r\n" + HOST + b"\r\n", 405),
]


@pytest.mark.parametrize(("raw", "status"), ODD, ids=lambda one: repr(one)[:44])
def test_odd_requests_get_what_http_says(service, raw, status):
    with Wire(service) as wire:
        (reply,) = wire.send(raw).replies()
    assert reply.status == status
    assert status == 200 or reply.is_our_error()


QUERIES = [
    b"top=%00",
    b"top=%ff",
    b"top=1&top=2",
    b"%00=1",
    b"top=" + b"9" * 3000,
    "lang=中文".encode(),
    b"lang=zh%0d%0aX-Injected:%20yes",
    b"top=1e9",
    b"top=-1",
    b"top=NaN",
    b"threshold=nan",
    b"threshold=inf",
    b"model=../../etc/passwd",
    b"fit=%25s%25n",
    b"&=&==&",
    b"top=%F0%9D%9F%99",
]


@pytest.mark.parametrize("query", QUERIES, ids=repr)
def test_odd_options_are_refused_by_name(service, query):
    with Wire(service) as wire:
        (reply,) = wire.send(post(GOOD, path=b"/predict?" + query)).replies()
    assert reply.is_our_error()
    assert "x-injected" not in reply.headers


def test_expect_100_continue_is_answered_before_the_photo_is_sent(service):
    head, _, body = good_request(b"Expect: 100-continue").partition(b"\r\n\r\n")
    with Wire(service) as wire:
        assert wire.send(head + b"\r\n\r\n").reply().status == 100
        assert wire.send(body).reply().status == 200


def test_requests_in_a_row_are_answered_in_that_order(service):
    health = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
    missing = b"GET /nothing HTTP/1.1\r\n" + HOST + b"\r\n"
    with Wire(service) as wire:
        replies = wire.send((health + good_request() + missing) * 20).replies()
    assert [reply.status for reply in replies] == [200, 200, 404] * 20


FORMS = [
    b"",
    b"\r\n",
    GOOD[:-4],
    GOOD[:60],
    GOOD.replace(b"\r\n\r\n", b"\r\n", 1),
    b"--" + BOUNDARY + b"--\r\n",
    (b"--" + BOUNDARY + b"\r\n") * 50_000,
    form(b"no head at all"),
    form(b"Content-Disposition: form-data\r\n\r\nx"),
    form(b'Content-Disposition: form-data; name="image"; filename="a" x' + b";" * 60_000 + b"\r\n\r\nx"),
    form(b"A: " + b"b" * 100_000 + b"\r\n\r\nx"),
    form(b"A: b\r\n" * 9000 + b"\r\nx"),
    form(*[part(b"", filename=None, name=b"top")] * 300),
    form(*[part(PHOTO)] * 300),
    form(part(PHOTO), part(b"5", b"top", None), part(b"6", b"top", None)),
    form(part(PHOTO), part(b"\xff\0", b"top", None)),
    form(part(PHOTO), part(b"1", b"\xff\0", None)),
    form(part(b"5" * 600_000, b"top", None), part(PHOTO)),
    form(part(PHOTO, b"photo")),
    form(part(PHOTO, filename=None)),
    form(b"Content-Type: multipart/mixed; boundary=b\r\n" + part(form(part(PHOTO), boundary=b"b"))),
    form(b"Content-Transfer-Encoding: base64\r\n" + part(b"/9j/")),
]  # fmt: skip


@pytest.mark.parametrize("body", FORMS, ids=lambda body: repr(body[:40]))
def test_malformed_forms_are_refused(service, body):
    with Wire(service) as wire:
        (reply,) = wire.send(post(body)).replies()
    assert reply.is_our_error()


KINDS = [
    b"multipart/form-data",
    b"multipart/form-data; boundary=",
    b"multipart/form-data; boundary=" + b"b" * 5000,
    b'multipart/form-data; boundary="\\"',
    "multipart/form-data; boundary=é".encode(),
    b"multipart/form-data; boundary=a; boundary=b",
    b"multipart/mixed; boundary=a-boundary",
    b"text/plain",
    b"a" * 5000,
    b"application/json; charset=nonsense",
    b"application/json",
    b";;;",
    b"image",
    b"application/x-www-form-urlencoded",
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: repr(kind[:44]))
def test_a_form_under_another_content_type_is_refused(service, kind):
    with Wire(service) as wire:
        (reply,) = wire.send(post(GOOD, kind=kind)).replies()
    assert reply.is_our_error()


def test_clients_that_leave_at_any_byte_leave_nothing_behind(service):
    """A phone in a lift: by FIN and by RST, in the head, in the form, in the photo."""
    (pid,) = service.worker_pids()
    raw = good_request()
    assert is_well(service)
    before = held(pid)
    for at in range(1, len(raw) + 1, 7):
        with Wire(service) as wire:
            wire.send(raw[:at])
            wire.reset() if at % 2 else None
    _settles(service, pid, before)


def _settles(service, pid, before):
    """Threads and files of the worker come back to what they were, and it answers."""
    end = time.monotonic() + 30
    while held(pid) - before and time.monotonic() < end:
        time.sleep(0.05)
    assert not held(pid) - before
    assert is_well(service)
    assert service.worker_pids() == [pid]


def test_all_that_was_sent_here_left_nothing_behind(service):
    """Once more, on one worker, and counted."""
    (pid,) = service.worker_pids()
    assert is_well(service)
    before = held(pid)
    raws = [
        *LINES,
        *(raw for raw, _ in ODD),
        *map(post, FORMS),
        *(post(GOOD, length=length) for length in LENGTHS),
    ]
    for raw in raws:
        with Wire(service) as wire:
            wire.send(raw).replies()
    _settles(service, pid, before)
    assert "internal" not in service.log.read_text()
