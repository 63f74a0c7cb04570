"""What Shiwu says besides the names of classes: its doubt, its hints, the names of groups."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from models import labels

_HERE = Path(__file__).parent


def say(code: str, language: str = "en") -> str:
    """The words for a code of `words.tsv` ("unsure", "too_dark") in a language."""
    return read("words", language)[code]


@lru_cache(maxsize=64)
def read(table: str, language: str = "en") -> Mapping[str, str]:
    """What the rows of a table (`words`, `groups`) are called in a language, by their ids.

    What neither the table nor the language's own file names is said in English.
    """
    own = labels.further(language)
    return {row["id"]: row.get(language) or own.get(row["id"]) or row["en"] for row in rows(table)}


def rows(table: str) -> list[dict[str, str]]:
    """The rows of a table by the names in its first line."""
    lines = (_HERE / f"{table}.tsv").read_text(encoding="utf-8").splitlines()
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:]]
