"""ResNeXt (Xie et al. 2016, arXiv 1611.05431): residual blocks of many narrow paths.

A block is the paper's form (c) of figure 3: 1x1, 3x3 in 32 groups, 1x1, beside a shortcut. Keras
publishes weights for it but no builder any more; the layers here have the names, order and shapes
of those files (`resnext50_weights_tf_dim_ordering_tf_kernels.h5`), so that they load as they are.
They hold the grouped kernel as a depthwise one of 4 to 32 numbers a channel, to be added up.

Keras is imported with this module: only `models.build` imports it, when it builds one.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers, ops

GROUPS = 32
_EPSILON = 1.001e-5


def build(options: Mapping[str, Any], pixels: Any, classes: int) -> Any:
    """The probabilities that a fresh network makes of scaled pixels.

    Args:
        options: `blocks`, how many in each of the four stages: [3, 4, 6, 3] for ResNeXt50.
        pixels: float32, scaled as "torch", (batch, size, size, 3), size at least 32.
        classes: how many class indices the head tells apart.

    Returns:
        float32 (batch, classes).
    """
    x = layers.ZeroPadding2D(3, name="conv1_pad")(pixels)
    x = layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv")(x)
    x = _normalized(x, "conv1", "relu")  # (batch, size / 2, size / 2, 64)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, blocks in enumerate(options["blocks"]):
        width = 128 * 2**stage
        for number in range(1, blocks + 1):
            stride = 2 if stage and number == 1 else 1
            x = _block(x, width, stride, number == 1, f"conv{stage + 2}_block{number}")
    embedding = layers.GlobalAveragePooling2D(name="avg_pool")(x)  # (batch, 2048)
    return layers.Dense(classes, activation="softmax", name="probs")(embedding)


def _block(x: Any, width: int, stride: int, widens: bool, name: str) -> Any:
    shortcut = x
    if widens:
        shortcut = layers.Conv2D(
            2 * width, 1, strides=stride, use_bias=False, name=f"{name}_0_conv"
        )(x)
        shortcut = _normalized(shortcut, f"{name}_0")
    x = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_1_conv")(x)
    x = _normalized(x, f"{name}_1", "relu")
    x = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(x)
    x = GroupedConvolution(GROUPS, stride, name=f"{name}_2_conv")(x)
    x = _normalized(x, f"{name}_2", "relu")
    x = layers.Conv2D(2 * width, 1, use_bias=False, name=f"{name}_3_conv")(x)
    x = _normalized(x, f"{name}_3")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _normalized(x: Any, name: str, activation: str | None = None) -> Any:
    x = layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_bn")(x)
    return layers.Activation(activation, name=f"{name}_{activation}")(x) if activation else x


class GroupedConvolution(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """A 3x3 convolution without padding and bias, in groups that don't see each other.

    Channel i of group g goes into output m of that group with the weight
    `depthwise_kernel[:, :, g * c + i, m]`, where c is the number of channels of a group: so it is
    in the published files. As many channels come out as go in.

    Args:
        groups: how many; the channels must be a multiple of it.
        stride: in both directions.
    """

    def __init__(self, groups: int, stride: int, **options: Any) -> None:
        super().__init__(**options)
        self.groups, self.stride = groups, stride

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the kernel; `shape` is that of the input, (batch, height, width, channels)."""
        channels = shape[-1]
        self._of_group = channels // self.groups  # type: ignore[operator]
        self.depthwise_kernel = self.add_weight(
            name="depthwise_kernel",
            shape=(3, 3, channels, self._of_group),
            initializer="he_normal",
        )

    def call(self, x: Any) -> Any:
        """Convolve float32 (batch, height, width, channels)."""
        c = self._of_group
        kernel = ops.reshape(self.depthwise_kernel, (3, 3, self.groups, c, c))
        kernel = ops.transpose(kernel, (0, 1, 3, 2, 4))  # (3, 3, c, groups, c)
        kernel = ops.reshape(kernel, (3, 3, c, self.groups * c))
        return ops.conv(x, kernel, self.stride, padding="valid")

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again."""
        config: dict[str, Any] = super().get_config()
        return config | {"groups": self.groups, "stride": self.stride}
