"""The table of networks that can be served by name alone, one row each.

Figures are those of Keras' published table (single centre crop on ImageNet's 50,000 validation
photos; depth counts layers with parameters), or of the place named beside a family. Addresses
and checksums are the ones that Keras itself downloads and checks. Sizes are those of the
published files, as far as they are known to the byte; else four bytes for each parameter.

A photo is cut as for those figures: a centre crop of 0.875, unless the family's own code does it
otherwise.
"""

import os
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from errors import SettingsError
from models import folder, keras_file
from models.card import Calibration, Card, Weights
from models.convnet import MIN_SIZE

# What is served when nobody chose: the network in the box.
DEFAULT = "ShiwuNet"

_BOX = Path(__file__).parent / "bundled"
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"
_EFFICIENTNET = "https://storage.googleapis.com/keras-applications"


class UnknownNetwork(SettingsError):
    """There is no network of that name; the sentence names the nearest ones."""


class SizeNotAllowed(SettingsError):
    """A network can't be built for the input size asked for."""


def _published(
    name: str,
    file: str,
    *,
    at: str,
    parameters: int,
    md5: str | None = None,
    sha256: str | None = None,
    **facts: Any,
) -> Card:
    """A row: a network with its ImageNet weights as Keras publishes them."""
    given: dict[str, Any] = {"builder": f"keras:{name}", "min_size": 32, "bytes": 4 * parameters}
    given |= {"input_size": 224, "licence": "Apache-2.0"} | facts
    return Card(
        name=name,
        classes=1000,
        labels="imagenet1k",
        parameters=parameters,
        weights=Weights(file=file, url=f"{at}/{file}", md5=md5, sha256=sha256),
        **given,
    )


def _calibrated(temperature: float, **figures: float) -> dict[str, Any]:
    """What `python -m benchmarks.honesty` found on validation photos of ImageNet's."""
    found: dict[str, Any] = {"pictures": 320, "certain_at": 0.9, **figures}
    calibration = Calibration(data="photos of ImageNet's validation set", **found)
    return {"temperature": temperature, "calibration": calibration}


def _dims(stem: str) -> str:
    """The name of a weights file from the days when Keras had several backends."""
    return f"{stem}_weights_tf_dim_ordering_tf_kernels.h5"


_XCEPTION = (
    # Trained by the paper's author; released under the MIT licence (Keras' documentation).
    _published(
        "Xception", _dims("xception"), at=f"{_KERAS}/xception",
        md5="0a58e3b7378bc2990ea3b43d5981f1f6",
        input_size=299, min_size=71, scaling="tf", parameters=22_910_480, bytes=91_884_032,
        top1=0.790, top5=0.945, depth=81, licence="MIT", paper="https://arxiv.org/abs/1610.02357",
    ),
)  # fmt: skip

# Its dense layers follow a flattened map, so that no other size fits them.
_OF_VGG: dict[str, Any] = {
    "scaling": "caffe", "min_size": None, "licence": "CC-BY-4.0",
    "paper": "https://arxiv.org/abs/1409.1556",
}  # fmt: skip
_VGG = (
    _published(
        "VGG16", _dims("vgg16"), at=f"{_KERAS}/vgg16", md5="64373286793e3c8b2b4e3219cbf3544b",
        parameters=138_357_544, bytes=553_467_096, top1=0.713, top5=0.901, depth=16, **_OF_VGG,
    ),
    _published(
        "VGG19", _dims("vgg19"), at=f"{_KERAS}/vgg19", md5="cbe5617147190e668d6c5d5026f83318",
        parameters=143_667_240, bytes=574_710_816, top1=0.713, top5=0.900, depth=19, **_OF_VGG,
    ),
)  # fmt: skip

