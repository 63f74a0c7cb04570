"""Writes what was trained as a network folder that `models` loads and the service serves.

A folder is made aside (workplace.py), and moved to its place when it is whole; card.json comes
last, and makes it a network. Besides what every network folder holds there are

taught.npz     the taught photos' features, for "none of these" (serving/taught.py)
compiled/      the network for the fast engine, so that its first start needs no TensorFlow
figures.json   everything that was measured
report.html    the same for people, in one file
"""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engines import cache
from errors import SettingsError
from models import convnet, folder, labels
from models.build import build
from models.card import Calibration, Card
from serving.predictor import CERTAIN_AT
from training.checkpoint import Arrays
from training.data import Data
from training.evaluate import interval
from training.head import Head
from training.outcome import Outcome
from training.report import report

if TYPE_CHECKING:
    import keras

FIGURES = "figures.json"
REPORT = "report.html"
_MODEL_CARD = "README.md"


class CannotTeach(SettingsError):
    """A network's head can't be replaced."""


def begin(work: Path) -> Path:
    """The folder in which the network is made; empty.

    Args:
        work: where the run works.
    """
    made = work / "network"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    return made


def name_of(out: Path) -> str:
    """What a network in this folder is called: as the folder, with "-" for what no name holds."""
    plain = re.sub(r"[^\w.-]+", "-", out.resolve().name).strip("-.")
    return plain or "network"


def write_convnet(name: str, data: Data, size: int, weights: Arrays, made: Path) -> Card:
    """Write a network of our own and its labels into `made`; the card is not written yet.

    The weights are rounded to half precision, which costs no accuracy and half the bytes; they
    are computed with in single precision.
    """
    write_labels(data, made)
    card = Card(
        name=name,
        builder="convnet",
        options=dict(convnet.DEFAULTS),
        input_size=size,
        scaling="tf",
        classes=len(data.ids),
        labels=folder.LABELS,
        parameters=sum(weight.size for weight in weights),
        licence="the terms of the pictures it was trained on",
        crop=1.0,
        folder=made.absolute(),
    )
    network = build(card, None)
    halves = [weight.astype(np.float16) for weight in weights]
    network.set_weights([half.astype(np.float32) for half in halves])
    network.save_weights(made / folder.WEIGHTS)
    _store_as_halves(made / folder.WEIGHTS)
    return replace(card, bytes=(made / folder.WEIGHTS).stat().st_size)


def taught_card(name: str, data: Data, backbone: Card, made: Path) -> Card:
    """The card of a published network that is taught other classes; figures come later."""
    return replace(
        backbone,
        name=name,
        classes=len(data.ids),
        labels=folder.LABELS,
        licence=f"that of {backbone.name}'s weights ({backbone.licence}), and the photos' terms",
        min_size=None,
        parameters=None,
        bytes=None,
        top1=None,
        top5=None,
        temperature=1.0,
        calibration=None,
        weights=None,
        folder=made.absolute(),
        file=None,
    )


def with_head(backbone: Card, weights: Path, card: Card, head: Head) -> "keras.Model":
    """The backbone's network with another head, as a Keras model from pixels to probabilities.

    Raises:
        CannotTeach: the network doesn't end in one dense layer, or is a .keras file.
    """
    if backbone.builder == "file":
        raise CannotTeach(
            f"{backbone.name} is a .keras file, which can't be given other classes here; "
            "give a published network, or a folder that training wrote"
        )
    whole, fresh = build(backbone, weights), build(card, None)
    pairs = [pair for pair in zip(whole.layers, fresh.layers, strict=True) if pair[0].weights]
    for old, new in pairs[:-1]:
        new.set_weights(old.get_weights())
    last = pairs[-1][1]
    shapes = [tuple(weight.shape) for weight in last.weights]
    try:
        kernel, bias = shapes
        last.set_weights([head.kernel.reshape(kernel), head.bias.reshape(bias)])
    except ValueError as error:
        raise CannotTeach(
            f"{backbone.name} ends in {type(last).__name__} with weights of {shapes}, which "
            f"{head.kernel.shape} features and classes don't fit; give another --model"
        ) from error
    return fresh


def write_labels(data: Data, made: Path) -> None:
    """Write the classes, in their order."""
    for class_id in data.ids:
        if re.search(r"[\t\r\n]", class_id):
            raise SettingsError(
                f"the class name {class_id!r} holds a tab or a new line; rename its folder"
            )
    lines = [f"{class_id}\t{label}\n" for class_id, label in named(data)]
    (made / folder.LABELS).write_text("".join(lines), encoding="utf-8")


