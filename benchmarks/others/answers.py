"""What every one of the other servers does with a photo: natural Keras code, or our engine.

They are told by the environment, as their workers are processes that they start themselves:
PEER_MODEL, PEER_WEIGHTS and PEER_INSIDE, which is "keras" or "engine".
"""

import io
import os
from collections.abc import Callable
from pathlib import Path

from PIL import Image

Names = list[dict[str, object]]
# Each worker is one process for one core; all of them together use the machine.
_CORES_OF_A_WORKER = 1
_TOP = 5


def variables(model: str, weights: Path | None, inside: str) -> dict[str, str]:
    """The environment that says what to answer with."""
    return {"PEER_MODEL": model, "PEER_WEIGHTS": str(weights or ""), "PEER_INSIDE": inside}


def answering() -> Callable[[bytes], Names]:
    """A function from a JPEG to its names, the network loaded and warm."""
    return _engine() if os.environ["PEER_INSIDE"] == "engine" else _keras()


def load_tutorial() -> None:
    """Load the tutorial server's global network."""
    from benchmarks.others import tutorial
    from models import labels, zoo

    card = zoo.card(os.environ["PEER_MODEL"])
    options = tutorial.options
    options.model, options.weights = card.name, os.environ["PEER_WEIGHTS"]
    options.scaling = card.scaling
    options.labels = str(Path(labels.__file__).parent / f"{card.labels}.en.tsv")
    tutorial.load_model()


def _keras() -> Callable[[bytes], Names]:
    from benchmarks.others import tutorial

    load_tutorial()

    def answer(photo: bytes) -> Names:
        batch = tutorial.prepare(Image.open(io.BytesIO(photo)))
        return tutorial.decode_predictions(tutorial.model.predict(batch, verbose=0))

    answer(_grey())
    return answer


def _engine() -> Callable[[bytes], Names]:
    from benchmarks import networks
    from imaging.fit import fit
    from imaging.read import read
    from models import labels
    from settings import Settings

    settings = Settings.from_environment().model_copy(update={"cores": _CORES_OF_A_WORKER})
    weights = os.environ["PEER_WEIGHTS"]
    subject = networks.subject(
        os.environ["PEER_MODEL"], settings, Path(weights) if weights else None
    )
    engine, how = subject.engine(), subject.how
    names = [one.label for one in labels.read(subject.card)]

    def answer(photo: bytes) -> Names:
        pixels = fit(read(photo, at_least=how.decode_side), how)
        (probabilities,) = engine.run(pixels[None])
        best = probabilities.argsort()[-_TOP:][::-1]
        return [{"label": names[i], "probability": float(probabilities[i])} for i in best]

    answer(_grey())
    return answer


def _grey() -> bytes:
    encoded = io.BytesIO()
    Image.new("RGB", (224, 224), "grey").save(encoded, "JPEG")
    return encoded.getvalue()
