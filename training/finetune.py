"""A published network taught other classes, its top layers with it.

Head first, as `bottleneck` fits it; then the layers from one on that everything passes through, at
a low learning rate, with batch normalisation frozen: its statistics are of a million pictures and
a few thousand would only blur them. What lies below never changes, so what it makes of the photos
(and of a few variations of each) is computed once by the fast engine, and an epoch costs only the
top. A tenth of the photos to learn from is kept out: by it the best epoch is chosen, and the
temperature, and how alike a photo must be to what was taught.
"""

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import zoo
from models.build import build
from models.card import Card
from models.folder import WEIGHTS
from serving.taught import Taught
from training import export
from training.bottleneck import learn_head
from training.calibration import fit_temperature
from training.checkpoint import History
from training.features import Backbone
from training.head import ENOUGH, Head, check_classes
from training.outcome import Outcome
from training.task import Asked, Task
from training.top import affordable, find_top
from training.tune import Plan, Run
from training.workplace import CHECKPOINT, workplace

KEPT_OUT = 0.1  # share of each class
_FEWEST = 3  # photos of a class: two to fit a head on, and one that is kept out


@dataclass(frozen=True)
class Parts:
    """Indexes of the photos to fit, and of those kept out, int64."""

    learned: NDArray[np.int64]
    kept_out: NDArray[np.int64]


def finetune(
    asked: Asked,
    top: str | None = None,
    epochs: int = 8,
    minutes: float | None = None,
    rate: float = 1e-4,
) -> Card:
    """Learn, measure, and write the network folder; its card.

    Args:
        top: the layer after which layers learn, or how many layers with kernels do; None: a
            quarter of them.
        epochs: rounds over the photos, at most.
        minutes: end after about so long, if sooner.
        rate: highest learning rate.

    Raises:
        SettingsError: the data, the network or the disk can't be used; the sentence says how to
            mend it.
    """
    begun = time.monotonic()
    with workplace(asked.out, zoo.card(asked.model).parameters) as work:
        task = Task(asked)
        check_classes(task.train.classes, task.data.ids, _FEWEST)
        parts = parted(task.train.classes, asked.seed)
        head = learn_head(task, parts.learned)
        made = export.begin(work)
        card = export.taught_card(task.name, task.data, task.card, made)
        export.write_labels(task.data, made)
        network = export.with_head(task.card, task.backbone.weights, card, head)
        layer, photos = find_top(network, top), len(task.train.samples)
        plan = Plan(
            layer,
            epochs,
            minutes,
            peak=rate,
            passes=affordable(network, layer, asked.passes, photos),
            photos=photos,
            balanced=asked.balanced,
            seed=asked.seed,
        )
        maps, classes = _maps(task, plan), task.train.classes
        run = Run(network, maps, classes, parts.learned, parts.kept_out, plan)
        history = run.to_the_end(work / CHECKPOINT)
        card = export.write_weights(run.best_network(card), card)
        export.compile_network(card)
        outcome = _outcome(task, card, plan, history, parts, begun)
        return export.finish(card, outcome, asked.command, asked.out)


def parted(classes: NDArray[np.int64], seed: int) -> Parts:
    """Of each class a tenth is kept out, at least one photo.

    Args:
        classes: int64 (photos,), of each photo.
        seed: of what is drawn.
    """
    random = np.random.default_rng((seed, 2))
    out = []
    for one in np.unique(classes):
        of_one = random.permutation(np.flatnonzero(classes == one))
        out.append(of_one[: max(1, round(KEPT_OUT * len(of_one)))])
    kept_out = np.sort(np.concatenate(out))
    return Parts(np.setdiff1d(np.arange(len(classes)), kept_out), kept_out)


def _maps(task: Task, plan: Plan) -> list[NDArray[np.float16]]:
    """What the frozen layers make of each photo, and of each of its variations."""
    variations = [None, *(task.asked.variation.numbered(i + 1) for i in range(plan.passes))]
    titles = ["photos, up to " + plan.layer]
    titles += [f"varied photos, {i + 1} of {plan.passes}" for i in range(plan.passes)]
    return [
        task.backbone.look(task.train.samples, title, plan.layer, variation).features
        for title, variation in zip(titles, variations, strict=True)
    ]


def _outcome(
    task: Task, card: Card, plan: Plan, history: History, parts: Parts, begun: float
) -> Outcome:
    """What the network says, asked as it will be served; what was taught goes into its folder."""
    asked, classes = task.asked, task.train.classes
    served = Backbone(card, None, asked.cache, card.mode)
    train = served.look(task.train.samples, "what was taught").features
    out = train[parts.kept_out]
    taught = Taught.of(train[parts.learned], classes[parts.learned], asked.seed, out)
    taught.save(card.folder or asked.out)
    head = _head(card)
    features = np.zeros((0, len(head.kernel)), np.float32)
    if task.measured:
        features = served.look(task.measured, "photos to measure on").features
    enough = len(out) >= ENOUGH
    unseen = head.probabilities(out)
    return Outcome(
        "finetune",
        task.settings(**_told(plan)),
        [label for _, label in export.named(task.data)],
        task.measured,
        head.probabilities(features),
        fit_temperature(unseen, classes[parts.kept_out]) if enough else 1.0,
        "a tenth of the photos to learn from, kept out",
        similarity=taught.similarity(features) if task.measured else None,
        threshold=taught.threshold,
        oddities=task.oddities,
        history=history,
        counts=task.counts,
        seconds=time.monotonic() - begun,
    )


def _told(plan: Plan) -> dict[str, Any]:
    """What the report says of a plan, besides what it says of every run."""
    chosen = asdict(plan)
    chosen["learned after layer"] = chosen.pop("layer")
    known = ("seed", "balanced", "photos")
    return {
        name.replace("_", " "): value
        for name, value in chosen.items()
        if name not in known and value is not None
    }


def _head(card: Card) -> Head:
    """The dense layer at the end of the network that was written."""
    network = build(card, (card.folder or Path()) / WEIGHTS)
    layer = next(one for one in reversed(network.layers) if one.weights)
    kernel, bias = layer.get_weights()
    return Head(kernel.reshape(-1, card.classes), bias, math.nan)
