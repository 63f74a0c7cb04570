"""Everything but /predict."""

import io
import json
import logging
import re

import jsonschema
import pytest
from PIL import Image

from api import openapi, options
from errors import SettingsError
from models import zoo
from tests.small import photo

JSON = {"Accept": "application/json"}


def upload(content):
    return {"data": content, "content_type": "image/jpeg"}


def sideways_with_place():
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    encoded = io.BytesIO()
    Image.new("RGB", (60, 30), "red").save(encoded, "JPEG", exif=exif)
    return encoded.getvalue()


def test_image_gives_the_photo_back_upright_without_exif_and_keeps_it(client):
    reply = client.post("/image", **upload(sideways_with_place()))
    assert reply.status_code == 200
    assert reply.mimetype == "image/jpeg"
    with Image.open(io.BytesIO(reply.data)) as picture:
        assert picture.size == (30, 60)
        assert not picture.getexif()
    assert client.get(reply.headers["Content-Location"]).data == reply.data


def test_width_shrinks_and_never_enlarges(client):
    for width, expected in ((16, (16, 8)), (500, (60, 30))):
        reply = client.post(f"/image?width={width}", **upload(photo("red", (60, 30))))
        with Image.open(io.BytesIO(reply.data)) as picture:
            assert picture.size == expected


def test_image_takes_one_photo(client):
    files = [(io.BytesIO(photo("red")), "a.jpg"), (io.BytesIO(photo("red")), "b.jpg")]
    reply = client.post("/image", data={"image": files})
    assert reply.status_code == 400
    assert "2 photos came; /image takes one" in reply.json["error"]["message"]


@pytest.mark.parametrize("image_id", ["A" * 22, "short", "..", "%2e%2e%2fapp.py", "." + "A" * 21])
def test_an_id_that_is_not_there_is_404_in_json(client, image_id):
    reply = client.get(f"/image/{image_id}")
    assert (reply.status_code, reply.json["error"]["code"]) == (404, "not_found")


def test_models_lists_what_can_be_served_and_what_is_loaded(client):
    listed = {model["name"]: model for model in client.get("/models").json["models"]}
    assert set(zoo.names()) | {"Colours"} == set(listed)
    assert listed["MobileNetV2"]["parameters"] == 3_538_984
    assert listed["MobileNetV2"]["loaded"] is False
    assert listed["MobileNetV2"]["engine"] is None
    assert listed["Colours"]["loaded"] is True
    assert (listed["Colours"]["engine"], listed["Colours"]["precision"]) == ("openvino", "f32")
    assert listed["Colours"]["difference"] < 1e-5


def test_one_model_is_told_and_an_unknown_one_is_404(client):
    assert client.get("/models/Colours").json["input_size"] == 32
    assert client.get("/models/ResNet50").json["parameters"] == 25_636_712
    assert client.get("/models/Nothing").status_code == 404


def test_labels_are_those_of_the_network_in_the_order_of_its_outputs(client):
    listed = client.get("/labels").json
    assert (listed["success"], listed["model"], listed["lang"]) == (True, "Colours", "en")
    assert [(one["id"], one["label"]) for one in listed["labels"]] == [
        ("c0", "red"),
        ("c1", "green"),
        ("c2", "blue"),
    ]
    assert listed["labels"][0]["names"] == {"en": "red", "zh": "红色"}
    assert client.get("/labels?model=Nothing").status_code == 400


def test_each_label_of_imagenets_leads_by_its_groups_to_one_without_parent(make_app):
    listed = make_app(model=("ShiwuNet",)).test_client().get("/labels?lang=zh").json
    groups = {group["id"]: group for group in listed["groups"]}
    parents = [groups[group]["parent"] for group in groups]
    assert len(groups) == len(listed["groups"])
    assert set(parents) <= {*groups, None}
    assert sum(bool(label["groups"]) for label in listed["labels"]) > 100
    for label in listed["labels"]:
        path = label["groups"]
        assert [groups[one]["parent"] for one in path] == [*path[1:], None][: len(path)]
    for one in [*listed["labels"], *listed["groups"]]:
        assert set(one["names"]) == {"en", "zh"}
        assert one["label"] == one["names"]["zh"]


def test_a_picture_without_an_id_is_404_and_says_where_the_id_comes_from(client):
    reply = client.get("/image")
    assert reply.status_code == 404
    assert "/image/<id>, the address that POST /image gives" in reply.json["error"]["message"]
    assert client.post("/image", **upload(photo("red"))).status_code == 200


