"""`python -m benchmarks.choices`: what teaching's fixed choices rest on (docs/training.md).

By cross-validation on the photos to learn from alone; those that accuracy is measured on have no
part in it. Printed are how photos best become squares, and how many of the photos of a fold that
was left out are kept as like what was taught, by how strict "none of these" is.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from imaging.fit import Fit
from models import zoo
from models.card import FitMode
from serving.taught import Taught
from training.data import Sample, find
from training.features import Backbone, Seen
from training.finetune import parted
from training.head import FOLDS, fit_head

SQUARES: tuple[tuple[FitMode, float], ...] = (("crop", 1.0), ("crop", 0.875), ("stretch", 1.0))
STRICT = (0.01, 0.02, 0.03, 0.04)
KEPT = 0.94  # of the photos of a fold, at least


def main() -> None:
    """Print both tables."""
    given = _parser().parse_args()
    with TemporaryDirectory() as spare:
        samples = find(given.data, Path(spare) / "unpacked").train
        seen = [_look(given, samples, *square) for square in SQUARES]
    for (mode, crop), one in zip(SQUARES, seen, strict=True):
        heads = [fit_head(one.features, one.classes, seed=seed) for seed in range(4)]
        right, loss = np.mean([(head.right, head.loss) for head in heads], axis=0)
        print(f"{mode} {crop:g}: {right:.4f} right, log loss {loss:.4f}")
    for way, draws, held_out in (("bottleneck", 5, False), ("finetune", 20, True)):
        kept = np.array(list(_kept(seen[0], draws, held_out)))
        for strict, shares in zip(STRICT, kept.T, strict=True):
            enough = (shares >= KEPT).mean()
            print(
                f"{way}, {strict:.0%} called none of these: kept {shares.mean():.4f}, worst "
                f"{shares.min():.4f} of {len(shares)}; {KEPT} or more in {enough:.0%}"
            )


def _look(given: argparse.Namespace, samples: Sequence[Sample], mode: FitMode, crop: float) -> Seen:
    card = zoo.card(given.model)
    backbone = Backbone(card, given.weights, given.cache, mode)
    backbone.how = Fit(card.input_size, mode, crop, card.interpolation)
    return backbone.look(samples, f"{mode} {crop:g}")


def _kept(seen: Seen, draws: int, held_out: bool) -> Iterator[list[float]]:
    """Of each fold left out the shares that are kept, by how strict the threshold is.

    Args:
        held_out: find the threshold by a tenth of the other photos, as `finetune` does; else by
            leaving out each of them in turn.
    """
    features, classes = seen.features, seen.classes
    for seed in range(draws):
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        for learned, left_out in folds.split(features, classes):
            shown = features[left_out]
            yield _shares(features[learned], classes[learned], shown, held_out, seed)


def _shares(
    features: NDArray[np.float32],
    classes: NDArray[np.int64],
    shown: NDArray[np.float32],
    held_out: bool,
    seed: int,
) -> list[float]:
    out = None
    if held_out:
        parts = parted(classes, seed)
        out = features[parts.kept_out]
        features, classes = features[parts.learned], classes[parts.learned]
    found = []
    for strict in STRICT:
        taught = Taught.of(features, classes, seed, out, strict)
        found.append(float((taught.similarity(shown) >= taught.threshold).mean()))
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.choices", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="photos of cats and dogs")
    parser.add_argument("--weights", type=Path, help="the network's weights, or a folder of such")
    parser.add_argument("--model", default="MobileNetV2", help="(MobileNetV2)")
    parser.add_argument("--cache", type=Path, required=True, help="where features are kept")
    return parser


if __name__ == "__main__":
    main()
