"""How good a network taught these classes would be, by cross-validation: a mean and its spread.

Every photo, also one that is kept apart otherwise, is asked about once, by a head that was fitted
without it; the features are those that `bottleneck` keeps.
"""

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from training.checkpoint import NoRoom
from training.data import find
from training.evaluate import top_k
from training.head import check_classes, fit_head
from training.task import Asked, Task

FILE = "kfold.json"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Folds:
    """Share of right answers in each fold, 0-1, on so many photos in all."""

    shares: tuple[float, ...]
    photos: int

    @property
    def mean(self) -> float:
        """Of all folds."""
        return float(np.mean(self.shares))

    @property
    def spread(self) -> float:
        """The folds' standard deviation."""
        return float(np.std(self.shares, ddof=1))


def kfold(asked: Asked, folds: int = 5) -> Folds:
    """Cross-validate, and write the figures into the folder as kfold.json.

    Raises:
        BadData: a class has fewer photos than there are folds.
        SettingsError: as of `bottleneck`.
    """
    from sklearn.model_selection import StratifiedKFold

    with TemporaryDirectory() as spare:
        data = find(asked.data, Path(spare) / "unpacked", asked.seed)
        whole = replace(data, train=(*data.train, *data.validation), validation=())
        task = Task(asked, whole)
        seen = task.train
    check_classes(seen.classes, data.ids, folds)
    cuts = StratifiedKFold(folds, shuffle=True, random_state=asked.seed)
    shares = []
    for number, (learned, out) in enumerate(cuts.split(seen.features, seen.classes), start=1):
        head = fit_head(seen.features[learned], seen.classes[learned], asked.balanced, asked.seed)
        share = top_k(head.probabilities(seen.features[out]), seen.classes[out], 1)
        _log.info("fold %d of %d: %.4f of %d right", number, folds, share, len(out))
        shares.append(share)
    found = Folds(tuple(shares), len(seen.samples))
    _write(found, task, asked.out)
    return found


def _write(found: Folds, task: Task, out: Path) -> None:
    said = {"network": task.card.name, "photos": found.photos, "folds": found.shares}
    said |= {"mean": found.mean, "spread": found.spread, "seed": task.asked.seed}
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / FILE).write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise NoRoom(
            f"the figures can't be written to {out} ({error.strerror or error}); make room, or "
            "give another --out"
        ) from error
