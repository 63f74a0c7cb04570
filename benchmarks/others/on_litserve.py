"""LitServe, with a worker for each core: `python -m benchmarks.others.on_litserve PORT`.

After its documentation of features/parallelize-requests (workers_per_device) and of file uploads.
"""

import sys

import litserve
from fastapi import Request

from benchmarks.others.answers import Names, answering
from serving import cores


class Photos(litserve.LitAPI):
    """A photo in the field `image`: its names."""

    def setup(self, device: str) -> None:
        """Load the network, in each worker."""
        del device  # the processor
        self.answer = answering()

    def decode_request(self, request: Request) -> bytes:
        """The photo in a form, which LitServe has parsed by now."""
        return request["image"].file.read()

    def predict(self, photo: bytes) -> Names:
        """Its names."""
        return self.answer(photo)

    def encode_response(self, names: Names) -> dict[str, object]:
        """The reply."""
        return {"predictions": names}


if __name__ == "__main__":
    server = litserve.LitServer(
        Photos(), accelerator="cpu", workers_per_device=cores.available(), timeout=120
    )
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
