"""Features over HTTP: Keras' own numbers, and good enough to tell cats from dogs by."""

import io
import json
import re
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.service import running

ROOT = Path(__file__).resolve().parents[2]
NPY = {"Accept": "application/x-npy"}
AT_ONCE = 16

# Keras' own network, without its head, on pixels read and fitted by us.
BY_KERAS = """
import json, sys
import numpy as np
import keras
from imaging.fit import Fit, fit
from imaging.read import Limits, read

weights, photo = sys.argv[1:]
how = Fit(224, "crop")
pixels = np.asarray(fit(read(open(photo, "rb").read(), Limits(), at_least=how.decode_side), how))
whole = keras.applications.MobileNetV2(weights=weights)
headless = keras.applications.MobileNetV2(include_top=False, pooling="avg", weights=None)
headless.set_weights(whole.get_weights()[:-2])
scaled = keras.applications.mobilenet_v2.preprocess_input(pixels[None].astype("float32"))
print(json.dumps(headless(scaled, training=False).numpy()[0].tolist()))
"""


def features(service, photos, **asked):
    images = [("image", (f"{i}.jpg", photo)) for i, photo in enumerate(photos)]
    reply = service.post("/features", files=images, params=asked, headers=NPY)
    assert reply.status_code == 200, reply.text
    return np.load(io.BytesIO(reply.content), allow_pickle=False)


def test_features_are_those_of_keras_without_its_head(service, weights, shared):
    photo = shared / "data/photos/elephant.jpg"
    command = [sys.executable, "-c", BY_KERAS, str(weights), str(photo)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    expected = np.array(json.loads(ran.stdout.splitlines()[-1]))

    given = features(service, [photo.read_bytes()])

    assert given.shape == (1280,)
    apart = np.linalg.norm(given - expected) / np.linalg.norm(expected)
    print(f"features: {apart:.1e} of their length from Keras'")
    assert apart < 1e-3


def test_a_layer_is_exported_when_it_is_first_asked_for_while_answers_go_on(service, elephant):
    asked = {"files": {"image": elephant}, "params": {"layer": "out_relu", "pooling": "avg"}}
    end = time.monotonic() + 240
    while (reply := service.post("/features", **asked)).status_code == 503:
        assert reply.json()["error"]["code"] == "not_ready"
        assert service.predict(elephant).status_code == 200
        assert time.monotonic() < end
    expected = features(service, [elephant])
    np.testing.assert_allclose(reply.json()["features"], expected, rtol=1e-3, atol=1e-4)


def test_the_readme_s_lines_of_python_give_features(tmp_path, elephant):
    """Run as written, by whoever copies them, but for the port."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "photo.jpg").write_bytes(elephant)
    with running(tmp_path) as box:
        code = lines.replace("http://localhost:5000", box.address) + "print(features.shape)"
        ran = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
    assert ran.stdout == "(512,)\n"


def photos_of(archive: Path):
    """Photos by class folder."""
    with tarfile.open(archive) as opened:
        found: dict[str, list[bytes]] = {}
        for member in opened:
            if member.isfile():
                class_name = Path(member.name).parent.name
                found.setdefault(class_name, []).append(opened.extractfile(member).read())
    return found


@pytest.mark.timeout(600)
def test_the_nearest_mean_of_features_tells_cats_from_dogs(service, shared):
    def of(photos):
        batches = [photos[i : i + AT_ONCE] for i in range(0, len(photos), AT_ONCE)]
        with ThreadPoolExecutor(2) as pool:
            return np.concatenate(list(pool.map(lambda some: features(service, some), batches)))

    taught = photos_of(shared / "data/catsdogs/train.tar")
    asked = photos_of(shared / "data/catsdogs/validation.tar")
    means = {name: of(photos).mean(0) for name, photos in taught.items()}
    right = 0
    for name, photos in asked.items():
        rows = of(photos)
        apart = {other: np.linalg.norm(rows - mean, axis=1) for other, mean in means.items()}
        nearest = np.argmin(list(apart.values()), axis=0)
        right += int((nearest == list(apart).index(name)).sum())
    share = right / sum(map(len, asked.values()))
    print(f"nearest mean: {share:.4f} of {sum(map(len, asked.values()))}")
    assert share >= 0.95
