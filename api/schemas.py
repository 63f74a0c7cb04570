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


class Predicted(Schema):
    """What is on one photo, most probable first."""

    success: Literal[True] = True
    model: str = Field(description="the network that answered", examples=["MobileNetV2"])
    predictions: list[Prediction]


class Error(Schema):
    """What went wrong: a code for programs, a sentence for people."""

    code: str = Field(description="stays the same from release to release")
    message: str = Field(description="what happened, and what to do about it")
    request_id: str = Field(description="also the X-Request-Id header; find it in the log")


class Refused(Schema):
    """A request, or one photo of several, that can't be answered."""

    success: Literal[False] = False
    error: Error


class PredictedMany(Schema):
    """What is on each of several photos, in the order they came."""

    success: Literal[True] = True
    model: str
    results: list[Predicted | Refused]


class Model(Schema):
    """A network that can be served; the last three are null unless it is loaded."""

    name: str
    parameters: int
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


class Models(Schema):
    """Every network that can be served."""

    models: list[Model]


class Label(Schema):
    """A class: its stable id and its name."""

    id: str
    label: str


class Labels(Schema):
    """The classes of a network, in the order of its outputs."""

    model: str
    labels: list[Label]


class Health(Schema):
    """Whether the service is alive, or ready."""

    status: Literal["alive", "ready"]
