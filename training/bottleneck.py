"""A published network taught other classes: its features, and a new head fitted on them in seconds.

The network itself stays as it is. Each photo goes through it once, by the fast engine; what a
dense layer makes of a few thousand numbers is all that is learned.
"""

import logging
import time

import numpy as np
from numpy.typing import NDArray

from models import zoo
from models.card import Card
from serving.taught import Taught
from training import export
from training.head import Head, fit_head
from training.outcome import Outcome
from training.task import Asked, Task
from training.workplace import workplace

_log = logging.getLogger(__name__)


def bottleneck(asked: Asked) -> Card:
    """Learn, measure, and write the network folder; its card.

    Raises:
        SettingsError: the data, the network or the disk can't be used; the sentence says how to
            mend it.
    """
    begun = time.monotonic()
    with workplace(asked.out, zoo.card(asked.model).parameters) as work:
        task = Task(asked)
        head = learn_head(task)
        made = export.begin(work)
        card = export.taught_card(task.name, task.data, task.card, made)
        export.write_labels(task.data, made)
        taught = Taught.of(task.train.features, task.train.classes, asked.seed)
        taught.save(made)
        network = export.with_head(task.card, task.backbone.weights, card, head)
        card = export.write_weights(network, card)
        export.compile_network(card)
        outcome = _outcome(task, head, taught, time.monotonic() - begun)
        return export.finish(card, outcome, asked.command, asked.out)


def learn_head(task: Task, photos: NDArray[np.int64] | None = None) -> Head:
    """The head fitted on the photos to learn from.

    Args:
        photos: indexes of some of them; None: all of them, and as many variations as were asked
            for.
    """
    asked, train = task.asked, task.train
    task.oddities  # noqa: B018 - says what is odd before anything takes long
    passes = 0 if photos is not None else asked.passes
    photos = np.arange(len(train.samples)) if photos is None else photos
    features = [train.features[photos]]
    for number in range(1, passes + 1):
        variation = asked.variation.numbered(number)
        title = f"varied photos, {number} of {passes}"
        features.append(task.backbone.look(train.samples, title, variation=variation).features)
    groups = np.tile(photos, passes + 1)
    head = fit_head(
        np.concatenate(features),
        train.classes[groups],
        asked.balanced,
        asked.seed,
        groups if passes else None,
    )
    _log.info(
        "cross-validation on the photos to learn from: %.4f right, log loss %.4f (strength %g)",
        head.right,
        head.loss,
        head.strength,
    )
    return head


def _outcome(task: Task, head: Head, taught: Taught, seconds: float) -> Outcome:
    validation = task.validation
    features = validation.features if validation else np.zeros((0, len(head.kernel)), np.float32)
    said = {
        "strength of the head (C)": head.strength,
        "varied passes": task.asked.passes,
        "cross-validated on the photos to learn from": f"{head.right:.4f} right",
    }
    return Outcome(
        "bottleneck",
        task.settings(**said),
        [label for _, label in export.named(task.data)],
        task.measured,
        head.probabilities(features),
        head.temperature,
        similarity=taught.similarity(features) if validation else None,
        threshold=taught.threshold,
        oddities=task.oddities,
        counts=task.counts,
        seconds=seconds,
    )
