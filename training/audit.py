"""What may be wrong with the photos to learn from, said before anybody trusts a figure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data import Data
from training.features import GLANCE, Seen

# Two photos are copies when their small pictures differ by less than this on average, of 255...
_ALIKE = 3.0
# ... and show something: small pictures of one even colour are all alike.
_PLAIN = 5.0
_UNEVEN = 3.0  # the largest class over the smallest one
_FEW = 10  # photos a class
_SHORT = 100  # photos to measure on
_NAMED = 5  # so many files are named one by one
_AT_ONCE = 512


@dataclass(frozen=True)
class Oddity:
    """One thing that may be wrong: a code for programs, a sentence, and files that show it."""

    code: str
    text: str
    files: tuple[Path, ...] = ()


def audit(data: Data, train: Seen, validation: Seen | None) -> tuple[Oddity, ...]:
    """Everything that is odd about the photos, worst first."""
    found = [
        *_across(train, validation),
        *_contradicting(data, train),
        *_broken([*train.broken, *(validation.broken if validation else ())]),
        *_uneven(data, train),
        *_few(data, train, validation),
    ]
    return tuple(found)


def copies(one: Seen, other: Seen) -> list[tuple[int, int]]:
    """Pairs (index in `one`, index in `other`) of photos that show the same, pixel by pixel.

    Also after another program has stored them anew or smaller: they are compared as pictures of
    GLANCE pixels a side. Of `one` each photo is named once.
    """
    mine, theirs = _centred(one.glances), _centred(other.glances)
    # |a - b|² = |a|² + |b|² - 2ab; its mean's root bounds the mean difference from above.
    limit = _ALIKE**2 * GLANCE * GLANCE * 3
    squares = (theirs**2).sum(axis=1)
    pairs = []
    for start in range(0, len(mine), _AT_ONCE):
        some = mine[start : start + _AT_ONCE]
        apart = (some**2).sum(axis=1)[:, None] + squares - 2 * some @ theirs.T
        nearest = apart.argmin(axis=1)
        close = apart[np.arange(len(some)), nearest] < limit
        busy = some.std(axis=1) > _PLAIN
        pairs += [(start + int(i), int(nearest[i])) for i in np.flatnonzero(close & busy)]
    same = {digest: place for place, digest in enumerate(other.digests) if digest}
    known = {first for first, _ in pairs}
    exact = ((i, same[digest]) for i, digest in enumerate(one.digests) if digest in same)
    return sorted([*pairs, *((i, j) for i, j in exact if i not in known)])


def _centred(glances: NDArray[np.uint8]) -> NDArray[np.float32]:
    return glances.astype(np.float32) - 128


def _across(train: Seen, validation: Seen | None) -> Iterable[Oddity]:
    if validation is None or not (pairs := copies(validation, train)):
        return
    first, second = pairs[0]
    kept, learned = validation.samples[first], train.samples[second]
    yield Oddity(
        "copies",
        f"{_count(len(pairs), 'photo')} of the {len(validation.samples):,} to measure on "
        f"{'is' if len(pairs) == 1 else 'are'} also among those to learn from, so the figures are "
        f"too good by as much as that: {_short(kept.path)} is {_short(learned.path)}"
        f"{_others(len(pairs) - 1)}. Remove one of each.",
        tuple(validation.samples[i].path for i, _ in pairs),
    )


def _contradicting(data: Data, train: Seen) -> Iterable[Oddity]:
    """The same bytes in two classes."""
    seen: dict[str, int] = {}
    twice = []
    for place, digest in enumerate(train.digests):
        other = seen.setdefault(digest, place)
        if train.samples[other].class_index != train.samples[place].class_index:
            twice.append((other, place))
    if not twice:
        return
    first, second = (train.samples[i] for i in twice[0])
    yield Oddity(
        "contradicting",
        f"{_count(len(twice), 'photo')} lie{'s' * (len(twice) == 1)} in two classes at once: "
        f"{_short(first.path)} (as {data.ids[first.class_index]}) is {_short(second.path)} "
        f"(as {data.ids[second.class_index]}){_others(len(twice) - 1)}. Keep it where it belongs.",
        tuple(train.samples[i].path for _, i in twice),
    )


def _broken(broken: Sequence[tuple[Path, str]]) -> Iterable[Oddity]:
    if not broken:
        return
    named = "; ".join(f"{_short(path)}: {why}" for path, why in broken[:_NAMED])
    yield Oddity(
        "broken",
        f"{_count(len(broken), 'file')} left out, as {'it is' if len(broken) == 1 else 'they are'} "
        f"no photo that can be read: {named}{_others(len(broken) - _NAMED)}.",
        tuple(path for path, _ in broken),
    )


def _uneven(data: Data, train: Seen) -> Iterable[Oddity]:
    counts = np.bincount(train.classes, minlength=len(data.ids))
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] >= _UNEVEN * counts[least]:
        yield Oddity(
            "uneven",
            f"{data.ids[most]} has {counts[most]:,} photos and {data.ids[least]} has "
            f"{counts[least]:,}: the network leans towards what it saw often. Add "
            "photos of the rare ones, or weigh all classes alike with --balanced.",
        )


def _few(data: Data, train: Seen, validation: Seen | None) -> Iterable[Oddity]:
    counts = np.bincount(train.classes, minlength=len(data.ids))
    few = [data.ids[i] for i in np.flatnonzero(counts < _FEW)]
    if few:
        yield Oddity(
            "few",
            f"Under {_FEW} photos to learn from: {', '.join(few[:_NAMED])}"
            f"{_others(len(few) - _NAMED)}. It may do; twenty or more do better.",
        )
    measured = len(validation.samples) if validation else 0
    if measured < _SHORT:
        yield Oddity(
            "short",
            f"Only {_count(measured, 'photo')} to measure on: the figures may be off by as much as "
            "their intervals say.",
        )


def _short(path: Path) -> str:
    """The end of a path that people recognise: the class's folder and the file."""
    return "/".join(path.parts[-2:])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _others(number: int) -> str:
    return f" (and {_count(number, 'other')})" if number > 0 else ""
