"""Labels in the caller's language: by the option, else by the header."""

import io

import pytest

from tests.small import photo

HEADERS = [
    ("zh", "zh"),
    ("zh-CN", "zh"),
    ("zh-Hans", "zh"),
    ("ZH-hant-TW;q=0.9", "zh"),
    ("zh-CN, en;q=0.9", "zh"),
    ("zh_CN", "zh"),
    ("en-US, zh;q=0.5", "en"),
    ("en;q=0.3, zh-CN;q=0.8", "zh"),
    ("fr, de;q=0.9", "en"),
    ("fr, zh;q=0.1", "zh"),
    ("zh;q=0, fr", "en"),
    ("zh;q=nonsense", "en"),
    ("*", "en"),
    ("", "en"),
    (";;;,,,=", "en"),
]


def ask(client, path, **headers):
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    if path.startswith("/labels"):
        return client.get(path, headers=named)
    return client.post(path, data=photo("red"), content_type="image/jpeg", headers=named)


def first_label(reply):
    return (reply.json.get("predictions") or reply.json["labels"])[0]["label"]


NAMES = {"en": "red", "zh": "红色"}


@pytest.mark.parametrize("path", ["/predict", "/labels"])
@pytest.mark.parametrize(("header", "language"), HEADERS)
def test_the_header_chooses_the_language(client, path, header, language):
    reply = ask(client, path, Accept_Language=header)
    assert first_label(reply) == NAMES[language]
    assert reply.headers["Content-Language"] == language
    assert "Accept-Language" in reply.headers["Vary"]


@pytest.mark.parametrize("path", ["/predict", "/labels"])
def test_the_option_wins_over_the_header(client, path):
    assert first_label(ask(client, f"{path}?lang=en", Accept_Language="zh-CN")) == "red"
    assert first_label(ask(client, f"{path}?lang=zh", Accept_Language="en")) == "红色"


def test_the_option_may_stand_in_the_form(client):
    form = {"image": (io.BytesIO(photo("blue")), "photo.jpg"), "lang": "zh"}
    reply = client.post("/predict", data=form)
    assert reply.json["predictions"][0] | {"probability": 0} == {
        "label": "蓝色",
        "id": "c2",
        "probability": 0,
    }


def test_the_answer_is_in_the_same_language_as_the_predictions(client):
    sure = ask(client, "/predict?lang=zh").json
    assert sure["answer"] == {"level": "class", **sure["predictions"][0]}
    assert sure["certain"] is True
    grey = client.post("/predict?lang=zh", data=photo("grey"), content_type="image/jpeg").json
    assert (grey["certain"], grey["answer"]["level"]) == (False, "unsure")
    assert (grey["answer"]["id"], grey["answer"]["label"]) == (None, "不确定")


def test_each_of_several_photos_has_its_answer(client):
    photos = [(io.BytesIO(photo(colour)), "photo.jpg") for colour in ("red", "blue")]
    reply = client.post("/predict?lang=zh", data={"image": photos})
    assert [one["answer"]["label"] for one in reply.json["results"]] == ["红色", "蓝色"]
    assert reply.headers["Content-Language"] == "zh"


@pytest.mark.parametrize("path", ["/predict", "/labels", "/image"])
def test_a_language_that_is_not_there_is_refused_with_those_that_are(client, path):
    reply = ask(client, f"{path}?lang=fr")
    assert reply.status_code == 400
    assert "lang='fr' is not en or zh" in reply.json["error"]["message"]


def test_replies_without_labels_say_nothing_about_a_language(client):
    for reply in (client.get("/healthz"), client.get("/models"), ask(client, "/image")):
        assert "Content-Language" not in reply.headers
