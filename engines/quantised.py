"""The int8 form of a network, and what its trial found: kept beside the compiled networks.

A form is a folder: the network in int8, its own answers on the check pictures, and the verdict on
every precision. `engines.quantise` makes the network, `python -m training.quantise` tries it and
keeps both. Place and key come from the very entry that it was made from, and from our version and
OpenVINO's: what was made of other weights, another card or by other versions is never met again.
"""

import hashlib
import json
import logging
import math
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from engines.cache import CacheUnusable, alone, intact, seal
from errors import SettingsError
from models import zoo
from models.card import Card
from models.weights import digest
from version import VERSION

VERDICT = "verdict.json"
FILES = ("network.xml", "network.bin", "checks.npz", VERDICT)
SURE = 0.5  # the probability from which the reference counts as sure of its first answer
# A share of 1/n is seen on n photos; when none of 3n changed, it is at most 1/n, 95 times in 100.
_TIMES = 3
# What arithmetic a processor has decides how much faster int8 and bf16 are on it.
_ARITHMETIC = {
    *("avx2", "avx_vnni", "avx_vnni_int8", "avx512f", "avx512_vnni", "avx512_bf16"),
    *("amx_bf16", "amx_int8", "asimd", "asimddp", "bf16", "i8mm", "sve"),
}

_log = logging.getLogger(__name__)


class NotQuantised(SettingsError):
    """There is no int8 form of a network."""


@dataclass(frozen=True)
class Bounds:
    """What a precision must keep to be trusted.

    Args:
        same: least share of the photos that f32 is sure of with the same first answer.
        lower: how much lower top-1 may be on labelled photos: 0.01 for one point.
    """

    same: float = 0.995
    lower: float = 0.01

    @property
    def photos(self) -> int:
        """How many photos that f32 is sure of it takes to say it."""
        return math.ceil(round(_TIMES / (1 - self.same), 6))

    @property
    def labelled(self) -> int:
        """How many labelled photos it takes to say it."""
        return math.ceil(round(_TIMES / self.lower, 6))


@dataclass(frozen=True)
class Figures:
    """What one precision did: counts of held-back photos, and photos/s on all cores.

    Args:
        photos: how many there were.
        same: of them, with the same first answer as f32's.
        sure: of them, those that f32 gives at least `SURE`.
        same_where_sure: of these, with the same first answer.
        labelled: of the photos, those with a label.
        right: of these, with the right first answer.
        photos_per_s: inference alone, the median of the rounds.
    """

    photos: int
    same: int
    sure: int
    same_where_sure: int
    labelled: int
    right: int
    photos_per_s: float


@dataclass(frozen=True)
class Verdict:
    """What a trial found; its figures stand, whether they are trusted is worked out from them.

    Args:
        figures: by precision, "f32" among them.
        bounds: what was asked for.
        calibrated_on: photos that int8 was calibrated on; none of the trial's.
        depthwise_in_f32: whether the form has its depthwise convolutions in f32.
        processor: as `processor` says it.
        cores: inferences at once.
        versions: of what made and measured it, by package.
        made: the day.
    """

    figures: Mapping[str, Figures]
    bounds: Bounds
    calibrated_on: int
    depthwise_in_f32: bool
    processor: str
    cores: int
    versions: Mapping[str, str] = field(default_factory=dict)
    made: str = ""

    def complaints(self, precision: str) -> list[str]:
        """Why a precision is not trusted, a clause each; none for one that is."""
        if precision == "f32":
            return []
        found, bounds, f32 = self.figures[precision], self.bounds, self.figures["f32"]
        share, points = f"{100 * bounds.same:.4g} %", f"{100 * bounds.lower:.4g}"
        wrong = []
        if found.sure < bounds.photos:
            wrong.append(
                f"f32 is sure of {found.sure:,} held-back photos, and it takes {bounds.photos:,} "
                f"to say {share}"
            )
        elif found.same_where_sure < round(bounds.same * found.sure, 6):
            wrong.append(
                f"{found.sure - found.same_where_sure:,} of {found.sure:,} photos that f32 is sure "
                f"of get another first answer, and {share} must keep theirs"
            )
        if found.labelled < bounds.labelled:
            wrong.append(
                f"there are {found.labelled:,} labelled photos, and it takes {bounds.labelled:,} "
                f"to tell points of top-1 ({points} may be lost)"
            )
        elif f32.right - found.right > round(bounds.lower * found.labelled, 6):
            wrong.append(
                f"{found.right:,} of {found.labelled:,} labelled photos are right and "
                f"{f32.right:,} by f32, and top-1 may be lower by {points} points"
            )
        return wrong

    def trusts(self, precision: str) -> bool:
        """Whether a precision was tried, and keeps to the bounds."""
        return precision in self.figures and not self.complaints(precision)

    def fastest(self) -> str:
        """The fastest precision that is trusted."""
        trusted = [precision for precision in self.figures if self.trusts(precision)]
        return max(trusted, key=lambda precision: self.figures[precision].photos_per_s)

    def to_json(self) -> str:
        """The text of `verdict.json`."""
        return json.dumps(asdict(self), indent=1) + "\n"