_OF_RESNET: dict[str, Any] = {
    "at": f"{_KERAS}/resnet", "scaling": "caffe", "licence": "MIT",
    "paper": "https://arxiv.org/abs/1512.03385",
}  # fmt: skip
_OF_RESNET_V2: dict[str, Any] = {
    "at": f"{_KERAS}/resnet", "scaling": "tf", "licence": "BSD-3-Clause",
    "paper": "https://arxiv.org/abs/1603.05027",
}  # fmt: skip
_OF_RESNEXT: dict[str, Any] = {
    "at": f"{_KERAS}/resnet", "builder": "resnext", "scaling": "torch", "licence": "BSD-3-Clause",
    "paper": "https://arxiv.org/abs/1611.05431",
}  # fmt: skip
_RESNET = (
    _published(
        "ResNet50", _dims("resnet50"), md5="2cb95161c43110f7111970584f804107",
        parameters=25_636_712, bytes=102_967_424, top1=0.749, top5=0.921, depth=107, **_OF_RESNET,
    ),
    _published(
        "ResNet101", _dims("resnet101"), md5="f1aeb4b969a6efcfb50fad2f0c20cfc5",
        parameters=44_707_176, bytes=179_648_224, top1=0.764, top5=0.928, depth=209, **_OF_RESNET,
    ),
    _published(
        "ResNet152", _dims("resnet152"), md5="100835be76be38e30d865e96f2aaae62",
        parameters=60_419_944, top1=0.766, top5=0.931, depth=311, **_OF_RESNET,
    ),
    _published(
        "ResNet50V2", _dims("resnet50v2"), md5="3ef43a0b657b3be2300d5770ece849e0",
        parameters=25_613_800, top1=0.760, top5=0.930, depth=103, **_OF_RESNET_V2,
    ),
    _published(
        "ResNet101V2", _dims("resnet101v2"), md5="6343647c601c52e1368623803854d971",
        parameters=44_675_560, top1=0.772, top5=0.938, depth=205, **_OF_RESNET_V2,
    ),
    _published(
        "ResNet152V2", _dims("resnet152v2"), md5="a49b44d1979771252814e80f8ec446f9",
        parameters=60_380_648, top1=0.780, top5=0.942, depth=307, **_OF_RESNET_V2,
    ),
    # Figures of Keras' documentation when it had these two (2.3); their depth was not given there.
    _published(
        "ResNeXt50", _dims("resnext50"), md5="67a5b30d522ed92f75a1f16eef299d1a",
        options={"blocks": [3, 4, 6, 3]},
        parameters=25_097_128, top1=0.777, top5=0.938, **_OF_RESNEXT,
    ),
    _published(
        "ResNeXt101", _dims("resnext101"), md5="34fb605428fcc7aa4d62f44404c11509",
        options={"blocks": [3, 4, 23, 3]},
        parameters=44_315_560, top1=0.787, top5=0.943, **_OF_RESNEXT,
    ),
)  # fmt: skip

_INCEPTION = (
    _published(
        "InceptionV3", _dims("inception_v3"), at=f"{_KERAS}/inception_v3",
        md5="9a0d58056eeedaa3f26cb7ebd46da564",
        input_size=299, min_size=75, scaling="tf", parameters=23_851_784, bytes=96_112_376,
        top1=0.779, top5=0.937, depth=189, paper="https://arxiv.org/abs/1512.00567",
    ),
    _published(
        "InceptionResNetV2", _dims("inception_resnet_v2"), at=f"{_KERAS}/inception_resnet_v2",
        md5="e693bd0210a403b3192acc6073ad2e96",
        input_size=299, min_size=75, scaling="tf", parameters=55_873_736,
        top1=0.803, top5=0.953, depth=449, paper="https://arxiv.org/abs/1602.07261",
    ),
)  # fmt: skip


