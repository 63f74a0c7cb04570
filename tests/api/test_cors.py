"""Which other pages may ask: none, or exactly those whose origins are named."""

import pytest

from api import keys
from settings import BadSettings, Settings
from tests.small import photo

OURS, OTHER = "https://shop.example", "http://localhost:8080"
STRANGERS = [
    "https://evil.example",
    "https://shop.example.evil.example",
    "https://evil-shop.example",
    "http://shop.example",
    "https://shop.example:8443",
    "https://SHOP.example",
    "https://shop.example/",
    "https://shop.example, https://evil.example",
    "null",
    "*",
    "",
]


@pytest.fixture
def shared_client(make_app):
    return make_app(origins=(OURS, OTHER)).test_client()


def allowed(reply):
    return {name: value for name, value in reply.headers if name.startswith("Access-Control-")}


def preflight(client, path="/predict", origin=OURS):
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    return client.options(path, headers={"Origin": origin, **asked})


def test_by_default_no_page_may_ask(client):
    for reply in (client.get("/models", headers={"Origin": OURS}), preflight(client)):
        assert allowed(reply) == {}
        assert "Origin" not in reply.vary


@pytest.mark.parametrize("origin", [OURS, OTHER])
def test_pages_of_a_named_origin_may_read_and_nobody_sends_credentials(shared_client, origin):
    reply = shared_client.get("/models", headers={"Origin": origin})
    assert reply.headers["Access-Control-Allow-Origin"] == origin
    assert "Retry-After" in reply.headers["Access-Control-Expose-Headers"]
    assert "Content-Location" in reply.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in reply.headers


@pytest.mark.parametrize("origin", STRANGERS)
def test_nobody_else_may(shared_client, origin):
    headers = {"Origin": origin}
    assert allowed(shared_client.get("/models", headers=headers)) == {}
    assert allowed(preflight(shared_client, origin=origin)) == {}


@pytest.mark.parametrize("headers", [{}, {"Origin": OURS}, {"Origin": STRANGERS[0]}])
def test_caches_are_told_that_the_reply_depends_on_who_asks(shared_client, headers):
    for path in ("/models", "/nothing", "/labels"):
        assert "Origin" in shared_client.get(path, headers=headers).vary


def test_a_preflight_is_told_the_methods_and_headers(shared_client):
    reply = preflight(shared_client)
    assert reply.status_code == 200
    assert reply.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST"
    assert "Authorization" in reply.headers["Access-Control-Allow-Headers"]
    assert "Content-Type" in reply.headers["Access-Control-Allow-Headers"]
    assert int(reply.headers["Access-Control-Max-Age"]) <= 600


def test_a_preflight_needs_no_key_but_the_request_does(make_app, tmp_path):
    """Browsers never send a key with a preflight."""
    key = keys.add(tmp_path / "keys", "page")
    client = make_app(origins=(OURS,), keys=str(tmp_path / "keys")).test_client()
    assert preflight(client).headers["Access-Control-Allow-Origin"] == OURS
    body = {"data": photo("red"), "content_type": "image/jpeg"}
    refused = client.post("/predict", headers={"Origin": OURS}, **body)
    assert refused.status_code == 401
    answered = client.post(
        "/predict", headers={"Origin": OURS, "Authorization": f"Bearer {key}"}, **body
    )
    assert answered.status_code == 200
    assert answered.headers["Access-Control-Allow-Origin"] == OURS


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/predict", 400),
        ("GET", "/nothing", 404),
        ("GET", "/predict", 405),
        ("GET", "/fault", 500),
    ],
)
def test_a_page_can_read_errors_too(make_app, method, path, status):
    app = make_app(origins=(OURS,))
    app.add_url_rule("/fault", view_func=lambda: 1 / 0)
    reply = app.test_client().open(path, method=method, headers={"Origin": OURS})
    assert reply.status_code == status
    assert reply.headers["Access-Control-Allow-Origin"] == OURS


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "shop.example",
        "https://shop.example/",
        "https://Shop.example",
        "ftp://shop.example",
        "https://shop.example:443",
        "http://shop.example:80",
        "https://*.example",
        "https://user@shop.example",
    ],
)
def test_an_origin_that_no_browser_would_send_stops_the_start(origin):
    with pytest.raises(
        BadSettings, match=r"SHIWU_ORIGINS=.* is not one or more origins as browsers"
    ):
        Settings.from_environment({"SHIWU_ORIGINS": f"{OURS},{origin}"})


def test_origins_are_named_divided_by_commas():
    settings = Settings.from_environment({"SHIWU_ORIGINS": f"{OURS}, {OTHER},http://[::1]:3000"})
    assert settings.origins == (OURS, OTHER, "http://[::1]:3000")
    assert Settings.from_environment(settings.as_environment()) == settings
