"""The table of networks that can be served by name alone, one row each.

Figures are those of Keras' published table (single centre crop on ImageNet's 50,000 validation
photos; depth counts layers with parameters); sizes are those of the published files; addresses
and checksums are the ones that Keras itself downloads and checks.
"""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from errors import SettingsError
from models import folder
from models.card import Card, Weights

# What is served when nobody chose: the network in the box.
DEFAULT = "ShiwuNet"

_BOX = Path(__file__).parent / "bundled"
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"
_EFFICIENTNET = "https://storage.googleapis.com/keras-applications"


class UnknownNetwork(SettingsError):
    """There is no network of that name; the sentence names the nearest ones."""


def _published(name: str, *, file: str, at: str, md5: str | None = None, **facts: Any) -> Card:
    """A row: a network of Keras Applications with its ImageNet weights."""
    return Card(
        name=name,
        builder=f"keras:{name}",
        classes=1000,
        labels="imagenet1k",
        weights=Weights(file=file, url=f"{at}/{file}", md5=md5),
        **facts,
    )


_ROWS = (
    _published(
        "MobileNet", input_size=224, scaling="tf",
        parameters=4_253_864, top1=0.704, top5=0.895, depth=55, bytes=17_225_924,
        licence="Apache-2.0", paper="https://arxiv.org/abs/1704.04861",
        file="mobilenet_1_0_224_tf.h5", at=f"{_KERAS}/mobilenet",
    ),
    _published(
        "MobileNetV2", input_size=224, scaling="tf",
        parameters=3_538_984, top1=0.713, top5=0.901, depth=105, bytes=14_536_120,
        licence="Apache-2.0", paper="https://arxiv.org/abs/1801.04381",
        file="mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5",
        at=f"{_KERAS}/mobilenet_v2",
    ),
    _published(
        "ResNet50", input_size=224, scaling="caffe",
        parameters=25_636_712, top1=0.749, top5=0.921, depth=107, bytes=102_967_424,
        licence="MIT", paper="https://arxiv.org/abs/1512.03385",
        file="resnet50_weights_tf_dim_ordering_tf_kernels.h5", at=f"{_KERAS}/resnet",
        md5="2cb95161c43110f7111970584f804107",
    ),
    _published(
        "VGG16", input_size=224, scaling="caffe",
        parameters=138_357_544, top1=0.713, top5=0.901, depth=16, bytes=553_467_096,
        licence="CC-BY-4.0", paper="https://arxiv.org/abs/1409.1556",
        file="vgg16_weights_tf_dim_ordering_tf_kernels.h5", at=f"{_KERAS}/vgg16",
        md5="64373286793e3c8b2b4e3219cbf3544b",
    ),
    _published(
        "InceptionV3", input_size=299, scaling="tf",
        parameters=23_851_784, top1=0.779, top5=0.937, depth=189, bytes=96_112_376,
        licence="Apache-2.0", paper="https://arxiv.org/abs/1512.00567",
        file="inception_v3_weights_tf_dim_ordering_tf_kernels.h5", at=f"{_KERAS}/inception_v3",
        md5="9a0d58056eeedaa3f26cb7ebd46da564",
    ),
    _published(
        "EfficientNetB0", input_size=224, scaling="none",
        parameters=5_330_571, top1=0.771, top5=0.933, depth=132, bytes=21_834_768,
        licence="Apache-2.0", paper="https://arxiv.org/abs/1905.11946",
        file="efficientnetb0.h5", at=_EFFICIENTNET,
        md5="902e53a9f72be733fc0bcb005b3ebbac",
    ),
)  # fmt: skip

_PUBLISHED = {row.name: row for row in _ROWS}


def names() -> tuple[str, ...]:
    """Every name that `card` knows, the default first."""
    return (DEFAULT, *_PUBLISHED)


def card(name: str) -> Card:
    """The card of a network, by its exact name or by the path of a folder that holds one.

    A known name wins over a folder of the same name; "./MobileNet" means the folder.

    Raises:
        UnknownNetwork: neither a known name nor a folder.
        models.folder.BadCard: the folder's card is missing or can't be used.
    """
    if name in _PUBLISHED:
        return _PUBLISHED[name]
    if name == DEFAULT:
        return folder.load(_BOX)
    if _is_path(name):
        return folder.load(Path(name))
    raise UnknownNetwork(_sentence(name))


def _is_path(name: str) -> bool:
    return os.sep in name or "/" in name or (bool(name) and Path(name).is_dir())


def _sentence(name: str) -> str:
    by_small_letters = {known.lower(): known for known in names()}
    near = get_close_matches(name.lower(), by_small_letters)
    nearest = f"nearest: {', '.join(by_small_letters[n] for n in near)}; " if near else ""
    return (
        f"there is no network {name!r} ({nearest}all: {', '.join(names())}); "
        "a folder with a card.json can be given as a path"
    )
