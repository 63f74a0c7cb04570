"""A network in a .keras file: what can be said of it without opening it, and its description.

Such a file is a zip of a description (config.json) and of numbers (model.weights.h5). The
description is data, but it can name code to be run: a Lambda layer brings its own, somebody's
class is imported. Here only layers that Keras itself brings, and that make numbers of numbers, are
let through; anything else ends with a sentence, before Keras sees the file. Keras then reads it in
its safe mode.

Beside `pets.keras` may lie:

pets.labels.tsv   "id<TAB>label" a line, in the order of the class index
pets.card.json    fields of the card, for what can't be read off the file or is read wrongly
"""

import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from errors import SettingsError
from models import folder
from models.card import Card

SUFFIX = ".keras"
Ending = Literal["softmax", "linear", "sigmoid"]

_CONFIG, _NUMBERS = "config.json", "model.weights.h5"
_MEMBERS = {_CONFIG, _NUMBERS, "metadata.json"}
_MOST_CONFIG_BYTES = 64 * 2**20

_LAYERS = frozenset(
    """
    Activation ActivityRegularization Add AlphaDropout Attention Average AveragePooling1D
    AveragePooling2D BatchNormalization CenterCrop Concatenate Conv1D Conv2D Conv2DTranspose
    Cropping2D Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU EinsumDense Embedding Flatten
    GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D
    GlobalMaxPooling2D GroupNormalization GroupQueryAttention Identity InputLayer
    LayerNormalization LeakyReLU MaxPooling1D MaxPooling2D Maximum Minimum MultiHeadAttention
    Multiply Normalization PReLU Permute RMSNormalization RandomBrightness RandomColorDegeneration
    RandomColorJitter RandomContrast RandomCrop RandomErasing RandomFlip RandomGaussianBlur
    RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation
    RandomSaturation RandomSharpness RandomShear RandomTranslation RandomZoom ReLU RepeatVector
    Rescaling Reshape Resizing SeparableConv1D SeparableConv2D Softmax SpatialDropout1D
    SpatialDropout2D SpectralNormalization Subtract UnitNormalization UpSampling1D UpSampling2D
    ZeroPadding1D ZeroPadding2D
    """.split()  # noqa: SIM905 - ninety lines of one word each would be no help
)
_MODELS = frozenset({"Functional", "Model", "Sequential"})
# What a description may name, by module: these classes, or all (None).
_ALLOWED: dict[str, frozenset[str] | None] = {
    "keras": _MODELS | {"DTypePolicy"},
    "keras.models": _MODELS,
    "keras.src.models.functional": _MODELS,
    "keras.src.models.sequential": _MODELS,
    "keras.layers": _LAYERS,
    "keras.initializers": None,
    "keras.regularizers": None,
    "keras.constraints": None,
    "keras.src.ops.numpy": None,
    "keras.src.ops.nn": None,
    "keras.src.ops.math": None,
    "keras.src.applications.convnext": frozenset({"LayerScale"}),
}
# Values, and no objects of a class.
_VALUES = frozenset({"__keras_tensor__", "__tensor__", "__numpy__", "__tuple__", "__slice__"})
# Layers that change no number when a network is used, and those that scale pixels.
_PASSING = re.compile(r"InputLayer|Random\w+|\w*Dropout\w*|GaussianNoise|Identity|Reshape|Flatten")
_SCALING = re.compile(r"Rescaling|Normalization|TrueDivide|Divide|Multiply|Subtract|GetItem")
_SIZING = re.compile(r"Resizing|CenterCrop|ZeroPadding2D|Cropping2D")

_ENDINGS: dict[str, Ending] = {"softmax": "softmax", "linear": "linear", "sigmoid": "sigmoid"}

Part = dict[str, Any]


class BadFile(SettingsError):
    """A file is no network that can be served; the sentence says why."""


