"""The epochs of fine-tuning: a network's top learns from what its lower part made of photos.

A run can be killed at any moment: the same call goes on after the last epoch that was done.
"""

import logging
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.build import build
from models.card import Card
from training import checkpoint
from training.checkpoint import Arrays, Checkpoint, History
from training.head import Floats
from training.step import make_step
from training.top import top_of

if TYPE_CHECKING:
    import keras

_log = logging.getLogger(__name__)

LABEL_SMOOTHING = 0.05
WARMUP = 0.1  # share of the way
_BATCH_TO_ASK = 64


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


class Run:
    """The top of a network that is being trained.

    Args:
        network: from pixels to probabilities.
        maps: what its lower part makes of the photos, and of each variation of them: float16
            (photos, ...), what the layer that the plan names gives.
        classes: int64 (photos,), of each photo.
        learned: indexes of the photos to fit.
        kept_out: indexes of those that choose the best epoch.
        plan: what decides.
    """

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
        self._top = top_of(network, plan.layer)
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


def _log_loss(logits: Floats, classes: NDArray[np.int64]) -> float:
    logits = logits.astype(np.float64)
    largest = logits.max(axis=1, keepdims=True)
    totals = largest[:, 0] + np.log(np.exp(logits - largest).sum(axis=1))
    return float((totals - logits[np.arange(len(classes)), classes]).mean())
