"""POST /predict: a photo in any of three ways, names out."""

import base64
import io
import threading
from contextlib import contextmanager

import pytest

from serving import cores
from tests.small import photo


def form(*photos, **fields):
    files = [(io.BytesIO(content), f"photo-{i}.jpg") for i, content in enumerate(photos)]
    return {"data": {"image": files, **fields}, "content_type": "multipart/form-data"}


def labels(reply):
    return [prediction["label"] for prediction in reply.json["predictions"]]


def refusal(reply):
    assert reply.json["success"] is False
    assert reply.json["error"]["request_id"] == reply.headers["X-Request-Id"]
    return reply.status_code, reply.json["error"]["code"], reply.json["error"]["message"]


def test_the_reply_has_the_tutorials_fields_and_ours(client):
    reply = client.post("/predict", **form(photo("red")))
    assert reply.status_code == 200
    assert reply.json["success"] is True
    assert reply.json["model"] == "Colours"
    first = reply.json["predictions"][0]
    assert (first["label"], first["id"]) == ("red", "c0")
    assert 0.99 < first["probability"] <= 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_raw_body_is_a_photo_too_whatever_its_header_calls_it(client, kind):
    reply = client.post("/predict", data=photo("green", kind=kind), content_type="image/jpeg")
    assert labels(reply)[0] == "green"


def test_a_photo_comes_as_base64_in_json_with_options_beside_it(client):
    text = base64.b64encode(photo("blue")).decode()
    assert labels(client.post("/predict", json={"image": text, "top": 1})) == ["blue"]


def test_a_data_url_as_browsers_make_them_is_understood(client):
    text = "data:image/jpeg;base64," + base64.b64encode(photo("blue")).decode()
    assert labels(client.post("/predict", json={"image": text}))[0] == "blue"


def test_several_photos_get_results_in_order_and_a_bad_one_only_its_own_error(client):
    reply = client.post("/predict", **form(photo("red"), b"no picture", photo("blue")))
    assert reply.status_code == 200
    first, second, third = reply.json["results"]
    assert first["predictions"][0]["label"] == "red"
    assert third["predictions"][0]["label"] == "blue"
    assert second["success"] is False
    assert second["error"]["code"] == "unsupported_image"


def test_several_photos_come_in_json_too(client):
    texts = [base64.b64encode(photo(colour)).decode() for colour in ("red", "green")]
    reply = client.post("/predict", json={"image": texts})
    assert [r["predictions"][0]["label"] for r in reply.json["results"]] == ["red", "green"]


def test_options_come_in_the_query_or_in_the_form(client):
    assert len(labels(client.post("/predict?top=2", **form(photo("red"))))) == 2
    assert len(labels(client.post("/predict", **form(photo("red"), top="2")))) == 2


def test_a_threshold_leaves_out_what_is_less_probable(client):
    assert labels(client.post("/predict?threshold=0.9", **form(photo("red")))) == ["red"]


def test_a_network_is_chosen_by_name(client):
    assert labels(client.post("/predict?model=Colours", **form(photo("red"))))[0] == "red"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("top=0", "top='0' is not a whole number from 1 to 1000"),
        ("top=1001", "top='1001' is not a whole number from 1 to 1000"),
        ("top=five", "top='five' is not a whole number from 1 to 1000"),
        ("top=%D9%A5", "is not a whole number from 1 to 1000"),
        ("top=", "top='' is not a whole number"),
        ("top=" + "9" * 5000, "is not a whole number from 1 to 1000"),
        ("threshold=nan", "threshold='nan' is not a number from 0 to 1"),
        ("threshold=-0.1", "threshold='-0.1' is not a number from 0 to 1"),
        ("threshold=1e400", "is not a number from 0 to 1"),
        ("fit=squash", "fit='squash' is not crop or stretch"),
        ("model=ResNet50", "model='ResNet50' is not served here; served: Colours"),
        ("topp=3", "there is no option 'topp'; did you mean top? (understood here: top, threshold"),
        ("top=1&top=2", "the option top is given twice"),
    ],
)
def test_an_option_that_cannot_be_taken_is_a_sentence(client, query, said):
    status, code, message = refusal(client.post(f"/predict?{query}", **form(photo("red"))))
    assert (status, code) == (400, "bad_request")
    assert said in message
    assert len(message) < 300


