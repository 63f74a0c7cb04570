"""The names of classes."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from models import labels, zoo
from models.labels import BadLabels, Label


@pytest.fixture
def boxed(tmp_path):
    """A network of two classes in a folder, and its labels.tsv to be written."""
    card = replace(
        zoo.card("MobileNet"), classes=2, labels="labels.tsv", weights=None, folder=tmp_path
    )
    return card, tmp_path / "labels.tsv"


# Keras names each of these pairs with one word, or with words that only a capital tells apart.
NAMED_APART = {
    "n02113186": "Cardigan_corgi",
    "n02012849": "crane_bird",
    "n03126707": "crane_machine",
    "n03710637": "maillot_leotard",
    "n03710721": "maillot_swimsuit",
}


def test_imagenet_is_named_as_keras_names_it_but_for_names_given_twice(shared):
    """Clients of the published tutorial compare these strings."""
    index = json.loads((shared / "data" / "imagenet_class_index.json").read_text())

    keras = [Label(*index[str(number)]) for number in range(1000)]
    expected = tuple(one._replace(label=NAMED_APART.get(one.id, one.label)) for one in keras)
    assert labels.read(zoo.card("MobileNetV2")) == expected


def test_only_names_that_keras_gives_twice_are_changed(shared):
    """An exception that isn't needed would break a client for nothing."""
    index = json.loads((shared / "data" / "imagenet_class_index.json").read_text())

    counts = Counter(label.lower() for _, label in index.values())
    twice = {wnid for wnid, label in index.values() if counts[label.lower()] > 1}
    assert twice - {"n02963159"} == set(NAMED_APART)  # the cardigan that is worn keeps its name


def test_two_classes_share_neither_id_nor_label():
    """ImageNet has the bird and the machine: merging them is a known mistake elsewhere."""
    imagenet = labels.read("imagenet1k")

    assert imagenet[134] == ("n02012849", "crane_bird")
    assert imagenet[517] == ("n03126707", "crane_machine")
    assert len({label.id for label in imagenet}) == 1000
    assert len({label.label for label in imagenet}) == 1000


def test_labels_are_read_once():
    """Every answer needs them."""
    assert labels.read("imagenet1k") is labels.read(zoo.card("VGG16"))


def test_a_network_in_a_folder_has_its_own_labels(boxed):
    """Written by training, in any script, perhaps mended in an editor that adds a mark."""
    card, file = boxed
    file.write_text("cat\t猫\ndog\tchien de chasse\n", encoding="utf-8-sig")

    assert labels.read(card) == (("cat", "猫"), ("dog", "chien de chasse"))


def test_a_network_in_a_folder_may_use_a_known_set(boxed):
    """Someone's own ImageNet network needs no copy of the thousand names."""
    card, _ = boxed

    assert len(labels.read(replace(card, labels="imagenet1k", classes=1000))) == 1000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cat\tcat\n", "has 2 classes, but .* names 1"),
        ("cat\tcat\n\ndog\tdog\n", "line 2: '' is not an id, a tab and a label"),
        ("cat\tcat\ndog\n", "line 2: 'dog' is not"),
        ("cat\tcat\ndog\t\n", "line 2"),
        ("cat\tcat\ndog\tdog\tlarge\n", "line 2"),
        ("", "line 1"),
        ("cat\tcat\ncat\ttiger\n", "the id cat stands on lines 1 and 2"),
    ],
)
def test_broken_labels_are_refused_with_the_place(boxed, text, words):
    """One line too few shifts every name after it: wrong answers that look right."""
    card, file = boxed
    file.write_text(text)

    with pytest.raises(BadLabels, match=words):
        labels.read(card)


def test_missing_labels_are_told(boxed):
    """With the path that was looked for."""
    card, file = boxed

    with pytest.raises(BadLabels, match=f"no labels at {file}; .* an id, a tab and a name"):
        labels.read(card)
    with pytest.raises(BadLabels, match=r"no labels at .*klingon\.en\.tsv"):
        labels.read("klingon")


def test_labels_in_another_encoding_are_told(boxed):
    """Better than names full of question marks."""
    card, file = boxed
    file.write_bytes("cat\tchat\ndog\tchi\xe9n\n".encode("latin-1"))

    with pytest.raises(BadLabels, match="can't be read"):
        labels.read(card)
