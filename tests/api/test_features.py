"""POST /features and the list of layers: what a network's layers say, in numbers."""

import io
import shutil

import numpy as np
import pytest

from engines.openvino_engine import OpenVinoEngine
from imaging.fit import Fit, fit
from imaging.read import Limits, read
from models import zoo
from serving.features import pooled
from tests.api.counted import photos_counted
from tests.small import photo

NPY = {"Accept": "application/x-npy"}


@pytest.fixture
def client(make_app):
    """The network in the box, as its folder brings every layer."""
    return make_app(model=("ShiwuNet",)).test_client()


def post(client, content=None, headers=None, **asked):
    content = photo("red") if content is None else content
    sent = client.post(
        "/features", data=content, content_type="image/jpeg", query_string=asked, headers=headers
    )
    assert sent.status_code == 200, sent.text
    return sent


def several(client, photos, headers=None, **asked):
    images = [(io.BytesIO(one), f"{i}.jpg") for i, one in enumerate(photos)]
    return client.post("/features", data={"image": images, **asked}, headers=headers)


def refusal(reply, status=400):
    assert reply.status_code == status
    return reply.json["error"]["message"]


def engine_says(content, layer=None):
    """The same without HTTP."""
    card = zoo.card("ShiwuNet")
    engine = OpenVinoEngine(
        card.name, card.folder / "compiled", "f32", 1, find_layers=lambda: card.folder / "layers"
    )
    how = Fit(card.input_size, card.mode, card.crop, card.interpolation)
    pixels = fit(read(content, Limits(), at_least=how.decode_side), how)
    return engine.extracting(layer).run(np.asarray(pixels)[None])[0]


def test_features_are_what_the_classifying_layer_reads_unless_a_layer_is_named(client):
    reply = post(client).json
    assert reply["success"] is True
    assert (reply["model"], reply["layer"]) == ("ShiwuNet", "global_average_pooling2d")
    assert reply["shape"] == [512]
    np.testing.assert_allclose(reply["features"], engine_says(photo("red")), rtol=1e-6)
    assert post(client, layer="global_average_pooling2d").json == reply


def test_a_layer_with_places_comes_in_its_shape_s_order(client):
    reply = post(client, layer="average_pooling2d_2").json
    assert reply["shape"] == [4, 4, 128]
    features = np.array(reply["features"], np.float32).reshape(reply["shape"])
    np.testing.assert_array_equal(features, engine_says(photo("red"), "average_pooling2d_2"))


def test_places_are_pooled_to_their_mean_or_maximum(client):
    whole = np.load(io.BytesIO(post(client, layer="re_lu_6", headers=NPY).data))
    for pooling, expected in (("avg", whole.mean((0, 1))), ("max", whole.max((0, 1)))):
        reply = post(client, layer="re_lu_6", pooling=pooling).json
        assert reply["shape"] == [128]
        np.testing.assert_allclose(reply["features"], expected, rtol=1e-5)
    np.testing.assert_array_equal(pooled(whole[0, 0], "avg"), whole[0, 0])


def test_npy_is_one_array_and_of_several_photos_one_deeper(client):
    one = post(client, headers=NPY)
    assert one.mimetype == "application/x-npy"
    assert one.headers["X-Shiwu-Layer"] == "global_average_pooling2d"
    first = np.load(io.BytesIO(one.data), allow_pickle=False)
    assert (first.shape, first.dtype) == ((512,), np.float32)
    two = np.load(io.BytesIO(several(client, [photo("red"), photo("blue")], headers=NPY).data))
    assert two.shape == (2, 512)
    np.testing.assert_array_equal(two[0], first)


def test_of_several_photos_a_broken_one_has_its_error_and_the_others_their_features(client):
    results = several(client, [photo("red"), b"no picture", photo("blue")]).json["results"]
    assert [one["success"] for one in results] == [True, False, True]
    assert results[1]["error"]["code"] == "unsupported_image"
    assert results[0]["shape"] == results[2]["shape"] == [512]


def test_an_array_has_no_place_for_an_error_so_the_whole_is_refused(client):
    refusal(several(client, [photo("red"), b"no picture"], headers=NPY), 415)


def test_an_unknown_layer_is_a_400_that_names_the_nearest(client):
    message = refusal(
        client.post("/features?layer=relu_6", data=photo("red"), content_type="image/jpeg")
    )
    assert "layer='relu_6' is no layer of this network" in message
    assert "re_lu_6" in message


def test_more_numbers_than_json_is_good_for_are_refused_before_they_are_computed(client):
    photos = [photo("red")] * 20
    message = refusal(several(client, photos, layer="conv2d"))
    assert "gives 655,360 numbers for 20 photos, and at most 524,288" in message
    assert "application/x-npy" in message
    assert "pooling=avg" in message
    sent = several(client, photos, headers=NPY, layer="conv2d")
    assert np.load(io.BytesIO(sent.data)).shape == (20, 32, 32, 32)


def test_the_layers_of_a_network_are_listed_first_to_last(client):
    reply = client.get("/models/ShiwuNet/layers").json
    assert reply["model"] == "ShiwuNet"
    assert reply["penultimate"] == "global_average_pooling2d"
    assert reply["layers"][0] == {"name": "scaling", "type": "Rescaling", "shape": [64, 64, 3]}
    assert reply["layers"][-1]["shape"] == [200]
    names = [layer["name"] for layer in reply["layers"]]
    assert len(set(names)) == len(names)


def test_layers_of_what_is_not_served_are_not_known(client):
    message = refusal(client.get("/models/ResNet50/layers"), 404)
    assert "served: ShiwuNet" in message


def test_a_network_that_has_no_classifying_layer_says_so(make_app):
    client = make_app().test_client()
    message = refusal(client.post("/features", data=photo("red"), content_type="image/jpeg"))
    assert "layer=" in message


def test_a_layer_that_takes_keras_and_can_t_be_made_is_told_without_paths(make_app, tmp_path):
    """Packed for a container: there are no weights to make it from."""
    packed = tmp_path / "packed"
    shutil.copytree(zoo.card("ShiwuNet").folder, packed, ignore=shutil.ignore_patterns("layers"))
    (packed / "weights.weights.h5").unlink()
    client = make_app(model=(str(packed),)).test_client()
    post(client)
    sent = client.post("/features?layer=re_lu", data=photo("red"), content_type="image/jpeg")
    message = refusal(sent)
    assert "the log says why" in message
    assert "global_average_pooling2d" in message
    assert str(tmp_path) not in message


def test_the_log_and_the_metrics_count_the_photos(client, caplog):
    before = photos_counted(client)
    with caplog.at_level("INFO", "shiwu.request"):
        several(client, [photo("red"), b"no picture"])
    assert photos_counted(client) - before == {"ok": 1, "unsupported_image": 1}
    lines = [record for record in caplog.records if getattr(record, "route", "") == "/features"]
    assert [line.photos for line in lines] == [2]
    assert 'shiwu_infer_seconds_count{model="ShiwuNet"}' in client.get("/metrics").text