def _mobilenet(
    alpha: float, size: int, parameters: int, top1: float, top5: float, **facts: Any
) -> Card:
    """MobileNet in one of its published widths, trained for one of its published sizes."""
    width = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}[alpha]
    given: dict[str, Any] = {"name": f"MobileNet_{alpha}_{size}", "options": {"alpha": alpha}}
    return _published(
        file=f"mobilenet_{width}_{size}_tf.h5", at=f"{_KERAS}/mobilenet",
        builder="keras:MobileNet", input_size=size, scaling="tf", parameters=parameters,
        top1=top1, top5=top5, depth=55, paper="https://arxiv.org/abs/1704.04861",
        **given | facts,
    )  # fmt: skip


def _mobilenet_v2(
    alpha: float, size: int, parameters: int, top1: float, top5: float, **facts: Any
) -> Card:
    """MobileNetV2 in one of its published widths, trained for one of its published sizes."""
    given: dict[str, Any] = {"name": f"MobileNetV2_{alpha}_{size}", "options": {"alpha": alpha}}
    return _published(
        file=f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{size}.h5",
        at=f"{_KERAS}/mobilenet_v2",
        builder="keras:MobileNetV2", input_size=size, scaling="tf", parameters=parameters,
        top1=top1, top5=top5, depth=105, paper="https://arxiv.org/abs/1801.04381",
        **given | facts,
    )  # fmt: skip


def _mobilenet_v3(
    name: str, file: str, parameters: int, top1: float, md5: str, **options: object
) -> Card:
    """MobileNetV3; the figures are those of Keras' own docstring, which gives no top-5."""
    return _published(
        name, f"weights_mobilenet_v3_{file}_float.h5", at=f"{_KERAS}/mobilenet_v3", md5=md5,
        builder=f"keras:{name.partition('_')[0]}", options=options, scaling="none",
        parameters=parameters, top1=top1, paper="https://arxiv.org/abs/1905.02244",
    )  # fmt: skip


