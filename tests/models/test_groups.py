"""The tree of groups: whole, in everyday words, and as WordNet has it where WordNet has it."""

from collections import Counter
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest

from models import labels, zoo
from models.labels import LANGUAGES, BadLabels, groups

WORDNET = Path("/usr/share/wordnet/data.noun")
IMAGENET = labels.read("imagenet1k")
PATHS = groups.of("imagenet1k")
PARENTS = {group.id: group.parent for group in groups.read()}


def members(group: str) -> set[str]:
    """The classes in a group, by their English names."""
    return {one.label for one, path in zip(IMAGENET, PATHS) if group in path}


def test_every_class_of_imagenet_is_in_a_group():
    """What is in none could never be said when the network is in doubt."""
    assert len(labels.table("imagenet1k.groups")) == 1000
    assert all(PATHS)


def test_every_group_has_classes_of_its_own_or_of_groups_in_it():
    """A group that nothing belongs to was left behind, or its classes were lost."""
    assert set(PARENTS) == {group for path in PATHS for group in path}


def test_a_path_leads_from_the_nearest_group_to_the_top():
    """Clients walk it to say less and less."""
    path = dict(zip((one.label for one in IMAGENET), PATHS))
    assert path["golden_retriever"] == ("retriever", "dog", "animal")
    assert path["espresso"] == ("drink", "food")
    assert path["groom"] == ("person",)


def test_there_are_at_most_three_groups_one_in_the_other():
    """People don't speak of an animal, a chordate, a mammal, a placental, a carnivore."""
    assert {len(path) for path in PATHS} == {1, 2, 3}


def test_no_group_holds_more_than_all_animals():
    """A group of half of everything says nothing; not to be sure is more honest."""
    sizes = Counter(group for path in PATHS for group in path)
    assert max(sizes.values()) == sizes["animal"] == 398


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_groups_have_one_name(language):
    """`house cat` and `feline` may not both be called *cat*."""
    names = Counter(group.label for group in groups.read(language))
    assert [name for name, times in names.items() if times > 1] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_group_has_the_name_of_a_class_only_if_that_is_in_it(language):
    """`amphibian` was a frog or a salamander, and a car that swims."""
    classes = {
        one.label.lower(): path for one, path in zip(labels.read("imagenet1k", language), PATHS)
    }
    same = [group for group in groups.read(language) if group.label.lower() in classes]
    assert [one.id for one in same if one.id not in classes[one.label.lower()]] == []


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("half_track", "vehicle"),  # of an army, not of a farm
        ("paper_towel", "household"),  # of kitchens, too
        ("envelope", "stationery"),
        ("pick", "musical_instrument"),  # as a drumstick
    ],
)
def test_a_class_is_in_the_group_where_people_would_look_for_it(name, group):
    """Where WordNet has no word for it, or another one than people."""
    path = dict(zip((one.label for one in IMAGENET), PATHS))
    assert path[name][0] == group


def test_groups_and_classes_share_no_id():
    """One field of an answer holds either."""
    assert not set(PARENTS) & {one.id for one in IMAGENET}


def test_groups_are_named_in_both_languages():
    """In everyday words."""
    said = {one: {group.id: group.label for group in groups.read(one)} for one in ("en", "zh")}
    assert (said["en"]["dog"], said["zh"]["dog"]) == ("dog", "狗")
    assert (said["en"]["food"], said["zh"]["food"]) == ("food or drink", "食物或饮料")


def test_a_network_with_other_classes_has_no_groups(tmp_path):
    """Somebody's own pets: only a class can be said, or nothing."""
    (tmp_path / "labels.tsv").write_text(
        "cat\tour cat\nn02084071\ta dog, but no class of ImageNet\n"
    )
    card = replace(
        zoo.card("MobileNet"), classes=2, labels="labels.tsv", weights=None, folder=tmp_path
    )

    assert groups.of(card) == ((), ())


def test_classes_of_imagenet_keep_their_groups_in_any_network():
    """The network in the box knows 200 of them."""
    box = zoo.card("ShiwuNet")
    found = dict(zip((one.id for one in labels.read(box)), groups.of(box)))
    everywhere = dict(zip((one.id for one in IMAGENET), PATHS))
    assert found == {wnid: everywhere[wnid] for wnid in found}
    assert len(found) == 200


def test_a_group_before_its_parent_is_refused():
    """So that a file that was sorted by accident is not half read."""
    rows = [{"id": "dog", "parent": "animal"}, {"id": "animal", "parent": ""}]
    with pytest.raises(BadLabels, match="dog stands there twice, or before its parent"):
        groups.parents_in(rows)


