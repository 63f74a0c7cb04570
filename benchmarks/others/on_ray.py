"""Ray Serve, with a replica for each core: `python -m benchmarks.others.on_ray PORT`.

After its documentation's example of an image classifier, which gives each replica one CPU.
"""

import os
import sys

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # it reports its use to its makers else

import ray
from ray import serve
from starlette.requests import Request

from benchmarks.others.answers import answering
from serving import cores


@serve.deployment(num_replicas=cores.available(), ray_actor_options={"num_cpus": 1})
class Photos:
    """A photo in the field `image`: its names."""

    def __init__(self) -> None:
        self.answer = answering()

    async def __call__(self, request: Request) -> dict[str, object]:
        """The reply."""
        form = await request.form()
        return {"predictions": self.answer(await form["image"].read())}


if __name__ == "__main__":
    ray.init(num_cpus=cores.available(), include_dashboard=False, logging_level="warning")
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Photos.bind(), route_prefix="/predict", blocking=True)
