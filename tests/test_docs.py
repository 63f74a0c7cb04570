"""What the documents say is what the code does."""

import re
from pathlib import Path

import pytest

import settings
from version import VERSION

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def test_the_page_of_settings_is_the_table():
    written = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert written == settings.page(), "run: python settings.py > docs/settings.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_that_a_page_names_exists(page):
    known = {variable for variable, *_ in settings.table()}
    named = set(re.findall(r"SHIWU_[A-Z_]*[A-Z]", page.read_text("utf-8")))
    assert named <= known


def test_the_version_is_the_same_everywhere():
    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"## {VERSION}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_each_room_of_the_house_is_drawn_in_the_design():
    drawn = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    rooms = {path.parent for path in ROOT.glob("*/*.py")} - {ROOT / "tests", ROOT / ".venv"}
    for room in rooms:
        for module in room.glob("[a-z]*.py"):
            assert module.name in drawn, f"{room.name}/{module.name}"
