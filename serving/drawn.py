"""An answer drawn on its photo, in words that can be written here."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from imaging import draw, fonts
from imaging.draw import Line
from imaging.read import Limits, read
from imaging.write import jpeg, shrunk
from models.labels import words
from serving.answer import Answer, Naming

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drawn:
    """A JPEG with an answer drawn on it, that answer, and the language it is drawn in."""

    jpeg: bytes
    answer: Answer
    language: str


@dataclass
class Drawing:
    """One photo's way to a picture with its names, done by a runner.

    The photo is decoded twice, small for the network and whole for the drawing: so its
    percentages are those that /predict gives, to the digit.

    Args:
        photo: the upload.
        predict: gives its answer, in `language`.
        naming: of the network that is asked.
        width: pixels to shrink the photo to, but not under what the words need; None: as it is.
    """

    photo: bytes
    predict: Callable[[], Answer]
    naming: Naming
    language: str
    width: int | None
    limits: Limits

    def __call__(self) -> Drawn:
        """The picture.

        Raises:
            RequestError: the photo can't be read.
        """
        answer, language = self.predict(), self.language
        if not draw.can_write(_lines(answer)):
            _tell_what_is_missing(language)
            answer, language = _in_english(answer, self.naming), "en"
        width = self.width and max(self.width, draw.LEAST_WIDTH_PX)
        photo = shrunk(read(self.photo, self.limits, at_least=width), width)
        return Drawn(jpeg(draw.labels(photo, _lines(answer))), answer, language)


def _lines(answer: Answer) -> list[Line]:
    """What is sure first: a class, or a group or doubt and then the likeliest classes.

    As many as classes are asked for, so that the panel stays small; but doubt is never alone.
    """
    said = answer.answer
    names = [Line(_spaced(one.label), one.probability) for one in answer.predictions]
    if said.level == "class":
        return names
    headline = Line(_spaced(said.label), said.probability if said.id else None)
    return [headline, *names][: max(2, len(names))]


def _spaced(label: str) -> str:
    return label.replace("_", " ")


def _in_english(answer: Answer, naming: Naming) -> Answer:
    names = dict(naming.labels["en"]) | dict(naming.groups["en"])
    said = answer.answer
    return replace(
        answer,
        predictions=tuple(replace(one, label=names[one.id]) for one in answer.predictions),
        answer=replace(said, label=names[said.id] if said.id else words.say("unsure")),
    )


@lru_cache
def _tell_what_is_missing(language: str) -> None:
    """Once for each language, not for each photo."""
    _log.warning(
        "no font here can write these names in %s, so they are drawn in English; install one "
        "(on Debian: apt-get install %s) and start again",
        language,
        fonts.PACKAGE,
    )
