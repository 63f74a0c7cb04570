"""Names in two languages, and drawn on the photo, from the real service with the real network."""

import io
import os
import time

import pytest
from PIL import Image, ImageChops

from imaging import draw
from imaging.draw import Line
from tests.service import running
from tests.small import colours, photo


@pytest.mark.parametrize(
    ("headers", "options", "language", "name"),
    [
        ({"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}, {}, "zh", "非洲象"),
        ({"Accept-Language": "zh-CN"}, {"lang": "en"}, "en", "African_elephant"),
        ({}, {"lang": "zh"}, "zh", "非洲象"),
        ({}, {}, "en", "African_elephant"),
    ],
)
def test_the_elephant_has_its_name_in_the_callers_language(
    service, elephant, headers, options, language, name
):
    reply = service.post(
        "/predict", files={"image": elephant}, params={"top": 1, **options}, headers=headers
    )
    (first,) = reply.json()["predictions"]
    assert (first["label"], first["id"]) == (name, "n02504458")
    assert reply.headers["Content-Language"] == language


def test_its_picture_with_names_is_made_and_fetched_from_its_address(service, elephant):
    if not draw.can_write([Line("非洲象")]):
        pytest.skip("needs a font with Chinese letters; `make test` installs one on Debian")
    made = service.post(
        "/image",
        files={"image": elephant},
        params={"draw": "labels", "lang": "zh"},
        headers={"Accept": "application/json"},
    ).json()
    fetched = service.get(made["url"])
    plain = service.post("/image", files={"image": elephant})
    with Image.open(io.BytesIO(fetched.content)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (525, 351))
        assert not picture.getexif()
        with Image.open(io.BytesIO(plain.content)) as bare:
            changed = _difference(picture, bare).getbbox()
    assert changed[1] > 351 * 0.5  # the elephant's head stays free
    assert 0 < made["expires_s"] <= 600


def _difference(one: Image.Image, other: Image.Image) -> Image.Image:
    """A mask of what differs by more than the JPEG's own noise."""
    return ImageChops.difference(one, other).convert("L").point(lambda value: 255 * (value > 40))


def test_all_thousand_classes_have_two_names_and_a_group(service):
    listed = service.get("/labels").json()
    assert len(listed["labels"]) == 1000
    for language in ("en", "zh"):
        assert len({one["names"][language] for one in listed["labels"]}) == 1000
    groups = {one["id"] for one in listed["groups"]}
    assert all(one["groups"] and set(one["groups"]) <= groups for one in listed["labels"])


def test_a_heat_map_is_laid_on_the_whole_photo_and_kept_like_any_picture(service, elephant):
    made = service.post(
        "/image",
        files={"image": elephant},
        params={"draw": "heatmap", "class": "n02504458", "width": 400},
        headers={"Accept": "application/json"},
    ).json()
    plain = service.post("/image", files={"image": elephant}, params={"width": 400})
    with (
        Image.open(io.BytesIO(service.get(made["url"]).content)) as picture,
        Image.open(io.BytesIO(plain.content)) as bare,
    ):
        assert (picture.format, picture.size) == ("JPEG", bare.size)
        assert _difference(picture, bare).getbbox() is not None


def test_fonts_are_looked_for_when_the_service_starts_and_not_by_the_first_who_asks(
    tmp_path, monkeypatch
):
    """Where fontconfig has no cache, as in a fresh container, that takes seconds."""
    asked = tmp_path / "asked"
    program = tmp_path / "bin" / "fc-match"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> "{asked}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    with running(tmp_path, model=colours(tmp_path / "network")) as service:
        end = time.monotonic() + 60
        while not (asked.exists() and asked.read_text()) and time.monotonic() < end:
            time.sleep(0.02)
        before = asked.read_text()
        assert service.post("/image?draw=labels", files={"image": photo("red")}).ok
        assert asked.read_text() == before
        assert "zh-cn" in before