def test_an_option_in_query_and_form_at_once_is_given_twice(client):
    reply = client.post("/predict?top=1", **form(photo("red"), top="2"))
    assert "given twice" in refusal(reply)[2]


@pytest.mark.parametrize(
    ("request_", "status", "code", "said"),
    [
        ({"data": {"top": "1"}, "content_type": "multipart/form-data"}, 400, "bad_request", "no photo came"),
        ({"data": {"image": "text"}, "content_type": "multipart/form-data"}, 400, "bad_request", "no photo came"),
        (
            {"data": {"file": (io.BytesIO(b"x"), "x.jpg")}, "content_type": "multipart/form-data"},
            400, "bad_request", 'a file came in the field "file"',
        ),
        ({"data": b"{", "content_type": "application/json"}, 400, "bad_request", "not JSON"),
        ({"data": b"[" * 100_000, "content_type": "application/json"}, 400, "bad_request", "not JSON"),
        ({"json": []}, 400, "bad_request", 'has no "image"'),
        ({"json": {"picture": ""}}, 400, "bad_request", 'has no "image"'),
        ({"json": {"image": 5}}, 400, "bad_request", "must be text in base64, not int"),
        (
            {"data": b"--x\r\nContent-Disposition: form-data; filename=a\r\n\r\nb\r\n--x--\r\n", "content_type": "multipart/form-data; boundary=x"},
            400, "bad_request", 'a file came in the field ""',
        ),
        ({"data": b"x", "content_type": "multipart/form-data"}, 400, "bad_request", "names no boundary"),
        ({"json": {"image": [""] * 300}}, 400, "bad_request", "300 photos came; one request brings at most 256"),
        ({"json": {"image": "ä"}}, 400, "bad_request", "not valid base64"),
        ({"json": {"image": []}}, 400, "bad_request", "empty list"),
        ({"data": b"x", "content_type": "text/plain"}, 400, "bad_request", "'text/plain' is not understood"),
        (
            {"data": photo("red"), "content_type": "image/png", "headers": {"Content-Encoding": "gzip"}},
            400, "bad_request", "Content-Encoding 'gzip' is not understood",
        ),
        ({"data": b"no picture at all", "content_type": "image/png"}, 415, "unsupported_image", "JPEG"),
        ({"data": b"", "content_type": "image/png"}, 400, "bad_request", "the body is empty"),
        (
            {"data": b'{"image": [' + b"[]," * 2000 + b"[]]}", "content_type": "application/json"},
            400,
            "bad_request",
            "more than 1024 values",
        ),
        ({}, 400, "bad_request", "the body is empty"),
        ({"data": photo("red")[:400], "content_type": "image/jpeg"}, 422, "broken_image", ""),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_taken_is_a_sentence(client, request_, status, code, said):
    got = refusal(client.post("/predict", **request_))
    assert got[:2] == (status, code)
    assert said in got[2]


def test_too_many_bytes_are_refused_unread_with_the_limit(make_app):
    client = make_app(max_bytes=2000).test_client()
    status, code, message = refusal(
        client.post("/predict", data=b"x" * 200_000, content_type="image/jpeg")
    )
    assert (status, code) == (413, "too_large")
    assert "2,000 bytes (SHIWU_MAX_BYTES)" in message


def test_photos_that_are_too_large_only_together_are_refused_too(make_app):
    client = make_app(max_bytes=2000).test_client()
    reply = client.post("/predict", **form(b"x" * 1500, b"x" * 1500))
    assert refusal(reply)[:2] == (413, "too_large")


def test_a_photo_of_exactly_the_limit_is_taken_in_every_way(make_app):
    content = photo("red")
    content += bytes(2000 - len(content))
    client = make_app(max_bytes=2000).test_client()
    text = base64.b64encode(content).decode()
    assert client.post("/predict", **form(content)).status_code == 200
    assert client.post("/predict", json={"image": text}).status_code == 200
    assert client.post("/predict", data=content, content_type="image/jpeg").status_code == 200
    assert client.post("/predict", **form(content + b"x")).status_code == 413


def test_too_many_pixels_are_refused_with_the_limit(make_app):
    client = make_app(max_pixels=10_000).test_client()
    status, code, message = refusal(client.post("/predict", **form(photo("red", (200, 100)))))
    assert (status, code) == (413, "too_large")
    assert "SHIWU_MAX_PIXELS" in message
    assert "10,000" in message


def test_a_body_without_a_length_is_refused(client):
    reply = client.post(
        "/predict",
        input_stream=io.BytesIO(photo("red")),
        content_type="image/jpeg",
        headers={"Transfer-Encoding": "chunked"},
    )
    assert refusal(reply)[:2] == (411, "length_required")


@pytest.mark.parametrize(
    "write",
    [
        lambda content: base64.encodebytes(content).decode(),
        lambda content: base64.urlsafe_b64encode(content).decode().rstrip("="),
        lambda content: (
            "DATA:image/jpeg;charset=utf-8;base64," + base64.b64encode(content).decode()
        ),
    ],
)
def test_base64_is_taken_as_common_tools_write_it(client, write):
    reply = client.post("/predict", json={"image": write(photo("green"))})
    assert labels(reply)[0] == "green"


def test_a_bad_text_among_several_fails_alone(client):
    texts = [
        base64.b64encode(photo("red")).decode(),
        "!!",
        base64.b64encode(photo("blue")).decode(),
    ]
    results = client.post("/predict", json={"image": texts}).json["results"]
    assert [result["success"] for result in results] == [True, False, True]
    assert "not valid base64" in results[1]["error"]["message"]


def test_more_photos_than_the_queue_can_ever_hold_are_too_many_and_not_busy(make_app):
    """Whoever waits for a place would wait for ever."""
    client = make_app(queue=2, cores=1).test_client()
    status, code, message = refusal(client.post("/predict", **form(*[photo("red")] * 3)))
    assert (status, code) == (413, "too_large")
    assert "3 photos came, and one request may bring 2 (SHIWU_QUEUE)" in message


def test_more_photos_than_there_are_places_now_are_busy_and_say_when_to_come_again(make_app):
    app = make_app(queue=2, cores=1)
    with busy_runners(app) as queue:
        (waiting,) = queue.put([int], 60)
        reply = app.test_client().post("/predict", **form(*[photo("red")] * 2))
        assert refusal(reply)[:2] == (503, "busy")
        assert int(reply.headers["Retry-After"]) >= 1
    waiting.result()


@contextmanager
def busy_runners(app):
    """Keep the runners of the app's only core at work, for real, until the block ends."""
    free = threading.Event()
    queue = app.extensions["shiwu_predictor"].queue
    jobs = [job for _ in range(cores.runners(1)) for job in queue.put([free.wait], deadline_s=60)]
    try:
        yield queue
    finally:
        free.set()
        for job in jobs:
            job.result()


def test_a_request_whose_deadline_passes_is_told_so(make_app):
    app = make_app(cores=1, deadline_s=0.1)
    with busy_runners(app):
        reply = app.test_client().post("/predict", **form(photo("red")))
    assert refusal(reply)[:2] == (504, "too_late")


def test_when_the_queue_is_full_busy_is_said_before_the_body_is_even_understood(make_app):
    app = make_app(cores=1, queue=1)
    with busy_runners(app) as queue:
        (waiting,) = queue.put([int], 60)
        for address in ("/predict", "/image"):
            reply = app.test_client().post(address, data=b"?", content_type="text/plain")
            assert refusal(reply)[:2] == (503, "busy")
            assert int(reply.headers["Retry-After"]) >= 1
        assert app.test_client().get("/healthz").status_code == 200
    waiting.result()


def test_before_the_networks_are_loaded_the_answer_is_not_ready(make_app):
    client = make_app(load=False).test_client()
    assert refusal(client.post("/predict", **form(photo("red"))))[:2] == (503, "not_ready")
    assert refusal(client.get("/readyz"))[:2] == (503, "not_ready")
    assert client.get("/healthz").json == {"status": "alive"}


def test_our_own_faults_are_500_and_tell_nothing_but_the_id(make_app, network_folder, caplog):
    """The engine is broken for real: its network is taken away."""
    app = make_app()
    app.extensions["shiwu_predictor"].shelf.networks["Colours"].engine.close()
    try:
        status, code, message = refusal(app.test_client().post("/predict", **form(photo("red"))))
    finally:
        app.extensions["shiwu_predictor"].load()
    assert (status, code) == (500, "internal")
    assert "OpenVino" not in message
    assert "_network" not in message
    assert "Traceback" in caplog.text
