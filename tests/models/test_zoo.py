"""The table of networks: every row complete, every name found, every mistake met with help."""

import json
from dataclasses import replace

import pytest

from models import folder, zoo
from models.folder import BadCard
from models.zoo import UnknownNetwork

PUBLISHED = [name for name in zoo.names() if name != zoo.DEFAULT]

# Input size, scaling, parameters: from Keras' published table and its `preprocess_input`s.
FACTS = {
    "MobileNet": (224, "tf", 4_253_864),
    "MobileNetV2": (224, "tf", 3_538_984),
    "ResNet50": (224, "caffe", 25_636_712),
    "VGG16": (224, "caffe", 138_357_544),
    "InceptionV3": (299, "tf", 23_851_784),
    "EfficientNetB0": (224, "none", 5_330_571),
}


def test_the_table_has_the_networks_it_should():
    """A row that gets lost takes users' settings with it."""
    assert set(PUBLISHED) == set(FACTS)
    assert zoo.names()[0] == "ShiwuNet"


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_row_says_what_is_published(name):
    """Written down twice, from the source, because nothing else would notice a wrong digit."""
    card = zoo.card(name)

    assert (card.input_size, card.scaling, card.parameters) == FACTS[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_row_is_complete(name, tmp_path):
    """Nobody should have to look elsewhere for what a network is and where it comes from."""
    card = zoo.card(name)

    assert card.weights is not None
    assert card.weights.url.startswith("https://")
    assert card.weights.url.endswith(f"/{card.weights.file}")
    assert card.weights.md5 is None or len(card.weights.md5) == 32
    assert 0.5 < card.top1 < card.top5 < 1
    assert abs(card.bytes / (4 * card.parameters) - 1) < 0.04  # float32, and HDF5's own
    assert card.depth
    assert card.licence
    assert card.paper.startswith("https://arxiv.org/abs/")


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_card_written_to_a_folder_reads_back_the_same(name, tmp_path):
    """This is how training hands its networks over; and it checks each row's types."""
    card = replace(zoo.card(name), weights=None, options={"alpha": 0.5})

    folder.save(card, tmp_path)

    assert zoo.card(str(tmp_path)) == replace(card, folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("MobilNetV2", "MobileNetV2"), ("resnet50", "ResNet50"), ("vgg-16", "VGG16")],
)
def test_a_mistyped_name_is_told_the_nearest(typed, meant):
    """Case counts, but the help does not depend on it."""
    with pytest.raises(UnknownNetwork, match=rf"no network '{typed}' \(nearest: {meant}"):
        zoo.card(typed)


@pytest.mark.parametrize("typed", ["", "cat", "识物"])
def test_a_name_unlike_any_other_is_told_all(typed):
    """There is nothing near, but there is a list."""
    with pytest.raises(UnknownNetwork, match=r"\(all: ShiwuNet, MobileNet, MobileNetV2, "):
        zoo.card(typed)


def test_a_known_name_wins_over_a_folder_of_that_name(tmp_path, monkeypatch):
    """Else what is served would depend on the folder one stands in."""
    (tmp_path / "VGG16").mkdir()
    monkeypatch.chdir(tmp_path)

    assert zoo.card("VGG16").folder is None
    with pytest.raises(BadCard, match="VGG16 holds no network"):
        zoo.card("./VGG16")


def test_a_folder_can_be_given_without_a_slash(tmp_path, monkeypatch):
    """`SHIWU_MODEL=pets` beside a folder that training wrote; it may change folders later."""
    (tmp_path / "pets").mkdir()
    folder.save(zoo.card("MobileNet"), tmp_path / "pets")
    monkeypatch.chdir(tmp_path)

    assert zoo.card("pets").folder == tmp_path / "pets"


def test_every_problem_of_a_card_is_named_at_once(tmp_path):
    """Nobody wants to learn of them one start at a time."""
    card = {
        "name": "pets/cats",
        "builder": "__import__",
        "input_size": "224",
        "scaling": "tff",
        "classes": 0,
        "labels": "../../labels.tsv",
        "parameters": 1,
        "temprature": 1.0,
        "crop": 1.5,
        "folder": "/etc",
    }
    (tmp_path / "card.json").write_text(json.dumps(card))

    with pytest.raises(BadCard) as caught:
        zoo.card(str(tmp_path))

    said = str(caught.value)
    for words in (
        "name='pets/cats'",
        "builder='__import__'",
        "input_size='224': Input should be a valid integer",
        "scaling='tff': Input should be 'tf', 'torch', 'caffe', 'unit' or 'none'",
        "classes=0: Input should be greater than or equal to 1",
        "labels='../../labels.tsv'",
        "licence is missing",
        "temprature is unknown (known: ",
        "crop=1.5: Input should be less than or equal to 1",
        "folder has no place in a file",
    ):
        assert words in said, words


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "can't be read"), ("[]", "one JSON object, not list"), ("\udce4", "can't be read")],
)
def test_a_card_that_is_no_card_is_told(tmp_path, text, words):
    """Cut short, another file, another encoding."""
    (tmp_path / "card.json").write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(BadCard, match=words):
        zoo.card(str(tmp_path))
