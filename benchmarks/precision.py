r"""What each precision costs in answers, and brings in speed: f32, bf16 and int8.

    python -m benchmarks.precision --model MobileNetV2 --weights WEIGHTS \
        --photos PHOTOS --labelled LABELLED

Int8 is made in three ways: as `python -m training.quantise` makes it, with depthwise convolutions
left in f32, and by NNCF's defaults. All are calibrated on the same photos and judged on the others;
speeds are of inference alone, one photo at a time on each core, medians of rounds in turns.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

from benchmarks import machine, report
from engines import cache
from engines.engine import Pixels
from engines.openvino_engine import openvino
from engines.quantise import check, is_depthwise, quantise, quantiser
from engines.quantised import Bounds, Figures, Verdict, processor
from errors import ShiwuError
from models import labels, weights, zoo
from serving.predictor import square
from training.data import Sample, find_to_measure
from training.evaluate import interval
from training.pack import decode
from training.quantise import Photos, ask, counted, files, rates, seeing, share_out

_ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("openvino", "nncf", "numpy")
_INT8, _MIXED, _DEFAULTS = "int8", "int8, depthwise in f32", "int8, NNCF's defaults"
_COLUMNS = (
    "precision",
    "photos/s",
    "times f32's",
    "same first answer",
    "the same where f32 gives at least 0.5",
    "top-1",
    "trusted",
)


def main(arguments: Sequence[str]) -> None:
    """Measure, print the table, write the result."""
    given = _parser().parse_args(arguments)
    command = " ".join(["python -m benchmarks.precision", *arguments])
    facts = machine.described(_PACKAGES) | {"arithmetic": processor(), "command": f"`{command}`"}
    try:
        name, calibrated_on, figures = measure(given)
    except ShiwuError as error:
        sys.exit(f"Not measured: {error}")
    f32 = figures["f32"]
    facts["photos"] = (
        f"{calibrated_on:,} to calibrate on, {f32.photos:,} others to judge by, of which f32 is "
        f"sure of {f32.sure:,} and {f32.labelled:,} are labelled"
    )
    text = shown(figures)
    path = report.write(given.results, f"precision-{name}", f"{name}: precisions", facts, text)
    print(f"\n{facts['photos']}\n\n{text}\nWritten: {path}")


def measure(given: argparse.Namespace) -> tuple[str, int, dict[str, Figures]]:
    """The network's name, the photos it was calibrated on, and the figures of each precision.

    Raises:
        ShiwuError: no photos, no weights, or NNCF is not installed.
    """
    card = zoo.card(given.model)
    entry = cache.entry(card, partial(weights.find, card, given=given.weights), given.cache)
    with tempfile.TemporaryDirectory(prefix="shiwu-precision-") as spare:
        photos = _photos(given, tuple(label.id for label in labels.read(card)), Path(spare))
        how = square(card, None)
        pictures = [pixels for _, pixels in decode(photos.calibrating, how, lambda pixels: pixels)]
        forms = _forms(entry, pictures, Path(spare))
        with seeing(card, entry, forms) as ways:
            print(f"{card.name}: judging by {len(photos.held_back)} photos", flush=True)
            answers = ask(card, ways, photos.held_back)
            per_s = rates(ways, pictures, given.rounds, given.seconds)
    return card.name, len(pictures), counted(answers, per_s)


def shown(figures: Mapping[str, Figures]) -> str:
    """A row for each precision; shares with their 95 % intervals (Wilson)."""
    f32 = figures["f32"]
    rows = []
    for name, one in figures.items():
        verdict = Verdict({"f32": f32, name: one}, Bounds(), 0, False, "", 0)
        trusted = "is the reference" if name == "f32" else "; ".join(verdict.complaints(name))
        rows.append(
            (
                name,
                f"{one.photos_per_s:.0f}",
                f"{one.photos_per_s / f32.photos_per_s:.2f}",
                _share(one.same, one.photos),
                _share(one.same_where_sure, one.sure),
                _share(one.right, one.labelled),
                trusted or "yes",
            )
        )
    return report.table(_COLUMNS, rows)


def _photos(given: argparse.Namespace, ids: tuple[str, ...], spare: Path) -> Photos:
    labelled: list[Sample] = []
    if given.labelled:
        labelled += find_to_measure(given.labelled, spare / "unpacked", ids)
    return share_out(files(given.photos), labelled)


def _forms(entry: Path, pictures: Sequence[Pixels], spare: Path) -> dict[str, Path]:
    ways = [_INT8, *[_MIXED] * is_depthwise(entry), _DEFAULTS]
    forms = {name: spare / str(number) for number, name in enumerate(ways)}
    for name, folder in forms.items():
        print(f"calibrating: {name}", flush=True)
        folder.mkdir()
        if name == _DEFAULTS:
            _by_defaults(entry, pictures, folder)
        else:
            quantise(entry, pictures, folder, depthwise_in_f32=name == _MIXED)
        check(entry, folder)
    return forms


def _by_defaults(entry: Path, pictures: Sequence[Pixels], out: Path) -> None:
    nncf = quantiser()
    network = openvino().Core().read_model(entry / "network.xml")
    with redirect_stdout(sys.stderr):  # its progress
        made = nncf.quantize(network, nncf.Dataset([one[None] for one in pictures]))
    openvino().save_model(made, out / "network.xml", compress_to_fp16=False)


def _share(part: int, whole: int) -> str:
    if not whole:
        return ""
    low, high = interval(part / whole, whole)
    return f"{part / whole:.4f} ({low:.3f} to {high:.3f})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.precision", description=__doc__)
    parser.add_argument("--model", default="MobileNetV2", help="a network's name or folder")
    parser.add_argument("--weights", type=Path, help="its weights: a file, or a folder of files")
    calibrating = "folders of photos; up to 300, half of all at most, calibrate"
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help=calibrating)
    parser.add_argument("--labelled", type=Path, help="labelled photos: class folders, a list, …")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each precision (5)")
    parser.add_argument("--seconds", type=float, default=4.0, help="seconds a round (4)")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    compiled = home / "shiwu" / "compiled"
    parser.add_argument("--cache", type=Path, default=compiled, help="folder of compiled networks")
    results = _ROOT / "benchmarks" / "results"
    parser.add_argument("--results", type=Path, default=results, help="where the result goes")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
