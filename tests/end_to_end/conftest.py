"""The service with the real MobileNetV2, started once for all tests that only ask it."""

from pathlib import Path

import pytest

from tests.service import running


@pytest.fixture(scope="session")
def weights(shared) -> Path:
    return shared / "data/weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"


@pytest.fixture(scope="session")
def service(tmp_path_factory, compiled, weights):
    folder = tmp_path_factory.mktemp("service")
    with running(folder, model="MobileNetV2", weights=weights, cache=compiled) as started:
        yield started


@pytest.fixture(scope="session")
def elephant(shared) -> bytes:
    return (shared / "data/photos/elephant.jpg").read_bytes()
