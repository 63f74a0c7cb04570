"""Heat maps over HTTP, by the real service with real networks."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.service import running

JSON = {"Accept": "application/json"}
# Both elephants on the photo, in shares of its width and height: left, top, right, bottom.
ELEPHANTS = ((0.17, 0.37, 0.55, 0.68), (0.45, 0.12, 1.0, 0.63))


@pytest.fixture(scope="module", params=["MobileNetV2", "ShiwuNet"])
def service(request, shared, compiled, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    settings = {"weights": shared / "data/weights"} if request.param == "MobileNetV2" else {}
    with running(folder, model=request.param, cache=compiled, **settings) as started:
        yield started


@pytest.fixture(scope="module")
def elephant(shared) -> bytes:
    return (shared / "data/photos/elephant.jpg").read_bytes()


def test_the_heat_of_the_elephant_lies_on_the_elephants(service, elephant):
    """They fill some half of what the networks see."""
    reply = service.post("/explain", files={"image": elephant}, headers=JSON)
    said = reply.json()
    assert said["class"]["label"] == "African_elephant"
    assert said["method"] == "cam"
    on_them = np.array([[on_elephants(*place) for place in row] for row in places(said)])
    heat = np.array(said["map"])
    assert heat[on_them].sum() >= 0.7 * heat.sum()
    assert heat[on_them].mean() >= 2 * heat[~on_them].mean()
    assert on_them.flat[heat.argmax()]


def places(said: dict) -> list[list[tuple[float, float]]]:
    """The middle of each place of the map, in shares of the photo."""
    left, top, right, bottom = said["area"]
    rows, columns = said["shape"]
    xs = left + (right - left) * (np.arange(columns) + 0.5) / columns
    ys = top + (bottom - top) * (np.arange(rows) + 0.5) / rows
    return [[(x, y) for x in xs] for y in ys]


def on_elephants(x: float, y: float) -> bool:
    return any(left <= x <= right and top <= y <= bottom for left, top, right, bottom in ELEPHANTS)


def test_it_says_the_probability_that_predict_says(service, elephant):
    first = service.predict(elephant).json()["predictions"][0]
    said = service.post("/explain", files={"image": elephant}, headers=JSON).json()
    assert said["class"] == first


def test_each_class_has_a_map_of_its_own(service, elephant):
    labels = service.get("/labels").json()["labels"]
    maps = [
        service.post("/explain", files={"image": elephant}, params={"class": one}, headers=JSON)
        for one in (label["id"] for label in labels[::40])
    ]
    assert len({str(reply.json()["map"]) for reply in maps}) == len(maps)


def test_the_picture_is_the_photo_with_something_on_it(service, elephant):
    reply = service.post("/explain", files={"image": elephant})
    assert reply.headers["Content-Type"] == "image/jpeg"
    with Image.open(io.BytesIO(reply.content)) as shown, Image.open(io.BytesIO(elephant)) as photo:
        assert shown.size == photo.size
        difference = np.abs(np.asarray(shown, int) - np.asarray(photo.convert("RGB"), int))
    assert difference.max() > 60
    assert np.median(difference) < 60
