"""Keys: who is let in, and how they are made, kept and exchanged while the service runs."""

import hashlib
import os
import subprocess
import sys

import pytest

from api import keys
from api.access import NOT_COUNTED, OPEN
from app import create_app
from errors import SettingsError
from settings import Settings
from tests.service import ROOT
from tests.small import photo


@pytest.fixture
def file(tmp_path):
    return tmp_path / "keys"


@pytest.fixture
def phone(file):
    return keys.add(file, "phone")


@pytest.fixture
def client(make_app, file, phone):
    return make_app(keys=str(file)).test_client()


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def ask(client, key=None, **headers):
    given = bearer(key) if key else {}
    body = {"data": photo("red"), "content_type": "image/jpeg"}
    return client.post("/predict", headers=given | headers, **body)


def command(*arguments):
    whole = [sys.executable, "-m", "api.keys", *map(str, arguments)]
    return subprocess.run(whole, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_key_opens_the_door(client, phone):
    reply = ask(client, phone)
    assert reply.status_code == 200
    assert reply.json["predictions"][0]["label"] == "red"


@pytest.mark.parametrize("said", [None, "", "Bearer", "Bearer ", "Basic cGhvbmU6a2V5", "shiwu_x"])
def test_no_key_is_401_and_says_how_to_send_one(client, said):
    reply = ask(client, **({} if said is None else {"Authorization": said}))
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="shiwu"'
    assert reply.json["error"]["code"] == "unauthorized"
    assert "Authorization: Bearer <key>" in reply.json["error"]["message"]


@pytest.mark.parametrize("key", ["shiwu_wrong", "x" * 8000, "ü-ü-ü", "\xff\xfe\xff", "one,two"])
def test_a_wrong_key_is_403_and_is_not_repeated(client, key):
    reply = ask(client, key)
    assert reply.status_code == 403
    assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]
    assert reply.json["error"]["code"] == "forbidden"
    assert key not in reply.text


def test_the_digest_in_the_file_is_not_a_key(client, file):
    digest = file.read_text().split()[1]
    assert ask(client, digest).status_code == 403


def test_the_scheme_may_be_written_in_any_case(client, phone):
    assert ask(client, Authorization=f"bearer {phone}").status_code == 200


def test_refusals_under_v2_have_that_protocol_s_shape(client):
    reply = client.get("/v2/models/colours")
    assert reply.status_code == 401
    assert isinstance(reply.json["error"], str)


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/readyz",
        "/v2/health/live",
        "/v2/health/ready",
        "/docs",
        "/openapi.json",
        "/",
        "/web/page.js",
    ],
)
def test_health_the_page_and_the_description_are_open(client, path):
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/models", "/labels", "/image/x", "/v2", "/nothing"])
def test_everything_else_asks_for_a_key(client, phone, path):
    assert client.get(path).status_code == 401
    assert client.get(path, headers=bearer(phone)).status_code in (200, 404)


def test_each_address_of_the_app_is_either_open_or_asks_for_a_key(client):
    """A new address is behind the door unless somebody opens it on purpose."""
    for rule in client.application.url_map.iter_rules():
        values = dict.fromkeys(rule.arguments, "x")
        method = "POST" if "POST" in rule.methods else "GET"
        with client.application.test_request_context():
            path = client.application.url_for(rule.endpoint, **values)
        asked_for_key = client.open(path, method=method).status_code == 401
        assert asked_for_key == (rule.endpoint not in OPEN), path


def test_a_photo_is_refused_unread(client):
    """Whoever has no key can't make the service take in megabytes."""

    class Unreadable:
        def read(self, *_):
            raise AssertionError("the body was read")

        readline = read

    reply = client.post(
        "/predict",
        environ_overrides={"wsgi.input": Unreadable(), "CONTENT_LENGTH": "9000000"},
        content_type="image/jpeg",
    )
    assert reply.status_code == 401


def test_without_the_setting_nobody_is_asked(make_app):
    client = make_app().test_client()
    assert ask(client).status_code == 200
    assert ask(client, "anything").status_code == 200


def test_a_new_key_works_and_a_removed_one_doesnt_without_a_restart(client, file, phone):
    tablet = keys.add(file, "tablet")
    assert [ask(client, key).status_code for key in (phone, tablet)] == [200, 200]
    keys.remove(file, "phone")
    assert [ask(client, key).status_code for key in (phone, tablet)] == [403, 200]


def test_the_last_key_can_be_removed_and_then_nobody_gets_in(client, file, phone):
    keys.remove(file, "phone")
    assert ask(client, phone).status_code == 403


def test_a_file_mounted_by_kubernetes_is_seen_to_change(make_app, tmp_path):
    """There the name is a link to a link, and a new folder takes the old one's place."""
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
    old, new = (keys.add(tmp_path / version / "keys", "phone") for version in ("1", "2"))
    (tmp_path / "data").symlink_to("1")
    (tmp_path / "mounted").symlink_to("data/keys")
    client = make_app(keys=str(tmp_path / "mounted")).test_client()
    assert ask(client, old).status_code == 200
    (tmp_path / "data.new").symlink_to("2")
    (tmp_path / "data.new").rename(tmp_path / "data")
    assert [ask(client, key).status_code for key in (old, new)] == [403, 200]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("phone not-a-digest\n", "line 1 is not a name"),
        ("\n# ours\nphone\n", "line 3 is not a name"),
        (f"phone {'a' * 64} often\n", "'often' is no rate; write a number and a time"),
        (f"phone {'a' * 64}\nphone {'b' * 64}\n", "has the name phone twice"),
        ("\0", "line 1 is not a name"),
        (None, "can't be read"),
    ],
)
def test_a_broken_file_keeps_the_old_keys_and_says_so_once(
    client, file, phone, caplog, broken, said
):
    file.unlink() if broken is None else file.write_text(broken)
    assert [ask(client, phone).status_code for _ in range(3)] == [200] * 3
    (line,) = [
        record for record in caplog.records if "the keys stay as they were" in record.message
    ]
    assert said in line.message
    tablet = keys.add(file, "tablet") if broken is None else None
    assert tablet is None or ask(client, tablet).status_code == 200


