"""What Keras computes with: the backend that the user has set up, if it is here.

Keras takes it from KERAS_BACKEND or its own keras.json, and only when it is imported. What these
name for other work may not be installed beside a service; that is no reason not to start.
"""

import json
import logging
import os
from importlib.util import find_spec

from models.weights import keras_cache

# TensorFlow first: Keras' own choice, and the only one that networks are exported from.
_USABLE = ("tensorflow", "jax", "torch")

_log = logging.getLogger(__name__)


def choose() -> None:
    """Before Keras is imported: see that it takes a backend that is installed, if there is one."""
    wanted = os.environ.get("KERAS_BACKEND") or _in_keras_json() or _USABLE[0]
    if wanted in _USABLE and find_spec(wanted):
        return
    found = next(filter(find_spec, _USABLE), None)
    if found is None:  # Keras isn't here either: who imports it says so
        return
    _log.warning("Keras' backend %r can't be used here; %s is taken", wanted, found)
    os.environ["KERAS_BACKEND"] = found


def _in_keras_json() -> str | None:
    """The backend that the user's keras.json names; None, as for Keras, if it can't be read."""
    try:
        said = json.loads((keras_cache().parent / "keras.json").read_text(encoding="utf-8"))
        return str(said["backend"])
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        return None
