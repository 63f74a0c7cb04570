"""The best that can be had in so many minutes: several networks tried, the best one fine-tuned."""

import json
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from models.card import Card
from models.weights import WeightsMissing
from training.bottleneck import bottleneck, learn_head
from training.data import Data, find
from training.finetune import finetune
from training.task import Asked, Task
from training.workplace import workplace

# Small networks of different kinds; which one suits the photos is seen on the photos.
NETWORKS = ("MobileNetV2", "EfficientNetV2B0", "EfficientNetB0")
_TRIED = 0.4  # share of the time in which networks are tried
_LEARNING = 0.6  # share of what is left that learning may take; the rest is for what is around it
_WORTH_IT = 3.0  # minutes under which fine-tuning would be cut short
_FEWEST_PASSES = 2  # of varied photos: fine-tuning on photos as they are learns them by heart
_log = logging.getLogger(__name__)


class NoneLeft(WeightsMissing):
    """Not one of the networks could be had."""


@dataclass(frozen=True)
class _Choice:
    """What a run that is killed and begun again must not decide anew: its clock would differ.

    Args:
        network: the one to teach.
        learning_minutes: that fine-tuning may learn; None: a new head is all there is time for.
    """

    network: str
    learning_minutes: float | None


def auto(asked: Asked, networks: Sequence[str] = NETWORKS, minutes: float = 10) -> Card:
    """Choose a network by cross-validation, teach it the best way there is time for; its card.

    Args:
        networks: names, or network folders; those whose weights can't be had are left out.
        minutes: for all of it, about.

    Raises:
        NoneLeft: no network could be tried.
        SettingsError: as of `bottleneck`.
    """
    with workplace(asked.out, None) as work:
        choice = _chosen(asked, networks, minutes, work)
        asked = replace(asked, model=choice.network)
        if choice.learning_minutes is None:
            return bottleneck(asked)
        passes = max(asked.passes, _FEWEST_PASSES)
        return finetune(replace(asked, passes=passes), minutes=choice.learning_minutes)


def _chosen(asked: Asked, networks: Sequence[str], minutes: float, work: Path) -> _Choice:
    """The choice that was made for this command before it was killed, or a new one."""
    begun = time.monotonic()
    command = {"networks": list(networks), "minutes": minutes, "seed": asked.seed}
    kept = work / "choice.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        said = json.loads(kept.read_bytes())
        if said.pop("command") == command:
            return _Choice(**said)
    data = find(asked.data, work / "unpacked", asked.seed)
    best = _best(asked, data, networks, begun + 60 * minutes * _TRIED)
    left = minutes - (time.monotonic() - begun) / 60
    _log.info("%s suits these photos best; %.1f minutes are left", best, left)
    choice = _Choice(best, round(left * _LEARNING, 1) if left >= _WORTH_IT else None)
    kept.write_text(json.dumps({"command": command, **asdict(choice)}), encoding="utf-8")
    return choice


def _best(asked: Asked, data: Data, networks: Sequence[str], until: float) -> str:
    """The network whose head predicts photos left out best, of those there is time to try."""
    losses: dict[str, float] = {}
    failures = []
    for name in networks:
        if losses and time.monotonic() > until:
            _log.info("%s is not tried: the time is needed for the best so far", name)
            continue
        try:
            losses[name] = learn_head(Task(replace(asked, model=name, passes=0), data)).loss
        except WeightsMissing as error:
            failures.append(str(error))
            _log.warning("%s is left out: %s", name, error)
    if not losses:
        raise NoneLeft(f"no network can be tried: {' '.join(failures)}")
    return min(losses, key=losses.__getitem__)