def test_a_broken_file_stops_the_start(make_app, file):
    secret = "shiwu_a-key-that-somebody-put-there"
    file.write_text(f"phone {secret}\n")
    with pytest.raises(SettingsError, match=r"SHIWU_KEYS: .*line 1 .*api.keys add") as raised:
        create_app(Settings(keys=str(file)))
    assert secret not in str(raised.value)


def test_what_is_no_file_stops_the_start_and_is_not_waited_for(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place in (pipe, tmp_path, "/dev/zero"):
        with pytest.raises(SettingsError, match=f"{place} is no file"):
            create_app(Settings(keys=str(place)))


def test_the_file_holds_the_digest_and_nobody_else_can_read_it(file, phone):
    assert file.read_text() == f"phone {hashlib.sha256(phone.encode()).hexdigest()}\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_keys_are_long_never_the_same_and_known_by_their_beginning(file):
    made = {keys.add(file, f"k{n}") for n in range(20)}
    assert len(made) == 20
    assert all(key.startswith("shiwu_") and len(key) == 6 + 43 for key in made)


def test_the_command_makes_lists_and_removes_keys(client, file):
    made = command("add", "tablet", "--file", file, "--rate", "600/minute")
    key = made.stdout.strip()
    assert ask(client, key).status_code == 200
    assert command("list", "--file", file).stdout == "phone\ntablet\t600/minute\n"
    assert command("remove", "tablet", "--file", file).returncode == 0
    assert ask(client, key).status_code == 403
    assert command("list", "--file", file).stdout == "phone\n"


def test_comments_and_the_file_s_mode_outlive_the_command(file, phone):
    file.write_text("# ours\n" + file.read_text().strip() + "  # the old phone\n")
    file.chmod(0o640)
    keys.add(file, "tablet")
    keys.remove(file, "tablet")
    assert file.read_text().startswith("# ours\nphone ")
    assert file.read_text().endswith("# the old phone\n")
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "phone"), "has a key named phone"),
        (("add", "two words"), "is not a name"),
        (("add", "x", "--rate", "60"), "'60' is no rate"),
        (("remove", "nobody"), "has no key named nobody"),
    ],
)
def test_the_command_says_what_is_wrong_and_changes_nothing(file, phone, arguments, said):
    before = file.read_text()
    asked = command(*arguments, "--file", file)
    assert asked.returncode == 1
    assert said in asked.stderr
    assert file.read_text() == before
    assert list(file.parent.iterdir()) == [file]


def test_the_log_has_the_name_of_the_key_and_never_the_key(client, phone, caplog):
    caplog.set_level("DEBUG")
    assert ask(client, phone).status_code == 200
    (line,) = [one for one in caplog.records if one.name == "shiwu.request"]
    assert line.key == "phone"
    assert ask(client, "shiwu_wrong").status_code == 403
    everything = " ".join(str(vars(record)) for record in caplog.records)
    assert phone not in everything
    assert "shiwu_wrong" not in everything


def test_the_description_says_where_a_key_is_asked_for(client):
    paths = client.get("/openapi.json").json["paths"]
    adapter = client.application.url_map.bind("localhost")
    for path, methods in paths.items():
        for method, operation in methods.items():
            asked = path.replace("{version}", "1").replace("{name}", "x").replace("{image_id}", "x")
            endpoint, _ = adapter.match(asked, method=method.upper())
            is_open = endpoint in OPEN
            assert operation["security"] == ([] if is_open else [{}, {"key": []}]), path
            assert ("401" in operation["responses"]) != is_open
            assert ("429" in operation["responses"]) == (endpoint not in NOT_COUNTED), path


@pytest.mark.parametrize(
    ("closed", "gone"),
    [
        ("docs", {"/docs", "/openapi.json"}),
        ("metrics", {"/metrics"}),
        ("docs, metrics", {"/docs", "/openapi.json", "/metrics"}),
    ],
)
def test_closed_addresses_are_not_there_and_all_others_are(make_app, closed, gone):
    settings = Settings.from_environment({"SHIWU_CLOSED": closed})
    client = make_app(closed=settings.closed).test_client()
    for path in ("/docs", "/openapi.json", "/metrics", "/", "/healthz", "/models"):
        reply = client.get(path)
        assert reply.status_code == (404 if path in gone else 200)
        assert path not in gone or reply.json["error"]["code"] == "not_found"


def test_a_key_does_not_open_what_is_closed(make_app, file, phone):
    client = make_app(keys=str(file), closed=("metrics",)).test_client()
    assert client.get("/metrics", headers=bearer(phone)).status_code == 404


@pytest.mark.parametrize("text", ["doc", "docs;metrics", "healthz", "docs,"])
def test_what_can_not_be_closed_stops_the_start(text):
    with pytest.raises(SettingsError, match=r"SHIWU_CLOSED=.* is not docs, metrics or both"):
        Settings.from_environment({"SHIWU_CLOSED": text})
