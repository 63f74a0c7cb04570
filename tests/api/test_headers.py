"""What every reply tells browsers: its own content, no guessing, no frames, no other pages."""

import re
import socket

import pytest

from tests.service import running
from tests.small import colours, photo

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def protected(headers):
    return (
        headers["X-Content-Type-Options"] == "nosniff"
        and headers["Referrer-Policy"] == "no-referrer"
        and headers["Cross-Origin-Resource-Policy"] == "same-origin"
        and "default-src 'none'" in headers["Content-Security-Policy"]
        and "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/web/page.js", 200),
        ("GET", "/docs", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/healthz", 200),
        ("GET", "/models", 200),
        ("GET", "/metrics", 200),
        ("HEAD", "/labels", 200),
        ("OPTIONS", "/predict", 200),
        ("OPTIONS", "/docs", 200),
        ("HEAD", "/docs", 200),
        ("POST", "/docs", 405),
        ("POST", "/predict", 400),
        ("POST", "/image", 400),
        ("DELETE", "/predict", 405),
        ("GET", "/nothing", 404),
        ("GET", "/image/nothing", 404),
        ("GET", "/v2", 200),
    ],
)
def test_every_reply_is_protected(client, method, path, status):
    reply = client.open(path, method=method)
    assert reply.status_code == status
    if path == "/image/nothing":
        assert reply.headers.pop("Cross-Origin-Resource-Policy") == "cross-origin"
        reply.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    assert protected(reply.headers)


def test_each_header_comes_once(client):
    for path in ("/", "/docs", "/models", "/nothing"):
        names = [name.lower() for name, _ in client.get(path).headers]
        assert len(names) == len(set(names))


def test_replies_that_are_no_page_allow_nothing(client):
    for path in ("/models", "/nothing", "/metrics"):
        assert client.get(path).headers["Content-Security-Policy"] == NOTHING


def test_our_own_fault_is_protected_as_well(make_app):
    app = make_app()
    app.add_url_rule("/fault", view_func=lambda: 1 / 0)
    reply = app.test_client().get("/fault")
    assert reply.status_code == 500
    assert protected(reply.headers)


def test_a_kept_picture_may_be_put_into_other_pages_as_its_address_is_made_for_that(client):
    made = client.post("/image", data=photo("red"), content_type="image/jpeg")
    reply = client.get(made.headers["Content-Location"])
    assert reply.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert reply.headers["Cache-Control"] == "private, no-store"
    assert reply.headers["Content-Security-Policy"] == NOTHING


def test_the_page_s_own_policy_stays(client):
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_the_description_keeps_its_style_and_nothing_else_is_allowed(client):
    reply = client.get("/docs", headers={"Host": 'x"><script>alert(1)</script>'})
    policy = reply.headers["Content-Security-Policy"]
    assert re.search(r"img-src data:; style-src 'sha256-[A-Za-z0-9+/]{43}='$", policy)
    assert "unsafe" not in policy
    assert "<script>" not in reply.text


def test_the_browser_shows_the_description_in_its_style(tmp_path, program):
    """The digest in the policy is that of the style: else Chromium would leave it out."""
    from playwright.sync_api import sync_playwright

    chromium = program("chromium", "chromium-browser", "google-chrome")
    complaints = []
    with running(tmp_path, model=colours(tmp_path / "network")) as service, sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda said: complaints.append(said.text))
        page.goto(service.address + "/docs")
        border = page.evaluate("getComputedStyle(document.querySelector('section')).borderTopStyle")
        browser.close()
    assert border == "solid"
    assert complaints == []


def test_what_gunicorn_itself_refuses_is_protected_as_well(tmp_path):
    with running(tmp_path, model=colours(tmp_path / "network")) as service:
        for nonsense in (b"nonsense\r\n\r\n", b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", int(service.address.split(":")[2]))) as s:
                s.sendall(nonsense)
                s.settimeout(20)
                head = s.recv(65536).decode().split("\r\n\r\n")[0]
            headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
            assert head.split()[1] in ("400", "414")
            assert protected(headers)
