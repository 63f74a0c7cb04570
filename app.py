"""The door for people: `create_app(settings)`, and `python app.py --model ResNet50`."""

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from errors import SettingsError
from models import zoo
from settings import Settings

if TYPE_CHECKING:
    import flask

_HERE = Path(__file__).resolve().parent


def create_app(settings: Settings) -> "flask.Flask":
    """The service, its networks not loaded yet: call `api.app.start`, or `predictor(app).load()`.

    Raises:
        SettingsError: an unknown network, or a store that can't be used.
    """
    # Imported here, as `python app.py` only becomes gunicorn: its start is a third shorter so.
    from api.app import build

    return build(settings)


def _require_free(host: str, port: int) -> None:
    """Find out now what gunicorn would say after five seconds of trying.

    Raises:
        SettingsError: nobody can listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise SettingsError(
            f"SHIWU_HOST={host}, SHIWU_PORT={port}: can't listen there "
            f"({error.strerror or error}); give another port, or an address of this machine"
        ) from error


def _serve(arguments: list[str]) -> None:
    """Check the settings, then become gunicorn."""
    try:
        settings = Settings.from_command_line(arguments)
        for name in settings.model:
            zoo.card(name, settings.input_size)
        _require_free(settings.host, settings.port)
    except SettingsError as error:
        sys.exit(f"Shiwu can't start:\n{error}")
    os.environ.update(settings.as_environment())
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{settings.port}"
    sys.stdout.write(f"When it is ready: curl -F image=@photo.jpg {address}/predict\n")
    sys.stdout.flush()
    # In this process: another one would begin by importing all this again, a fifth of the start.
    from gunicorn.app.wsgiapp import run

    sys.argv = ["gunicorn", "-c", f"{_HERE}/gunicorn.conf.py", "wsgi:app"]
    run()


if __name__ == "__main__":
    _serve(sys.argv[1:])
