"""The small residual network in the box, also what training "from scratch" trains.

A stem with stride 2, then stages that each halve the picture and hold two basic
residual blocks (He et al. 2015, arXiv 1512.03385, section 4.2), a 1x1 convolution that
widens the features, global average pooling and a dense head. Any input size of at least
32 pixels works with the same weights, which is what lets training begin on small
pictures. Only plain Keras layers are used, so that `openvino.convert_model` reads it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

# Side in pixels; smaller ones leave nothing to average.
MIN_SIZE = 32
DEFAULTS: dict[str, Any] = {"stem": 32, "widths": [64, 128, 320], "blocks": 2, "features": 512}


def build(options: Mapping[str, Any], input_size: int | None, classes: int) -> "keras.Model":
    """Build the network with fresh random weights.

    Args:
        options: channels of the `stem`, `widths` of the stages, residual `blocks` a
            stage, and width of the `features`; what is missing comes from `DEFAULTS`.
        input_size: side in pixels; None leaves it open, as training does.
        classes: how many class indices the head tells apart.

    Returns:
        A model from float32 (batch, input_size, input_size, 3) RGB scaled to -1...1, to
        float32 probabilities (batch, classes). Its last layer is the softmax alone.
    """
    import keras
    from keras import layers

    chosen = {**DEFAULTS, **options}
    pixels = keras.Input((input_size, input_size, 3))
    x = _convolve(pixels, chosen["stem"], 3, stride=2)  # half the side
    x = layers.ReLU()(x)
    for width in chosen["widths"]:
        x = _block(x, width, stride=2)
        for _ in range(chosen["blocks"] - 1):
            x = _block(x, width, stride=1)
    x = layers.ReLU()(
        _convolve(x, chosen["features"], 1)
    )  # (batch, side / 16, side / 16, features)
    embedding = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(classes)(embedding)
    return keras.Model(pixels, layers.Softmax()(logits), name="convnet")


def _block(x: Any, width: int, stride: int) -> Any:
    """Two 3x3 convolutions beside a shortcut; the second starts at zero (arXiv 1706.02677, 5.1)."""
    from keras import layers

    y = layers.ReLU()(_convolve(x, width, 3, stride))
    y = _convolve(y, width, 3, gamma="zeros")
    if stride > 1:
        x = layers.AveragePooling2D(stride)(x)
    if x.shape[-1] != width:
        x = _convolve(x, width, 1)
    return layers.ReLU()(layers.Add()([x, y]))


def _convolve(x: Any, width: int, side: int, stride: int = 1, gamma: str = "ones") -> Any:
    """Convolution and batch normalisation, without the activation."""
    from keras import layers

    x = layers.Conv2D(
        width, side, stride, padding="same", use_bias=False, kernel_initializer="he_normal"
    )(x)
    return layers.BatchNormalization(momentum=0.95, epsilon=1e-5, gamma_initializer=gamma)(x)
