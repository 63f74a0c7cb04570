"""The best that can be had in so many minutes: several networks tried, the best one fine-tuned."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from models.card import Card
from models.weights import WeightsMissing
from training.bottleneck import bottleneck, learn_head
from training.data import find
from training.finetune import finetune
from training.task import Asked, Task

# Small networks of different kinds; which one suits the photos is seen on the photos.
NETWORKS = ("MobileNetV2", "EfficientNetV2B0", "EfficientNetB0")
_TRIED = 0.4  # share of the time in which networks are tried
_LEARNING = 0.6  # share of what is left that learning may take; the rest is for what is around it
_WORTH_IT = 3.0  # minutes under which fine-tuning would be cut short
_log = logging.getLogger(__name__)


class NoneLeft(WeightsMissing):
    """Not one of the networks could be had."""


def auto(asked: Asked, networks: Sequence[str] = NETWORKS, minutes: float = 10) -> Card:
    """Choose a network by cross-validation, teach it the best way there is time for; its card.

    Args:
        networks: names, or network folders; those whose weights can't be had are left out.
        minutes: for all of it, about.

    Raises:
        NoneLeft: no network could be tried.
        SettingsError: as of `bottleneck`.
    """
    begun = time.monotonic()
    data = find(asked.data, asked.out / "work" / "unpacked", asked.seed)
    losses: dict[str, float] = {}
    failures = []
    for name in networks:
        if losses and time.monotonic() - begun > 60 * minutes * _TRIED:
            _log.info("%s is not tried: the time is needed for the best so far", name)
            continue
        try:
            losses[name] = learn_head(Task(replace(asked, model=name), data)).loss
        except WeightsMissing as error:
            failures.append(str(error))
            _log.warning("%s is left out: %s", name, error)
    if not losses:
        raise NoneLeft(f"no network can be tried: {' '.join(failures)}")
    best = min(losses, key=losses.__getitem__)
    chosen = replace(asked, model=best)
    left = minutes - (time.monotonic() - begun) / 60
    _log.info("%s suits these photos best; %.1f minutes are left", best, left)
    if left < _WORTH_IT:
        return bottleneck(chosen)
    return finetune(replace(chosen, passes=max(chosen.passes, 2)), minutes=left * _LEARNING)
