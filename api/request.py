"""What the addresses ask of a request: its options, its photo, its language, what it accepts."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flask
from pydantic import BaseModel

from api import access, options
from api.upload import BadUpload, Upload, read_upload
from errors import RequestError
from models.labels import LANGUAGES
from serving.predictor import Predictor
from serving.queue import Place


def predictor() -> Predictor:
    """The part of this service that answers photos."""
    found: Predictor = flask.current_app.extensions["shiwu_predictor"]
    return found


@contextmanager
def held() -> Iterator[Place]:
    """A place in the queue, from before the body is read until the photos have their own."""
    place = predictor().reserve()
    try:
        yield place
    finally:
        place.release()


def asked(known: tuple[str, ...], upload: Upload | None = None) -> dict[str, Any]:
    """The options in the query and beside the photo, checked; `lang` by the header if not given.

    Raises:
        BadOption: one is unknown here, given twice, or has a value that isn't allowed.
    """
    query = list(flask.request.args.items(multi=True))
    found = options.parse([*query, *(upload.fields if upload else [])], known)
    if "lang" in known:
        found.setdefault("lang", _accepted_language())
    return found


def upload() -> Upload:
    """The photos in the body.

    Raises:
        BadUpload, LengthRequired, BodyTooLarge: as `read_upload`.
        TooManyRequests: as `access.count_photos`.
    """
    found = read_upload(flask.request, predictor().limits.max_bytes)
    access.count_photos(len(found.photos))
    flask.g.read_at = time.perf_counter()
    return found


def one_photo(found: Upload) -> bytes:
    """The photo of an address that takes one.

    Raises:
        BadUpload: more than one came, or what came is no photo.
    """
    if len(found.photos) > 1:
        raise BadUpload(f"{len(found.photos)} photos came; {flask.request.path} takes one")
    (photo,) = found.photos
    if isinstance(photo, RequestError):
        raise photo
    return photo


def accepted(kinds: tuple[str, ...]) -> str:
    """Which media type the caller likes best; the first one where that is left open."""
    return flask.request.accept_mimetypes.best_match(kinds, kinds[0])


def json_reply(body: BaseModel, language: str | None = None) -> flask.Response:
    """A reply in JSON; `language` is that of the labels in it."""
    said = body.model_dump_json(by_alias=True)
    return spoken(flask.Response(said, mimetype="application/json"), language)


def picture_reply(
    image: bytes, kind: str = "image/jpeg", language: str | None = None
) -> flask.Response:
    """A reply that is a picture; `language` is that of the labels drawn on it."""
    response = flask.Response(image, mimetype=kind)
    response.headers["Cache-Control"] = "private, no-store"
    return spoken(response, language)


def spoken(response: flask.Response, language: str | None) -> flask.Response:
    """The same reply, which says what language its labels are in."""
    if language is not None:
        response.headers["Content-Language"] = language
        response.vary.add("Accept-Language")
    return response


def _accepted_language() -> str:
    """The first language of ours that the caller's header would like; English if there is none.

    Only the tag's first part counts, so that zh-CN, zh-Hans and zh-TW are all Chinese. Werkzeug's
    own best match takes "en" of "zh-CN, en;q=0.9", as it looks for exact matches first.
    """
    for tag, quality in flask.request.accept_languages:
        language = tag.replace("_", "-").split("-")[0].lower()
        if quality > 0 and language in LANGUAGES:
            return language
    return LANGUAGES[0]