@dataclass(frozen=True)
class Form:
    """An int8 form in the cache, checked to be whole."""

    folder: Path
    verdict: Verdict


def find(card: Card, entry: Path, cache: Path) -> Form | None:
    """The int8 form made from an entry; None if there is none, or it is damaged.

    Args:
        card: the network's.
        entry: the folder of its compiled form, as `engines.cache.entry` gave it.
        cache: the folder of compiled networks.
    """
    folder, key = _place(card, entry, cache)
    if not intact(folder, key, FILES):
        return None
    try:
        verdict = TypeAdapter(Verdict).validate_json((folder / VERDICT).read_bytes())
    except (OSError, ValidationError) as error:
        _log.warning("the verdict in %s can't be read (%s); not used", folder, error)
        return None
    return Form(folder, verdict)


def require(card: Card, entry: Path, cache: Path) -> Form:
    """As `find`.

    Raises:
        NotQuantised: there is none; the sentence says how to make it.
    """
    form = find(card, entry, cache)
    if form is None:
        named = str(card.file or card.folder or card.name)
        sized = f" --input-size {card.input_size}" * (card.input_size != zoo.card(named).input_size)
        raise NotQuantised(
            f"SHIWU_PRECISION=int8: {cache} has no int8 form of {card.name} from these weights and "
            f"versions; make one: python -m training.quantise --model {named}{sized} "
            f"--cache {cache} --photos FOLDER --labelled FOLDER (docs/precision.md), or use f32"
        )
    return form


@contextmanager
def kept(card: Card, entry: Path, cache: Path) -> Iterator[Path]:
    """An empty folder for a new form, which takes its place whole when the block ends well.

    Raises:
        CacheUnusable: the folder of compiled networks can't be written.
    """
    folder, key = _place(card, entry, cache)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with alone(cache / f"{folder.name}.lock", card.name):
            for left_behind in cache.glob(f".{folder.name}-*"):  # by one that was killed
                shutil.rmtree(left_behind, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=cache, prefix=f".{folder.name}-") as unfinished:
                made = Path(unfinished) / folder.name
                made.mkdir()
                yield made
                seal(made, key, FILES)
                shutil.rmtree(folder, ignore_errors=True)
                made.rename(folder)
    except OSError as error:
        raise CacheUnusable(
            f"the folder of compiled networks, {cache}, can't be used ({error.strerror or error}); "
            "give another as --cache, or make room"
        ) from error


def processor() -> str:
    """The kind of processor: its name, and what of its arithmetic precisions are fast by."""
    try:
        lines = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
    except OSError:
        lines = []
    told = {name.strip(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
    flags = told.get("flags") or told.get("Features") or ""
    name = told.get("model name") or platform.processor() or platform.machine()
    return " ".join([name, *sorted(_ARITHMETIC & set(flags.split()))])


def _place(card: Card, entry: Path, cache: Path) -> tuple[Path, str]:
    """Where the form made from an entry lies, and its key."""
    said = ["int8", digest(entry / "entry.json"), VERSION, version("openvino")]
    key = hashlib.sha256(json.dumps(said).encode()).hexdigest()
    return cache / f"{card.name}-int8-{key[:16]}", key
