"""What docs/operations.md tells operators is what they will find."""

import hashlib
import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY, generate_latest

from api import app as every_room
from settings import Settings, table
from tests import small
from tests.service import running

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
NGINX = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")


def section(title: str) -> str:
    """What is below a heading, without the headings below that."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n#")[0]


def first_cells(text: str) -> set[str]:
    """Every `name` in the first column of the tables of a text."""
    rows = re.findall(r"^\| (`.*?) \|", text, re.M)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_every_metric_is_explained_and_none_that_is_not_there():
    assert every_room.build  # all that registers metrics has been imported
    lines = generate_latest(REGISTRY).decode().splitlines()
    names = {line.split()[2] for line in lines if line.startswith("# TYPE shiwu_")}
    counted = {name for name in names if not name.endswith("_created")}
    assert first_cells(section("What to watch")) == counted


def test_every_field_of_a_log_line_is_explained_and_none_that_is_not_there(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(f"tester {hashlib.sha256(b'shiwu_secret').hexdigest()}\n")
    network = small.colours(tmp_path / "colours")
    with running(tmp_path, model=network, keys=keys) as service:
        service.post(
            "/predict",
            data=small.photo("red"),
            headers={"Content-Type": "image/jpeg", "Authorization": "Bearer shiwu_secret"},
        )
    lines = [line for line in service.log.read_text().splitlines() if '"/predict"' in line]
    (fields,) = map(json.loads, lines)
    assert fields["status"] == 200
    assert first_cells(section("The log")) == set(fields)


def test_the_settings_that_it_explains_exist():
    named = set(re.findall(r"SHIWU_[A-Z_]*[A-Z]", PAGE))
    assert named <= {variable for variable, *_ in table()}


def test_what_it_says_about_other_proxies_is_what_ours_does():
    for name in ("client_max_body_size", "proxy_read_timeout"):
        (said,) = re.findall(rf"{name} (\w+);", NGINX)
        assert re.sub("s$", " s", said) in section("TLS")


def test_it_gives_the_seconds_that_an_end_takes():
    defaults = Settings()
    assert f": {defaults.drain_s + defaults.deadline_s + 5:.0f} s" in section("Stopping")


@pytest.mark.parametrize("snippet", re.findall(r"```yaml\n(.*?)```", PAGE, re.S))
def test_its_snippets_for_kubernetes_are_yaml(snippet):
    assert yaml.safe_load(snippet)


def test_the_metric_to_scale_by_is_one_that_there_is():
    (snippet,) = re.findall(r"```yaml\n(- type.*?)```", PAGE, re.S)
    (metric,) = yaml.safe_load(snippet)
    assert metric["pods"]["metric"]["name"] in first_cells(section("What to watch"))
