"""The door for gunicorn: `gunicorn wsgi:app`; settings come from the environment."""

from api import logs
from api.app import start
from app import create_app
from settings import Settings

settings = Settings.from_environment()
logs.set_up(settings.log_level)
app = create_app(settings)
start(app)
