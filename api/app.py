"""The rooms put together: settings to a Flask app whose networks are loaded by `start`."""

import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import flask

from api import access, errors, explain, headers, logs, metrics, tracing
from api.features import features_api
from api.images import open_store
from api.inference import inference
from api.page import page
from api.routes import api
from engines.load import load, prepare
from errors import SettingsError, ShiwuError
from imaging import fonts
from imaging.read import APART, Limits
from models import weights, zoo
from models.card import Card
from serving import cores
from serving.answer import Naming
from serving.predictor import Predictor
from serving.queue import Queue
from serving.shelf import Network
from serving.taught import Telling
from settings import Settings

_HERE = Path(__file__).resolve().parent
# gunicorn's own word for "this worker can't boot: give up instead of starting it again".
BOOT_ERROR = 3

_log = logging.getLogger("shiwu")


class App(flask.Flask):
    """A Flask app that doesn't ask of its functions, at every request, whether they are async."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function: none of ours is."""
        return func


def build(settings: Settings) -> flask.Flask:
    """The service, its networks not loaded yet: call `start`, or `predictor(app).load()`.

    Raises:
        SettingsError: an unknown network, or a store that can't be used.
    """
    app = App("shiwu", root_path=str(_HERE))
    app.extensions["shiwu_predictor"] = _predictor(settings)
    app.extensions["shiwu_images"] = open_store(
        settings.images, settings.images_ttl_s, settings.images_bytes
    )
    app.register_blueprint(api)
    app.register_blueprint(features_api)
    app.register_blueprint(inference)
    app.register_blueprint(page)
    explain.register(app)
    logs.register(app)
    metrics.register(app)
    errors.register(app)
    headers.register(app, settings.origins)
    access.register(app, settings)
    if settings.traces:
        tracing.register(app)
    return app


def predictor(app: flask.Flask) -> Predictor:
    """The part of the service that answers photos."""
    found: Predictor = app.extensions["shiwu_predictor"]
    return found


def start(app: flask.Flask) -> None:
    """Load the networks on a thread of their own, so that /healthz answers meanwhile.

    The process ends if a network can't be served: a service that never becomes ready, but
    lives, helps nobody.
    """
    threading.Thread(target=_load_or_die, args=[predictor(app)], name="loader", daemon=True).start()


def _load_or_die(loading: Predictor) -> None:
    try:
        loading.load()
    except ShiwuError as error:
        _log.critical("%s", error)
        os._exit(BOOT_ERROR)
    except BaseException:
        _log.critical("a network could not be loaded", exc_info=True)
        os._exit(BOOT_ERROR)
    if loading.is_ready:  # and not told to go down meanwhile
        metrics.READY.set(1)
        _log.info("ready")
    fonts.faces()  # looked for now, so that nobody's first drawing waits for it


def _predictor(settings: Settings) -> Predictor:
    named = len(settings.model) + len(settings.on_request)
    if settings.weights and settings.weights.is_file() and named > 1:
        raise SettingsError(
            f"SHIWU_WEIGHTS={settings.weights} is the file of one network, and "
            f"{named} are named; give a folder of files by Keras' names"
        )
    count = settings.cores or cores.available()
    return Predictor(
        [zoo.card(name, settings.input_size) for name in settings.model],
        partial(_load, settings, count),
        Queue(settings.queue, cores.runners(count), metrics.WAITING.inc),
        deadline_s=settings.deadline_s,
        limits=Limits(settings.max_bytes, settings.max_pixels, APART[settings.apart]),
        fit=settings.fit,
        certain_at=settings.certain_at,
        on_request=_on_request(settings),
        memory=settings.memory,
        prepare=partial(_prepare, settings),
    )


def _on_request(settings: Settings) -> list[Card]:
    if "all" not in settings.on_request:
        return [zoo.card(name, settings.input_size) for name in settings.on_request]
    # Not every network can be built for another size; one that can't is none of those meant.
    return [zoo.card(name) for name in zoo.names()]


def _prepare(settings: Settings, card: Card) -> None:
    prepare(card, _find_weights(settings, card), engine=settings.engine, compiled=settings.cache)


def _load(settings: Settings, count: int, card: Card) -> Network:
    engine = load(
        card,
        _find_weights(settings, card),
        engine=settings.engine,
        precision=settings.precision,
        compiled=settings.cache,
        cores=count,
    )
    return Network(card, Naming.of(card), engine, Telling.of(card, engine))


def _find_weights(settings: Settings, card: Card) -> Callable[[], Path]:
    return partial(
        weights.find,
        card,
        given=settings.weights,
        mirror=settings.mirror,
        offline=settings.offline,
    )
