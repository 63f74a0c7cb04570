"""Which of the machine's fonts can write a text."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import ImageFont

from imaging import fonts
from imaging.fonts import Face


def test_pillows_own_letters_write_english_and_come_first():
    assert set(fonts.finding("African elephant 59% <>…").values()) == {Face()}


def test_it_is_known_what_a_font_lacks():
    assert Face().lacks("a b\n象é") == {"象", "é"}


def test_a_file_that_is_gone_or_no_font_lacks_everything(tmp_path):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    for name in ("gone.ttf", "broken.ttf"):
        assert Face(tmp_path / name).lacks("ab") == {"a", "b"}


def test_a_character_that_no_font_has_is_left_out():
    assert fonts.finding("a \U0010fffe") == {"a": Face()}


def test_known_fonts_are_found_in_folders_below_and_the_better_first(tmp_path):
    for name in ("truetype/wqy/wqy-microhei.ttc", "a/DejaVuSans.ttf", "NotoSansCJK-Regular.ttc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()
    found = list(fonts.known([tmp_path, tmp_path / "missing"]))
    names = [face.path.name for face in found]
    assert names == ["NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "DejaVuSans.ttf"]
    assert found[0].index == 2


def test_every_font_found_on_this_machine_opens_and_has_a_name():
    for face in fonts.faces():
        assert isinstance(face.at(20), ImageFont.FreeTypeFont)
        assert face.path is None or Path(face.path).is_file()


def test_however_many_draw_at_once_fonts_are_looked_for_once(tmp_path, monkeypatch):
    """The first drawings of a busy service come together."""
    asked = tmp_path / "asked"
    program = tmp_path / "fc-match"
    program.write_text(f'#!/bin/sh\necho asked >> "{asked}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    fonts._found.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: fonts.faces(), range(8)))
    fonts._found.cache_clear()  # others are to find this machine's
    assert asked.read_text() == "asked\n"
    assert found == [found[0]] * 8
