"""/v2: the Open Inference Protocol, so that KServe's and Triton's clients can ask here as well.

One input: encoded photos (BYTES), or pixels as the network sees them (UINT8 or FP32, 0 to 255).
Outputs: all probabilities by class index, and the five likeliest classes by name and by id;
Triton's classification extension gives others.
"""

import threading
import time
from typing import Any

import flask
import numpy as np
from numpy.typing import NDArray

from api import access, metrics, request, tensors
from api.errors import NotFound
from api.request import predictor
from api.tensors import BadTensor, Tensor
from api.upload import read_body
from models.card import Card
from serving.forms import NotReady
from serving.shelf import Network
from version import VERSION

_NAMED = 5
_OUTPUTS = ("probabilities", "labels", "ids")
_VERSION = "1"
_LENGTH = "Inference-Header-Content-Length"
_EXTENSIONS = ("binary_tensor_data", "classification")

# What JSON becomes in Python takes many times its bytes; so it is there for one request at a time.
_ONE_PARSES = threading.Lock()

inference = flask.Blueprint("v2", __name__, url_prefix="/v2")


@inference.get("")
def server() -> dict[str, Any]:
    """What this server is."""
    return {"name": "shiwu", "version": VERSION, "extensions": list(_EXTENSIONS)}


@inference.get("/health/live")
def live() -> dict[str, bool]:
    """Whether the process is alive."""
    return {"live": True}


@inference.get("/health/ready")
def ready() -> dict[str, bool]:
    """Whether photos are welcome."""
    if not predictor().is_ready:
        raise NotReady("networks are being loaded, or the service is going down")
    return {"ready": True}


@inference.get("/models/<name>")
@inference.get("/models/<name>/versions/<version>")
def model(name: str, version: str = _VERSION) -> dict[str, Any]:
    """What a network takes and gives."""
    card = _card(name, version)
    rows = min(_NAMED, card.classes)
    return {
        "name": card.name,
        "versions": [_VERSION],
        "platform": "shiwu",
        "inputs": [{"name": "image", "datatype": "BYTES", "shape": [-1]}],
        "outputs": [
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, card.classes]},
            {"name": "labels", "datatype": "BYTES", "shape": [-1, rows]},
            {"name": "ids", "datatype": "BYTES", "shape": [-1, rows]},
        ],
    }


@inference.get("/models/<name>/ready")
@inference.get("/models/<name>/versions/<version>/ready")
def model_ready(name: str, version: str = _VERSION) -> dict[str, Any]:
    """Whether a network is loaded; from now on, if it is one on request: clients wait for this."""
    card = _card(name, version)
    predictor().network(card.name)
    return {"name": card.name, "ready": True}


@inference.post("/models/<name>/infer")
@inference.post("/models/<name>/versions/<version>/infer")
def infer(name: str, version: str = _VERSION) -> flask.Response:
    """What is on the photos."""
    card = _card(name, version)
    with request.held() as place:
        body = read_body(flask.request, predictor().limits.max_bytes)
        with _ONE_PARSES:
            said, tail = tensors.split(body, flask.request.headers.get(_LENGTH))
            wanted = tensors.wanted(said, _OUTPUTS)
            pictures = tensors.pictures(said, tail, card.input_size)
            reply = _head(card, said.get("id"))
            del body, said, tail
        access.count_photos(len(pictures))
        flask.g.read_at = time.perf_counter()
        network = predictor().network(name)
        with metrics.counting_refusals():
            scored = predictor().score(pictures, network, place)
    metrics.tell(card.name, [one.timings for one in scored])
    probabilities = np.stack([one.probabilities for one in scored])
    outputs = [
        (_output(output, probabilities, network, parameters), parameters["binary_data"] is True)
        for output, parameters in wanted.items()
    ]
    return _reply(*tensors.joined(reply, outputs), whole=not any(binary for _, binary in outputs))


def _head(card: Card, request_id: object) -> dict[str, str]:
    head = {"model_name": card.name, "model_version": _VERSION}
    return head | ({"id": request_id} if isinstance(request_id, str) else {})


def _card(name: str, version: str) -> Card:
    """The card of a network that is served; there is one version of each."""
    cards = predictor().shelf.cards
    if name not in cards:
        raise NotFound(predictor().shelf.not_served(name))
    if version != _VERSION:
        raise NotFound(f"there is no version {version[:20]!r} of {name}; there is {_VERSION!r}")
    return cards[name]


def _output(
    name: str, probabilities: NDArray[np.float32], network: Network, parameters: dict[str, Any]
) -> Tensor:
    """One output of a batch, (photos, classes)."""
    count = parameters.get("classification")
    if count is not None and name == "probabilities":
        if type(count) is not int or count < 1:
            raise BadTensor(f"classification={ascii(count)[:20]} is no number of classes from 1 on")
        return _named(name, probabilities, count, _triple(network))
    if name == "probabilities":
        return Tensor(name, "FP32", probabilities.shape, probabilities)
    which = {"labels": "label", "ids": "id"}[name]
    return _named(name, probabilities, _NAMED, lambda i, _: getattr(network.labels[i], which))


def _triple(network: Network) -> Any:
    """A class as Triton's classification extension writes it: value, index, label."""
    return lambda index, value: f"{value:.6f}:{index}:{network.labels[index].label}"


def _named(name: str, probabilities: NDArray[np.float32], count: int, text: Any) -> Tensor:
    """The likeliest classes of each photo, most probable first, as texts."""
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
    texts = [
        text(i, row[i]) for row, indexes in zip(probabilities, best, strict=True) for i in indexes
    ]
    return Tensor(name, "BYTES", best.shape, texts)


def _reply(body: bytes, json_length: int, whole: bool) -> flask.Response:
    """All in JSON, or with tensors behind it, which one header tells."""
    if whole:
        return flask.Response(body, mimetype="application/json")
    response = flask.Response(body, mimetype="application/octet-stream")
    response.headers[_LENGTH] = str(json_length)
    return response
