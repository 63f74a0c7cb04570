"""A published network taught other classes, its top layers with it.

Head first, as `bottleneck` fits it; then the layers from one on that everything passes through, at
a low learning rate, with batch normalisation frozen: its statistics are of a million pictures and
a few thousand would only blur them. What lies below never changes, so what it makes of the photos
(and of a few variations of each) is computed once by the fast engine, and an epoch costs only the
top. A tenth of the photos to learn from is kept out: by it the best epoch is chosen, and the
temperature, and how alike a photo must be to what was taught.
"""

import logging
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from errors import SettingsError
from models import zoo
from models.build import build
from models.card import Card
from models.folder import WEIGHTS
from serving.taught import Taught
from training import checkpoint, export
from training.bottleneck import learn_head
from training.calibration import fit_temperature
from training.checkpoint import Arrays, Checkpoint, History
from training.features import Backbone, Seen
from training.head import ENOUGH, Floats, Head
from training.outcome import Outcome
from training.step import make_step
from training.task import Asked, Task

if TYPE_CHECKING:
    import keras

_log = logging.getLogger(__name__)

KEPT_OUT = 0.1  # share of each class
LABEL_SMOOTHING = 0.05
WARMUP = 0.1  # share of the way
# Without --top: the last quarter of the layers with kernels. What is kept of a photo is the output
# of one layer; of a few layers in a row the one with the smallest is taken.
_TOP = 0.25
_LEEWAY = 3
_MOST_BYTES = 4 * 2**30  # of what is kept of all photos, in memory
_BATCH_TO_ASK = 64


class UnknownTop(SettingsError):
    """There is no such layer to learn from on."""


@dataclass(frozen=True)
class Plan:
    """What decides the outcome of a run; a checkpoint is of one plan.

    Args:
        layer: the last one that stays as it is.
        epochs: how often to see every photo, at most.
        minutes: end after about so long, with the schedule shortened to fit; None: no limit.
        batch_size: photos a step; fewer where there are fewer.
        peak: highest learning rate, of AdamW.
        weight_decay: as AdamW takes it.
        patience: epochs without a lower loss after which it ends.
        passes: variations of each photo.
        photos: how many there are.
        seed: of everything that is drawn.
    """

    layer: str
    epochs: int = 8
    minutes: float | None = None
    batch_size: int = 32
    peak: float = 1e-4
    weight_decay: float = 1e-4
    patience: int = 4
    passes: int = 3
    photos: int = 0
    balanced: bool = False
    seed: int = 0


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
    made = export.begin(asked.out, zoo.card(asked.model).parameters)
    task = Task(asked)
    learned, kept_out = _parted(task.train.classes, asked.seed)
    head = learn_head(task, learned)
    card = export.taught_card(task.name, task.data, task.card, made)
    export.write_labels(task.data, made)
    network = export.with_head(task.card, task.backbone.weights, card, head)
    layer = find_top(network, top)
    passes = _affordable(network, layer, asked.passes, len(task.train.samples))
    plan = Plan(
        layer, epochs, minutes, peak=rate, passes=passes, photos=len(task.train.samples),
        balanced=asked.balanced, seed=asked.seed,
    )  # fmt: skip
    run = _Run(network, _maps(task, plan), task.train.classes, learned, kept_out, plan)
    history = run.to_the_end(asked.out / "work" / "checkpoint.npz")
    card = export.write_weights(run.best_network(card), card)
    export.compile_network(card)
    return _measured(asked, task, card, plan, history, (learned, kept_out), begun)


def find_top(network: "keras.Model", top: str | None) -> str:
    """The name of the layer after which layers learn.

    Args:
        network: from pixels to probabilities.
        top: as of `finetune`.

    Raises:
        UnknownTop: there is no such layer, or the network has another way around it.
    """
    places = _places(network)
    names = ", ".join(list(places)[-6:])
    if top is not None and not top.isdecimal():
        if top not in places:
            known = top in {layer.name for layer in network.layers}
            raise UnknownTop(
                f"--top {top}: {'not everything passes through it' if known else 'no such layer'}; "
                f"among those that can be given are {names}; or give a number of layers"
            )
        return top
    total = max(count for count, _ in places.values())
    wanted = int(top) if top else max(2, round(total * _TOP))
    near = {name: size for name, (n, size) in places.items() if wanted <= n <= wanted + _LEEWAY}
    if not near:
        raise UnknownTop(
            f"--top {wanted}: {network.name} can't be parted there; of its {total} layers with "
            f"kernels fewer or more can learn, or those after a layer by its name ({names})"
        )
    least = min(near.values())
    return [name for name, size in near.items() if size == least][-1]


