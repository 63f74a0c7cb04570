"""POST /features: what a layer of a network says of photos; and which layers there are."""

import io
from collections.abc import Sequence

import flask
import numpy as np

from api import metrics, options, request, schemas, tensors
from api.errors import NotFound, refused
from api.request import json_reply, predictor
from errors import RequestError
from serving.features import Asked, Features, extract
from serving.queue import Place

_JSON, _NPY = "application/json", "application/x-npy"
# Numbers in one reply: as JSON half a million take a second of Python and five megabytes.
_MOST = {_JSON: 2**19, _NPY: 2**23}

features_api = flask.Blueprint("features", __name__)


@features_api.post("/features")
def features() -> flask.Response:
    """What a layer of a network says of the photo, or of each of several."""
    kind = request.accepted((_JSON, _NPY, "application/octet-stream"))
    kind = kind if kind == _JSON else _NPY
    with request.held() as place:
        upload = request.upload()
        asked = Asked(**request.asked(options.FEATURES, upload))
        found = _extract(upload.photos, asked, _MOST[kind], place)
    model = asked.model or predictor().default
    metrics.tell(model, [one.timings if isinstance(one, Features) else one for one in found])
    if len(found) == 1 or kind == _NPY:
        good = [one for one in found if isinstance(one, Features)]
        if len(good) < len(found):
            raise next(one for one in found if isinstance(one, RequestError))
        response = _npy(good) if kind == _NPY else json_reply(_extracted(good[0]))
    else:
        results = [_result(one) for one in found]
        response = json_reply(schemas.ExtractedMany(model=model, results=results))
    response.vary.add("Accept")
    return response


@features_api.get("/models/<name>/layers")
def layers(name: str) -> flask.Response:
    """The layers of a network that is served, first to last."""
    request.asked(())
    if name not in predictor().shelf.cards:
        raise NotFound(f"its layers are not known: {predictor().shelf.not_served(name)}")
    found = predictor().network(name).engine.layers
    rows = [schemas.Layer(**vars(layer)) for layer in found.all]
    return json_reply(schemas.Layers(model=name, penultimate=found.penultimate, layers=rows))


def _extract(
    photos: Sequence[bytes | RequestError], asked: Asked, most: int, place: Place
) -> list[Features | RequestError]:
    """The features of each photo; what could not even be read keeps its error."""
    good = [photo for photo in photos if isinstance(photo, bytes)]
    found = iter(extract(predictor(), good, asked, most, place))
    return [next(found) if isinstance(photo, bytes) else photo for photo in photos]


def _extracted(found: Features) -> schemas.Extracted:
    return schemas.Extracted(
        model=found.model,
        layer=found.layer,
        shape=list(found.array.shape),
        features=tensors.numbers(found.array),
    )


def _result(found: Features | RequestError) -> schemas.Extracted | schemas.Refused:
    return _extracted(found) if isinstance(found, Features) else refused(found)[0]


def _npy(found: Sequence[Features]) -> flask.Response:
    """NumPy's file format: of one photo its array, of several one array more deep."""
    arrays = [one.array for one in found]
    written = io.BytesIO()
    np.save(written, arrays[0] if len(arrays) == 1 else np.stack(arrays), allow_pickle=False)
    response = flask.Response(written.getvalue(), mimetype=_NPY)
    response.headers["X-Shiwu-Layer"] = found[0].layer
    return response
