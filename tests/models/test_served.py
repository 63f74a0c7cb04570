"""Networks of the table and of the user, in the real service."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.service import ROOT, begin, running
from tests.small import photo

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def elephant(shared) -> bytes:
    return (shared / "data/photos/elephant.jpg").read_bytes()


@pytest.fixture
def weights(shared) -> Path:
    return shared / "data/weights"


@pytest.fixture
def colours(keras, tmp_path) -> Path:
    """A network of a user, in a file, which says whether a photo is red, green or blue."""
    layers = keras.layers
    head = layers.Dense(3, activation="softmax")
    row = [keras.Input((32, 32, 3)), layers.Rescaling(1 / 255), layers.GlobalAveragePooling2D()]
    network = keras.Sequential([*row, head])
    head.set_weights([8 * np.eye(3), np.zeros(3)])
    network.save(tmp_path / "colours.keras")
    (tmp_path / "colours.labels.tsv").write_text("r\tred\ng\tgreen\nb\tblue\n")
    return tmp_path / "colours.keras"


@pytest.mark.parametrize("engine", ["openvino", "keras"])
def test_a_file_of_ones_own_is_served_with_its_labels(colours, tmp_path, engine):
    with running(tmp_path, model=colours, engine=engine) as service:
        for colour in ("red", "lime", "blue"):
            best = service.predict(photo(colour)).json()["predictions"][0]
            assert best["label"] == {"lime": "green"}.get(colour, colour)
            assert best["probability"] > 0.99
        told = service.get("/models/colours").json()
    assert (told["input_size"], told["classes"], told["parameters"]) == (32, 3, None)
    assert told["licence"] == "not stated"


def test_a_file_packed_for_a_container_serves_without_itself(colours, tmp_path):
    """The image holds the compiled form, the labels and the card, and no .keras file."""
    packed = tmp_path / "packed"
    pack = [sys.executable, "-m", "engines.pack", "--model", colours, "--out", packed]
    subprocess.run(pack, cwd=ROOT, check=True, capture_output=True)
    colours.unlink()

    with running(tmp_path, model=packed) as service:
        reply = service.predict(photo("blue")).json()

    assert (reply["model"], reply["predictions"][0]["label"]) == ("colours", "blue")


def test_a_file_that_brings_code_ends_the_start_with_a_sentence(keras, tmp_path):
    """And the code, which would leave a file, never ran."""
    trace = tmp_path / "was-here"
    layers = keras.layers
    place = str(trace)
    code = layers.Lambda(lambda x: [x, __import__("pathlib").Path(place).touch()][0])
    row = [keras.Input((8, 8, 3)), layers.GlobalAveragePooling2D(), layers.Dense(2)]
    keras.Sequential([row[0], code, *row[1:]]).save(tmp_path / "pets.keras")
    trace.unlink()  # Keras runs it to see its shape, and again whenever the file is opened

    ended = subprocess.run(
        [sys.executable, "app.py", "--model", tmp_path / "pets.keras", "--port", "1024"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert ended.returncode == 1
    assert "pets.keras is not opened: it brings, or asks for, code" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not trace.exists()


def test_missing_labels_are_told_with_their_place(colours, tmp_path):
    colours.with_name("colours.labels.tsv").unlink()
    service = begin(tmp_path, model=colours)
    assert service.process.wait(timeout=240) != 0
    said = service.log.read_text()
    assert f"there are no labels at {tmp_path}/colours.labels.tsv; a class is a line there" in said


def test_another_input_size_is_what_the_service_computes_with(tmp_path, weights, elephant):
    """Real weights, trained for 224 pixels, on 192: less sure, and still an elephant."""
    settings = {"model": "MobileNet_0.25_224", "weights": weights, "input_size": 192}
    with running(tmp_path, **settings) as service:
        best = service.predict(elephant).json()["predictions"]
        told = service.get("/models/MobileNet_0.25_224").json()
    assert {"African_elephant", "tusker"} & {one["label"] for one in best[:2]}
    assert (told["input_size"], told["top1"]) == (192, None)


def test_a_size_that_a_network_can_not_have_ends_the_start_at_once(tmp_path):
    service = begin(tmp_path, model="VGG16", input_size=192)
    assert service.process.wait(timeout=60) == 1
    said = service.log.read_text()
    assert "VGG16 can't take 192 pixels (SHIWU_INPUT_SIZE): it is built for 224 only" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("engine", ["openvino", "keras"])
def test_what_keras_was_told_for_other_work_does_not_break_the_start(
    tmp_path, weights, elephant, engine, monkeypatch
):
    """A keras.json of somebody who trains with another backend, channels first, in half precision."""
    said = {"backend": "jax", "image_data_format": "channels_first", "floatx": "float16"}
    (tmp_path / "keras.json").write_text(json.dumps(said))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "no-such-backend")
    settings = {"model": "MobileNet_0.25_224", "weights": weights, "engine": engine}
    with running(tmp_path, **settings) as service:
        best = service.predict(elephant).json()["predictions"][0]
        told = service.get("/models/MobileNet_0.25_224").json()
    assert best["label"] == "African_elephant"
    assert (told["engine"], told["precision"]) == (engine, "f32")