# Groups that are WordNet's word for word, or several of its words together: WordNet 3.0 counts
# its synsets by their place in data.noun, and ImageNet's class ids are such numbers.
AS_IN_WORDNET = {
    "animal": "00015388", "dog": "02084071", "lapdog": "02085374", "terrier": "02092468",
    "retriever": "02099029", "pointer": "02099997 02100399", "spaniel": "02101108",
    "hound": "02087551", "sheepdog": "02104523", "mountain_dog": "02107420", "corgi": "02112826",
    "poodle": "02113335", "husky": "02111626 02109811 02109961", "wolf": "02114100 02115335",
    "fox": "02118333", "feline": "02120997", "cat": "02121808", "big_cat": "02127808 02124623",
    "bear": "02131653", "weasel": "02441326", "elephant": "02503517", "primate": "02469914",
    "ape": "02470325", "monkey": "02484322", "hoofed_animal": "02370806", "horse": "02373336",
    "pig": "02395003", "cattle": "02402010 02407959 02410509", "antelope": "02419796",
    "sheep": "02411705 02414578 02416519", "rodent": "02329401", "rabbit": "02323902",
    "marsupial": "01873982", "sea_mammal": "02062017",
    "bird": "01503061", "songbird": "01524359", "bird_of_prey": "01604330", "parrot": "01816887",
    "fowl": "02153203 01514668 01514859", "water_bird": "01844917",
    "reptile": "01661091", "turtle": "01662622", "lizard": "01674464", "crocodile": "01696633",
    "snake": "01726692", "amphibian": "01627424", "frog": "01639765", "salamander": "01629276",
    "fish": "02512053", "shark": "01480516", "insect": "02159955", "beetle": "02164464",
    "butterfly": "02274259", "dragonfly": "02268148", "arachnid": "01769347",
    "spider": "01772222", "crustacean": "01974773", "crab": "01976957",
    "lobster": "01982650 01985128", "mollusc": "01940736",
    "person": "00007846", "landscape": "09287968", "mushroom": "12992868",
    "flower": "11665372",
    "food": "00021265 07555863 07881800", "fruit": "07705931", "vegetable": "07707451",
    "dessert": "07609840", "drink": "07881800",
    "vehicle": "03100490", "car": "02958343", "bus": "02924116", "aircraft": "02686568",
    "boat": "04530566", "shoe": "03380867", "hat": "03502509",
    "furniture": "03405725", "chair": "04161981", "toiletry": "04447443", "bowl": "02880940",
    "bottle": "02876657", "lock": "03682487", "weapon": "04565375", "gun": "03343853",
    "clock": "04437953", "phone": "04401088",
    "musical_instrument": "03800933", "strings": "04338517", "wind": "04586932",
    "keyboard": "03614532", "ball": "02778669", "shop": "03748162",
    "bridge": "02898711", "fence": "03327234",
}  # fmt: skip

# Where we know better, and why: a class that is ours alone (+), or WordNet's alone (-).
EXCEPTIONS = {
    "hound": {"-Weimaraner": "a pointing dog"},
    "pointer": {"+Weimaraner": "a pointing dog"},
    "sheepdog": {"-Rottweiler": "herded once; a guard dog to whoever sees one"},
    "bear": {"+giant_panda": "a bear since its genes were read; WordNet is older"},
    "elephant": {"+tusker": "any animal with tusks to WordNet; the pictures show elephants"},
    "water_bird": {"-bustard": "lives on dry plains"},
    "mushroom": {"+mushroom": "food to WordNet; the pictures show it growing"},
    "flower": {"+rapeseed": "the pictures show fields in flower"},
    "food": {
        "-cup": "a punch to WordNet; the pictures show cups",
        "-menu": "the dishes of a meal to WordNet; the pictures show what is read",
        "-hay": "fodder; the pictures show fields",
        "-mushroom": "the pictures show it growing",
    },
    "vegetable": {
        "-mushroom": "the pictures show it growing",
        "-mashed_potato": "a dish",
    },
    "drink": {"-cup": "a punch to WordNet; the pictures show cups"},
    "vehicle": {
        "+harvester": "driven over fields", "+thresher": "driven over fields",
        "-missile": "a weapon", "-mobile_home": "stands", "-stretcher": "carried by people",
    },
    "car": {"+go-kart": "driven like one", "+golfcart": "driven like one"},
    "aircraft": {"+space_shuttle": "the group's name is *aircraft or spacecraft*"},
    "hat": {"+pickelhaube": "a helmet, only armour to WordNet", "+ski_mask": "worn on the head"},
    "furniture": {"-table_lamp": "a lamp"},
    "chair": {"-toilet_seat": "nobody's idea of a chair"},
    "bottle": {"+pitcher": "looks like a jug, which is a bottle to WordNet"},
    "clock": {"-parking_meter": "stands in the street"},
    "musical_instrument": {"+drumstick": "a part of one", "+pick": "plucks one", "+whistle": "blown like one"},
    "strings": {"-grand_piano": "played by its keys", "-upright": "played by its keys"},
    "wind": {"+whistle": "blown", "-organ": "played by its keys"},
    "keyboard": {"-accordion": "a wind instrument first"},
    "ball": {"-punching_bag": "no ball, whatever WordNet thinks"},
    "shop": {"+restaurant": "the group's name is *shop or restaurant*"},
}  # fmt: skip