# Width, size, parameters, top-1, top-5. The first row of each is in Keras' table; the others'
# figures are those of the checkpoints that Keras converted (tensorflow/models, research/slim).
_MOBILENET = (
    _mobilenet(1.0, 224, 4_253_864, 0.704, 0.895, name="MobileNet", options={}, bytes=17_225_924),
    _mobilenet(1.0, 192, 4_253_864, 0.700, 0.892),
    _mobilenet(1.0, 160, 4_253_864, 0.680, 0.877),
    _mobilenet(1.0, 128, 4_253_864, 0.652, 0.858),
    _mobilenet(0.75, 224, 2_601_976, 0.684, 0.882),
    _mobilenet(0.75, 192, 2_601_976, 0.672, 0.873),
    _mobilenet(0.75, 160, 2_601_976, 0.653, 0.860),
    _mobilenet(0.75, 128, 2_601_976, 0.621, 0.839),
    _mobilenet(0.5, 224, 1_342_536, 0.633, 0.849),
    _mobilenet(0.5, 192, 1_342_536, 0.617, 0.836),
    _mobilenet(0.5, 160, 1_342_536, 0.591, 0.819),
    _mobilenet(0.5, 128, 1_342_536, 0.563, 0.794),
    _mobilenet(
        0.25, 224, 475_544, 0.498, 0.742,
        **_calibrated(0.912, error_before=0.095, error=0.060, answered=0.675, right=0.968),
    ),
    _mobilenet(0.25, 192, 475_544, 0.477, 0.723),
    _mobilenet(0.25, 160, 475_544, 0.455, 0.703),
    _mobilenet(0.25, 128, 475_544, 0.415, 0.663),
    _mobilenet_v2(
        1.0, 224, 3_538_984, 0.713, 0.901, name="MobileNetV2", options={}, bytes=14_536_120,
        **_calibrated(0.846, error_before=0.078, error=0.062, answered=0.825, right=0.955),
    ),
    _mobilenet_v2(1.4, 224, 6_156_712, 0.750, 0.925),
    _mobilenet_v2(1.3, 224, 5_431_048, 0.744, 0.921),
    _mobilenet_v2(1.0, 192, 3_538_984, 0.707, 0.901),
    _mobilenet_v2(1.0, 160, 3_538_984, 0.688, 0.890),
    _mobilenet_v2(1.0, 128, 3_538_984, 0.653, 0.869),
    _mobilenet_v2(1.0, 96, 3_538_984, 0.603, 0.832),
    _mobilenet_v2(0.75, 224, 2_663_064, 0.698, 0.896),
    _mobilenet_v2(0.75, 192, 2_663_064, 0.687, 0.889),
    _mobilenet_v2(0.75, 160, 2_663_064, 0.664, 0.873),
    _mobilenet_v2(0.75, 128, 2_663_064, 0.632, 0.853),
    _mobilenet_v2(0.75, 96, 2_663_064, 0.588, 0.816),
    _mobilenet_v2(0.5, 224, 1_987_224, 0.654, 0.864),
    _mobilenet_v2(0.5, 192, 1_987_224, 0.639, 0.854),
    _mobilenet_v2(0.5, 160, 1_987_224, 0.610, 0.832),
    _mobilenet_v2(0.5, 128, 1_987_224, 0.577, 0.808),
    _mobilenet_v2(0.5, 96, 1_987_224, 0.512, 0.758),
    _mobilenet_v2(0.35, 224, 1_691_208, 0.603, 0.829),
    _mobilenet_v2(0.35, 192, 1_691_208, 0.582, 0.812),
    _mobilenet_v2(0.35, 160, 1_691_208, 0.557, 0.791),
    _mobilenet_v2(0.35, 128, 1_691_208, 0.508, 0.750),
    _mobilenet_v2(0.35, 96, 1_691_208, 0.455, 0.704),
    _mobilenet_v3(
        "MobileNetV3Small", "small_224_1.0", 2_554_968, 0.681,
        "8768d4c2e7dee89b9d02b2d03d65d862",
    ),
    _mobilenet_v3(
        "MobileNetV3Small_0.75", "small_224_0.75", 2_051_552, 0.654,
        "cb65d4e5be93758266aa0a7f2c6708b7", alpha=0.75,
    ),
    _mobilenet_v3(
        "MobileNetV3Small_minimalistic", "small_minimalistic_224_1.0", 2_056_848, 0.619,
        "99cd97fb2fcdad2bf028eb838de69e37", minimalistic=True,
    ),
    _mobilenet_v3(
        "MobileNetV3Large", "large_224_1.0", 5_507_432, 0.756,
        "59e551e166be033d707958cf9e29a6a7",
    ),
    _mobilenet_v3(
        "MobileNetV3Large_0.75", "large_224_0.75", 4_012_616, 0.733,
        "765b44a33ad4005b3ac83185abf1d0eb", alpha=0.75,
    ),
    _mobilenet_v3(
        "MobileNetV3Large_minimalistic", "large_minimalistic_224_1.0", 3_948_688, 0.723,
        "675e7b876c45c57e9e63e6d90a36599c", minimalistic=True,
    ),
)  # fmt: skip

_OF_DENSENET: dict[str, Any] = {
    "at": f"{_KERAS}/densenet", "scaling": "torch", "licence": "BSD-3-Clause",
    "paper": "https://arxiv.org/abs/1608.06993",
}  # fmt: skip
_DENSENET = (
    _published(
        "DenseNet121", _dims("densenet121"), md5="9d60b8095a5708f2dcce2bca79d332c7",
        parameters=8_062_504, top1=0.750, top5=0.923, depth=242, **_OF_DENSENET,
    ),
    _published(
        "DenseNet169", _dims("densenet169"), md5="d699b8f76981ab1b30698df4c175e90b",
        parameters=14_307_880, top1=0.762, top5=0.932, depth=338, **_OF_DENSENET,
    ),
    _published(
        "DenseNet201", _dims("densenet201"), md5="1ceb130c1ea1b78c3bf6114dbdfd8807",
        parameters=20_242_984, top1=0.773, top5=0.936, depth=402, **_OF_DENSENET,
    ),
)  # fmt: skip

