"""How much memory networks take, known before they are loaded."""

from collections.abc import Sequence

from errors import SettingsError
from models.card import Card

MB = 2**20


def require_room(cards: Sequence[Card], memory: int | None) -> None:
    """See that networks fit into so many bytes together; None: into any.

    Raises:
        SettingsError: they don't.
    """
    needed = sum(map(resident_bytes, cards))
    if memory is not None and needed > memory:
        raise SettingsError(
            f"the networks of SHIWU_MODEL take about {needed // MB} MB together, and "
            f"SHIWU_MEMORY is {memory // MB} MB; name fewer, or allow more"
        )


def resident_bytes(card: Card) -> int:
    """What a network takes of memory once it runs in OpenVINO on two cores, about.

    Its weights are there twice, as they lie in the file and as the processor wants them; what a
    picture leaves between the layers grows with its area. Of fifteen networks from 10 to 528 MB
    none took a fifth more.
    """
    weights = (
        4 * card.parameters if card.parameters else card.file.stat().st_size if card.file else 0
    )
    return int(2.1 * weights + 48 * MB * (card.input_size / 224) ** 2)
