"""What every reply says besides its content: what browsers may do with it, and which pages may ask.

Pages of other origins may not ask at all, unless SHIWU_ORIGINS names theirs. That is a set and
three headers, so here it is; Flask-Cors was looked at: most of it is patterns for origins and
addresses, and patterns are where its published weaknesses were.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from functools import partial

import flask

_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

# On each reply that doesn't say otherwise, as the page does; also on those to no request at all.
ALWAYS = {
    "Content-Security-Policy": _NOTHING,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

# The address of a kept picture was made to be put into other pages; who knows it may see it
# (unless keys are asked for).
_KEPT = ALWAYS | {"Cross-Origin-Resource-Policy": "cross-origin"}
_HAS_ITS_OWN = ("page.home", "page.file")

# What a page's own code may send and read; what is not named here are those that always may.
_SENT = "Authorization, Content-Type, Inference-Header-Content-Length, X-Request-Id"
_SEEN = (
    "Content-Location, Inference-Header-Content-Length, Retry-After, WWW-Authenticate, X-Request-Id"
)
_STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)


def register(app: flask.Flask, origins: Iterable[str] = ()) -> None:
    """Put the headers on every reply of the app, errors too.

    Args:
        app: the service.
        origins: whose pages may ask, as browsers write them in the header `Origin`.
    """
    app.after_request(_protect)
    if origins:
        app.after_request(partial(_share, frozenset(origins)))


def _protect(response: flask.Response) -> flask.Response:
    endpoint = flask.request.endpoint
    said = _KEPT if endpoint == "api.kept_image" else ALWAYS
    if endpoint == "api.docs":
        said = ALWAYS | {"Content-Security-Policy": _styled(response.get_data())}
    # Looking for what is there already takes three times as long as all the rest.
    put = response.headers.setdefault if endpoint in _HAS_ITS_OWN else response.headers.add
    for name, value in said.items():
        put(name, value)
    return response


def _styled(page: bytes) -> str:
    """A policy that allows a page the style that is in it, and its empty icon."""
    digests = [base64.b64encode(hashlib.sha256(one).digest()) for one in _STYLE.findall(page)]
    styles = [f"'sha256-{digest.decode()}'" for digest in digests] or ["'none'"]
    return f"{_NOTHING}; img-src data:; style-src {' '.join(styles)}"


def _share(origins: frozenset[str], response: flask.Response) -> flask.Response:
    """Let the pages of these origins, and no others, read the reply.

    There is nothing that a browser would send by itself, such as a cookie; so "credentials" in
    the sense of the Fetch standard are never allowed. A key is sent by the page's own code.
    """
    response.vary.add("Origin")
    asking = flask.request.headers.get("Origin")
    if asking not in origins:
        return response
    response.headers["Access-Control-Allow-Origin"] = asking
    response.headers["Access-Control-Expose-Headers"] = _SEEN
    if flask.request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "GET, HEAD, POST"
        response.headers["Access-Control-Allow-Headers"] = _SENT
        response.headers["Access-Control-Max-Age"] = "600"
    return response
