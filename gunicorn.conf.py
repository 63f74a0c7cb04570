"""How gunicorn serves Shiwu; every value comes from the same settings (SHIWU_…)."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

# gunicorn reads this file before it looks for the app; both are in this folder.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from errors import SettingsError
from models import zoo
from serving import cores
from serving.room import require_room
from settings import Settings

try:
    _settings = Settings.from_environment()
    require_room([zoo.card(_name) for _name in _settings.model], _settings.memory)
    for _name in _settings.on_request:
        if _name != "all":
            zoo.card(_name)
except SettingsError as error:
    sys.exit(f"Shiwu can't start:\n{error}")

_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host
bind = f"{_host}:{_settings.port}"
workers = _settings.workers
worker_class = "api.worker.Worker"
# A thread for every photo that waits or is worked on, and some that say *busy* and *alive*.
threads = _settings.queue + (_settings.cores or cores.available()) + 8
# An answer may take its whole deadline; a worker is only killed when its main loop stands still.
timeout = 30
graceful_timeout = round(_settings.deadline_s + _settings.drain_s + 5)
worker_connections = max(1000, 2 * threads)
keepalive = 15
backlog = 2048
control_socket_disable = True  # it would be written under the home directory
_memory = "/dev/shm"  # noqa: S108 - gunicorn makes its file there safely
worker_tmp_dir = _memory if os.access(_memory, os.W_OK) else None
proc_name = "shiwu"
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "api.logs.formatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"level": _settings.log_level.upper(), "handlers": ["stderr"]},
    "loggers": {
        "gunicorn.error": {"level": _settings.log_level.upper(), "propagate": True},
        "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
    },
}


def when_ready(server):
    """Make the folder in which the workers' metrics are added up; the door is open by now."""
    server.shiwu_metrics = tempfile.mkdtemp(prefix="shiwu-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = server.shiwu_metrics


def worker_exit(server, worker):
    """Finish what waits and join the runners; then say that this worker's gauges are gone."""
    worker.close_app()


def child_exit(server, worker):
    """Take a gone worker's queue and readiness out of the metrics."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def on_exit(server):
    """Remove the folder that the workers' metrics were in."""
    shutil.rmtree(getattr(server, "shiwu_metrics", ""), ignore_errors=True)
