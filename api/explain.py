"""POST /explain: where on a photo a network found a class."""

from collections.abc import Mapping
from typing import Any

import flask

from api import metrics, options, request, schemas
from api.request import json_reply, picture_reply
from serving.explain import Asked, Explainer, Explanation, Picture
from serving.queue import Place

_JSON = "application/json"
_KINDS: dict[str, Picture | None] = {
    "image/jpeg": Picture("jpeg"),
    "image/png": Picture("png"),
    _JSON: None,
}

_blueprint = flask.Blueprint("explain", __name__)


def register(app: flask.Flask) -> None:
    """Add /explain to an app whose predictor is there."""
    app.extensions["shiwu_explainer"] = Explainer(app.extensions["shiwu_predictor"])
    app.register_blueprint(_blueprint)


@_blueprint.post("/explain")
def explain() -> flask.Response:
    """The photo with a heat map on it, or the map in numbers."""
    kind = request.accepted(tuple(_KINDS))
    with request.held() as place:
        upload = request.upload()
        asked = request.asked(options.EXPLAIN, upload)
        with metrics.counting_refusals():
            said = explained(request.one_photo(upload), asked, _KINDS[kind], place)
    if kind == _JSON:
        response = json_reply(_as_json(said), asked["lang"])
    else:
        response = picture_reply(said.picture, kind)
    response.vary.add("Accept")
    return response


def explained(
    photo: bytes, asked: Mapping[str, Any], picture: Picture | None, place: Place
) -> Explanation:
    """The explanation that a request's options ask for, told to the metrics and the log.

    Raises:
        RequestError: as of `Explainer.explain`.
    """
    known = {"class": "class_id", "model": "model", "fit": "fit", "lang": "lang"}
    given = Asked(**{known[name]: value for name, value in asked.items() if name in known})
    explainer: Explainer = flask.current_app.extensions["shiwu_explainer"]
    said = explainer.explain(photo, given, picture, place)
    metrics.observe_explained(said.model, said.timings)
    seconds = vars(said.timings).items()
    times = {name.replace("_s", "_ms"): round(1000 * time, 2) for name, time in seconds}
    flask.g.timings = {"photos": 1, **times}
    return said


def _as_json(said: Explanation) -> schemas.Explained:
    rows, columns = said.heat.shape
    return schemas.Explained(
        model=said.model,
        class_=schemas.Prediction(**vars(said.prediction)),
        shape=(rows, columns),
        map=said.heat.astype(float).round(4).tolist(),
        area=said.area,
        method=said.method,
    )
