"""The addresses, a short function each."""

from typing import Any

import flask

from api import metrics, openapi, options, request, schemas
from api.errors import NotFound, refused
from api.explain import explained
from api.images import ImageStore
from api.request import json_reply, picture_reply, predictor
from errors import RequestError
from models import zoo
from models.card import Card
from models.labels import LANGUAGES, groups
from serving.answer import Answer
from serving.explain import Picture
from serving.forms import NotReady
from serving.predictor import Options
from serving.queue import Place
from serving.shelf import Network

# Of names on a picture: what is drawn unless asked otherwise, and what there is room for.
NAMES_DRAWN, MOST_NAMES_DRAWN = 3, 6

api = flask.Blueprint("api", __name__)


@api.post("/predict")
def predict() -> flask.Response:
    """What is on the photo, or on each of several."""
    with request.held() as place:
        upload = request.upload()
        asked = Options(**request.asked(options.PREDICT, upload))
        answers = _predict(upload.photos, asked, place)
    model = asked.model or predictor().default
    metrics.tell(model, [one.timings if isinstance(one, Answer) else one for one in answers])
    if len(answers) > 1:
        results = [_result(answer) for answer in answers]
        return json_reply(schemas.PredictedMany(model=model, results=results), asked.lang)
    (answer,) = answers
    if isinstance(answer, RequestError):
        raise answer
    return json_reply(_predicted(answer), asked.lang)


@api.post("/image")
def keep_image() -> flask.Response:
    """The photo back as an upright JPEG, drawn on if asked for, and an address to fetch it."""
    with request.held() as place:
        upload = request.upload()
        asked = request.asked(options.IMAGE, upload)
        with metrics.counting_refusals():
            image, language = _drawn(request.one_photo(upload), asked, place)
    store = _images()
    address = flask.url_for(".kept_image", image_id=store.put(image))
    if request.accepted(("image/jpeg", "application/json")) == "application/json":
        response = json_reply(schemas.Kept(url=address, expires_s=int(store.ttl_s)), language)
    else:
        response = picture_reply(image, language=language)
        response.headers["Content-Location"] = address
    response.vary.add("Accept")
    return response


@api.get("/image")
def which_image() -> flask.Response:
    """Help for whoever left out the id."""
    raise NotFound("say which picture: /image/<id>, the address that POST /image gives")


@api.get("/image/<image_id>")
def kept_image(image_id: str) -> flask.Response:
    """A picture that POST /image made, until it expires."""
    image = _images().get(image_id)
    if image is None:
        raise NotFound("there is no such picture, or it has expired; send the photo again")
    return picture_reply(image)


@api.get("/models")
def models() -> flask.Response:
    """Every network that can be served."""
    request.asked(())
    cards = {name: zoo.card(name) for name in zoo.names()} | predictor().shelf.cards
    return json_reply(schemas.Models(models=[_model(card) for card in cards.values()]))


@api.get("/models/<name>")
def model(name: str) -> flask.Response:
    """One network that can be served."""
    request.asked(())
    cards = predictor().shelf.cards
    if name not in cards and name not in zoo.names():
        raise NotFound(f"there is no network {name[:40]!r}; /models lists them all")
    return json_reply(_model(cards.get(name) or zoo.card(name)))


@api.get("/labels")
def labels() -> flask.Response:
    """The classes of a network and the groups that they form, in every language."""
    asked = request.asked(options.LABELS)
    network = predictor().network(asked.get("model"))
    return json_reply(_labels(network, asked["lang"]), asked["lang"])


@api.get("/healthz")
def healthz() -> flask.Response:
    """Whether the process is alive."""
    return json_reply(schemas.Health(status="alive"))


@api.get("/readyz")
def readyz() -> flask.Response:
    """Whether photos are welcome: every network loaded, and not going down."""
    if not predictor().is_ready:
        raise NotReady("networks are being loaded, or the service is going down")
    return json_reply(schemas.Health(status="ready"))


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


def _predict(
    photos: list[bytes | RequestError], asked: Options, place: Place
) -> list[Answer | RequestError]:
    """An answer for each photo; what could not even be read keeps its error."""
    good = [photo for photo in photos if isinstance(photo, bytes)]
    answers = iter(predictor().predict(good, asked, place))
    return [next(answers) if isinstance(photo, bytes) else photo for photo in photos]


def _drawn(photo: bytes, asked: dict[str, Any], place: Place) -> tuple[bytes, str | None]:
    """The photo as JPEG, and the language of what is drawn on it, if anything is."""
    width = asked.get("width")
    if "draw" not in asked:
        upright = predictor().upright_jpeg(photo, width, place)
        metrics.PHOTOS.labels("ok").inc()
        return upright, None
    if asked["draw"] == "heatmap":
        whole = Picture("jpeg", whole=True, width=width)
        return explained(photo, asked, whole, place).picture, None
    given = {name: asked[name] for name in ("model", "fit", "lang") if name in asked}
    top = min(asked.get("top", NAMES_DRAWN), MOST_NAMES_DRAWN)
    drawn = predictor().labelled_jpeg(photo, width, Options(top=top, **given), place)
    metrics.tell(drawn.answer.model, [drawn.answer.timings])
    return drawn.jpeg, drawn.language


def _images() -> ImageStore:
    images: ImageStore = flask.current_app.extensions["shiwu_images"]
    return images


def _predicted(answer: Answer) -> schemas.Predicted:
    return schemas.Predicted(
        model=answer.model,
        predictions=[schemas.Prediction(**vars(one)) for one in answer.predictions],
        answer=schemas.Answer(**vars(answer.answer)),
        certain=answer.certain,
        hints=[schemas.Hint(**vars(hint)) for hint in answer.hints],
    )


def _result(answer: Answer | RequestError) -> schemas.Predicted | schemas.Refused:
    return _predicted(answer) if isinstance(answer, Answer) else refused(answer)[0]


def _labels(network: Network, language: str) -> schemas.Labels:
    names = {one: dict(network.naming.labels[one]) for one in LANGUAGES}
    classes = [
        schemas.Label(id=one.id, label=one.label, names=_names(names, one.id), groups=list(path))
        for one, path in zip(network.naming.labels[language], groups.of(network.card), strict=True)
    ]
    names = {one: dict(network.naming.groups[one]) for one in LANGUAGES}
    found = [
        schemas.Group(id=one.id, label=one.label, names=_names(names, one.id), parent=one.parent)
        for one in groups.read(language)
        if one.id in names[language]
    ]
    return schemas.Labels(model=network.card.name, lang=language, labels=classes, groups=found)


def _names(names: dict[str, dict[str, str]], one: str) -> dict[str, str]:
    return {language: named[one] for language, named in names.items()}


def _model(card: Card) -> schemas.Model:
    network = predictor().shelf.networks.get(card.name)
    runs = vars(network.engine.description) if network else {}
    facts = {
        name: getattr(card, name) for name in schemas.Model.model_fields if hasattr(card, name)
    }
    empty = {"engine": None, "precision": None, "difference": None}
    return schemas.Model(**facts, loaded=network is not None, **(empty | runs))
