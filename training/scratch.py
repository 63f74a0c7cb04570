"""Trains `models.convnet` from nothing.

The recipe: stochastic gradient descent with Nesterov momentum over one cycle of learning rates,
smoothed labels, weight decay on kernels alone, small pictures first, and weights averaged over
the last steps. A run can be ended at any moment: the same call goes on from the last checkpoint.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engines.load import load
from models import folder
from models.card import Card
from serving.cores import available
from training import checkpoint, export
from training.augment import Floats, augment, mix
from training.calibration import fit_temperature
from training.checkpoint import Arrays, Checkpoint, History
from training.data import Data, Sample, find
from training.evaluate import ask
from training.head import ENOUGH
from training.outcome import Outcome
from training.pack import Pack, pack
from training.schedule import learning_rate, size_at
from training.step import make_step, mixed_precision
from training.task import Asked
from training.workplace import CHECKPOINT, workplace

if TYPE_CHECKING:
    import keras

_log = logging.getLogger(__name__)

MOMENTUM = 0.9
LABEL_SMOOTHING = 0.1
AVERAGE_EVERY = 10  # steps
AVERAGE_RATE = 0.04  # so the average looks back over some 250 steps
SETTLING_BATCHES = 40
TELL_EVERY_S = 15.0
# What is chosen by the number of photos: at least so many steps an epoch, of batches within these
# bounds, and epochs until so many pictures were seen.
_STEPS_AN_EPOCH = 30
_SMALLEST_BATCH, _LARGEST_BATCH = 16, 256
_PICTURES_SEEN = 320_000
_FEWEST_EPOCHS, _MOST_EPOCHS = 10, 160
# What keeps a network from learning fewer pictures than these by heart.
_FEW = 20_000
_OF_FEW: dict[str, Any] = {"smallest_crop": 0.5, "light": 0.25, "mixup": 0.2, "shown_at": 0.75}


@dataclass(frozen=True)
class Plan:
    """What decides the outcome of a run; a checkpoint is of one plan.

    Args:
        epochs: how often to see every picture, at most.
        minutes: end after about so long, with the schedule shortened to fit; None: no limit.
        batch_size: pictures a step; fewer where there are fewer.
        peak: highest learning rate, for batches of 256; in proportion for others.
        weight_decay: as added to the gradient of a kernel.
        seed: of everything that is drawn.
        smallest_crop: side of the smallest part of a picture that is shown, as a share of its own.
        light: by how much brightness and contrast change at most, as shares.
        mixup: how much pictures are laid over one another (`augment.mix`); 0: not at all.
        shown_at: side that pictures are learned from at, as a share of the side that the network
            is served at: things on a part of a picture are larger than on the whole of it
            (Touvron et al. 2019, arXiv 1906.06423).
    """

    epochs: int = 10
    minutes: float | None = None
    batch_size: int = 256
    peak: float = 0.25
    weight_decay: float = 5e-4
    seed: int = 0
    smallest_crop: float = 0.75
    light: float = 0.0
    mixup: float = 0.0
    shown_at: float = 1.0

    @property
    def rate(self) -> float:
        """The highest learning rate for batches of this size."""
        return self.peak * self.batch_size / _LARGEST_BATCH


def plan_for(pictures: int, epochs: int | None, minutes: float | None, seed: int) -> Plan:
    """A plan for so many pictures, with what was not asked for chosen.

    A few thousand need many small steps, and more variety than they have; a hundred thousand need
    few large steps.
    """
    wanted = max(pictures // _STEPS_AN_EPOCH, 1)
    batch = 1 << (wanted.bit_length() - 1)  # the power of two at or under it
    batch = min(max(batch, _SMALLEST_BATCH), _LARGEST_BATCH)
    chosen = min(max(_PICTURES_SEEN // max(pictures, 1), _FEWEST_EPOCHS), _MOST_EPOCHS)
    plan = Plan(epochs=epochs or chosen, minutes=minutes, batch_size=batch, seed=seed)
    return replace(plan, **_OF_FEW) if pictures < _FEW else plan


def scratch(
    asked: Asked, size: int, epochs: int | None, minutes: float | None, every_s: float
) -> Card:
    """Train a network from nothing, measure it, and write the network folder; its card.

    Args:
        size: side of its pictures, pixels.
        epochs: rounds over all pictures; None: by their number.
        minutes: end after about so long, if sooner.
        every_s: seconds between checkpoints.
    """
    begun = time.monotonic()
    with workplace(asked.out, 5_000_000) as work:
        data = find(asked.data, work / "unpacked", asked.seed)
        packed = pack(data, size, work)
        _log.info("%d pictures in %d classes", len(packed.classes), len(data.ids))
        plan = plan_for(len(packed.classes), epochs, minutes, asked.seed)
        averaged, history = train(packed, len(data.ids), plan, work / CHECKPOINT, every_s)
        name = asked.name or export.name_of(asked.out)
        card = export.write_convnet(name, data, size, averaged, export.begin(work))
        shown, given = _asked_about(card, data, asked)
        outcome = Outcome(
            "scratch",
            {"pictures become": f"{size} x {size} pixels", **asdict(plan)},
            [label for _, label in export.named(data)],
            shown,
            given,
            _temperature(shown, given),
            "these photos themselves",
            history=history,
            counts=np.bincount(packed.classes, minlength=len(data.ids)).tolist(),
            seconds=time.monotonic() - begun,
        )
        return export.finish(card, outcome, asked.command, asked.out)


def train(
    data: Pack, classes: int, plan: Plan, kept: Path, every_s: float
) -> tuple[Arrays, History]:
    """Train to the end of the plan: the averaged weights, in Keras' order, and how it went.

    Args:
        data: the pictures.
        classes: how many class indices there are.
        plan: what to do.
        kept: the checkpoint's file; training goes on from it if it exists.
        every_s: seconds between checkpoints.
    Raises:
        NoRoom: a checkpoint can't be written.
        CannotGoOn: the checkpoint is damaged or of another plan.
    """
    run = _Run(data, classes, plan)
    if (found := checkpoint.load(kept, asdict(plan), len(run.state))) is not None:
        run.resume(found)
        _log.info("going on from step %d of %s", found.step, kept)
    saved_at = time.monotonic()
    for step in run.steps():
        if time.monotonic() - saved_at >= every_s:
            run.checkpoint().save(kept, asdict(plan))
            _log.info("step %d is kept", step)
            saved_at = time.monotonic()
    run.checkpoint().save(kept, asdict(plan))
    return run.settled(), run.history


class _Run:
    """A network that is being trained: all that changes from step to step."""

    def __init__(self, data: Pack, classes: int, plan: Plan) -> None:
        import keras

        from models import convnet

        keras.utils.set_random_seed(plan.seed)
        self._plan = plan
        self._batches = _Batches(data, classes, plan)
        with mixed_precision():
            self._network = _without_softmax(convnet.build({}, None, classes))
        self._optimizer = _optimizer(plan, self._network)
        self._step = make_step(self._network, self._optimizer, LABEL_SMOOTHING)
        self.state = [*self._network.weights, *self._optimizer.variables]
        self.average: Arrays = [np.array(weight) for weight in self._network.get_weights()]
        self.history: History = []
        self._done, self._began = 0, time.monotonic()

    def resume(self, found: Checkpoint) -> None:
        for variable, value in zip(self.state, found.state, strict=True):
            variable.assign(value)
        self.average, self.history = found.average, found.history
        self._done, self._began = found.step, time.monotonic() - found.spent_s

    def checkpoint(self) -> Checkpoint:
        from keras import ops

        state = [np.array(ops.convert_to_numpy(variable)) for variable in self.state]
        spent_s = time.monotonic() - self._began
        return Checkpoint(state, self.average, self._done, spent_s, self.history)

    def steps(self) -> Iterator[int]:
        """Take the steps that are left, giving the number of each.

        A second thread prepares the next batch meanwhile.
        """
        said = _Said(self._done, self._batches.an_epoch, self.history)
        with ThreadPoolExecutor(1) as ahead, tqdm(total=100, unit="%", disable=None) as bar:
            coming = self._prepare(ahead, self._done)
            while (progress := self._progress()) < 1:
                pictures, targets = coming.result()
                coming = self._prepare(ahead, self._done + 1)
                self._optimizer.learning_rate = self._plan.rate * learning_rate(progress)
                loss, right = self._step(pictures, targets)
                self._done += 1
                if self._done % AVERAGE_EVERY == 0:
                    self._take_into_average()
                said.add(self._done, progress, loss, right, len(pictures))
                bar.set_postfix(loss=f"{loss:.3f}", right=f"{right:.3f}", refresh=False)
                bar.update(round(progress * 100) - bar.n)
                yield self._done

    def settled(self) -> Arrays:
        """The averaged weights, with the statistics of batch normalisation taken anew.

        The averaged ones are of other weights, and in part of smaller pictures (Izmailov et al.
        2018, arXiv 1803.05407, section 3.2).
        """
        from keras import layers

        self._network.set_weights(self.average)
        normalising = [
            one for one in self._network.layers if isinstance(one, layers.BatchNormalization)
        ]
        for number in range(SETTLING_BATCHES):
            for layer in normalising:
                layer.momentum = number / (number + 1)  # the mean of all batches so far
            pictures, _ = self._batches.batch(number, progress=1.0)
            self._network(pictures, training=True)
        weights: Arrays = self._network.get_weights()
        return weights

    def _prepare(self, ahead: ThreadPoolExecutor, step: int) -> Future[tuple[Floats, Floats]]:
        return ahead.submit(self._batches.batch, step, self._progress())

    def _progress(self) -> float:
        by_steps = self._done / (self._plan.epochs * self._batches.an_epoch)
        minutes = self._plan.minutes
        by_time = (time.monotonic() - self._began) / 60 / minutes if minutes else 0.0
        return min(1.0, max(by_steps, by_time))

    def _take_into_average(self) -> None:
        rate = max(AVERAGE_RATE, 1 / (1 + self._done / AVERAGE_EVERY))
        for mean, value in zip(self.average, self._network.get_weights(), strict=True):
            mean += np.asarray(rate, mean.dtype) * (value - mean)


class _Batches:
    """Batches by step number: the same number gives the same pictures, also in a later process."""

    def __init__(self, data: Pack, classes: int, plan: Plan) -> None:
        self._data, self._plan = data, plan
        self._size = min(plan.batch_size, len(data.classes))
        self.an_epoch = len(data.classes) // self._size
        self._one_hot = np.eye(classes, dtype=np.float32)
        self._flipped = np.random.default_rng(plan.seed).integers(0, 2, len(data.classes))
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.zeros(0, np.int64))

    def batch(self, step: int, progress: float) -> tuple[Floats, Floats]:
        """Pictures, float32 (batch, size, size, 3), and one-hot classes (batch, classes)."""
        epoch, place = divmod(step, self.an_epoch)
        chosen = np.sort(self._order_of(epoch)[place * self._size : (place + 1) * self._size])
        # A picture is mirrored in every other epoch, so two epochs show both sides.
        flips = (self._flipped[chosen] + epoch) % 2 == 1
        plan = self._plan
        size = size_at(progress, self._data.pictures.shape[1], plan.shown_at)
        random = np.random.default_rng((plan.seed, step))
        pictures = augment(
            self._data.pictures[chosen], flips, size, random, plan.smallest_crop, plan.light
        )
        targets = self._one_hot[self._data.classes[chosen]]
        return mix(pictures, targets, plan.mixup, random) if plan.mixup else (pictures, targets)

    def _order_of(self, epoch: int) -> NDArray[np.int64]:
        if self._order[0] != epoch:
            random = np.random.default_rng((self._plan.seed, 1, epoch))
            self._order = epoch, random.permutation(len(self._data.classes))
        return self._order[1]


class _Said:
    """Tells now and then how training goes, as means since it last did; and notes each epoch."""

    def __init__(self, step: int, an_epoch: int, history: History) -> None:
        self._since, self._step = time.monotonic(), step
        self._seen: list[tuple[float, float]] = []
        self._an_epoch, self._history = an_epoch, history
        self._of_epoch: list[tuple[float, float]] = []

    def add(self, step: int, progress: float, loss: float, right: float, pictures: int) -> None:
        self._seen.append((loss, right))
        self._of_epoch.append((loss, right))
        if step % self._an_epoch == 0:
            mean_loss, mean_right = np.mean(self._of_epoch, axis=0).tolist()
            epoch = step // self._an_epoch
            self._history.append({"epoch": epoch, "loss": mean_loss, "right": mean_right})
            self._of_epoch = []
        passed_s = time.monotonic() - self._since
        if passed_s < TELL_EVERY_S:
            return
        loss, right = np.mean(self._seen, axis=0)
        speed = (step - self._step) * pictures / passed_s
        told = "step %d, %.1f%% of the way: loss %.3f, right %.3f, %.0f pictures/s"
        _log.info(told, step, progress * 100, loss, right, speed)
        self._since, self._step, self._seen = time.monotonic(), step, []


def _asked_about(card: Card, data: Data, asked: Asked) -> tuple[tuple[Sample, ...], Floats]:
    """What the network, as it will be served, says of the photos kept apart."""
    made = card.folder or Path()
    export.compile_network(card)
    compiled = asked.cache / "compiled"
    engine = load(card, lambda: made / folder.WEIGHTS, compiled=compiled, cores=available())
    try:
        return ask(card, engine, data.validation)
    finally:
        engine.close()


def _temperature(shown: Sequence[Sample], given: Floats) -> float:
    """The one that fits the photos kept apart: all others were learned by heart."""
    classes = np.array([sample.class_index for sample in shown], np.int64)
    return fit_temperature(given, classes) if len(classes) >= ENOUGH else 1.0


def _without_softmax(network: "keras.Model") -> "keras.Model":
    """The same layers up to the logits, which a loss takes more exactly than probabilities."""
    import keras

    return keras.Model(network.input, network.layers[-2].output)


def _optimizer(plan: Plan, network: "keras.Model") -> Any:
    import keras

    # Keras shrinks weights apart from momentum; added to the gradient, decay would pile up in
    # it to 1 / (1 - momentum) times as much.
    optimizer = keras.optimizers.SGD(
        plan.rate, MOMENTUM, nesterov=True, weight_decay=plan.weight_decay / (1 - MOMENTUM)
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    optimizer.build(network.trainable_variables)
    return optimizer
