"""Forms and options that chance makes, near to good ones: an answer or our refusal, never a 5xx."""

import json
import urllib.parse

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.wire import BOUNDARY, Wire, form, part, post
from tests.service import running
from tests.small import colours, photo

PHOTO = photo("red")
BOUNDED = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

PIECES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([
        b"--" + BOUNDARY, b"--" + BOUNDARY + b"--", b"--", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\t",
        b'Content-Disposition: form-data; name="image"; filename="a.jpg"', b"Content-Disposition:",
        b"Content-Type: image/jpeg", b"Content-Type: multipart/mixed; boundary=b", b'name="top"',
        b'filename*=utf-8\'\'%ff%00', b'name="', b";" * 50, b"\\", b"\0", b"\xff", PHOTO,
    ]),
)  # fmt: skip
NAMES = st.sampled_from(["top", "threshold", "model", "fit", "lang", "image", "width"]) | st.text(
    max_size=10
)
VALUES = st.text(max_size=20) | st.integers().map(str) | st.floats().map(str)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forms")
    with running(folder, model=colours(folder / "network"), max_bytes=100_000) as started:
        yield started


def asked(service, raw: bytes):
    with Wire(service) as wire:
        reply = wire.send(raw).reply()
    assert reply is not None
    assert reply.status == 200 or reply.is_our_error(), reply
    return reply


@BOUNDED
@given(pieces=st.lists(PIECES, max_size=12), closed=st.booleans())
def test_pieces_of_forms_in_any_order(service, pieces, closed):
    body = b"".join(pieces) + (b"\r\n--" + BOUNDARY + b"--\r\n" if closed else b"")
    asked(service, post(b"--" + BOUNDARY + b"\r\n" + body))


@BOUNDED
@given(at=st.integers(0, 500), gone=st.integers(0, 30), put_in=st.binary(max_size=10))
def test_a_good_form_with_a_few_bytes_replaced(service, at, gone, put_in):
    body = form(part(b"3", b"top", None), part(PHOTO))
    asked(service, post(body[:at] + put_in + body[at + gone :]))


@BOUNDED
@given(name=st.binary(max_size=40), filename=st.binary(max_size=40), content=st.binary(max_size=40))
def test_any_name_and_filename(service, name, filename, content):
    asked(service, post(form(part(content, name, filename), part(PHOTO))))


@BOUNDED
@given(options=st.lists(st.tuples(NAMES, VALUES), max_size=5))
def test_any_option_beside_the_photo_is_answered_as_in_the_address(service, options):
    """The same words, sent in either way, are allowed or refused alike."""
    fields = [
        part(value.encode("utf-8", "surrogatepass"), _quoted(name), None) for name, value in options
    ]
    beside = asked(service, post(form(*fields, part(PHOTO))))
    query = urllib.parse.urlencode(options, errors="surrogatepass").encode()
    before = asked(service, post(form(part(PHOTO)), path=b"/predict?" + query))
    if not any(set(name) & set('"\\\r\n') for name, _ in options):
        assert beside.status == before.status


def _quoted(name: str) -> bytes:
    text = name.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "").replace("\n", "")
    return text.encode("utf-8", "surrogatepass")


@BOUNDED
@given(boundary=st.binary(min_size=1, max_size=80), sent=st.booleans())
def test_any_boundary(service, boundary, sent):
    kind = b"multipart/form-data; boundary=" + boundary.translate(None, b"\r\n")
    asked(service, post(form(part(PHOTO), boundary=boundary if sent else BOUNDARY), kind=kind))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@BOUNDED
@given(said=JSON, as_image=st.booleans())
def test_any_json(service, said, as_image):
    body = json.dumps({"image": said} if as_image else said).encode("utf-8", "surrogatepass")
    asked(service, post(body, kind=b"application/json"))
