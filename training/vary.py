"""Photos varied as a second visit might show them: turned, shifted, nearer, darker.

The settings have the names that Keras' users know, and Keras' own layers do the work. (The fast
variation that `scratch` learns from is in `augment.py`.)
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FillMode = Literal["reflect", "wrap", "constant", "nearest"]
Pictures = NDArray[np.uint8]


@dataclass(frozen=True)
class Variation:
    """How pictures are varied at random; the settings of none are 0.

    Args:
        rotation: up to so many degrees, either way.
        width_shift: sideways by up to this share of the width.
        height_shift: up or down by up to this share of the height.
        shear: by up to this share of the side.
        zoom: nearer or farther by up to this share.
        horizontal_flip: whether to mirror left and right, half of the time.
        vertical_flip: the same, top and bottom.
        fill_mode: what stands where nothing was photographed.
        brightness: up to this share of full white, either way.
        contrast: by a factor of up to this share under or over 1.
        erasing: share of the pictures that lose a rectangle.
        mixup: share of another picture, at most, that is laid over (Zhang et al. 2017, arXiv
            1710.09412); the class of the larger share stays.
        seed: of everything that is drawn.
    """

    rotation: float = 0.0
    width_shift: float = 0.0
    height_shift: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    fill_mode: FillMode = "reflect"
    brightness: float = 0.0
    contrast: float = 0.0
    erasing: float = 0.0
    mixup: float = 0.0
    seed: int = 0

    @property
    def key(self) -> str:
        """All of it, as text."""
        return json.dumps(asdict(self), sort_keys=True)

    def numbered(self, number: int) -> "Variation":
        """The same with other chance: for a further pass over the photos."""
        return replace(self, seed=self.seed * 1000 + number)

    def __call__(self, pictures: Pictures) -> Pictures:
        """The pictures varied, uint8 (batch, size, size, 3) as they came; the same each time."""
        import keras

        drawn = hashlib.sha256(self.key.encode() + pictures.tobytes()).digest()
        seed = int.from_bytes(drawn[:4], "big") >> 1
        x: Any = keras.ops.convert_to_tensor(pictures.astype(np.float32))
        for number, layer in enumerate(self._layers()):
            x = layer(seed + number)(x, training=True)
        varied = np.asarray(keras.ops.convert_to_numpy(x))
        if self.mixup:
            varied = _mixed(varied, self.mixup, np.random.default_rng(seed))
        return varied.round().clip(0, 255).astype(np.uint8)

    def _layers(self) -> list[Callable[[int], Any]]:
        """What makes each of Keras' layers from a seed; only those that change anything."""
        from keras import layers

        whole = {"value_range": (0, 255)}
        fill = {"fill_mode": self.fill_mode}
        flips = {(True, True): "horizontal_and_vertical", (True, False): "horizontal"}
        flip = flips.get((self.horizontal_flip, self.vertical_flip), "vertical")
        shift = (self.height_shift, self.width_shift)
        rows: list[tuple[Any, Callable[[int], Any]]] = [
            (
                self.horizontal_flip or self.vertical_flip,
                lambda seed: layers.RandomFlip(flip, seed=seed),
            ),
            (
                self.rotation,
                lambda seed: layers.RandomRotation(self.rotation / 360, seed=seed, **fill),
            ),
            (any(shift), lambda seed: layers.RandomTranslation(*shift, seed=seed, **fill)),
            (
                self.shear,
                lambda seed: layers.RandomShear(self.shear, self.shear, seed=seed, **fill),
            ),
            (self.zoom, lambda seed: layers.RandomZoom(self.zoom, seed=seed, **fill)),
            (
                self.brightness,
                lambda seed: layers.RandomBrightness(self.brightness, seed=seed, **whole),
            ),
            (
                self.contrast,
                lambda seed: layers.RandomContrast(self.contrast, seed=seed, **whole),
            ),
            (self.erasing, lambda seed: layers.RandomErasing(self.erasing, seed=seed, **whole)),
        ]
        return [make for wanted, make in rows if wanted]


# What a photo of the same thing may differ by without being odd.
USUAL = Variation(
    rotation=15,
    width_shift=0.1,
    height_shift=0.1,
    zoom=0.15,
    horizontal_flip=True,
    brightness=0.1,
    contrast=0.2,
)


def _mixed(
    pictures: NDArray[np.float32], most: float, random: np.random.Generator
) -> NDArray[np.float32]:
    share = random.uniform(0, most, (len(pictures), 1, 1, 1)).astype(np.float32)
    others = pictures[random.permutation(len(pictures))]
    mixed: NDArray[np.float32] = pictures * (1 - share) + others * share
    return mixed
