"""/v2: the Open Inference Protocol, as its specification has it; tritonclient is tried for real in
tests/end_to_end."""

import base64
import json
import struct
import tracemalloc

import numpy as np
import pytest

from tests.api.counted import photos_counted
from tests.small import SIZE, answer, photo

INFER = "/v2/models/Colours/infer"
LENGTH = "Inference-Header-Content-Length"


def infer(client, said, tail=b"", headers=None):
    head = json.dumps(said, separators=(",", ":")).encode()
    given = {LENGTH: str(len(head))} if tail else {}
    return client.post(
        INFER, data=head + tail, content_type="application/json", headers=given | (headers or {})
    )


def by_bytes(*photos):
    """A request with encoded photos behind its JSON."""
    tail = b"".join(struct.pack("<I", len(one)) + one for one in photos)
    tensor = {"name": "image", "datatype": "BYTES", "shape": [len(photos)]}
    tensor["parameters"] = {"binary_data_size": len(tail)}
    return {"inputs": [tensor]}, tail


def pixels(count=1):
    return np.random.default_rng(7).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)


def tensor(array, datatype="UINT8", **more):
    given = {"name": "image", "datatype": datatype, "shape": list(array.shape), **more}
    return {"inputs": [given | {"data": array.ravel().tolist()}]}


def outputs(reply):
    assert reply.status_code == 200, reply.text
    return {one["name"]: one for one in reply.json["outputs"]}


def refusal(reply, status=400):
    assert reply.status_code == status, reply.text
    assert set(reply.json) == {"error", "code", "request_id"}
    return reply.json["error"]


def test_photos_in_bytes_get_probabilities_labels_and_ids(client):
    said = outputs(infer(client, *by_bytes(photo("blue"), photo("red"))))
    assert said["probabilities"]["shape"] == [2, 3]
    assert said["probabilities"]["datatype"] == "FP32"
    assert said["labels"]["shape"] == said["ids"]["shape"] == [2, 3]
    assert said["labels"]["data"][0] == "blue"
    assert said["ids"]["data"][3] == "c0"
    expected = client.post("/predict", data=photo("blue"), content_type="image/jpeg").json
    by_id = {one["id"]: one["probability"] for one in expected["predictions"]}
    np.testing.assert_allclose(
        said["probabilities"]["data"][:3], [by_id[f"c{i}"] for i in range(3)], rtol=1e-5
    )


def test_photos_come_in_json_as_base64_too(client):
    text = base64.b64encode(photo("green")).decode()
    said = {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1, 1], "data": [[text]]}]}
    assert outputs(infer(client, said))["ids"]["data"][0] == "c1"


@pytest.mark.parametrize("datatype", ["UINT8", "FP32"])
def test_pixels_go_to_the_network_as_they_are(client, datatype):
    shown = pixels(2)
    expected = answer(shown)
    in_json = outputs(infer(client, tensor(shown, datatype)))
    np.testing.assert_allclose(
        np.reshape(in_json["probabilities"]["data"], (2, 3)), expected, rtol=1e-4
    )
    tail = shown.astype("u1" if datatype == "UINT8" else "<f4").tobytes()
    said = tensor(shown, datatype)
    del said["inputs"][0]["data"]
    said["inputs"][0]["parameters"] = {"binary_data_size": len(tail)}
    assert outputs(infer(client, said, tail)) == in_json


def test_outputs_go_as_bytes_when_asked_for(client):
    said, tail = by_bytes(photo("red"))
    said |= {"id": "seven", "parameters": {"binary_data_output": True}}
    reply = infer(client, said, tail)
    length = int(reply.headers[LENGTH])
    head, behind = json.loads(reply.data[:length]), reply.data[length:]
    assert (head["id"], head["model_name"], head["model_version"]) == ("seven", "Colours", "1")
    sizes = [one["parameters"]["binary_data_size"] for one in head["outputs"]]
    assert sum(sizes) == len(behind)
    assert np.frombuffer(behind[: sizes[0]], "<f4").argmax() == 0
    assert behind[sizes[0] : sizes[0] + 7] == struct.pack("<I", 3) + b"red"


