"""The server that the published Keras tutorial teaches, brought to today's Keras.

Written anew, in the same architecture, to be compared with: Flask's own server, a global model
loaded before it starts, the whole photo squeezed into a square, `model.predict` for each photo.
Names come from a file, so that nothing is downloaded.
"""

import io
from types import SimpleNamespace
from typing import Any

import flask
import keras
import numpy as np
from keras.applications import imagenet_utils
from PIL import Image

SIDE = 224
TOP = 5

app = flask.Flask(__name__)
# model: a network of keras.applications; weights, labels: files; scaling: tf, torch or caffe
options = SimpleNamespace()
model: Any = None
names: list[list[str]] = []


def load_model() -> None:
    """Fill the globals: the network, and a class id and label for each of its outputs."""
    global model, names
    model = getattr(keras.applications, options.model)(weights=options.weights)
    with open(options.labels, encoding="utf-8") as lines:  # noqa: PTH123 - as a tutorial would
        names = [line.rstrip("\n").split("\t") for line in lines]


def prepare(photo: Image.Image) -> np.ndarray:
    """A batch of one, float32 (1, 224, 224, 3), scaled as the network learned it."""
    if photo.mode != "RGB":
        photo = photo.convert("RGB")
    pixels = keras.utils.img_to_array(photo.resize((SIDE, SIDE)))
    return imagenet_utils.preprocess_input(np.expand_dims(pixels, axis=0), mode=options.scaling)


def decode_predictions(probabilities: np.ndarray) -> list[dict[str, object]]:
    """The most probable classes of the one photo, best first."""
    best = probabilities[0].argsort()[-TOP:][::-1]
    return [{"label": names[i][1], "probability": float(probabilities[0][i])} for i in best]


@app.route("/predict", methods=["POST"])
def predict() -> flask.Response:
    """A photo in the field `image`: its names."""
    reply: dict[str, object] = {"success": False}
    if flask.request.files.get("image"):
        photo = Image.open(io.BytesIO(flask.request.files["image"].read()))
        reply["predictions"] = decode_predictions(model.predict(prepare(photo)))
        reply["success"] = True
    return flask.jsonify(reply)
