"""The photos in a request's body: multipart, raw, or base64 in JSON; in memory, never on disk."""

import base64
import binascii
import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import flask
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from api import multipart
from errors import RequestError

FIELD = "image"
# What a body may hold besides photos: boundaries, part headers, options.
ENVELOPE_BYTES = 64 * 1024
MAX_PARTS = 256
MAX_JSON_VALUES = 1024
_DATA_URL = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_ORDINARY = str.maketrans("-_", "+/")


class BadUpload(RequestError):
    """There is no photo in the body, or the body is not what its headers say."""


class LengthRequired(RequestError):
    """The request doesn't say how long its body is."""


class BodyTooLarge(RequestError):
    """The body is longer than allowed; it was refused unread."""


@dataclass(frozen=True)
class Upload:
    """Photos as they came, or why one of several is none, and the options in the same body."""

    photos: list[bytes | RequestError]
    fields: list[tuple[str, str]] = field(default_factory=list)


def read_upload(request: flask.Request, max_bytes: int) -> Upload:
    """The photos of a request, in the order they came; at least one.

    Args:
        request: its body unread.
        max_bytes: of all photos together.

    Raises:
        BadUpload, LengthRequired, BodyTooLarge: in words, before the body is read if possible; a
            body in a Content-Encoding is a BadUpload.
    """
    kind = request.mimetype
    _check_head(request, max_bytes * 4 // 3 if kind == "application/json" else max_bytes)
    if kind == "multipart/form-data":
        upload = _multipart(request)
    elif kind == "application/json":
        upload = _json(_whole(request))
    elif kind.startswith("image/") or kind == "application/octet-stream":
        upload = Upload([bytes(_whole(request))])
    else:
        raise BadUpload(
            f"a body of type {kind[:80] or 'none'!r} is not understood; send multipart/form-data "
            'with the field "image", a raw image/* body, or JSON {"image": "<base64>"}'
        )
    if sum(len(photo) for photo in upload.photos if isinstance(photo, bytes)) > max_bytes:
        raise _too_large(max_bytes)
    return upload


def read_body(request: flask.Request, max_bytes: int) -> bytes:
    """A request's body as it came.

    Raises:
        BadUpload, LengthRequired, BodyTooLarge: it is empty, of unknown length, encoded, or longer
            than `max_bytes` and what surrounds photos.
    """
    _check_head(request, max_bytes)
    return bytes(_whole(request))


def _whole(request: flask.Request) -> bytes | bytearray:
    """The body, read into one piece of memory; by Werkzeug, 2 MB cost as much as decoding them."""
    read_into = getattr(request.stream, "readinto", None)
    if read_into is None:  # a server of other makers
        return request.get_data()
    body = bytearray(request.content_length or 0)
    with memoryview(body) as view:
        at = 0
        while at < len(view):
            try:
                count = read_into(view[at:])
            except OSError as error:
                raise ClientDisconnected from error
            if not count:
                raise ClientDisconnected
            at += count
    return body


def _check_head(request: flask.Request, max_bytes: int) -> None:
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise BadUpload(
            f"a body in Content-Encoding {encoding[:20]!r} is not understood; send it as it is, "
            "photos are compressed already"
        )
    if request.content_length is None and "Transfer-Encoding" in request.headers:
        raise LengthRequired("say how long the body is, in a Content-Length header")
    if not request.content_length:
        raise BadUpload("no photo came, the body is empty; /docs says how photos are sent")
    if request.content_length > max_bytes + ENVELOPE_BYTES:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"the body is over the limit of {max_bytes:,} bytes (SHIWU_MAX_BYTES); "
        "send a smaller photo, or fewer at once"
    )


def _multipart(request: flask.Request) -> Upload:
    boundary = request.mimetype_params.get("boundary", "")
    try:
        parts = multipart.parse(_whole(request), boundary, MAX_PARTS)
    except multipart.FormTooLarge as error:
        raise RequestEntityTooLarge from error
    except multipart.Malformed:
        parts = []
    files = [part for part in parts if part.filename is not None]
    photos: list[bytes | RequestError]
    photos = [file.content for file in files if file.name == FIELD]
    strangers = sorted({file.name for file in files if file.name != FIELD})
    if strangers:
        raise BadUpload(f'a file came in the field "{strangers[0][:40]}"; photos go in "{FIELD}"')
    if not photos:
        named = "" if boundary else " (the header names no boundary)"
        raise BadUpload(
            f'no photo came{named}; send one as a file in the multipart field "{FIELD}"'
        )
    return Upload(photos, [(part.name, part.text) for part in parts if part.filename is None])


def _json(body: bytes | bytearray) -> Upload:
    # Base64 has no comma; what has thousands is no photo, and would take much memory once read.
    if _are_many(b",", body) or _are_many(b"[", body):
        raise BadUpload(
            f"the body is not JSON with photos: it has more than {MAX_JSON_VALUES} values"
        )
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadUpload('the body is not JSON; send {"image": "<base64>"}') from error
    if not isinstance(said, dict) or FIELD not in said:
        raise BadUpload('the JSON has no "image"; send {"image": "<base64>"}')
    images = said.pop(FIELD)
    if not isinstance(images, list):
        return Upload(
            [base64_photo(images)], [(name, _text(value)) for name, value in said.items()]
        )
    if len(images) > MAX_PARTS:
        raise BadUpload(f"{len(images)} photos came; one request brings at most {MAX_PARTS}")
    photos = [_photo_or_error(image) for image in images]
    if not photos:
        raise BadUpload('the JSON\'s "image" is an empty list; send at least one photo')
    return Upload(photos, [(name, _text(value)) for name, value in said.items()])


def _are_many(mark: bytes, body: bytes | bytearray) -> bool:
    """Whether there are over MAX_JSON_VALUES; of what is rare, count() is 15 times as slow."""
    at = -1
    for _ in range(MAX_JSON_VALUES + 1):
        at = body.find(mark, at + 1)
        if at < 0:
            return False
    return True


def _photo_or_error(text: Any) -> bytes | RequestError:
    try:
        return base64_photo(text)
    except BadUpload as error:
        return error.with_traceback(None)


def base64_photo(text: Any, named: str = 'the JSON\'s "image"') -> bytes:
    """The photo in a text from JSON, which errors call `named`.

    Raises:
        BadUpload: it is no text, or not in base64.
    """
    if not isinstance(text, str):
        raise BadUpload(f"{named} must be text in base64, not {type(text).__name__}")
    prefix = _DATA_URL.match(text)
    bare = text[prefix.end() :] if prefix else text
    with suppress(binascii.Error, ValueError):  # what nearly everybody sends is decoded as it is
        return base64.b64decode(bare, validate=True)
    try:
        # Encoders break lines, leave out the padding, or use the alphabet that is safe in
        # addresses (RFC 4648, 5); what is no base64 even so is refused.
        plain = "".join(bare.split()).translate(_ORDINARY).rstrip("=")
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadUpload(f"{named} is not valid base64") from error


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