def test_only_the_outputs_asked_for_come_each_in_its_way(client):
    said, tail = by_bytes(photo("red"))
    said["outputs"] = [{"name": "ids"}, {"name": "labels", "parameters": {"binary_data": True}}]
    reply = infer(client, said, tail)
    head = json.loads(reply.data[: int(reply.headers[LENGTH])])
    assert [one["name"] for one in head["outputs"]] == ["ids", "labels"]
    assert head["outputs"][0]["data"][0] == "c0"
    assert "data" not in head["outputs"][1]


def test_the_classification_extension_gives_value_index_and_label(client):
    said, tail = by_bytes(photo("blue"))
    said["outputs"] = [{"name": "probabilities", "parameters": {"classification": 2}}]
    (found,) = outputs(infer(client, said, tail)).values()
    assert (found["datatype"], found["shape"]) == ("BYTES", [1, 2])
    value, index, label = found["data"][0].split(":")
    assert (index, label) == ("2", "blue")
    assert float(value) > 0.9


def test_what_a_network_takes_and_gives_is_told(client):
    assert client.get("/v2").json["extensions"] == ["binary_tensor_data", "classification"]
    assert client.get("/v2/health/live").json == {"live": True}
    assert client.get("/v2/health/ready").json == {"ready": True}
    for path in ("/v2/models/Colours", "/v2/models/Colours/versions/1"):
        told = client.get(path).json
        assert told["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
        assert told["outputs"][0] == {
            "name": "probabilities", "datatype": "FP32", "shape": [-1, 3],
        }  # fmt: skip
        assert client.get(f"{path}/ready").json == {"name": "Colours", "ready": True}


def test_before_it_is_loaded_a_network_is_not_ready(make_app):
    client = make_app(load=False).test_client()
    for path in ("/v2/health/ready", "/v2/models/Colours/ready"):
        refusal(client.get(path), 503)
    assert client.get("/v2/health/live").status_code == 200


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/v2/models/Nobody", "'Nobody' is not served here; served: Colours"),
        ("/v2/models/Colours/versions/2", "no version '2'"),
        ("/v2/nothing", "nothing at this address"),
    ],
)
def test_what_is_not_there_is_404_in_the_protocol_s_shape(client, path, says):
    assert says in refusal(client.get(path), 404)


def without(key):
    said = tensor(pixels())
    del said["inputs"][0][key]
    return said


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ([], "no object"),
        ({}, '"inputs", a list with one tensor'),
        ({"inputs": [{}, {}]}, "one tensor"),
        (without("datatype"), "datatype is None; taken are BYTES"),
        (without("shape"), "shape is None"),
        (without("data"), 'neither "data"'),
        (tensor(pixels(), "INT64"), "datatype is 'INT64'"),
        (tensor(pixels()[:, :8]), f"as [photos, {SIZE}, {SIZE}, 3], RGB"),
        (tensor(pixels(), shape=[1, SIZE, SIZE, -3]), "shape"),
        (tensor(pixels(), shape=[2, SIZE, SIZE, 3]), "says 6144 numbers, and its data are not"),
        (tensor(pixels() * 2.0, "FP32"), "from 0 to 255"),
        (tensor(pixels() * float("nan"), "FP32"), "from 0 to 255"),
        (tensor(pixels() / 255, "FP32"), "multiply them by 255"),
        (tensor(pixels(), shape=[0, SIZE, SIZE, 3]), "shape is [0,"),
        ({"inputs": [{"datatype": "BYTES", "shape": [1], "data": [7]}]}, "a photo in the input"),
        ({"inputs": [0] * 1_200_000}, "more than 1,048,576 values"),
        (tensor(np.full((1, SIZE, SIZE, 3), "a"), "UINT8"), "and its data are not those"),
        (tensor(pixels() > 7), "and its data are not those"),
        (tensor(np.full((1, SIZE, SIZE, 3), 10**400, object)), "from 0 to 255"),
        (tensor(pixels(), shape="\ud800"), "'\\ud800'"),
        (tensor(pixels(), "\ud800"), "'\\ud800'"),
        (tensor(pixels(), parameters={"binary_data_size": "\ud800"}), "'\\ud800'"),
        (tensor(pixels()) | {"outputs": [{"name": "logits"}]}, "no output 'logits'"),
        (tensor(pixels()) | {"outputs": 7}, '"outputs" is a list'),
        (tensor(pixels()) | {"parameters": 7}, '"parameters" is an object'),
    ],
)
def test_what_is_no_request_is_refused_in_words(client, said, says):
    assert says in refusal(infer(client, said))


