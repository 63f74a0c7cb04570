"""Shiwu on Ray Serve, for those whose cluster is Ray: `serve run deploy.ray.service:app`.

The same WSGI app as under gunicorn, with the same settings (SHIWU_…), behind an adapter that keeps
its threads: asgiref's would answer one request after another. A replica takes as many requests as
gunicorn has threads, so that a full queue is said by the app itself, at once and with Retry-After.
Replicas come and go with the requests that are being answered.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before Ray is imported: it reports its use to its makers unless it is told not to.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from a2wsgi import WSGIMiddleware
from ray import serve

from api import logs, metrics
from api.app import predictor
from app import create_app
from serving import cores
from settings import Settings

_SETTINGS = Settings.from_environment()
_CORES = _SETTINGS.cores or cores.available()
# As in gunicorn.conf.py: one for every photo that waits or is worked on, and some that say *busy*.
_THREADS = _SETTINGS.queue + cores.runners(_CORES) + 8


def _asgi() -> Callable[..., Any]:
    """The service, its networks loaded: a replica is only asked when it can answer."""
    logs.set_up(_SETTINGS.log_level)
    service = create_app(_SETTINGS)
    predictor(service).load()
    metrics.READY.set(1)
    return WSGIMiddleware(service, workers=_THREADS)  # type: ignore[no-any-return]


app = serve.deployment(
    serve.ingress(_asgi)(),
    name="shiwu",
    max_ongoing_requests=_THREADS,
    ray_actor_options={"num_cpus": _CORES},
    graceful_shutdown_timeout_s=_SETTINGS.deadline_s + 5,
    autoscaling_config={
        "min_replicas": 1,
        "max_replicas": int(os.environ.get("REPLICAS", "4")),
        # Two requests a core keep it busy while others are on their way.
        "target_ongoing_requests": 2 * _CORES,
    },
).bind()
