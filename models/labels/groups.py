"""The tree of groups over ImageNet's classes, in everyday words: animal, dog, bird, food, vehicle.

`groups.tsv` names each group and its parent, parents first; `imagenet1k.groups.tsv` gives each
class its nearest group. There is no root: what is in no group's reach is not sure.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from models import labels
from models.card import Card
from models.labels import BadLabels, words


class Group(NamedTuple):
    """A group of classes: its stable id, its name for people, and the group it is part of."""

    id: str
    label: str
    parent: str | None


def read(language: str = "en") -> tuple[Group, ...]:
    """Every group, parents before children, named in a language."""
    named = words.read("groups", language)
    return tuple(Group(one, named[one], parent) for one, parent in _parents().items())


def of(network: Card | str) -> tuple[tuple[str, ...], ...]:
    """The groups of each class of a network, by class index: ids, the nearest group first.

    Classes that aren't ImageNet's are in no group.
    """
    nearest = dict(labels.table("imagenet1k.groups"))
    return tuple(_upwards(nearest.get(label.id)) for label in labels.read(network))


def _upwards(group: str | None) -> tuple[str, ...]:
    path: tuple[str, ...] = ()
    while group:
        path = (*path, group)
        group = _parents()[group]
    return path


def parents_in(rows: Iterable[Mapping[str, str]]) -> dict[str, str | None]:
    """The parent of each group in `groups.tsv`, in the order of its rows.

    Raises:
        BadLabels: a group stands there twice, or before its parent.
    """
    found: dict[str, str | None] = {}
    for row in rows:
        group, parent = row["id"], row["parent"] or None
        if group in found or (parent and parent not in found):
            raise BadLabels(f"groups.tsv: {group} stands there twice, or before its parent")
        found[group] = parent
    return found


@lru_cache(maxsize=1)
def _parents() -> dict[str, str | None]:
    return parents_in(words.rows("groups"))