_OF_NASNET: dict[str, Any] = {
    "at": f"{_KERAS}/nasnet", "scaling": "tf", "paper": "https://arxiv.org/abs/1707.07012",
}  # fmt: skip
_NASNET = (
    _published(
        "NASNetMobile", "NASNet-mobile.h5", md5="020fb642bf7360b370c678b08e0adf61",
        parameters=5_326_716, top1=0.744, top5=0.919, depth=389, **_OF_NASNET,
    ),
    _published(
        "NASNetLarge", "NASNet-large.h5", md5="11577c9a518f0070763c2b964a382f17", input_size=331,
        parameters=88_949_818, top1=0.825, top5=0.960, depth=533, **_OF_NASNET,
    ),
)  # fmt: skip


def _efficientnet(
    number: int, size: int, parameters: int, top1: float, top5: float, depth: int, md5: str,
    **facts: Any,
) -> Card:  # fmt: skip
    """EfficientNet; its own evaluation cuts a border of 16 pixels, whatever the size."""
    return _published(
        f"EfficientNetB{number}", f"efficientnetb{number}.h5", at=_EFFICIENTNET, md5=md5,
        input_size=size, scaling="none", crop=round(size / (size + 32), 4), parameters=parameters,
        top1=top1, top5=top5, depth=depth, paper="https://arxiv.org/abs/1905.11946", **facts,
    )  # fmt: skip


def _efficientnet_v2(
    kind: str, size: int, parameters: int, top1: float, top5: float, md5: str, crop: float = 1.0
) -> Card:
    """EfficientNetV2; B0 to B3 cut a border as EfficientNet does, S to L cut none."""
    return _published(
        f"EfficientNetV2{kind}", f"efficientnetv2-{kind.lower()}.h5",
        at=f"{_KERAS}/efficientnet_v2", md5=md5, input_size=size, scaling="none", crop=crop,
        parameters=parameters, top1=top1, top5=top5, paper="https://arxiv.org/abs/2104.00298",
    )  # fmt: skip


_EFFICIENTNETS = (
    _efficientnet(
        0, 224, 5_330_571, 0.771, 0.933, 132, "902e53a9f72be733fc0bcb005b3ebbac",
        bytes=21_834_768,
    ),
    _efficientnet(1, 240, 7_856_239, 0.791, 0.944, 186, "1d254153d4ab51201f1646940f018540"),
    _efficientnet(2, 260, 9_177_569, 0.801, 0.949, 186, "b15cce36ff4dcbd00b6dd88e7857a6ad"),
    _efficientnet(3, 300, 12_320_535, 0.816, 0.957, 210, "ffd1fdc53d0ce67064dc6a9c7960ede0"),
    _efficientnet(4, 380, 19_466_823, 0.829, 0.964, 258, "18c95ad55216b8f92d7e70b3a046e2fc"),
    _efficientnet(5, 456, 30_562_527, 0.836, 0.967, 312, "ace28f2a6363774853a83a0b21b9421a"),
    _efficientnet(6, 528, 43_265_143, 0.840, 0.968, 360, "165f6e37dce68623721b423839de8be5"),
    _efficientnet(7, 600, 66_658_687, 0.843, 0.970, 438, "8c03f828fec3ef71311cd463b6759d99"),
    _efficientnet_v2(
        "B0", 224, 7_200_312, 0.787, 0.943, "21ecbf6da12460d5c40bb2f29ceb2188", crop=0.875,
    ),
    _efficientnet_v2(
        "B1", 240, 8_212_124, 0.798, 0.950, "069f0534ff22adf035c89e2d9547a9dc", crop=0.8824,
    ),
    _efficientnet_v2(
        "B2", 260, 10_178_374, 0.805, 0.951, "424e49f28180edbde1e94797771950a7", crop=0.8904,
    ),
    _efficientnet_v2(
        "B3", 300, 14_467_622, 0.820, 0.958, "1f1fc43bd98a6e4fd8fdfd551e02c7a0", crop=0.9036,
    ),
    _efficientnet_v2("S", 384, 21_612_360, 0.839, 0.967, "e1d88a8495beba45748fedd0cecbe016"),
    _efficientnet_v2("M", 480, 54_431_388, 0.853, 0.974, "a3bf6aa3276309f4fc6a34aa114c95cd"),
    _efficientnet_v2("L", 480, 119_027_848, 0.857, 0.975, "27e6d408b53c7ebc868fefa357689935"),
)  # fmt: skip


