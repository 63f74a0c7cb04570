"""The page for people: the files of web/, under a policy that lets nothing else in."""

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import flask

from api.errors import NotFound

page = flask.Blueprint("page", __name__)

_WEB = Path(__file__).resolve().parent.parent / "web"
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob:",
    "media-src": "'self' blob:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
_HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Kept, but asked about each time: a new release is seen at once, and all files fit together.
    "Cache-Control": "no-cache",
}


class _File(NamedTuple):
    content: bytes
    type: str
    etag: str


@page.get("/")
def home() -> flask.Response:
    """The page itself."""
    return _reply("index.html")


@page.get("/web/<name>")
def file(name: str) -> flask.Response:
    """One of the files that the page is made of."""
    return _reply(name)


def _reply(name: str) -> flask.Response:
    found = _files().get(name)
    if found is None:
        raise NotFound("the page has no such file; it is at /")
    response = flask.Response(found.content, mimetype=found.type, headers=_HEADERS)
    response.set_etag(found.etag)
    response.make_conditional(flask.request)
    return response


@cache
def _files() -> dict[str, _File]:
    """Every file of the page, read once: what a stranger asks for never becomes a path."""
    return {path.name: _read(path) for path in _WEB.iterdir() if path.suffix in _TYPES}


def _read(path: Path) -> _File:
    content = path.read_bytes()
    return _File(content, _TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:32])
