"""When an answer is certain is the operator's choice."""

from serving.predictor import CERTAIN_AT
from settings import Settings
from tests.small import photo


def ask(app, colour):
    sent = {"data": photo(colour), "headers": {"Content-Type": "image/jpeg"}}
    return app.test_client().post("/predict", **sent).json


def test_the_default_is_the_one_that_was_measured():
    """docs/accuracy.md and the cards give figures for it."""
    assert Settings().certain_at == CERTAIN_AT


def test_the_setting_decides_from_when_a_name_is_said(make_app):
    """The small network is 0.96 sure of a green photo."""
    bold, shy = make_app(certain_at=0.9), make_app(certain_at=0.99)

    said = ask(bold, "green")
    assert (said["answer"]["level"], said["answer"]["id"], said["certain"]) == ("class", "c1", True)
    assert 0.9 < said["answer"]["probability"] < 0.99

    said = ask(shy, "green")
    assert (said["answer"]["level"], said["answer"]["id"], said["certain"]) == (
        "unsure",
        None,
        False,
    )
    assert said["answer"]["probability"] == said["predictions"][0]["probability"]


def test_a_dark_photo_gets_a_hint_in_the_language(make_app):
    """And an answer all the same."""
    app = make_app()
    dark = photo("#200000", size=(300, 300))
    said = (
        app.test_client()
        .post("/predict?lang=zh", data=dark, headers={"Content-Type": "image/jpeg"})
        .json
    )
    assert said["success"]
    assert [hint["code"] for hint in said["hints"]] == ["too_dark"]
    assert said["hints"][0]["text"].startswith("照片太暗")
