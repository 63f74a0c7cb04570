"""The addresses, a short function each."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flask
from pydantic import BaseModel

from api import metrics, openapi, options, schemas
from api.errors import NotFound, refused
from api.images import ImageStore
from api.upload import BadUpload, read_upload
from errors import RequestError
from models import zoo
from models.card import Card
from serving.answer import Answer
from serving.predictor import NotReady, Options, Predictor
from serving.queue import Place

api = flask.Blueprint("api", __name__)


@api.post("/predict")
def predict() -> flask.Response:
    """What is on the photo, or on each of several."""
    predictor = _predictor()
    with _held(predictor) as place:
        upload = read_upload(flask.request, predictor.limits.max_bytes)
        asked = Options(**options.parse([*_query(), *upload.fields], options.PREDICT))
        answers = _predict(predictor, upload.photos, asked, place)
    _tell(answers)
    if len(answers) > 1:
        model = predictor.network(asked.model).card.name
        return _json(schemas.PredictedMany(model=model, results=[_result(a) for a in answers]))
    (answer,) = answers
    if isinstance(answer, RequestError):
        raise answer
    return _json(_predicted(answer))


@api.post("/image")
def keep_image() -> flask.Response:
    """The photo back as an upright JPEG without metadata, and an address to fetch it again."""
    predictor = _predictor()
    with _held(predictor) as place:
        upload = read_upload(flask.request, predictor.limits.max_bytes)
        if len(upload.photos) > 1:
            raise BadUpload(f"{len(upload.photos)} photos came; /image takes one")
        asked = options.parse([*_query(), *upload.fields], options.IMAGE)
        (photo,) = upload.photos
        if isinstance(photo, RequestError):
            raise photo
        image = predictor.upright_jpeg(photo, asked.get("width"), place)
    response = _jpeg(image)
    address = flask.url_for(".kept_image", image_id=_images().put(image))
    response.headers["Content-Location"] = address
    return response


@api.get("/image/<image_id>")
def kept_image(image_id: str) -> flask.Response:
    """A picture that POST /image made, until it expires."""
    image = _images().get(image_id)
    if image is None:
        raise NotFound("there is no such picture, or it has expired; send the photo again")
    return _jpeg(image)


@api.get("/models")
def models() -> flask.Response:
    """Every network that can be served."""
    options.parse(_query(), ())
    cards = {name: zoo.card(name) for name in zoo.names()} | _predictor().cards
    return _json(schemas.Models(models=[_model(card) for card in cards.values()]))


@api.get("/models/<name>")
def model(name: str) -> flask.Response:
    """One network that can be served."""
    options.parse(_query(), ())
    cards = _predictor().cards
    if name not in cards and name not in zoo.names():
        raise NotFound(f"there is no network {name[:40]!r}; /models lists them all")
    return _json(_model(cards.get(name) or zoo.card(name)))


@api.get("/labels")
def labels() -> flask.Response:
    """The classes of a network."""
    asked = options.parse(_query(), ("model",))
    network = _predictor().network(asked.get("model"))
    named = [schemas.Label(id=label.id, label=label.label) for label in network.labels]
    return _json(schemas.Labels(model=network.card.name, labels=named))


@api.get("/healthz")
def healthz() -> flask.Response:
    """Whether the process is alive."""
    return _json(schemas.Health(status="alive"))


@api.get("/readyz")
def readyz() -> flask.Response:
    """Whether photos are welcome: every network loaded, and not going down."""
    if not _predictor().is_ready:
        raise NotReady("networks are being loaded, or the service is going down")
    return _json(schemas.Health(status="ready"))


@api.get("/metrics")
def prometheus() -> flask.Response:
    """Counters and histograms, for Prometheus."""
    return metrics.exposition()


@api.get("/openapi.json")
def openapi_json() -> flask.Response:
    """This service, described for programs."""
    return flask.Response(openapi.as_json(), mimetype="application/json")


@api.get("/docs")
def docs() -> str:
    """This service, described for people."""
    return flask.render_template("docs.html", document=openapi.document())


@api.get("/")
def home() -> Any:
    """People who open the address in a browser are led to the description."""
    return flask.redirect(flask.url_for(".docs"))


def _predictor() -> Predictor:
    predictor: Predictor = flask.current_app.extensions["shiwu_predictor"]
    return predictor


@contextmanager
def _held(predictor: Predictor) -> Iterator[Place]:
    """A place in the queue, from before the body is read until the photos have their own."""
    place = predictor.reserve()
    try:
        yield place
    finally:
        place.release()


def _predict(
    predictor: Predictor, photos: list[bytes | RequestError], asked: Options, place: Place
) -> list[Answer | RequestError]:
    """An answer for each photo; what could not even be read keeps its error."""
    good = [photo for photo in photos if isinstance(photo, bytes)]
    answers = iter(predictor.predict(good, asked, place))
    return [next(answers) if isinstance(photo, bytes) else photo for photo in photos]


def _images() -> ImageStore:
    images: ImageStore = flask.current_app.extensions["shiwu_images"]
    return images


def _query() -> list[tuple[str, str]]:
    return list(flask.request.args.items(multi=True))


def _json(body: BaseModel) -> flask.Response:
    return flask.Response(body.model_dump_json(), mimetype="application/json")


def _jpeg(image: bytes) -> flask.Response:
    response = flask.Response(image, mimetype="image/jpeg")
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _predicted(answer: Answer) -> schemas.Predicted:
    named = [schemas.Prediction(**vars(prediction)) for prediction in answer.predictions]
    return schemas.Predicted(model=answer.model, predictions=named)


def _result(answer: Answer | RequestError) -> schemas.Predicted | schemas.Refused:
    return _predicted(answer) if isinstance(answer, Answer) else refused(answer)[0]


def _model(card: Card) -> schemas.Model:
    network = _predictor().networks.get(card.name)
    runs = vars(network.engine.description) if network else {}
    facts = {
        name: getattr(card, name) for name in schemas.Model.model_fields if hasattr(card, name)
    }
    empty = {"engine": None, "precision": None, "difference": None}
    return schemas.Model(**facts, loaded=network is not None, **(empty | runs))


def _tell(answers: list[Answer | RequestError]) -> None:
    """Hand the photos' outcomes and times to the metrics, and the sums of times to the log."""
    answered = [answer for answer in answers if isinstance(answer, Answer)]
    for answer in answers:
        if isinstance(answer, Answer):
            metrics.observe(answer.model, answer.timings)
        else:
            metrics.PHOTOS.labels(refused(answer)[0].error.code).inc()
    flask.g.timings = {
        "photos": len(answers),
        "wait_ms": round(1000 * sum(a.timings.wait_s for a in answered), 2),
        "decode_ms": round(1000 * sum(a.timings.decode_s for a in answered), 2),
        "infer_ms": round(1000 * sum(a.timings.infer_s for a in answered), 2),
    }