def test_bytes_that_are_not_what_the_json_says_are_refused(client):
    said, tail = by_bytes(photo("red"))
    assert "came behind" in refusal(infer(client, said, tail + b"x"))
    said["inputs"][0]["parameters"]["binary_data_size"] -= 9
    assert "in the middle" in refusal(infer(client, said, tail[:-9]))
    said, tail = by_bytes(photo("red"))
    said["inputs"][0]["shape"] = [2]
    assert "says 2 photos, and 1 came" in refusal(infer(client, said, tail))
    assert LENGTH in refusal(infer(client, said, tail, {LENGTH: "99999999"}))
    assert "not JSON" in refusal(infer(client, said, tail, {LENGTH: "5"}))


def test_millions_of_empty_photos_are_not_even_taken_out(client):
    said, _ = by_bytes(photo("red"))
    tail = bytes(4_000_000)
    said["inputs"][0]["parameters"]["binary_data_size"] = len(tail)
    assert "says 1 photos, and more came" in refusal(infer(client, said, tail))
    said["inputs"][0]["shape"] = [1_000_000]
    assert "one request brings at most 256" in refusal(infer(client, said, tail))
    in_json = {"name": "image", "datatype": "BYTES", "shape": [1], "data": ["ä"] * 100_000}
    assert "100000 came" in refusal(infer(client, {"inputs": [in_json]}))


def test_a_bad_photo_has_the_status_that_predict_gives_it(client):
    refusal(infer(client, *by_bytes(b"no picture")), 415)
    refusal(infer(client, *by_bytes(photo("red")[:300])), 422)


def test_texts_that_can_t_be_sent_back_are_quoted_or_escaped(client):
    said, tail = by_bytes(photo("red"))
    reply = infer(client, said | {"id": "\ud800"}, tail)
    assert (reply.status_code, reply.json["id"]) == (200, "\ud800")
    said["outputs"] = [{"name": "probabilities", "parameters": {"classification": "\ud800"}}]
    assert "classification" in refusal(infer(client, said, tail))
    assert LENGTH in refusal(infer(client, said, tail, {LENGTH: "9" * 5000}))


def test_texts_where_numbers_should_be_take_no_memory(client):
    """NumPy would make of them a table that is as wide as the longest: 800 MB of this megabyte."""
    said = {"name": "image", "datatype": "UINT8", "shape": [1, SIZE, SIZE, 3]}
    said["data"] = ["a" * 1000] + ["b"] * 200_000
    tracemalloc.start()
    try:
        refusal(infer(client, {"inputs": [said]}))
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()


def test_what_is_null_or_empty_counts_as_not_given(client):
    said, tail = by_bytes(photo("red"))
    reply = infer(client, said | {"parameters": None, "outputs": []}, tail)
    assert len(outputs(reply)) == 3


def test_photos_are_counted_and_timed_as_those_of_predict(client):
    before = photos_counted(client)
    infer(client, *by_bytes(photo("red"), photo("blue")))
    infer(client, *by_bytes(b"no picture"))
    assert photos_counted(client) - before == {"ok": 2, "unsupported_image": 1}


def test_of_several_photos_the_broken_one_is_named(client):
    reply = infer(client, *by_bytes(photo("red"), b"no picture", photo("blue")))
    assert refusal(reply, 415).startswith("photo 2 of 3: ")


def test_more_photos_than_the_queue_holds_are_refused(client):
    refusal(infer(client, *by_bytes(*[photo("red")] * 33)), 413)


def test_a_packed_body_is_refused_and_never_unpacked(client):
    said, tail = by_bytes(photo("red"))
    assert "Content-Encoding" in refusal(infer(client, said, tail, {"Content-Encoding": "gzip"}))
    assert infer(client, said, tail, {"Content-Encoding": "identity"}).status_code == 200