def load(path: Path) -> Card:
    """The card of the network in the file `path`, made without Keras.

    Raises:
        BadFile: it is no .keras file, brings code, or isn't a network from one RGB photo to
            classes; or neither it nor the card beside it says enough.
        models.folder.BadCard: the card beside it can't be used.
    """
    path = path.absolute()
    beside = path.with_name(f"{path.stem}.card.json")
    said = folder.read(beside) if beside.is_file() else {}
    name = re.sub(r"[^\w.-]+", "-", path.stem).strip("-.") or "network"
    known = {
        "name": name,
        "builder": "file",
        "labels": f"{name}.labels.tsv",
        "licence": "not stated",
        "crop": 1.0,
        "bytes": _size(path),
    }
    if said.get("builder", "file") == "file":
        known |= _read_off(description(path), said, path, beside.name)
    card = folder.checked(known | said, beside)
    if "labels" not in said:
        card = replace(card, labels=f"{path.stem}.labels.tsv")
    return replace(card, folder=path.parent, file=path)


def description(path: Path) -> Part:
    """What config.json says, without training's part, all of it to be computed in float32.

    Raises:
        BadFile: it is no .keras file, or names anything but Keras' own layers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_other_files(path, archive.namelist())
            if archive.getinfo(_CONFIG).file_size > _MOST_CONFIG_BYTES:
                raise BadFile(f"{path}: its {_CONFIG} is too large to be a network's")
            whole = json.loads(archive.read(_CONFIG))
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, ValueError) as error:
        raise BadFile(
            f'{path} is no .keras file, which Keras\' model.save("name.keras") writes ({error})'
        ) from error
    if not isinstance(whole, dict) or str(whole.get("class_name")) not in _MODELS:
        raise BadFile(f"{path} holds no network of Keras' own kinds: {', '.join(sorted(_MODELS))}")
    for part in _parts(whole):
        _refuse_code(path, part)
        part.pop("compile_config", None)
        if part["class_name"] == "DTypePolicy":
            part["config"] = {"name": "float32"}
        if part["class_name"] == "InputLayer" and isinstance(part.get("config"), dict):
            part["config"]["dtype"] = "float32"
    return whole


def ending(whole: Part) -> tuple[Part, Ending, int]:
    """The layer that gives the answers, what curve they go through, and how many they are.

    Raises:
        BadFile: there are several, or it can't be seen.
    """
    layer, layers = _last(whole)
    for _ in layers:  # a layer that names itself as its source would lead in circles
        if not (_PASSING.fullmatch(layer["class_name"]) and _sources(layer, layers)):
            break
        layer = _sources(layer, layers)[0]
    kind = layer["class_name"]
    said = str("softmax" if kind == "Softmax" else layer["config"].get("activation") or "linear")
    if said not in _ENDINGS:
        raise BadFile(f"its last layer, {_name(layer)}, ends in {said!r}, which gives no classes")
    curve, width = _ENDINGS[said], _width(layer, layers)
    if curve == "sigmoid" and width > 1:
        raise BadFile(
            f"its last layer, {_name(layer)}, ends in a sigmoid: each of its {width} classes may "
            "be there or not, and this service tells which one it is"
        )
    return layer, curve, width


def _size(path: Path) -> int:
    if not path.is_file():
        raise BadFile(f"there is no file {path}")
    if path.suffix != SUFFIX:
        raise BadFile(
            f"{path} is no network: one is a folder with a card.json, or a .keras file. Other "
            "kinds of files can run code when they are opened; save it from Keras with "
            'model.save("name.keras")'
        )
    return path.stat().st_size


def _read_off(whole: Part, said: Part, path: Path, beside: str) -> Part:
    """Fields of the card that the description gives."""
    try:
        side, (_, _, width) = _side(whole), ending(whole)
    except BadFile as error:
        raise BadFile(f"{path} can't be served: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise BadFile(f"{path} can't be served: its {_CONFIG} is not as Keras writes it") from error
    known: Part = {"classes": max(width, 2), "min_size": None if side else 32}
    if side and said.get("input_size", side) != side:
        raise BadFile(f"{path} takes {side} pixels, and {beside} says {said['input_size']}")
    if side:
        known["input_size"] = side
    elif "input_size" not in said:
        raise BadFile(
            f'{path} leaves its input size open: put {{"input_size": 224}}, or what it was '
            f"trained on, into {beside} beside it"
        )
    if _scales(whole):
        known["scaling"] = "none"
    elif "scaling" not in said:
        raise BadFile(
            f"{path} doesn't scale its pixels itself: say what it was trained on by putting "
            f'{{"scaling": "tf"}} into {beside} beside it (tf: -1 to 1; unit: 0 to 1; none: '
            "0 to 255; torch, caffe: as Keras' preprocess_input does)"
        )
    return known


def _refuse_other_files(path: Path, names: list[str]) -> None:
    others = sorted(set(names) - _MEMBERS)
    if others:
        raise BadFile(
            f"{path} brings {others[0]}: only a description and numbers are read from a .keras file"
        )
    if missing := {_CONFIG, _NUMBERS} - set(names):
        raise BadFile(f"{path} is no .keras file: it holds no {' and no '.join(sorted(missing))}")


def _parts(value: Any) -> Iterator[Part]:
    """Everything in a description that names a class, at any depth; the outer before the inner."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if "class_name" in one:
                yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _refuse_code(path: Path, part: Part) -> None:
    kind, module = str(part["class_name"]), str(part.get("module"))
    allowed = _ALLOWED.get(module, frozenset())
    is_class = re.fullmatch(r"[A-Z]\w*", kind) is not None  # not "function", which names anything
    if kind in _VALUES or (is_class if allowed is None else kind in allowed):
        return
    named = "a Lambda layer" if kind in ("Lambda", "__lambda__") else f"{module}.{kind}"
    raise BadFile(
        f"{path} is not opened: it brings, or asks for, code that isn't Keras' own layers "
        f"({named}), and code from a file may do anything. Build the network of Keras' layers; "
        "trust is explained in README.md"
    )


