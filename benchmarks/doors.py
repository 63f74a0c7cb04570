"""What keys, rates and headers cost a request: microseconds of this process's processor time.

`python -m benchmarks.doors`; with `--redis redis://127.0.0.1:6379/0`, rates counted there as well.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import flask

from api import access, headers, keys
from api.limits import Limits, Rate

_TIMES, _ROUNDS = 5_000, 5
_OFTEN = Rate(10**8, "second")  # so that nothing is ever refused
_ORIGIN = "https://example.com"


def measure(what: Callable[[], object]) -> float:
    """Microseconds of processor time of one call, in the best of some rounds."""
    rounds = []
    for _ in range(_ROUNDS):
        begun = time.process_time()
        for _ in range(_TIMES):
            what()
        rounds.append((time.process_time() - begun) / _TIMES * 1e6)
    return min(rounds)


def main() -> None:
    """Print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis", default="", help="address of a Redis to count rates in")
    where = parser.parse_args().redis
    app = flask.Flask(__name__)
    app.add_url_rule("/predict", view_func=lambda: "", methods=["POST"])
    with tempfile.TemporaryDirectory() as folder:
        for count in (1, 10, 100):
            file = Path(folder) / f"{count}"
            made = [keys.add(file, f"key-{n}") for n in range(count)]
            ring = keys.Keyring(file)
            with _request(app, Authorization=f"Bearer {made[-1]}"):
                _tell(f"a key, of {count}", measure(lambda ring=ring: access._ask_for_key(ring)))
    limits = Limits(_OFTEN)
    with _request(app, Origin=_ORIGIN):
        _tell("a rate by address, in memory", measure(lambda: access._count(limits)))
        if where:
            shared = Limits(_OFTEN, where)
            _tell("a rate by address, in Redis", measure(lambda: access._count(shared)))
        origins = frozenset({_ORIGIN})
        bare = measure(_response)
        _tell("security headers", measure(lambda: headers._protect(_response())) - bare)
        _tell("CORS", measure(lambda: headers._share(origins, _response())) - bare)


def _request(app: flask.Flask, **given: str) -> flask.ctx.RequestContext:
    return app.test_request_context(
        "/predict", method="POST", headers=given, environ_overrides={"REMOTE_ADDR": "192.0.2.1"}
    )


def _response() -> flask.Response:
    return flask.Response("x" * 300, mimetype="application/json")


def _tell(what: str, microseconds: float) -> None:
    print(f"{what:30} {microseconds:7.1f} µs")


if __name__ == "__main__":
    main()
