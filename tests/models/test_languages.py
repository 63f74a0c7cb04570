"""The languages that classes, groups and everything else are named in."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from imaging.hints import CODES
from models import labels, zoo
from models.labels import LANGUAGES, BadLabels, groups, words

ROOT = Path(__file__).resolve().parents[2]
GOLDFISH = "n01443537"


@pytest.fixture
def boxed(tmp_path):
    """A network in a folder: a class of ImageNet's and one of its own."""
    (tmp_path / "labels.tsv").write_text(f"{GOLDFISH}\tour fish\nours\tour cat\n", encoding="utf-8")
    return replace(
        zoo.card("MobileNet"), classes=2, labels="labels.tsv", weights=None, folder=tmp_path
    )


def test_english_is_the_first_language_and_chinese_is_another():
    assert LANGUAGES == ("en", "zh")


def test_both_languages_name_the_same_classes_in_the_same_order():
    """A name belongs to the class index that it stands at."""
    english, chinese = (labels.read("imagenet1k", language) for language in ("en", "zh"))
    assert [one.id for one in chinese] == [one.id for one in english]
    assert (english[1].label, chinese[1].label) == ("goldfish", "金鱼")


def test_a_network_in_a_folder_is_named_by_its_own_file(boxed):
    """Whatever the language it is written in: its owner chose these words."""
    assert [one.label for one in labels.read(boxed)] == ["our fish", "our cat"]


def test_in_chinese_its_classes_are_named_as_far_as_they_are_known(boxed):
    """A class of ImageNet's by its id; what only its owner knows, in the owner's words."""
    assert [one.label for one in labels.read(boxed, "zh")] == ["金鱼", "our cat"]


def test_its_own_chinese_names_come_before_imagenets(boxed):
    """Lines may be missing, and in any order: the ids count."""
    (boxed.folder / "labels.zh.tsv").write_text(
        f"ours\t我家的猫\n{GOLDFISH}\t我家的鱼\n", encoding="utf-8"
    )
    assert labels.read(boxed, "zh") == ((GOLDFISH, "我家的鱼"), ("ours", "我家的猫"))

    (boxed.folder / "labels.en.tsv").write_text("ours\ttom\n", encoding="utf-8")
    assert [one.label for one in labels.read(boxed, "en")] == ["our fish", "tom"]


def test_the_network_in_the_box_has_chinese_names():
    box = zoo.card("ShiwuNet")
    known = dict(labels.read("imagenet1k", "zh"))
    assert [one.label for one in labels.read(box, "zh")] == [
        known[one.id] for one in labels.read(box)
    ]


def test_a_language_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(BadLabels, match="nothing is named in 'tlh'; there are en, zh"):
        labels.read("imagenet1k", "tlh")


@pytest.mark.parametrize("language", LANGUAGES)
def test_doubt_and_every_hint_have_words(language):
    """Nobody should read a code."""
    for code in ("unsure", *CODES):
        assert words.say(code, language) not in ("", code)
    assert words.say("unsure", language) == {"en": "not sure", "zh": "不确定"}[language]


@pytest.mark.parametrize("table", ["groups", "words"])
def test_no_table_leaves_a_cell_empty(table):
    """An empty one would be said in English to whoever asked in Chinese."""
    for row in words.rows(table):
        assert all(text for name, text in row.items() if name != "parent"), row


def test_adding_a_language_is_adding_one_file(tmp_path):
    """In a copy of the code: the classes in French, a group and a word; the rest is said in English."""
    for room in ("models", "serving", "imaging", "engines"):
        shutil.copytree(
            ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("bundled", "__pycache__")
        )
    shutil.copy(ROOT / "errors.py", tmp_path)
    shutil.copy(ROOT / "version.py", tmp_path)
    lines = [f"{one.id}\t{one.label} (fr)\n" for one in labels.read("imagenet1k")]
    french = tmp_path / "models" / "labels" / "imagenet1k.fr.tsv"
    french.write_text("".join([*lines, "dog\tchien\n", "unsure\tpas sûr\n"]), encoding="utf-8")

    asked = """
import numpy as np
from models import zoo
from models.labels import LANGUAGES
from serving.answer import Naming, hint, judge
naming = Naming.of(zoo.card("MobileNetV2"))
print(LANGUAGES)
for classes in ([1], [207, 208], [207, 1], [207, 281], [207, 500]):
    share = np.zeros(1000, np.float32)
    share[classes] = 1 / len(classes)
    print(judge(share, naming, 0.9, "fr").label)
print(hint("blurred", "fr").text)
"""
    said = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert said.stdout.splitlines() == [
        "('en', 'fr', 'zh')",
        "goldfish (fr)",
        "retriever",
        "animal",
        "animal",
        "pas sûr",
        words.say("blurred", "en"),
    ], said.stderr
    assert groups.read("zh")[1].label == "狗"  # and nothing changed here