# What WordNet puts together is together here, if not alone; but for these (-).
AROUND_WORDNET = {
    "clothing": "03051540", "place": "04341686", "household": "03528263 04516672 03405725",
    "sport_or_toy": "03414162", "vehicle_or_part": "03100490", "device": "04451818 03733925 03278248",
}  # fmt: skip
AROUND_EXCEPTIONS = {
    "clothing": {"Christmas_stocking": "hangs at the fire", "seat_belt": "a part of a car"},
    "place": {
        "coil": "of wire", "grille": "of a car", "home_theater": "machines in a room",
        "honeycomb": "of bees", "mountain_tent": "carried about", "plate_rack": "in a kitchen",
        "scoreboard": "of a game",
    },
    "sport_or_toy": {"crossword_puzzle": "in a newspaper", "pool_table": "a table"},
    "vehicle_or_part": {
        "missile": "a weapon", "mobile_home": "stands", "stretcher": "carried by people",
    },
    "device": {
        "can_opener": "in a kitchen", "cleaver": "in a kitchen", "corkscrew": "in a kitchen",
        "odometer": "in a car", "parking_meter": "in a street",
    },
}  # fmt: skip


@lru_cache(maxsize=1)
def above() -> dict[str, set[str]]:
    """The synsets above each class of ImageNet, itself included, by its English name."""
    parents = dict(
        hypernyms(line) for line in WORDNET.read_text("latin-1").splitlines() if line[0] != " "
    )

    def climb(synset: str) -> set[str]:
        return {synset}.union(*map(climb, parents[synset]))

    return {one.label: climb(one.id.removeprefix("n")) for one in IMAGENET}


def hypernyms(line: str) -> tuple[str, list[str]]:
    """A synset and those right above it, out of a line of data.noun (wndb(5WN))."""
    fields = line.partition(" | ")[0].split()
    pointers = fields[5 + 2 * int(fields[3], 16) :]
    rows = zip(pointers[0::4], pointers[1::4], pointers[2::4])
    return fields[0], [target for kind, target, part in rows if kind in ("@", "@i") and part == "n"]


def in_wordnet(synsets: str) -> set[str]:
    return {name for name, found in above().items() if found & set(synsets.split())}


needs_wordnet = pytest.mark.skipif(
    not WORDNET.is_file(),
    reason="needs WordNet; `make test` installs wordnet-base on Debian, as root",
)


@needs_wordnet
@pytest.mark.parametrize("group", AS_IN_WORDNET)
def test_a_group_has_the_classes_that_wordnet_gives_it(group):
    """Both ways: nothing in it that doesn't belong, and nothing that does left outside."""
    here, there = members(group), in_wordnet(AS_IN_WORDNET[group])
    differences = {f"+{name}" for name in here - there} | {f"-{name}" for name in there - here}
    assert differences == set(EXCEPTIONS.get(group, {}))


@needs_wordnet
@pytest.mark.parametrize("group", AROUND_WORDNET)
def test_what_wordnet_puts_together_is_in_one_group(group):
    """Our widest groups hold more than any word of WordNet's, but all of some of them."""
    outside = in_wordnet(AROUND_WORDNET[group]) - members(group)
    assert outside == set(AROUND_EXCEPTIONS.get(group, {}))


def test_every_exception_is_explained():
    assert all(
        why
        for those in (*EXCEPTIONS.values(), *AROUND_EXCEPTIONS.values())
        for why in those.values()
    )