def write_weights(network: "keras.Model", card: Card) -> Card:
    """Write the weights into the card's folder; the card says how many there are."""
    made = card.folder or Path()
    network.save_weights(made / folder.WEIGHTS)
    size = (made / folder.WEIGHTS).stat().st_size
    return replace(card, parameters=network.count_params(), bytes=size)


def compile_network(card: Card) -> None:
    """Make the form for the fast engine in the network's own folder."""
    made = card.folder or Path()
    folder.save(card, made)
    cache.make(card, made / folder.WEIGHTS, made / "compiled")


def finish(card: Card, outcome: Outcome, command: str, out: Path) -> Card:
    """Write figures, report, model card and card, and move the network to its place.

    Args:
        command: what was run, for the model card.
        out: the network's folder; the card's is within it.
    """
    made = card.folder or Path()
    card = _measured(card, outcome)
    folder.save(card, made)
    figures = outcome.figures()
    text = json.dumps(figures, ensure_ascii=False, indent=1)
    (made / FIGURES).write_text(text + "\n", encoding="utf-8")
    (made / REPORT).write_text(report(card, outcome), encoding="utf-8")
    text = _model_card(card, figures, command)
    (made / _MODEL_CARD).write_text(text, encoding="utf-8")
    for path in sorted(made.iterdir(), key=lambda path: path.name == folder.CARD):
        there = out / path.name
        if there.is_dir():
            shutil.rmtree(there)
        path.replace(there)
    return replace(card, folder=out.absolute())


def named(data: Data) -> list[tuple[str, str]]:
    """Id and English label of each class.

    ImageNet's classes are called as in ImageNet; others by what the data calls them; and what
    has no name by its id.
    """
    known = {label.id: label.label for label in labels.read("imagenet1k")}
    return [(name, known.get(name) or data.words.get(name) or name) for name in data.ids]


def _measured(card: Card, outcome: Outcome) -> Card:
    """The card with its figures and its temperature."""
    count = len(outcome.samples)
    if not count:
        return card
    figures = outcome.figures()
    said = outcome.calibrated.max(axis=1) >= CERTAIN_AT
    if outcome.similarity is not None:
        said &= outcome.similarity >= outcome.threshold
    calibration = Calibration(
        data=f"photos kept apart; the temperature is from {outcome.temperature_from}",
        pictures=count,
        error_before=round(figures["calibration_error_before"], 4),
        error=round(figures["calibration_error"], 4),
        certain_at=CERTAIN_AT,
        answered=round(float(said.mean()), 4),
        right=round(float(outcome.right[said].mean()) if said.any() else 0.0, 4),
    )
    return replace(
        card,
        top1=round(figures["top1"], 4),
        top5=round(figures["top5"], 4),
        temperature=round(outcome.temperature, 3),
        calibration=calibration,
    )


def _store_as_halves(path: Path) -> None:
    """Rewrite Keras' weights file with its numbers as float16, packed; Keras reads them as such."""
    import h5py

    whole = path.with_name(path.name + ".part")
    with h5py.File(path) as before, h5py.File(whole, "w") as after:
        after.attrs.update(before.attrs)

        def copy(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                halves = item[()].astype(np.float16)
                packed = {"compression": "gzip", "shuffle": True} if halves.size > 1000 else {}
                kept = after.create_dataset(name, data=halves, **packed)
            else:
                kept = after.require_group(name)
            kept.attrs.update(item.attrs)

        before.visititems(copy)
    whole.replace(path)


def _accuracy(figures: dict[str, Any]) -> str:
    count = figures["measured_on"]
    if not count:
        return "Its accuracy is not known: there were too few pictures to keep some apart."
    low, high = interval(figures["top1"], count)
    return (
        f"Top-1 accuracy {figures['top1']:.4f} (95 % interval {low:.3f} to {high:.3f}), top-5 "
        f"accuracy {figures['top5']:.4f}, on {count:,} pictures kept apart."
    )


def _model_card(card: Card, figures: dict[str, Any], command: str) -> str:
    network = "A small residual network (`models/convnet.py`)"
    if card.builder != "convnet":
        network = f"{card.builder.removeprefix('keras:')}, taught by {figures['method']},"
    return f"""# {card.name}

{network} with {card.parameters:,} parameters, for {card.classes} classes and pictures of
{card.input_size} pixels.

- Learned from {figures["learned_from"]:,} pictures. {command}
- {_accuracy(figures)}
- Its terms of use: {card.licence}.
- {_unknown(figures)}

[report.html](report.html) shows what it gets right and wrong; `figures.json` has the numbers.
"""


def _unknown(figures: dict[str, Any]) -> str:
    if figures["kept"] is None:
        return "It knows no other classes, and gives a picture of anything else one of their names."
    return (
        "It says of a picture that is like nothing it was taught that it is not sure (and of "
        f"{1 - figures['kept']:.1%} of the pictures kept apart)."
    )