def _convnext(kind: str, parameters: int, top1: float, sha256: str) -> Card:
    """ConvNeXt, of which no top-5 accuracy and no depth is published.

    Base, Large and XLarge saw ImageNet's 21,000 classes before.
    """
    return _published(
        f"ConvNeXt{kind}", f"convnext_{kind.lower()}.h5", at=f"{_KERAS}/convnext", sha256=sha256,
        scaling="none", licence="MIT", parameters=parameters, top1=top1,
        paper="https://arxiv.org/abs/2201.03545",
    )  # fmt: skip


_CONVNEXT = (
    _convnext(
        "Tiny", 28_589_128, 0.813,
        "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
    ),
    _convnext(
        "Small", 50_223_688, 0.823,
        "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
    ),
    _convnext(
        "Base", 88_591_464, 0.853,
        "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
    ),
    _convnext(
        "Large", 197_767_336, 0.863,
        "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
    ),
    _convnext(
        "XLarge", 350_196_968, 0.867,
        "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
    ),
)  # fmt: skip

_ROWS = (
    *_XCEPTION, *_VGG, *_RESNET, *_INCEPTION, *_MOBILENET, *_DENSENET, *_NASNET, *_EFFICIENTNETS,
    *_CONVNEXT,
)  # fmt: skip
_PUBLISHED = {row.name: row for row in _ROWS}


def names() -> tuple[str, ...]:
    """Every name that `card` knows, the default first."""
    return (DEFAULT, *_PUBLISHED)


def card(name: str, input_size: int | None = None) -> Card:
    """The card of a network, by its exact name or by the path of a folder or file that holds one.

    A known name wins over a folder of the same name; "./MobileNet" means the folder.

    Args:
        name: a known name, a folder with a card.json, or a .keras file.
        input_size: side in pixels; None for the network's own.

    Raises:
        UnknownNetwork: neither a known name nor a folder.
        SizeNotAllowed: the network can't be built for that size.
        models.folder.BadCard: the folder's or file's card is missing or can't be used.
    """
    found = _card(name)
    return found if input_size in (None, found.input_size) else resized(found, input_size)


def resized(card: Card, input_size: int) -> Card:
    """The same network for pictures of another size; its figures are not known then.

    Raises:
        SizeNotAllowed: it can't be built for that size; the sentence says for which it can.
    """
    least = MIN_SIZE if card.builder == "convnet" else card.min_size
    refused = f"{card.name} can't take {input_size} pixels (SHIWU_INPUT_SIZE)"
    if least is None:
        raise SizeNotAllowed(f"{refused}: it is built for {card.input_size} only")
    if input_size < least:
        raise SizeNotAllowed(f"{refused}: it needs at least {least}")
    if folder.is_packed(card):
        raise SizeNotAllowed(
            f"{refused}: it was packed for {card.input_size}, without its weights; pack it again"
        )
    return replace(
        card, input_size=input_size, top1=None, top5=None, temperature=1.0, calibration=None
    )


def _card(name: str) -> Card:
    if name in _PUBLISHED:
        return _PUBLISHED[name]
    if name == DEFAULT:
        return folder.load(_BOX)
    if name.endswith(keras_file.SUFFIX) or Path(name).is_file():
        return keras_file.load(Path(name))
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
        f"there is no network {name!r} ({nearest}all: python -m models list); "
        "a folder with a card.json, or a .keras file, can be given as a path"
    )
