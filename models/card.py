"""Everything there is to say about a network, as data beside the code.

A network can't be listed, loaded or served without a `Card`: its input size, scaling, fit,
labels, published figures, licence and weights stand here and nowhere else.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

Scaling = Literal["tf", "torch", "caffe", "unit", "none"]
FitMode = Literal["crop", "stretch"]
Interpolation = Literal["nearest", "box", "bilinear", "bicubic", "lanczos"]

# Names become parts of addresses and file names: letters of any script, digits, "_", "-", ".".
_Name = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
_Builder = Annotated[str, Field(pattern=r"^(keras:[A-Z]\w*|convnet|resnext|file)$")]
_Count = Annotated[int, Field(ge=1)]
_Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Where a published network's weights are.

    Args:
        file: the file's name in Keras' cache.
        url: its published address, https.
        md5: its checksum as Keras lists it, 32 hexadecimal digits; None where Keras lists none.
        sha256: the same, 64 digits: Keras lists one or the other.
    """

    file: str
    url: str
    md5: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How a network's temperature was found, and what its answers were worth (docs/accuracy.md).

    Args:
        data: the pictures, in words; the network was not trained on them.
        pictures: how many.
        error_before: expected calibration error of the first answer at temperature 1, 0..1.
        error: the same at the temperature, which was fitted on other pictures than it is
            measured on (cross-validation); so are the figures below.
        certain_at: the probability from which an answer was said.
        answered: share of pictures for which one was, a class or a group.
        right: share of those answers that were right.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    data: str
    pictures: _Count
    error_before: _Share
    error: _Share
    certain_at: _Share
    answered: _Share
    right: _Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is known of one network.

    Nothing is checked here: rows of the zoo are checked by a test over the table, cards read
    from a folder by `models.folder.load`.

    Args:
        name: as users write it; case counts.
        builder: what makes the graph: "keras:" and a name in `keras.applications`, "convnet" or
            "resnext" for those modules of ours, or "file": the .keras file itself says it.
        options: further arguments of the builder, such as {"alpha": 0.25}; not to be changed.
        input_size: side of the square input, pixels.
        min_size: the smallest side that it can be built for with the same weights; None where
            `input_size` is the only one.
        scaling: from bytes 0..255 to what the network was trained on, in Keras' words.
            "tf": -1..1; "torch": 0..1, then ImageNet's mean and standard deviation;
            "caffe": BGR minus ImageNet's mean, not scaled; "unit": 0..1; "none": left as it is
            (the network rescales inside).
        classes: how many classes it tells apart.
        labels: a set in `models/labels` ("imagenet1k"), or the name of a .tsv file in `folder`.
        parameters: all numbers in the weights, also those not trained; None: nobody counted them.
        licence: of the weights, as an SPDX identifier where there is one.
        paper: address of the publication; "" where there is none.
        top1: share of ImageNet's validation photos whose first answer is right, 0..1, as
            published (for other classes: of the network's own validation photos).
        top5: the same for the first five answers.
        depth: layers as the source of the figures counts them.
        bytes: size of the weights file.
        mode: how a photo becomes a square if the request doesn't say: "crop" or "stretch".
        crop: share of the shorter side that the centre crop keeps, over 0 to 1.
        interpolation: filter of the resize.
        temperature: divides the logits before softmax, over 0; 1 leaves probabilities alone.
            `models.build` does not apply it: whoever ranks the answers does.
        calibration: how the temperature was found; None where nobody measured it.
        weights: where published weights are; None for a network kept in a folder.
        folder: where a network kept in a folder lies; None for a published one.
        file: the .keras file, in `folder`, of a network that is kept in one; else None.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    name: _Name
    builder: _Builder
    options: dict[str, object] = field(default_factory=dict, hash=False)
    input_size: _Count
    scaling: Scaling
    classes: _Count
    labels: _Name
    licence: str
    parameters: _Count | None = None
    paper: str = ""
    top1: _Share | None = None
    top5: _Share | None = None
    depth: _Count | None = None
    bytes: _Count | None = None
    min_size: _Count | None = None
    mode: FitMode = "crop"
    crop: Annotated[float, Field(gt=0, le=1)] = 0.875
    interpolation: Interpolation = "lanczos"
    temperature: Annotated[float, Field(gt=0)] = 1.0
    calibration: Calibration | None = None
    weights: Weights | None = field(default=None, hash=False)
    folder: Path | None = field(default=None, hash=False)
    file: Path | None = field(default=None, hash=False)
