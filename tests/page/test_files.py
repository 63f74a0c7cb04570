"""How the page is served."""

import re
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parents[2] / "web"
FILES = sorted(path.name for path in WEB.iterdir())
SCRIPTS = [name for name in FILES if name.endswith(".js")]


@pytest.fixture(scope="module")
def client():
    """The app without its networks: the page needs none to be served."""
    from app import create_app
    from settings import Settings

    return create_app(Settings()).test_client()


def address(name):
    return "/" if name == "index.html" else f"/web/{name}"


def test_the_whole_page_is_under_60_kb():
    assert sum((WEB / name).stat().st_size for name in FILES) < 60_000


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_served_as_it_is_and_under_the_strict_policy(client, name):
    reply = client.get(address(name))
    assert reply.status_code == 200
    assert reply.data == (WEB / name).read_bytes()
    policy = dict(
        rule.split(" ", 1) for rule in reply.headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["img-src"] == policy["media-src"] == "'self' blob:"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in str(policy)
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("index.html", "text/html"), ("page.css", "text/css"), ("page.js", "text/javascript"), ("icon.svg", "image/svg+xml")],
)  # fmt: skip
def test_each_kind_of_file_has_its_type(client, name, kind):
    assert client.get(address(name)).mimetype == kind


@pytest.mark.parametrize("name", FILES)
def test_what_a_browser_has_already_is_not_sent_again(client, name):
    first = client.get(address(name))
    again = client.get(address(name), headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert first.headers["Cache-Control"] == again.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", ["nothing.js", "..", "%2e%2e%2fapp.py", "page.py"])
def test_nothing_else_is_served(client, name):
    reply = client.get(f"/web/{name}")
    assert (reply.status_code, reply.json["error"]["code"]) == (404, "not_found")


def test_nothing_is_inline_and_nothing_comes_from_elsewhere():
    page = (WEB / "index.html").read_text("utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", page) == []
    for name in FILES:
        addresses = re.findall(r"https?://[^\s\"')]+", (WEB / name).read_text("utf-8"))
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}, name


def test_without_scripts_the_page_says_so():
    page = (WEB / "index.html").read_text("utf-8")
    assert "needs JavaScript" in page[page.index("<noscript>") : page.index("</noscript>")]


def test_every_file_is_used_and_every_used_file_is_there():
    named = "".join((WEB / name).read_text("utf-8") for name in FILES)
    used = set(re.findall(r'"(?:web|\.)/([\w.]+)"', named))
    assert used == set(FILES) - {"index.html"}


def words():
    """The words of each language: their keys, and the values that each puts in."""
    text = (WEB / "words.js").read_text("utf-8")
    found = {}
    for language, table in re.findall(r"^WORDS\.(\w+) = \{\n(.*?)^\};", text, re.M | re.S):
        rows = re.findall(r'^  "?([\w.]+)"?: "(.*)",$', table, re.M)
        assert len(rows) == len(table.replace("\n\n", "\n").splitlines()), (
            f"a line of {language} is no row"
        )
        found[language] = {key: sorted(re.findall(r"\{\w+\}", said)) for key, said in rows}
    return found


def test_both_languages_say_the_same_things():
    said = words()
    assert set(said) == {"en", "zh"}
    assert said["en"] == said["zh"]


def test_what_the_page_wants_to_say_has_words():
    code = "".join((WEB / name).read_text("utf-8") for name in [*SCRIPTS, "index.html"])
    wanted = set(re.findall(r'\bsay\("([\w.]+)"|data-say(?:-label)?="(\w+)"', code))
    assert {a or b for a, b in wanted} <= set(words()["en"])