def _layers(model: Part) -> dict[str, Part]:
    return {_name(layer): layer for layer in model["config"]["layers"]}


def _name(layer: Part) -> str:
    return str(layer.get("name") or layer["config"]["name"])


def _side(model: Part) -> int | None:
    """Side of the square of its input; None if it is left open."""
    inputs = [one for one in model["config"]["layers"] if one["class_name"] == "InputLayer"]
    if not inputs and model["config"]["layers"][0]["class_name"] in _MODELS:
        return _side(model["config"]["layers"][0])
    if len(inputs) > 1:
        raise BadFile(f"it takes {len(inputs)} inputs, and a photo is one")
    given = inputs[0]["config"]["batch_shape"] if inputs else model["config"]["build_input_shape"]
    _, height, width, channels = given
    if channels != 3 or height != width:
        raise BadFile(
            f"it takes {height} x {width} x {channels}; a square of 3 channels, which come last, "
            "is what photos are made into"
        )
    return height if height is None else int(height)


def _last(model: Part) -> tuple[Part, dict[str, Part]]:
    """The layer at the end, nested models opened, and the layers around it by name."""
    layers = _layers(model)
    last = next(reversed(layers.values()))
    if outputs := model["config"].get("output_layers"):
        many = isinstance(outputs[0], list)
        if many and len(outputs) > 1:
            raise BadFile(f"it gives {len(outputs)} answers, and one is asked for")
        last = layers[outputs[0][0] if many else outputs[0]]
    return _last(last) if last["class_name"] in _MODELS else (last, layers)


def _sources(layer: Part, layers: dict[str, Part]) -> list[Part]:
    """The layers whose output a layer takes: by its nodes, or in a row of layers the one before."""
    if "inbound_nodes" not in layer:
        row = list(layers.values())
        return row[row.index(layer) - 1 : row.index(layer)]
    tensors = (part for part in _parts(layer["inbound_nodes"]))
    named = [t["config"]["keras_history"][0] for t in tensors if "keras_history" in t["config"]]
    return [layers[name] for name in named]


def _width(layer: Part, layers: dict[str, Part]) -> int:
    """How many numbers a layer gives for a photo."""
    config = layer["config"]
    for key in ("units", "filters"):
        if key in config:
            return int(config[key])
    if "target_shape" in config:
        return int(config["target_shape"][-1])
    if shape := layer.get("build_config", {}).get("input_shape"):
        return int(shape[-1])
    if layer["class_name"] in _MODELS:
        return _width(*_last(layer))
    return _width(_sources(layer, layers)[0], layers)


def _scales(model: Part) -> bool:
    """Whether the first thing it does with pixels is to scale them."""
    for layer in model["config"]["layers"]:
        kind = layer["class_name"]
        if kind in _MODELS:
            return _scales(layer)
        if not (_PASSING.fullmatch(kind) or _SIZING.fullmatch(kind)):
            return bool(_SCALING.fullmatch(kind))
    return False
