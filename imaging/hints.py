"""What may be wrong with a photo itself, seen in the square that a network is given: codes.

Each bound was chosen on labelled photos, as far out as a photo must be spoiled before the network
suffers: `python -m benchmarks.hints` prints how seldom good photos get a hint, how surely spoiled
ones do, and what they cost the network (docs/accuracy.md).
"""

import numpy as np
from numpy.typing import NDArray

from imaging.fit import Fit

TOO_DARK, TOO_BRIGHT, BLURRED, TOO_SMALL = CODES = (
    "too_dark",
    "too_bright",
    "blurred",
    "too_small",
)

# Of every photo that is light enough, two pixels in a hundred are lighter than this, whatever
# their colour.
_DARK = 80
# Of every one that isn't washed out, two in a hundred are darker than this, or none is white.
_BRIGHT = 125
_WHITE = 200
_OF_PIXELS = 0.02
# Energy of differences between pixels 1 apart, as a share of that between pixels 4 apart. Edges
# look alike at every scale, so that a sharp photo has the same share in a small square and a large.
_FINE_SHARE = 0.1
# Below this there are no edges to judge by: a sky, a wall.
_FLAT = 4.0
# A photo enlarged by more than this is small, not blurred.
_ENLARGED = 1.2
# A shorter side under this share of the square's costs more than one right answer in ten.
_SMALL = 0.5


def check(square: NDArray[np.uint8], size: tuple[int, int], how: Fit) -> tuple[str, ...]:
    """The codes of what may be wrong, in the order of `CODES`; none for most photos.

    Args:
        square: uint8 RGB, shape (size, size, 3): what `fit` made of the photo.
        size: width and height of the photo that was fitted, pixels.
        how: as it was fitted.
    """
    red, green, blue = square[::4, ::4].transpose(2, 0, 1)  # enough to know how light it is
    # Not max(axis=2): this is 15 times as fast.
    lightest = _quantile(np.maximum(np.maximum(red, green), blue), 1 - _OF_PIXELS)
    darkest = _quantile(np.minimum(np.minimum(red, green), blue), _OF_PIXELS)
    shorter = min(size)
    found = {
        TOO_DARK: lightest < _DARK,
        TOO_BRIGHT: darkest > _BRIGHT and lightest > _WHITE,
        BLURRED: shorter * _ENLARGED >= how.shorter_side and _is_blurred(square[..., 1]),
        TOO_SMALL: shorter < _SMALL * how.size,
    }
    return tuple(code for code in CODES if found[code])


def _quantile(values: NDArray[np.uint8], share: float) -> int:
    at = int(share * (values.size - 1))
    return int(np.partition(values, at, axis=None)[at])


def _is_blurred(green: NDArray[np.uint8]) -> bool:
    """Whether fine detail is missing along either axis: out of focus, or moved."""
    values = green.astype(np.float32)
    return any(_is_smooth(along) for along in (values, values.T))


def _is_smooth(values: NDArray[np.float32]) -> bool:
    coarse = _energy(values, 4)
    return coarse > _FLAT and _energy(values, 1) < _FINE_SHARE * coarse


def _energy(values: NDArray[np.float32], apart: int) -> float:
    """Mean square difference of pixels so far apart, down the first axis."""
    difference = (values[apart:] - values[:-apart]).ravel("K")
    # Not a dot product: BLAS would start threads for it, beside those that infer.
    return float(np.einsum("i,i", difference, difference)) / difference.size
