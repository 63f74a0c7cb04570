"""gunicorn's threaded worker, with a polite end: readiness goes first, the door closes later."""

import threading
from types import FrameType

import flask
from gunicorn.workers.gthread import ThreadWorker

from serving.predictor import Predictor
from settings import Settings


class Worker(ThreadWorker):  # type: ignore[misc]
    """On SIGTERM it says "not ready" at once, and goes on serving for SHIWU_DRAIN_S seconds.

    A load balancer needs that time to see it and to send requests elsewhere; without it the
    requests on their way would find a closed door.
    """

    _draining = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The signal handler for SIGTERM."""
        if self._draining:
            return
        self._draining = True
        predictor = self._predictor()
        if predictor is None:  # still starting
            super().handle_exit(sig, frame)
            return
        predictor.drain()
        seconds = Settings.from_environment().drain_s
        end = threading.Timer(seconds, super().handle_exit, [sig, frame])
        end.daemon = True
        end.start()

    def close_app(self) -> None:
        """Answer what waits and join the threads; called when the worker has left its loop."""
        predictor = self._predictor()
        if predictor is not None:
            predictor.close()

    def _predictor(self) -> Predictor | None:
        app = getattr(self, "wsgi", None)
        return app.extensions["shiwu_predictor"] if isinstance(app, flask.Flask) else None
