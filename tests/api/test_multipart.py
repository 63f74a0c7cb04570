"""Our parser of multipart forms against Werkzeug's, which reads the same forms in pieces."""

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.formparser import MultiPartParser

from api.multipart import MAX_FIELD_BYTES, FormTooLarge, Malformed, parse

FILE = b'Content-Disposition: form-data; name="image"; filename="a.jpg"\r\nContent-Type: image/jpeg'
FIELD = b'Content-Disposition: form-data; name="top"'
# What contents are made of: mostly what could be taken for the end of a part.
PIECES = st.sampled_from(
    [
        b"",
        b"x",
        b"\r",
        b"\n",
        b"\r\n",
        b"-",
        b"--",
        b"--b",
        b"\r\n--b",
        b"\r\n--bx",
        b"\xff\xd8",
        b" ",
    ]
)


def ours(body, boundary="b"):
    parts = parse(body, boundary, 10)
    files = [(p.name, p.filename, p.content) for p in parts if p.filename is not None]
    return [(p.name, p.text) for p in parts if p.filename is None], files


def werkzeugs(body, boundary=b"b"):
    form, files = MultiPartParser(lambda *_, **__: io.BytesIO()).parse(
        io.BytesIO(body), boundary, None
    )
    read = [(name, file.filename, file.read()) for name, file in files.items(multi=True)]
    return list(form.items(multi=True)), read


def form(*parts, line=b"\r\n"):
    """Heads and contents as a form with the boundary b."""
    written = [b"--b" + line + head + 2 * line + content + line for head, content in parts]
    return b"".join(written) + b"--b--" + line


@pytest.mark.parametrize(
    "body",
    [
        form((FILE, b"photo")),
        form((FILE, b"")),
        form((FIELD, b"5"), (FILE, b"photo"), (FILE, b"other")),
        form((FILE, b"line\r\nline\n\nline\r\r")),
        form((FILE.replace(b"\r\n", b"\n"), b"photo"), line=b"\n"),
        form((FILE.replace(b"\r\n", b"\r"), b"photo"), line=b"\r"),
        b"nobody's\r\n" + form((FILE, b"photo")) + b"nobody's either",
        form((FILE, b"photo"))[:-2],
        form((FILE, b"--b is no end, nor is --b-- here")),
        form((FILE, b"photo")).replace(b"--b\r\n", b"--b \t\r\n"),
        form((b"content-disposition:form-data;name=image;filename=a", b"photo")),
        form((b"Content-Disposition: form-data;\r\n name=image;\r\n\tfilename=a", b"photo")),
        form(
            (b"Content-Disposition: form-data; name=image; filename*=UTF-8''%C3%A4.jpg", b"photo")
        ),
        form(('Content-Disposition: form-data; name="image"; filename="照片.jpg"'.encode(), b"x")),
        form((FIELD + b"\r\nContent-Type: text/plain; charset=iso-8859-1", b"\xe4")),
        form((FIELD + b"\r\nContent-Type: text/plain; charset=utf-7", b"\xe4+AOQ-")),
        form((FIELD, b"\xff is no UTF-8")),
        form((b'Content-Disposition: form-data; name="image"; filename=""', b"")),
        b"--b--\r\n",
    ],
)
def test_a_form_is_read_as_werkzeug_reads_it(body):
    assert ours(body) == werkzeugs(body)


@given(st.lists(st.lists(PIECES, max_size=8).map(b"".join), min_size=1, max_size=3))
@example([b"\r"])
@example([b"\r\n--b\r\n"])
def test_contents_of_all_kinds_are_told_apart_as_by_werkzeug(contents):
    body = form(*((FILE, content) for content in contents))
    try:
        expected = werkzeugs(body)
    except ValueError:
        expected = None
    try:
        found = ours(body)
    except Malformed:
        found = None
    assert found == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        b"--b\r\n" + FILE + b"\r\n\r\nno end",
        b"--b\r\n" + FILE + b"\r\n--b--\r\n",
        form((b"X-Nothing: here", b"photo")),
        form((b"Content-Disposition: form-data; name=\xff; filename=a", b"photo")),
        form((b"X-Long: " + b"x" * 100_000 + b"\r\n" + FILE, b"photo")),
        form((FILE, b"x" + b"--b" * 10_000)),
    ],
)
def test_what_is_no_form_is_none(body):
    with pytest.raises(Malformed):
        parse(body, "b", 10)


@pytest.mark.parametrize("boundary", ["", "ä"])
def test_a_boundary_that_cannot_be_one_is_none(boundary):
    with pytest.raises(Malformed):
        parse(form((FILE, b"photo")), boundary, 10)


def test_as_many_parts_as_are_allowed_are_taken_and_no_more():
    assert len(parse(form(*[(FILE, b"x")] * 10), "b", 10)) == 10
    with pytest.raises(FormTooLarge):
        parse(form(*[(FILE, b"x")] * 11), "b", 10)


def test_heads_may_be_long_but_not_all_of_them():
    """Names of files may be; of a hundred heads full of lines, none is told apart any more."""
    long = FILE + b"\r\nX-Long: " + b"x" * 60_000
    assert len(parse(form(*[(long, b"x")] * 4), "b", 10)) == 4
    with pytest.raises(FormTooLarge):
        parse(form(*[(long, b"x")] * 5), "b", 10)


def test_a_file_may_be_large_and_a_field_may_not():
    assert len(parse(form((FILE, bytes(MAX_FIELD_BYTES + 1))), "b", 10)[0].content) == 500_001
    assert len(parse(form((FIELD, bytes(MAX_FIELD_BYTES))), "b", 10)[0].content) == 500_000
    with pytest.raises(FormTooLarge):
        parse(form((FIELD, bytes(MAX_FIELD_BYTES + 1))), "b", 10)
