"""What every method that stands on a published network begins with: photos, and their features."""

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from models import zoo
from models.card import Card, FitMode
from training.audit import Oddity, audit
from training.data import BadData, Data, Sample, find
from training.export import name_of
from training.features import Backbone, Seen
from training.head import MOST_CLASSES, check_classes
from training.vary import USUAL, Variation

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """What a run was asked for; the same words for every method.

    Args:
        data: the photos (the layouts: training/data.py).
        out: the folder to be written.
        model: the network to stand on: a name, or a network folder.
        weights: its weights: a file, or a folder of files by Keras' names.
        cache: where compiled networks and features are kept.
        name: what the taught network is called; None: as its folder.
        fit: how photos become squares, "crop" or "stretch"; None: as the network's card says.
        seed: of everything that is drawn.
        balanced: weigh all classes alike.
        passes: how often varied photos are learned from, besides the photos as they are.
        variation: how they are varied.
        command: what was typed, for the model card.
    """

    data: Path
    out: Path
    model: str
    weights: Path | None
    cache: Path
    name: str | None = None
    fit: FitMode | None = None
    seed: int = 0
    balanced: bool = False
    passes: int = 0
    variation: Variation = USUAL
    command: str = ""


class Task:
    """Photos found, and what a network makes of them.

    Attributes:
        asked: what was asked for.
        data: the photos and their classes.
        backbone: the network.
    """

    def __init__(self, asked: Asked, data: Data | None = None) -> None:
        """Find photos and network.

        Args:
            data: the photos, when they are found already.

        Raises:
            SettingsError: bad data, an unknown network, or no weights of it.
            EngineError: the network can't be computed with.
        """
        self.asked = asked
        card = zoo.card(asked.model)
        self.backbone = Backbone(card, asked.weights, asked.cache, asked.fit)
        self.data = data or find(asked.data, asked.out / "work" / "unpacked", asked.seed)
        if len(self.data.ids) > MOST_CLASSES:
            check_classes(np.arange(len(self.data.ids)), self.data.ids)
        self.backbone.engine  # noqa: B018 - what is wrong with weights is said before photos are read
        _log.info(
            "%d photos to learn from and %d to measure on, of %d classes",
            len(self.data.train),
            len(self.data.validation),
            len(self.data.ids),
        )

    @property
    def name(self) -> str:
        """What the taught network is called."""
        return self.asked.name or name_of(self.asked.out)

    @property
    def card(self) -> Card:
        """The published network's."""
        return self.backbone.card

    @cached_property
    def train(self) -> Seen:
        """The photos to learn from.

        Raises:
            BadData: a class has fewer than two that can be read.
        """
        seen = self.backbone.look(self.data.train, "photos to learn from")
        present = np.bincount(seen.classes, minlength=len(self.data.ids))
        if not present.all():
            missing = self.data.ids[int(np.argmin(present))]
            raise BadData(
                f"no file to learn the class {missing!r} from is a photo that can be read"
            )
        check_classes(seen.classes, self.data.ids)
        return seen

    @cached_property
    def validation(self) -> Seen | None:
        """The photos kept apart; None where there are none."""
        if not self.data.validation:
            return None
        return self.backbone.look(self.data.validation, "photos to measure on")

    @property
    def measured(self) -> tuple[Sample, ...]:
        """Those of the photos kept apart that could be read."""
        return self.validation.samples if self.validation else ()

    @cached_property
    def oddities(self) -> tuple[Oddity, ...]:
        """What may be wrong with the photos; each is also logged, once."""
        found = audit(self.data, self.train, self.validation)
        for odd in found:
            _log.warning("%s", odd.text)
        return found

    @property
    def counts(self) -> list[int]:
        """Photos to learn from, by class index."""
        counted: list[int] = np.bincount(self.train.classes, minlength=len(self.data.ids)).tolist()
        return counted

    def settings(self, **more: Any) -> dict[str, Any]:
        """What decides about the outcome, for the report."""
        asked, how = self.asked, self.backbone.how
        return {
            "network": self.card.name,
            "photos become": f"{how.size} x {how.size} pixels by {how.mode}",
            "seed": asked.seed,
            "classes weighed": "alike" if asked.balanced else "by their photos",
            **more,
        }
