"""The shapes of every JSON reply. Routes answer with them, and OpenAPI is made from them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0, le=1)]


class Schema(BaseModel):
    """What all replies have in common: fields are exactly the ones written down."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class Prediction(Schema):
    """One class that the photo may show."""

    label: str = Field(description="the name, for people", examples=["African_elephant"])
    probability: Probability = Field(description="how sure the network is", examples=[0.59])
    id: str = Field(description="the class, for programs", examples=["n02504458"])


class Answer(Schema):
    """The most that can be said with confidence: a class, a group of classes, or nothing."""

    level: Literal["class", "group", "unsure"]
    id: str | None = Field(description="of the class or the group; null where level is unsure")
    label: str = Field(description="what to say, for people", examples=["dog"])
    probability: Probability = Field(
        description="of the class or the group; where level is unsure, of the likeliest class"
    )


class Hint(Schema):
    """What may be wrong with the photo."""

    code: str = Field(description="for programs", examples=["too_dark"])
    text: str = Field(description="for people")


class Predicted(Schema):
    """What is on one photo, most probable first; labels are in the language asked for."""

    success: Literal[True] = True
    model: str = Field(description="the network that answered", examples=["MobileNetV2"])
    predictions: list[Prediction]
    answer: Answer
    certain: bool = Field(description="whether the answer is a class or a group")
    hints: list[Hint] = Field(description="how to take a better photo; mostly empty")


class Error(Schema):
    """What went wrong: a code for programs, a sentence for people."""

    code: str = Field(description="stays the same from release to release")
    message: str = Field(description="what happened, and what to do about it")
    request_id: str = Field(description="also the X-Request-Id header; find it in the log")


class Refused(Schema):
    """A request, or one photo of several, that can't be answered."""

    success: Literal[False] = False
    error: Error


class InferenceRefused(Schema):
    """A request to /v2 that can't be answered."""

    error: str = Field(description="what happened, and what to do about it")
    code: str = Field(description="stays the same from release to release")
    request_id: str = Field(description="also the X-Request-Id header; find it in the log")


class PredictedMany(Schema):
    """What is on each of several photos, in the order they came."""

    success: Literal[True] = True
    model: str
    results: list[Predicted | Refused]


class Model(Schema):
    """A network that can be served; the last three are null unless it is loaded."""

    name: str
    parameters: int | None = Field(description="null for a .keras file: nobody counted them")
    input_size: int = Field(description="side of the square the network sees, pixels")
    classes: int
    top1: Probability | None = Field(description="share of first answers that are right")
    top5: Probability | None = Field(description="share of photos with the right name among five")
    depth: int | None
    bytes: int | None = Field(description="size of the weights file")
    licence: str = Field(description="of the weights")
    paper: str
    loaded: bool
    engine: str | None
    precision: str | None
    difference: float | None = Field(
        description="largest difference from the reference's probabilities on check pictures"
    )


class Layer(Schema):
    """One layer of a network."""

    name: str = Field(examples=["block_16_project"])
    type: str = Field(description="Keras' class", examples=["Conv2D"])
    shape: list[int] = Field(description="of what it gives for one photo, features last")


class Layers(Schema):
    """The layers of a network, first to last."""

    success: Literal[True] = True
    model: str
    penultimate: str = Field(description="what the classifying layer reads: /features' default")
    layers: list[Layer]


class Extracted(Schema):
    """What a layer of a network says of one photo."""

    success: Literal[True] = True
    model: str
    layer: str
    shape: list[int] = Field(description="(features,) or (rows, columns, features)")
    features: list[float] = Field(description="in that shape's order, the last axis fastest")


class ExtractedMany(Schema):
    """What a layer says of each of several photos, in the order they came."""

    success: Literal[True] = True
    model: str
    results: list[Extracted | Refused]


class Models(Schema):
    """Every network that can be served."""

    models: list[Model]


Names = Annotated[dict[str, str], Field(description="in every language", examples=[{"en": "dog"}])]


class Label(Schema):
    """A class: its stable id, its names, and the groups that it is in."""

    id: str
    label: str = Field(description="the name in the language asked for")
    names: Names
    groups: list[str] = Field(description="ids, the nearest group first")


class Group(Schema):
    """A group of classes; the groups form trees."""

    id: str
    label: str = Field(description="the name in the language asked for")
    names: Names
    parent: str | None = Field(description="the id of the group that this one is part of")


class Labels(Schema):
    """The classes of a network, in the order of its outputs, and their groups, parents first."""

    success: Literal[True] = True
    model: str
    lang: str
    labels: list[Label]
    groups: list[Group]


class Kept(Schema):
    """A picture that was made, and where to fetch it."""

    success: Literal[True] = True
    url: str = Field(examples=["/image/E5f0qyMdVdZoW3bFsl2Cmw"])
    expires_s: int = Field(description="seconds for which it can be fetched, at most")


class Explained(Schema):
    """Where on the photo the network found a class."""

    success: Literal[True] = True
    model: str
    class_: Prediction = Field(
        serialization_alias="class", description="with the probability that /predict gives it"
    )
    shape: tuple[int, int] = Field(description="rows and columns of the map")
    map: list[list[Probability]] = Field(
        description="what each place says for the class, as a share of what the strongest one says"
    )
    area: tuple[float, float, float, float] = Field(
        description="left, top, right and bottom of the map on the upright photo, in shares of its "
        "width and height; it may reach over the photo"
    )
    method: Literal["cam", "grad-cam"]


class Health(Schema):
    """Whether the service is alive, or ready."""

    status: Literal["alive", "ready"]
