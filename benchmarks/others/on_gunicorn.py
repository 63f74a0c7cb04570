"""The tutorial's server under gunicorn: `gunicorn -w WORKERS benchmarks.others.on_gunicorn:app`.

gunicorn's documentation recommends twice as many workers as cores, and one more.
"""

import os

import flask

from benchmarks.others import tutorial
from benchmarks.others.answers import answering, load_tutorial

if os.environ["PEER_INSIDE"] == "keras":
    load_tutorial()
    app = tutorial.app
else:
    app = flask.Flask(__name__)
    answer = answering()

    @app.route("/predict", methods=["POST"])
    def predict() -> flask.Response:
        """A photo in the field `image`: its names."""
        photo = flask.request.files["image"].read()
        return flask.jsonify({"success": True, "predictions": answer(photo)})