def _places(network: "keras.Model") -> dict[str, tuple[int, int]]:
    """Layers that everything passes through, first to last.

    With each the number of layers with kernels after it, and of numbers that it gives a picture.
    """
    from keras import layers

    operations = list(network.operations)
    place = {id(one): i for i, one in enumerate(operations)}
    reach = [0] * len(operations)  # of each, the last one that reads it
    for i, one in enumerate(operations):
        for node in one._inbound_nodes:
            for tensor in node.input_tensors:
                source = place.get(id(tensor._keras_history.operation))
                if source is not None:
                    reach[source] = max(reach[source], i)
    kernels = [any(len(w.shape) > 1 for w in getattr(one, "weights", ())) for one in operations]
    found, furthest = {}, 0
    for i, one in enumerate(operations):
        alone, furthest = furthest <= i, max(furthest, reach[i])
        usable = isinstance(one, layers.Layer) and not isinstance(one, layers.InputLayer)
        after = sum(kernels[i + 1 :])
        if alone and usable and after and "float" in str(one.output.dtype):
            found[one.name] = (after, math.prod(one.output.shape[1:]))
    return found


def _affordable(network: "keras.Model", layer: str, passes: int, photos: int) -> int:
    """As many passes as fit into memory, at least one photo each."""
    each: int = 2 * math.prod(network.get_layer(layer).output.shape[1:]) * photos
    if each > _MOST_BYTES:
        raise SettingsError(
            f"{photos:,} photos take {each / 2**30:.0f} GB after layer {layer}, which is more than "
            "can be kept; let fewer layers learn (--top with a smaller number), or use bottleneck"
        )
    affordable = min(passes, int(_MOST_BYTES // each) - 1)
    if affordable < passes:
        _log.warning("only %d variations of each photo: more don't fit into memory", affordable)
    return affordable


def _parted(classes: NDArray[np.int64], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indexes of the photos to fit, and of those kept out: of each class a tenth, at least one."""
    random = np.random.default_rng((seed, 2))
    out = []
    for one in np.unique(classes):
        of_one = random.permutation(np.flatnonzero(classes == one))
        out.append(of_one[: max(1, round(KEPT_OUT * len(of_one)))])
    kept_out = np.sort(np.concatenate(out))
    return np.setdiff1d(np.arange(len(classes)), kept_out), kept_out


def _maps(task: Task, plan: Plan) -> list[NDArray[np.float16]]:
    """What the frozen layers make of each photo, and of each of its variations."""
    variations = [None, *(task.asked.variation.numbered(i + 1) for i in range(plan.passes))]
    titles = ["photos, up to " + plan.layer]
    titles += [f"varied photos, {i + 1} of {plan.passes}" for i in range(plan.passes)]
    return [
        task.backbone.look(task.train.samples, title, plan.layer, variation).features
        for title, variation in zip(titles, variations, strict=True)
    ]


class _Run:
    """The top of a network that is being trained."""

    def __init__(
        self,
        network: "keras.Model",
        maps: list[NDArray[np.float16]],
        classes: NDArray[np.int64],
        learned: NDArray[np.int64],
        kept_out: NDArray[np.int64],
        plan: Plan,
    ) -> None:
        import keras

        keras.utils.set_random_seed(plan.seed)
        self._maps, self._classes, self._plan = maps, classes, plan
        self._learned, self._kept_out = learned, kept_out
        self._whole = network
        self._top = _top(network, plan.layer)
        self._optimizer = keras.optimizers.AdamW(plan.peak, weight_decay=plan.weight_decay)
        self._optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        self._optimizer.build(self._top.trainable_variables)
        self._step = make_step(self._top, self._optimizer, LABEL_SMOOTHING)
        self._state = [*self._top.weights, *self._optimizer.variables]
        self._one_hot = np.eye(int(classes.max()) + 1, dtype=np.float32)
        self._best: Arrays = [np.array(weight) for weight in self._top.get_weights()]
        self._history: History = []
        self._began = time.monotonic()

    def to_the_end(self, kept: Path) -> History:
        """Learn until the plan is done or nothing gets better; how it went.

        Raises:
            NoRoom: a checkpoint can't be written.
            CannotGoOn: the checkpoint is damaged or of another plan.
        """
        plan = asdict(self._plan)
        if (found := checkpoint.load(kept, plan, len(self._state))) is not None:
            self._resume(found)
            _log.info("going on after epoch %d of %s", found.step, kept)
        else:
            self._note(0, math.nan, math.nan)
        while not self._is_done():
            self._epoch(len(self._history))
            self._checkpoint().save(kept, plan)
        return self._history

    def best_network(self, card: Card) -> "keras.Model":
        """The whole network with the weights of the best epoch."""
        self._top.set_weights(self._best)
        served = build(card, None)
        served.set_weights(self._whole.get_weights())
        return served

    def _resume(self, found: Checkpoint) -> None:
        for variable, value in zip(self._state, found.state, strict=True):
            variable.assign(value)
        self._best, self._history = found.average, found.history
        self._began = time.monotonic() - found.spent_s

    def _checkpoint(self) -> Checkpoint:
        from keras import ops

        state = [np.array(ops.convert_to_numpy(variable)) for variable in self._state]
        spent_s = time.monotonic() - self._began
        return Checkpoint(state, self._best, len(self._history) - 1, spent_s, self._history)

    def _is_done(self) -> bool:
        losses = self._losses()
        stalled = bool(losses) and len(losses) - 1 - int(np.argmin(losses)) >= self._plan.patience
        return stalled or self._progress(len(losses)) >= 1

    def _losses(self) -> list[float]:
        """Of the photos kept out, after each epoch.

        Not of the head before them: smoothed labels raise the loss at first while more becomes
        right, and the temperature takes that back.
        """
        return [one["loss, photos kept out"] for one in self._history[1:]]

    def _progress(self, epochs: float) -> float:
        minutes = self._plan.minutes
        by_time = (time.monotonic() - self._began) / 60 / minutes if minutes else 0.0
        return min(1.0, max(epochs / self._plan.epochs, by_time))

    def _epoch(self, number: int) -> None:
        random = np.random.default_rng((self._plan.seed, number))
        order = self._drawn(random)
        size = min(self._plan.batch_size, len(order))
        steps = len(order) // size
        told = []
        with tqdm(total=steps, desc=f"epoch {number}", unit="step", disable=None) as bar:
            for step in range(steps):
                chosen = order[step * size : (step + 1) * size]
                progress = self._progress(number - 1 + step / steps)
                self._optimizer.learning_rate = self._plan.peak * learning_rate(progress)
                told.append(self._step(self._pictures(chosen, random), self._targets(chosen)))
                bar.set_postfix(loss=f"{told[-1][0]:.3f}", refresh=False)
                bar.update()
        loss, right = np.mean(told, axis=0).tolist()
        self._note(number, loss, right)

    def _drawn(self, random: np.random.Generator) -> NDArray[np.int64]:
        """The photos of an epoch in their order; of each class alike, if that was asked for."""
        if not self._plan.balanced:
            return random.permutation(self._learned)
        classes = self._classes[self._learned]
        rare = 1 / np.bincount(classes)[classes]
        return random.choice(self._learned, len(self._learned), p=rare / rare.sum())

    def _pictures(self, chosen: NDArray[np.int64], random: np.random.Generator) -> Floats:
        which = random.integers(0, len(self._maps), len(chosen))
        rows = [self._maps[number][photo] for number, photo in zip(which, chosen, strict=True)]
        return np.stack(rows).astype(np.float32)

    def _targets(self, chosen: NDArray[np.int64]) -> Floats:
        return self._one_hot[self._classes[chosen]]

    def _note(self, number: int, loss: float, right: float) -> None:
        """Measure on the photos kept out, and keep the weights if they are the best so far."""
        logits = self._logits(self._kept_out)
        shown = self._classes[self._kept_out]
        out_loss = _log_loss(logits, shown)
        out_right = float((logits.argmax(axis=1) == shown).mean())
        if out_loss < min(self._losses(), default=math.inf):
            self._best = [np.array(weight) for weight in self._top.get_weights()]
        noted = {"epoch": number, "loss, photos kept out": out_loss}
        noted |= {"right, photos kept out": out_right}
        if number:
            noted |= {"loss": loss, "right": right}
        self._history.append(noted)
        _log.info("epoch %d: photos kept out: loss %.4f, right %.4f", number, out_loss, out_right)

    def _logits(self, photos: NDArray[np.int64]) -> Floats:
        parts = []
        for start in range(0, len(photos), _BATCH_TO_ASK):
            some = self._maps[0][photos[start : start + _BATCH_TO_ASK]].astype(np.float32)
            parts.append(np.asarray(self._top.predict_on_batch(some), np.float32))
        return np.concatenate(parts)


def learning_rate(progress: float) -> float:
    """Share of the peak: straight up to 1 at WARMUP, then half a cosine down to a hundredth."""
    if progress < WARMUP:
        return 0.05 + 0.95 * progress / WARMUP
    return 0.01 + 0.99 * (1 + math.cos(math.pi * (progress - WARMUP) / (1 - WARMUP))) / 2


def _top(network: "keras.Model", layer: str) -> "keras.Model":
    """The layers after one, up to the logits; all but batch normalisation learn."""
    import keras
    from keras import layers

    last = network.layers[-1]
    output = network.output
    if isinstance(last, layers.Activation | layers.Softmax):
        output = last.input
    else:
        last.activation = keras.activations.linear
    top = keras.Model(network.get_layer(layer).output, output)
    for one in top.layers:
        if isinstance(one, layers.BatchNormalization):
            one.trainable = False
    return top


def _log_loss(logits: Floats, classes: NDArray[np.int64]) -> float:
    logits = logits.astype(np.float64)
    largest = logits.max(axis=1, keepdims=True)
    totals = largest[:, 0] + np.log(np.exp(logits - largest).sum(axis=1))
    return float((totals - logits[np.arange(len(classes)), classes]).mean())


def _measured(
    asked: Asked,
    task: Task,
    card: Card,
    plan: Plan,
    history: History,
    parts: tuple[NDArray[np.int64], NDArray[np.int64]],
    begun: float,
) -> Card:
    """Ask the network as it will be served, and finish its folder."""
    served = Backbone(card, None, asked.cache, card.mode)
    learned, kept_out = parts
    train = served.look(task.train.samples, "what was taught")
    classes = train.classes
    out = train.features[kept_out]
    taught = Taught.of(train.features[learned], classes[learned], asked.seed, out)
    taught.save(card.folder or asked.out)
    head = _head(card)
    unseen = head.probabilities(out)
    temperature = fit_temperature(unseen, classes[kept_out]) if len(kept_out) >= ENOUGH else 1.0
    validation = _validation(task, served)
    features = validation.features if validation else np.zeros((0, len(head.kernel)), np.float32)
    outcome = Outcome(
        "finetune",
        task.settings(**_told(plan)),
        [label for _, label in export.named(task.data)],
        validation.samples if validation else (),
        head.probabilities(features),
        temperature,
        "a tenth of the photos to learn from, kept out",
        taught.similarity(features) if validation else None,
        taught.threshold,
        task.oddities,
        history,
        task.counts,
        time.monotonic() - begun,
    )
    return export.finish(card, outcome, asked.command, asked.out)


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


def _validation(task: Task, served: Backbone) -> Seen | None:
    return served.look(task.measured, "photos to measure on") if task.measured else None


def _head(card: Card) -> Head:
    """The dense layer at the end of the network that was written."""
    network = build(card, (card.folder or Path()) / WEIGHTS)
    layer = next(one for one in reversed(network.layers) if one.weights)
    kernel, bias = layer.get_weights()
    return Head(kernel.reshape(-1, card.classes), bias, math.nan)
