"""Writes what was trained as a network folder that `models` loads and the service serves."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models import convnet, folder, labels
from models.build import build
from models.card import Card
from training.checkpoint import Arrays
from training.data import Data
from training.evaluate import Figures, interval


def write_network(name: str, data: Data, size: int, weights: Arrays, out: Path) -> Card:
    """Write weights and labels into `out`, and return the card, which is not written yet.

    The weights are rounded to half precision, which costs no accuracy and half the bytes; they
    are computed with in single precision.
    """
    out.mkdir(parents=True, exist_ok=True)
    lines = [f"{class_id}\t{label}\n" for class_id, label in named(data)]
    (out / folder.LABELS).write_text("".join(lines), encoding="utf-8")
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
        folder=out,
    )
    network = build(card, None)
    halves = [weight.astype(np.float16) for weight in weights]
    network.set_weights([half.astype(np.float32) for half in halves])
    network.save_weights(out / folder.WEIGHTS)
    _store_as_halves(out / folder.WEIGHTS)
    return replace(card, bytes=(out / folder.WEIGHTS).stat().st_size)


def write_card(card: Card, figures: Figures, data: Data, trained: str, out: Path) -> Card:
    """Write the model card and then card.json, which makes `out` a network folder.

    Args:
        trained: how, in a line: command, steps, machine.
    """
    if figures.pictures:
        card = replace(card, top1=round(figures.top1, 4), top5=round(figures.top5, 4))
    (out / "README.md").write_text(_model_card(card, figures, data, trained), encoding="utf-8")
    folder.save(card, out)
    return card


def named(data: Data) -> list[tuple[str, str]]:
    """Id and English label of each class.

    ImageNet's classes are called as in ImageNet; others by what the data calls them; and what
    has no name by its id.
    """
    known = {label.id: label.label for label in labels.read("imagenet1k")}
    return [(name, known.get(name) or data.words.get(name) or name) for name in data.ids]


def _store_as_halves(path: Path) -> None:
    """Rewrite Keras' weights file with its numbers stored as float16; Keras reads them as such."""
    import h5py

    whole = path.with_name(path.name + ".part")
    with h5py.File(path) as before, h5py.File(whole, "w") as after:
        after.attrs.update(before.attrs)

        def copy(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                kept = after.create_dataset(name, data=item[()].astype(np.float16))
            else:
                kept = after.require_group(name)
            kept.attrs.update(item.attrs)

        before.visititems(copy)
    whole.replace(path)


def _measured(figures: Figures) -> str:
    if not figures.pictures:
        return "Its accuracy is not known: there were too few pictures to keep some apart."
    low, high = interval(figures.top1, figures.pictures)
    return (
        f"Top-1 accuracy {figures.top1:.4f} (95 % interval {low:.3f} to {high:.3f}), top-5 "
        f"accuracy {figures.top5:.4f}, on {figures.pictures:,} pictures kept apart."
    )


def _model_card(card: Card, figures: Figures, data: Data, trained: str) -> str:
    return f"""# {card.name}

A small residual network (`models/convnet.py`) with {card.parameters:,} parameters, for
{card.classes} classes and pictures of {card.input_size} pixels.

- Trained from random weights on {len(data.train):,} pictures. {trained}
- {_measured(figures)}
- Its terms of use are those of the pictures it was trained on.
- It knows no other classes than those in `{card.labels}`, and gives a picture of anything else
  one of their names.
"""
