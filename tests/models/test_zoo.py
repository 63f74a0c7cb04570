"""The table of networks: every row complete, every name found, every mistake met with help."""

import json
from dataclasses import replace

import pytest

from models import folder, zoo
from models.folder import BadCard
from models.zoo import SizeNotAllowed, UnknownNetwork

PUBLISHED = [name for name in zoo.names() if name != zoo.DEFAULT]

# Input size, scaling, parameters: from Keras' published table and its `preprocess_input`s; those of
# networks that the table doesn't have as Keras builds them.
FACTS = {
    "Xception": (299, "tf", 22_910_480),
    "VGG16": (224, "caffe", 138_357_544),
    "VGG19": (224, "caffe", 143_667_240),
    "ResNet50": (224, "caffe", 25_636_712),
    "ResNet101": (224, "caffe", 44_707_176),
    "ResNet152": (224, "caffe", 60_419_944),
    "ResNet50V2": (224, "tf", 25_613_800),
    "ResNet101V2": (224, "tf", 44_675_560),
    "ResNet152V2": (224, "tf", 60_380_648),
    "ResNeXt50": (224, "torch", 25_097_128),
    "ResNeXt101": (224, "torch", 44_315_560),
    "InceptionV3": (299, "tf", 23_851_784),
    "InceptionResNetV2": (299, "tf", 55_873_736),
    "MobileNet": (224, "tf", 4_253_864),
    "MobileNet_1.0_192": (192, "tf", 4_253_864),
    "MobileNet_1.0_160": (160, "tf", 4_253_864),
    "MobileNet_1.0_128": (128, "tf", 4_253_864),
    "MobileNet_0.75_224": (224, "tf", 2_601_976),
    "MobileNet_0.75_192": (192, "tf", 2_601_976),
    "MobileNet_0.75_160": (160, "tf", 2_601_976),
    "MobileNet_0.75_128": (128, "tf", 2_601_976),
    "MobileNet_0.5_224": (224, "tf", 1_342_536),
    "MobileNet_0.5_192": (192, "tf", 1_342_536),
    "MobileNet_0.5_160": (160, "tf", 1_342_536),
    "MobileNet_0.5_128": (128, "tf", 1_342_536),
    "MobileNet_0.25_224": (224, "tf", 475_544),
    "MobileNet_0.25_192": (192, "tf", 475_544),
    "MobileNet_0.25_160": (160, "tf", 475_544),
    "MobileNet_0.25_128": (128, "tf", 475_544),
    "MobileNetV2": (224, "tf", 3_538_984),
    "MobileNetV2_1.4_224": (224, "tf", 6_156_712),
    "MobileNetV2_1.3_224": (224, "tf", 5_431_048),
    "MobileNetV2_1.0_192": (192, "tf", 3_538_984),
    "MobileNetV2_1.0_160": (160, "tf", 3_538_984),
    "MobileNetV2_1.0_128": (128, "tf", 3_538_984),
    "MobileNetV2_1.0_96": (96, "tf", 3_538_984),
    "MobileNetV2_0.75_224": (224, "tf", 2_663_064),
    "MobileNetV2_0.75_192": (192, "tf", 2_663_064),
    "MobileNetV2_0.75_160": (160, "tf", 2_663_064),
    "MobileNetV2_0.75_128": (128, "tf", 2_663_064),
    "MobileNetV2_0.75_96": (96, "tf", 2_663_064),
    "MobileNetV2_0.5_224": (224, "tf", 1_987_224),
    "MobileNetV2_0.5_192": (192, "tf", 1_987_224),
    "MobileNetV2_0.5_160": (160, "tf", 1_987_224),
    "MobileNetV2_0.5_128": (128, "tf", 1_987_224),
    "MobileNetV2_0.5_96": (96, "tf", 1_987_224),
    "MobileNetV2_0.35_224": (224, "tf", 1_691_208),
    "MobileNetV2_0.35_192": (192, "tf", 1_691_208),
    "MobileNetV2_0.35_160": (160, "tf", 1_691_208),
    "MobileNetV2_0.35_128": (128, "tf", 1_691_208),
    "MobileNetV2_0.35_96": (96, "tf", 1_691_208),
    "MobileNetV3Small": (224, "none", 2_554_968),
    "MobileNetV3Small_0.75": (224, "none", 2_051_552),
    "MobileNetV3Small_minimalistic": (224, "none", 2_056_848),
    "MobileNetV3Large": (224, "none", 5_507_432),
    "MobileNetV3Large_0.75": (224, "none", 4_012_616),
    "MobileNetV3Large_minimalistic": (224, "none", 3_948_688),
    "DenseNet121": (224, "torch", 8_062_504),
    "DenseNet169": (224, "torch", 14_307_880),
    "DenseNet201": (224, "torch", 20_242_984),
    "NASNetMobile": (224, "tf", 5_326_716),
    "NASNetLarge": (331, "tf", 88_949_818),
    "EfficientNetB0": (224, "none", 5_330_571),
    "EfficientNetB1": (240, "none", 7_856_239),
    "EfficientNetB2": (260, "none", 9_177_569),
    "EfficientNetB3": (300, "none", 12_320_535),
    "EfficientNetB4": (380, "none", 19_466_823),
    "EfficientNetB5": (456, "none", 30_562_527),
    "EfficientNetB6": (528, "none", 43_265_143),
    "EfficientNetB7": (600, "none", 66_658_687),
    "EfficientNetV2B0": (224, "none", 7_200_312),
    "EfficientNetV2B1": (240, "none", 8_212_124),
    "EfficientNetV2B2": (260, "none", 10_178_374),
    "EfficientNetV2B3": (300, "none", 14_467_622),
    "EfficientNetV2S": (384, "none", 21_612_360),
    "EfficientNetV2M": (480, "none", 54_431_388),
    "EfficientNetV2L": (480, "none", 119_027_848),
    "ConvNeXtTiny": (224, "none", 28_589_128),
    "ConvNeXtSmall": (224, "none", 50_223_688),
    "ConvNeXtBase": (224, "none", 88_591_464),
    "ConvNeXtLarge": (224, "none", 197_767_336),
    "ConvNeXtXLarge": (224, "none", 350_196_968),
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
    assert card.weights.sha256 is None or len(card.weights.sha256) == 64
    assert 0.4 < card.top1 < (card.top5 or 1)
    assert abs(card.bytes / (4 * card.parameters) - 1) < 0.04  # float32, and HDF5's own
    assert card.licence in ("Apache-2.0", "BSD-3-Clause", "CC-BY-4.0", "MIT")
    assert card.paper.startswith("https://arxiv.org/abs/")


def test_only_these_lack_a_checksum_a_depth_or_a_top_5_accuracy():
    """Nobody published them; a row that loses one by mistake is not among these."""
    cards = [zoo.card(name) for name in PUBLISHED]

    unchecked = [c.name for c in cards if not (c.weights.md5 or c.weights.sha256)]
    assert {name.partition("_")[0] for name in unchecked} == {"MobileNet", "MobileNetV2"}
    without_top5 = [card.name for card in cards if card.top5 is None]
    assert all(name.startswith(("MobileNetV3", "ConvNeXt")) for name in without_top5)
    without_depth = [card.name for card in cards if card.depth is None]
    assert all(
        name.startswith(("MobileNetV3", "ConvNeXt", "EfficientNetV2", "ResNeXt"))
        for name in without_depth
    )


def test_no_two_rows_share_a_file():
    """A wrong file name would load another network's weights, or none."""
    files = [zoo.card(name).weights.file for name in PUBLISHED]

    assert len(set(files)) == len(files)


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
def test_a_name_unlike_any_other_is_told_where_all_are(typed):
    """There is nothing near, but there is a list; it is too long for a sentence."""
    with pytest.raises(UnknownNetwork, match=r"\(all: python -m models list\)"):
        zoo.card(typed)


def test_another_input_size_changes_the_size_and_forgets_the_figures():
    """They were measured at the network's own size."""
    card = zoo.card("MobileNetV2", 192)

    assert (card.input_size, card.top1, card.top5, card.calibration) == (192, None, None, None)
    assert card.weights == zoo.card("MobileNetV2").weights


def test_a_networks_own_size_changes_nothing():
    """SHIWU_INPUT_SIZE=224 beside VGG16 is no mistake."""
    assert zoo.card("VGG16", 224) == zoo.card("VGG16")


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        (
            "InceptionV3",
            74,
            r"InceptionV3 can't take 74 pixels \(SHIWU_INPUT_SIZE\): it needs at least 75",
        ),
        ("Xception", 70, "it needs at least 71"),
        ("ResNet50", 31, "it needs at least 32"),
        ("VGG16", 192, "VGG16 .* it is built for 224 only"),
        ("ShiwuNet", 16, "ShiwuNet .* at least 32"),
    ],
)
def test_a_size_that_a_network_can_not_have_is_told_with_what_it_can(name, size, words):
    """Before anything is downloaded or built."""
    with pytest.raises(SizeNotAllowed, match=words):
        zoo.card(name, size)


def test_a_packed_network_can_not_change_its_size(tmp_path):
    """It has no weights to be built of again; its compiled form takes one size only."""
    folder.save(zoo.card("MobileNet"), tmp_path)

    with pytest.raises(SizeNotAllowed, match="it was packed for 224, without its weights"):
        zoo.card(str(tmp_path), 192)


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
