"""A network's top layers taught other classes, run as people run it."""

import json
import os
from importlib.util import find_spec

import numpy as np
import pytest

from models import folder
from models.build import build
from models.card import Card
from tests.training.conftest import BOX, COLOURS, draw, kill_at_checkpoint, run
from training.top import UnknownTop, find_top

# Whichever comes first waits for networks to be taught, on a busy machine for minutes.
pytestmark = pytest.mark.timeout(900)


def _arguments(data, out, cache, *more):
    base = ["--data", data, "--model", BOX, "--out", out, "--cache", cache]
    return ["finetune", *base, "--epochs", 3, "--passes", 1, *more]


@pytest.fixture(scope="module")
def tuned(own_photos, bottlenecked, tmp_path_factory):
    """A run that was killed after its first epoch, and the same command given again."""
    out = tmp_path_factory.mktemp("tuned") / "Tuned"
    arguments = _arguments(own_photos, out, bottlenecked.cache)
    kill_at_checkpoint(arguments, out)
    ran = run(*arguments)
    assert ran.returncode == 0, ran.stderr
    return out, ran


def test_a_killed_run_goes_on_and_leaves_a_network(tuned):
    """Nothing learned is learned twice, or lost."""
    out, ran = tuned
    assert "going on after epoch" in ran.stderr
    card = folder.load(out)
    assert (card.name, card.classes) == ("Tuned", 3)
    figures = json.loads((out / "figures.json").read_text())
    assert [one["epoch"] for one in figures["history"]] == [0, 1, 2, 3]
    assert figures["top1"] > 0.9
    assert figures["kept"] > 0.5
    assert not (out / "work").exists()
    assert "How learning went" in (out / "report.html").read_text()


def test_what_lies_below_stays_and_what_lies_above_has_learned(tuned):
    """Batch normalisation's statistics, too, are the published ones."""
    out, _ = tuned
    before, after = folder.load(BOX), folder.load(out)
    figures = json.loads((out / "figures.json").read_text())
    last_frozen = figures["settings"]["learned after layer"]
    networks = [build(card, card.folder / folder.WEIGHTS) for card in (before, after)]
    names = [layer.name for layer in networks[0].layers]
    changed = {
        one.name
        for one, other in zip(*(network.layers for network in networks), strict=True)
        if one.weights and one is not networks[0].layers[names.index("dense")]
        if any(not np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights()))
    }
    below = set(names[: names.index(last_frozen) + 1])
    assert changed
    assert not changed & below
    assert not any("normalization" in name and _statistics(networks, name) for name in names)


def _statistics(networks, name) -> bool:
    """Whether a batch normalisation's mean or variance is another."""
    one, other = (network.get_layer(name) for network in networks)
    return not (
        np.array_equal(one.moving_mean, other.moving_mean)
        and np.array_equal(one.moving_variance, other.moving_variance)
    )


@pytest.fixture(scope="module")
def small():
    """MobileNetV2 at its smallest, with random weights."""
    card = Card(
        name="Small", builder="keras:MobileNetV2", options={"alpha": 0.35}, input_size=96,
        scaling="tf", classes=3, labels="labels.tsv", licence="none",
    )  # fmt: skip
    return build(card, None)


def test_a_quarter_of_the_layers_learns_from_a_narrow_place_on(small):
    """Between blocks: what is kept of a photo is a sixth of what flows within one."""
    assert find_top(small, None) == "block_12_add"


@pytest.mark.parametrize(("top", "layer"), [("5", "block_15_add"), ("block_6_project_BN", None)])
def test_the_layers_to_learn_are_given_by_number_or_name(small, top, layer):
    assert find_top(small, top) == (layer or top)


@pytest.mark.parametrize(
    ("top", "said"),
    [
        ("block_12_expand", "not everything passes through it"),
        ("block_99", "no such layer; among those that can be given are"),
        ("5000", "can't be parted there; of its 53 layers with kernels"),
    ],
)
def test_a_place_where_a_network_can_not_be_parted_is_refused(small, top, said):
    """A shortcut around it would be cut off."""
    with pytest.raises(UnknownTop, match=said):
        find_top(small, top)


def test_a_wrong_layer_ends_the_command_with_a_sentence(own_photos, bottlenecked, tmp_path):
    arguments = _arguments(own_photos, tmp_path / "out", bottlenecked.cache, "--top", "no_such")
    ran = run(*arguments)
    assert ran.returncode == 1
    assert "--top no_such: no such layer" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "out").exists()


def test_a_class_with_two_photos_to_learn_from_is_named(bottlenecked, tmp_path):
    """One is kept out, and one alone fits no head."""
    draw(tmp_path / "photos" / "cats", COLOURS["red"], 5)
    draw(tmp_path / "photos" / "big dogs", COLOURS["blue"], 3)
    ran = run(*_arguments(tmp_path / "photos", tmp_path / "out", bottlenecked.cache))
    assert ran.returncode == 1
    assert "too few photos to learn from in the class 'big dogs': at least 3" in ran.stderr


@pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch, which is not required")
def test_top_layers_are_taught_on_pytorch_too(own_photos, bottlenecked, tmp_path):
    """What comes out is served like any other network."""
    out = tmp_path / "Tuned"
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    ran = run(*_arguments(own_photos, out, bottlenecked.cache), env=environment)
    assert ran.returncode == 0, ran.stderr
    figures = json.loads((out / "figures.json").read_text())
    assert figures["method"] == "finetune"
    assert figures["top1"] > 0.9
