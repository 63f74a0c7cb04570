"""A multipart form (RFC 7578) that lies in memory whole: its parts, each copied once.

Werkzeug's parser reads a form in pieces, as one of any size must be; for a photo of 2 MB that took
as long as decoding a small one. What is understood is the same, unusual line ends included.
"""

import re
from dataclasses import dataclass

from werkzeug.http import parse_options_header

# Of one part: as Werkzeug bounds them.
MAX_FIELD_BYTES = 500_000
_MAX_HEAD_BYTES = 64 * 1024
# Of all parts: a hundred parts' heads full of empty lines would take seconds.
_MAX_HEADS_BYTES = 256 * 1024
# A boundary that a photo holds by chance, or on purpose.
_MAX_STRAY_MARKS = 4096

_END_OF_MARK = re.compile(rb"(--)|[ \t\v\f]*(?:\r\n|\n|\r)")
_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_CONTINUED = re.compile(rb"(?:\r\n|\n|\r)[ \t]")
_CHARSETS = ("ascii", "us-ascii", "utf-8", "iso-8859-1")


class Malformed(ValueError):
    """The body is no multipart form with that boundary."""


class FormTooLarge(ValueError):
    """More parts, or more bytes in one that is no file, than are allowed."""


@dataclass(frozen=True)
class Part:
    """One part of a form: a file, or a field where there is no filename."""

    name: str
    filename: str | None
    content: bytes
    charset: str

    @property
    def text(self) -> str:
        """A field's value."""
        return self.content.decode(self.charset, "replace")


def parse(body: bytes | bytearray, boundary: str, max_parts: int) -> list[Part]:
    """The parts of a form, in the order they came.

    Args:
        body: the whole form.
        boundary: from the Content-Type header.
        max_parts: that may be in it.

    Raises:
        Malformed: the form isn't one, or has no end.
        FormTooLarge: it has more parts, or a field over 500 kB.
    """
    if not boundary or not boundary.isascii():
        raise Malformed("no boundary")
    mark = b"--" + boundary.encode()
    parts: list[Part] = []
    heads = 0
    _, end, is_last = _next_mark(body, mark, None)
    while not is_last:
        if len(parts) == max_parts:
            raise FormTooLarge(f"more than {max_parts} parts")
        blank = _BLANK_LINE.search(body, end, end + _MAX_HEAD_BYTES)
        if blank is None:
            raise Malformed("a part whose head has no end")
        head, begin = body[end : blank.start()], blank.end()
        heads += len(head)
        if heads > _MAX_HEADS_BYTES:
            raise FormTooLarge(f"more than {_MAX_HEADS_BYTES} bytes of heads")
        # The blank line itself may be the line break before the mark: then the part is empty.
        start, end, is_last = _next_mark(body, mark, (blank.start() + begin) // 2)
        parts.append(_part(bytes(head), body, begin, max(begin, start)))
    return parts


def _next_mark(body: bytes | bytearray, mark: bytes, since: int | None) -> tuple[int, int, bool]:
    """The next line that ends a part: its start (with the line break before it), end, if it's last.

    Args:
        since: where the line break before it may begin; None for the form's first line, which may
            stand anywhere: what comes before it is nobody's.
    """
    at = body.find(mark, since or 0)
    for _ in range(_MAX_STRAY_MARKS):
        if at < 0:
            raise Malformed("no end")
        before = _line_break_before(body, at)
        after = _END_OF_MARK.match(body, at + len(mark))
        if after and (since is None or (before and at - before >= since)):
            return at - before, after.end(), after[1] is not None
        at = body.find(mark, at + 1)
    raise Malformed("its boundary is everywhere")


def _line_break_before(body: bytes | bytearray, at: int) -> int:
    """Bytes of the line break that ends just there; 0 if there is none."""
    if body.endswith(b"\r\n", 0, at):
        return 2
    return 1 if body.endswith((b"\n", b"\r"), 0, at) else 0


def _part(head: bytes, body: bytes | bytearray, begin: int, end: int) -> Part:
    headers = _headers(head)
    if "content-disposition" not in headers:
        raise Malformed("a part without Content-Disposition")
    _, options = parse_options_header(headers["content-disposition"])
    filename = options.get("filename")
    if filename is None and end - begin > MAX_FIELD_BYTES:
        raise FormTooLarge(f"a field over {MAX_FIELD_BYTES} bytes")
    _, said = parse_options_header(headers.get("content-type"))
    charset = said.get("charset", "").lower()
    with memoryview(body) as view:
        content = bytes(view[begin:end])
    charset = charset if charset in _CHARSETS else "utf-8"
    return Part(options.get("name") or "", filename, content, charset)


def _headers(head: bytes) -> dict[str, str]:
    """The headers of a part by their names in small letters; of one given twice, the first."""
    headers: dict[str, str] = {}
    for line in _CONTINUED.sub(b" ", head).splitlines():
        try:
            name, _, value = line.decode().partition(":")
        except UnicodeDecodeError as error:
            raise Malformed("a head that isn't in UTF-8") from error
        headers.setdefault(name.strip(" \t").lower(), value.strip(" \t"))
    return headers
