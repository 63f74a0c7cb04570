"""The Open Inference Protocol, asked by Triton's own client as it comes from its makers."""

import numpy as np
import pytest
import tritonclient.http as triton
from PIL import Image

from imaging.fit import Fit, fit


@pytest.fixture
def client(service):
    with triton.InferenceServerClient(service.address.removeprefix("http://")) as client:
        yield client


def labels_of(result) -> list[str]:
    """Of the first photo: bytes where they came as bytes, text where they came in JSON."""
    labels = result.as_numpy("labels")[0]
    return [label.decode() if isinstance(label, bytes) else label for label in labels]


def test_encoded_bytes_of_the_elephant_are_an_elephant(client, elephant, service):
    image = triton.InferInput("image", [1], "BYTES")
    image.set_data_from_numpy(np.array([elephant], dtype=object))
    result = client.infer("MobileNetV2", [image], request_id="one")
    assert labels_of(result)[0] == "African_elephant"
    assert result.get_response()["id"] == "one"
    expected = service.predict(elephant, top=5).json()["predictions"]
    assert [label.decode() for label in result.as_numpy("ids")[0]] == [e["id"] for e in expected]
    best = np.sort(result.as_numpy("probabilities")[0])[::-1][:5]
    np.testing.assert_allclose(best, [e["probability"] for e in expected], atol=1e-5)


@pytest.mark.parametrize("datatype", ["UINT8", "FP32"])
@pytest.mark.parametrize("binary", [True, False])
def test_a_tensor_of_the_elephant_is_an_elephant(client, shared, datatype, binary):
    with Image.open(shared / "data/photos/elephant.jpg") as photo:
        pixels = np.asarray(fit(photo.convert("RGB"), Fit(224, "crop")))[None]
    given = pixels.astype("f4") if datatype == "FP32" else pixels
    image = triton.InferInput("image", list(given.shape), datatype)
    image.set_data_from_numpy(given, binary_data=binary)
    wanted = triton.InferRequestedOutput("labels", binary_data=binary)
    assert (
        labels_of(client.infer("MobileNetV2", [image], outputs=[wanted]))[0] == "African_elephant"
    )


def test_several_photos_go_in_one_request(client, elephant, shared):
    other = next((shared / "data/photos").glob("n*.JPEG")).read_bytes()
    images = triton.InferInput("image", [2], "BYTES")
    images.set_data_from_numpy(np.array([other, elephant], dtype=object))
    result = client.infer("MobileNetV2", [images])
    assert result.as_numpy("probabilities").shape == (2, 1000)
    assert result.as_numpy("labels")[1][0] == b"African_elephant"


def test_classes_come_as_triton_s_classification_extension_writes_them(client, elephant):
    image = triton.InferInput("image", [1], "BYTES")
    image.set_data_from_numpy(np.array([elephant], dtype=object))
    wanted = triton.InferRequestedOutput("probabilities", class_count=3)
    (rows,) = client.infer("MobileNetV2", [image], outputs=[wanted]).as_numpy("probabilities")
    assert len(rows) == 3
    assert rows[0].decode().endswith(":386:African_elephant")


def test_health_and_what_there_is(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("MobileNetV2")
    assert not client.is_model_ready("VGG16")
    assert client.get_server_metadata()["name"] == "shiwu"
    assert client.get_model_metadata("MobileNetV2", "1")["outputs"][0]["shape"] == [-1, 1000]


def test_refusals_reach_the_client_in_words(client):
    image = triton.InferInput("image", [1, 8, 8, 3], "UINT8")
    image.set_data_from_numpy(np.zeros((1, 8, 8, 3), np.uint8))
    with pytest.raises(triton.InferenceServerException, match=r"\[photos, 224, 224, 3\]"):
        client.infer("MobileNetV2", [image])
    with pytest.raises(triton.InferenceServerException, match="not served here"):
        client.infer("VGG16", [image])
