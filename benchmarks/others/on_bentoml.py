"""BentoML, with a worker for each core: `bentoml serve benchmarks.others.on_bentoml:Photos`.

After its documentation of parallelized requests (`workers="cpu_count"`, for CPU-bound work) and of
input types.
"""

from pathlib import Path
from typing import Annotated

import bentoml
from bentoml.validators import ContentType

from benchmarks.others.answers import answering


@bentoml.service(workers="cpu_count", traffic={"timeout": 120})
class Photos:
    """A photo in the field `image`: its names."""

    def __init__(self) -> None:
        self.answer = answering()

    @bentoml.api(route="/predict")
    def predict(self, image: Annotated[Path, ContentType("image/jpeg")]) -> dict:
        """The reply."""
        return {"predictions": self.answer(image.read_bytes())}
