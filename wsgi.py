"""The door for gunicorn: `gunicorn wsgi:app`; settings come from the environment."""

import logging
import sys

from api import logs
from api.app import BOOT_ERROR, start
from app import create_app
from errors import SettingsError
from settings import Settings

settings = Settings.from_environment()
logs.set_up(settings.log_level)
try:
    app = create_app(settings)
except SettingsError as error:
    logging.getLogger("shiwu").critical("%s", error)
    sys.exit(BOOT_ERROR)
start(app)