def test_what_is_not_there_is_json_too(client):
    for method, address, status, code in (
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/predict", 405, "method_not_allowed"),
        ("DELETE", "/models", 405, "method_not_allowed"),
    ):
        reply = client.open(address, method=method)
        assert (reply.status_code, reply.json["error"]["code"]) == (status, code)
    assert set(client.get("/predict").headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_a_plain_request_id_is_kept_and_a_strange_one_replaced(client):
    assert (
        client.get("/healthz", headers={"X-Request-Id": "abc-1"}).headers["X-Request-Id"] == "abc-1"
    )
    strange = client.get("/healthz", headers={"X-Request-Id": "a b<script>"})
    assert len(strange.headers["X-Request-Id"]) == 32


def test_the_log_has_one_line_a_request_and_nothing_of_the_photo(client, caplog):
    with caplog.at_level(logging.INFO, "shiwu.request"):
        file = (io.BytesIO(photo("red")), "my-secret-holiday.jpg")
        reply = client.post("/predict", data={"image": file})
    (line,) = [record for record in caplog.records if record.name == "shiwu.request"]
    assert line.request_id == reply.headers["X-Request-Id"]
    assert (line.status, line.route, line.outcome, line.photos) == (200, "/predict", "ok", 1)
    assert line.infer_ms > 0
    assert "holiday" not in json.dumps(vars(line), default=str)


def test_the_description_is_openapi_and_its_page_needs_nothing_from_elsewhere(client):
    described = client.get("/openapi.json").json
    assert described["openapi"].startswith("3.1")
    assert set(described["paths"]) >= {"/predict", "/image", "/models", "/labels", "/healthz"}
    page = client.get("/docs")
    assert page.status_code == 200
    assert b"/predict" in page.data
    assert b"<script" not in page.data
    assert b'src="http' not in page.data


def test_every_address_is_described_and_every_description_has_an_address(client):
    rules = [r for r in client.application.url_map.iter_rules() if r.endpoint != "static"]
    served = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in rules
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    paths = openapi.document()["paths"]
    assert served == {(path, method) for path, methods in paths.items() for method in methods}


def test_every_option_is_understood_somewhere():
    addresses = (options.PREDICT, options.IMAGE, options.LABELS, options.EXPLAIN, options.FEATURES)
    known = {name for address in addresses for name in address}
    assert known == set(options.OPTIONS)


def test_replies_are_as_the_description_says(client):
    described = openapi.document()

    def check(reply, path, method="get"):
        said = described["paths"][path][method]["responses"][str(reply.status_code)]
        schema = said["content"]["application/json"]["schema"]
        jsonschema.validate(reply.json, schema | {"components": described["components"]})

    check(client.post("/predict", **upload(photo("red"))), "/predict", "post")
    check(client.post("/predict", **upload(b"nothing")), "/predict", "post")
    check(client.get("/models"), "/models")
    check(client.get("/models/Colours"), "/models/{name}")
    check(client.get("/models/Nothing"), "/models/{name}")
    check(client.get("/labels"), "/labels")
    check(client.post("/image", **upload(photo("red")), headers=JSON), "/image", "post")
    check(client.get("/image"), "/image")
    check(client.get("/healthz"), "/healthz")
    check(client.get("/readyz"), "/readyz")


def test_metrics_count_requests_by_outcome_and_time_every_stage(client):
    client.post("/predict", **upload(photo("red")))
    client.post("/predict", **upload(b"nothing"))
    told = client.get("/metrics").text
    for line in (
        'shiwu_requests_total{outcome="ok",route="/predict"}',
        'shiwu_requests_total{outcome="unsupported_image",route="/predict"}',
        'shiwu_infer_seconds_count{model="Colours"}',
        'shiwu_decode_seconds_count{model="Colours"}',
        'shiwu_wait_seconds_count{model="Colours"}',
        "shiwu_queue_length 0.0",
        "shiwu_in_flight",
    ):
        assert line in told


def test_two_networks_of_one_name_on_request_stop_the_start(make_app):
    with pytest.raises(SettingsError, match="two networks have one name"):
        make_app(load=False, on_request=("VGG16", "VGG16"), memory=2**30)


def test_every_published_network_can_be_had_on_request(make_app):
    client = make_app(on_request=("all",), memory=2**30).test_client()
    reply = client.get("/v2/models/VGG19")
    assert reply.json["outputs"][0]["shape"] == [-1, 1000]
    assert "takes about" in client.get("/labels?model=ConvNeXtXLarge").json["error"]["message"]
