"""How gunicorn serves Shiwu; every value comes from the same settings (SHIWU_…)."""

import ctypes
import os
import resource
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

# What a crash would write to disk holds the photos that were in memory.
resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))

# Parameters of glibc's malloc (mallopt(3), malloc.h). By default it gives back what a large upload
# took, and two megabytes anew cost 0.6 ms of page faults each time. So what usual photos take is
# kept for the next ones; and there is a heap a core, instead of eight, for it to be found again.
_cores = _settings.cores or cores.available()
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
if _mallopt is not None:
    _mallopt(_TRIM_THRESHOLD, 16 * 2**20)
    _mallopt(_MMAP_THRESHOLD, 8 * 2**20)
    _mallopt(_ARENA_MAX, max(2, _cores))

_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host
bind = f"{_host}:{_settings.port}"
workers = _settings.workers
worker_class = "api.worker.Worker"
logger_class = "api.worker.Log"
# A thread for every photo that waits or is worked on, and some that say *busy* and *alive*.
threads = _settings.queue + cores.runners(_cores) + 8
# An answer may take its whole deadline; a worker is only killed when its main loop stands still.
timeout = 30
graceful_timeout = round(_settings.deadline_s + _settings.drain_s + 5)
# Fewer than there are file descriptors: each thread needs one to wait with, networks have theirs.
_descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
if _descriptors == resource.RLIM_INFINITY:
    _descriptors = 2**20
worker_connections = max(threads + 1, min(max(1000, 2 * threads), _descriptors - threads - 64))
keepalive = 15
backlog = 2048
# Whom to believe about X-Forwarded-… is decided in one place, api/access.py, and not by peer.
forwarded_allow_ips = ""
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
        # Never "debug": it writes the path of each request, which may say anything.
        "gunicorn.error": {
            "level": _settings.log_level.upper().replace("DEBUG", "INFO"),
            "propagate": True,
        },
        "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
    },
}


def when_ready(server):
    """Make the folder in which the workers' metrics are added up; the door is open by now."""
    # In memory: a worker that writes a number to a mapped file on a full disk dies of SIGBUS.
    server.shiwu_metrics = tempfile.mkdtemp(prefix="shiwu-metrics-", dir=worker_tmp_dir)
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
