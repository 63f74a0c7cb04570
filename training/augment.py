"""Random crop, flip, blur and change of size of a batch, as two small matrices a picture.

Each output row is a weighted sum of input rows, each column of input columns. So one
matrix from the left and one from the right do the crop, the flip, the blur and the
resize at once; that costs a hundredth of a training step, where the same steps one
after another on the same cores doubled it.

The weights are a triangle around the place that an output pixel looks at. A triangle of
half-width 1 is linear interpolation; of half-width 2 it is the 3x3 binomial blur (what an
antialiased reduction looks like); cut down to a box of half-width 1/2 it is the nearest
neighbour (sharp and aliased). Drawing among them at random makes the network indifferent
to how a photo was reduced.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_CROP = 1.0  # side of the crop over side of the picture
BLURRED = 0.5  # share of the pictures that are blurred, by a random strength
SHARP = 0.25  # share that takes the nearest pixels; the rest is interpolated linearly
Floats = NDArray[np.float32]


def augment(
    pictures: NDArray[np.uint8],
    flips: NDArray[np.bool_],
    size: int,
    random: np.random.Generator,
    smallest_crop: float = 0.75,
    light: float = 0.0,
) -> Floats:
    """Cut a random square from each picture, blur half of them, and resize to `size`.

    Args:
        pictures: uint8 (batch, side, side, 3).
        flips: bool (batch,), which ones to mirror.
        size: side of the result in pixels.
        random: where chance comes from.
        smallest_crop: side of the smallest crop over the side of the picture.
        light: by how much brightness and contrast change at most, as shares.

    Returns:
        float32 (batch, size, size, 3), values -1...1.
    """
    count, side = len(pictures), pictures.shape[1]
    crop = side * random.uniform(smallest_crop, LARGEST_CROP, count)
    kind = random.random(count)
    blur = np.where(kind < BLURRED, random.random(count), 0.0)
    sharp = kind > 1 - SHARP
    top = random.random(count) * (side - crop)
    left = random.random(count) * (side - crop)
    rows = _weights(top, crop, blur, sharp, side, size)
    columns = _weights(left, crop, blur, sharp, side, size)
    columns[flips] = columns[flips, ::-1]
    planes: NDArray[Any] = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), dtype=np.float32)
    planes = rows[:, None] @ planes @ columns[:, None].transpose(0, 1, 3, 2)
    varied = np.ascontiguousarray(planes.transpose(0, 2, 3, 1), dtype=np.float32)
    varied /= 127.5
    varied -= 1
    if light:
        _relight(varied, light, random)
    return varied


def _relight(pictures: Floats, light: float, random: np.random.Generator) -> None:
    """Change contrast and brightness of pictures of -1...1, each by its own share, in place."""
    contrast = random.uniform(1 - light, 1 + light, (len(pictures), 1, 1, 1)).astype(np.float32)
    brightness = random.uniform(-light, light, (len(pictures), 1, 1, 1)).astype(np.float32)
    pictures *= contrast
    pictures += brightness
    np.clip(pictures, -1, 1, out=pictures)


def mix(
    pictures: Floats, targets: Floats, strength: float, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Lay each picture over another of the batch, and its target over the other's.

    Zhang et al. 2017, "mixup", arXiv 1710.09412; one share for the whole batch.

    Args:
        pictures: float32 (batch, size, size, 3).
        targets: float32 (batch, classes).
        strength: both parameters of the Beta distribution that the share is drawn from.
        random: where chance comes from.
    """
    share = np.float32(random.beta(strength, strength))
    other = random.permutation(len(pictures))
    return (
        share * pictures + (1 - share) * pictures[other],
        share * targets + (1 - share) * targets[other],
    )


def _weights(
    start: NDArray[np.float64],
    length: NDArray[np.float64],
    blur: NDArray[np.float64],
    sharp: NDArray[np.bool_],
    side: int,
    size: int,
) -> Floats:
    """The matrices (batch, size, side) that resample `length` pixels from `start` on."""
    step = (length / size)[:, None, None]  # input pixels an output pixel
    centres = start[:, None, None] + (np.arange(size)[None, :, None] + 0.5) * step - 0.5
    distance = np.abs(centres - np.arange(side)[None, None, :])
    width = np.maximum(step, 1.0)
    weights = np.maximum(1 - distance / (width + blur[:, None, None]), 0).astype(np.float32)
    weights[sharp] = distance[sharp] <= width[sharp] / 2
    weights /= weights.sum(axis=2, keepdims=True)
    return weights
