"""Probabilities to names."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models import zoo
from models.labels import LANGUAGES, Label, groups, read
from serving.answer import Naming, Verdict, calibrate, hint, judge, rank

IMAGENET = zoo.card("MobileNetV2")
INDEX = {one.label: index for index, one in enumerate(read(IMAGENET))}
LABELS = [Label(f"id{i}", f"name {i}") for i in range(50)]
some_probabilities = arrays(
    np.float32, st.integers(1, 50), elements=st.floats(0, 1, width=32, allow_nan=False)
)


@given(some_probabilities, st.integers(1, 60), st.sampled_from([0.0, 0.2, 0.9]))
def test_ranking_is_a_sort_by_probability_and_then_by_class_index(probabilities, top, threshold):
    """The fast way (a partition) gives what the plain way gives, ties included."""
    likely = [i for i, p in enumerate(probabilities) if p >= np.float32(threshold)]
    plain = sorted(likely, key=lambda i: (-probabilities[i], i))[:top]
    assert [p.id for p in rank(probabilities, LABELS, top, threshold)] == [f"id{i}" for i in plain]


def test_a_temperature_divides_the_logits():
    logits = np.array([3.0, 1.0, 0.5], np.float32)
    softmax = lambda z: np.exp(z) / np.exp(z).sum()  # noqa: E731
    np.testing.assert_allclose(
        calibrate(softmax(logits), temperature=2), softmax(logits / 2), rtol=1e-5
    )


def test_a_prediction_carries_name_probability_and_id():
    (first,) = rank(np.array([0.25, 0.75], np.float32), LABELS, top=1)
    assert (first.label, first.probability, first.id) == ("name 1", 0.75, "id1")


def test_nothing_is_said_when_nothing_reaches_the_threshold():
    assert rank(np.array([0.5, 0.5], np.float32), LABELS, top=5, threshold=0.6) == ()


@pytest.fixture(scope="module")
def naming():
    return Naming.of(IMAGENET)


def shares(**of_classes: float) -> np.ndarray:
    """Probabilities of ImageNet's classes by their names, as float32; what is left is of none."""
    probabilities = np.zeros(1000, np.float32)
    for label, share in of_classes.items():
        probabilities[INDEX[label]] = share
    return probabilities


def test_the_most_specific_name_that_is_probable_enough_is_said(naming):
    """*Perhaps a golden retriever, certainly a dog* is worth more than either alone."""

    def say(**of_classes: float) -> tuple[str, str | None]:
        verdict = judge(shares(**of_classes), naming, 0.9, "en")
        return verdict.level, verdict.id

    assert say(golden_retriever=0.91) == ("class", "n02099601")
    assert say(golden_retriever=0.5, Labrador_retriever=0.45) == ("group", "retriever")
    assert say(golden_retriever=0.5, beagle=0.45) == ("group", "dog")
    assert say(golden_retriever=0.5, tabby=0.45) == ("group", "animal")
    assert say(golden_retriever=0.5, tractor=0.45) == ("unsure", None)


def test_a_group_is_as_probable_as_its_classes_together(naming):
    verdict = judge(shares(tabby=0.5, Persian_cat=0.25, lynx=0.125), naming, 0.7, "en")
    assert verdict == Verdict("group", "cat", "cat", 0.75)


def test_doubt_is_said_in_the_language_with_the_first_answers_probability(naming):
    assert judge(shares(tabby=0.5), naming, 0.9, "en") == Verdict("unsure", None, "not sure", 0.5)
    assert judge(shares(tabby=0.5), naming, 0.9, "zh") == Verdict("unsure", None, "不确定", 0.5)


def test_classes_and_groups_are_said_in_the_language(naming):
    assert judge(shares(goldfish=1), naming, 0.9, "zh").label == "金鱼"
    assert judge(shares(goldfish=0.5, tench=0.5), naming, 0.9, "zh").label == "鱼"


def test_hints_are_said_in_the_language():
    assert hint("too_dark", "en").text.startswith("The photo is very dark")
    assert hint("too_dark", "zh").text.startswith("照片太暗")


def test_of_two_equally_probable_the_first_class_is_said(naming):
    """At one half, two can be probable enough; the order of the class index decides, as in ranking."""
    assert judge(shares(tench=0.5, golden_retriever=0.5), naming, 0.5, "en").label == "tench"


some_logits = arrays(np.float32, 1000, elements=st.floats(-20, 20, width=32), fill=st.just(0.0))


@settings(deadline=None)
@given(some_logits, st.floats(0.5, 0.999))
def test_what_is_said_is_probable_enough_and_nothing_in_it_is(naming, logits, certain_at):
    """The fast sums (down the tree, once) give what adding up each group gives."""
    powers = np.exp(logits - logits.max())
    probabilities = powers / powers.sum()
    paths = {one.id: (one.id, *path) for one, path in zip(naming.labels["en"], groups.of(IMAGENET))}
    sums = Counter()
    for path, probability in zip(paths.values(), probabilities.tolist()):
        sums.update(dict.fromkeys(path, probability))
    enough = {name for name, share in sums.items() if share >= certain_at + 1e-5}

    verdict = judge(probabilities, naming, certain_at, "en")
    if verdict.id is None:
        assert not enough
        return
    assert sums[verdict.id] == pytest.approx(verdict.probability, abs=1e-5)
    assert certain_at <= verdict.probability <= 1
    more_specific = (
        path[: path.index(verdict.id)] for path in paths.values() if verdict.id in path
    )
    assert not enough & {name for path in more_specific for name in path}


def test_a_group_of_everything_that_is_probable_is_never_more_than_certain(naming):
    """Sums of rounded numbers come out over 1; replies with more than 1 would be refused as broken."""
    equal = np.full(1000, np.float32(1 / 398), np.float32)
    equal[398:] = 0
    verdict = judge(equal * np.float32(1.00001), naming, 0.9, "en")
    assert (verdict.id, verdict.probability) == ("animal", 1.0)


def test_a_network_without_classes_of_imagenet_says_a_class_or_nothing(tmp_path):
    (tmp_path / "labels.tsv").write_text("c0\tred\nc1\tgreen\n", encoding="utf-8")
    card = replace(IMAGENET, classes=2, labels="labels.tsv", weights=None, folder=tmp_path)
    naming = Naming.of(card)

    def say(*probabilities: float) -> str:
        return judge(np.array(probabilities, np.float32), naming, 0.9, "en").label

    assert (say(0.95, 0.05), say(0.5, 0.5)) == ("red", "not sure")


def test_a_network_with_few_classes_has_only_the_groups_it_can_say():
    """The one in the box knows no shark: it can't be sure of one."""
    naming = Naming.of(zoo.card("ShiwuNet"))
    named = {one.id for one in naming.groups["en"]}
    assert "dog" in named
    assert "shark" not in named
    assert all(
        len(naming.groups[one]) == len(naming.starts) == len(naming.ends) for one in LANGUAGES
    )
