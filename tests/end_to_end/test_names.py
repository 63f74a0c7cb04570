"""A photo in, names out: the real network, real photos, over HTTP."""

import csv
import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.service import running
from tests.small import colours

ROOT = Path(__file__).resolve().parents[2]
# Two runs of the same pixels differ by rounding; another program's JPEG decoder by a little more.
SAME_PIXELS = 1e-3
OWN_COMPRESSION = 0.05


def probabilities(service, photo, **options):
    reply = service.predict(photo, top=1000, **options)
    assert reply.status_code == 200, reply.text
    return {p["id"]: p["probability"] for p in reply.json()["predictions"]}


def apart(some, others):
    return max(abs(some[class_id] - others[class_id]) for class_id in others)


def labelled(folder):
    with (folder / "labels.csv").open(encoding="utf-8") as rows:
        return [(folder / row["file"], row["wnid"]) for row in csv.DictReader(rows)]


def top1(service, photos, **options):
    """The share of photos whose first answer is right, and those first answers."""

    def first(photo):
        reply = service.predict(photo[0].read_bytes(), top=1, **options)
        return reply.json()["predictions"][0]["id"]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(first, photos))
    right = sum(answer == wnid for answer, (_, wnid) in zip(answers, photos, strict=True))
    return right / len(photos)


def test_the_elephant_is_an_african_elephant_and_perhaps_a_tusker(service, elephant):
    labels = [p["label"] for p in service.predict(elephant).json()["predictions"]]
    assert labels[0] == "African_elephant"
    assert "tusker" in labels
    assert len(labels) == 5


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_one_photo_in_all_eight_orientations_gets_the_same_answer(service, elephant, kind):
    """The pixels are stored turned, and the tag says how to turn them back."""
    undo = [None, 0, 3, 1, 5, 2, 6, 4]  # Pillow's transpositions, for tags 1 to 8
    upright = Image.open(io.BytesIO(elephant)).convert("RGB")
    answers = []
    for tag, transposition in enumerate(undo, start=1):
        stored = upright if transposition is None else upright.transpose(transposition)
        exif = Image.Exif()
        exif[0x0112] = tag
        encoded = io.BytesIO()
        stored.save(encoded, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
        answers.append(probabilities(service, encoded.getvalue()))
    for answer in answers[1:]:
        assert apart(answer, answers[0]) < SAME_PIXELS


def test_sideways_jpegs_are_answered_as_if_turned_upright_beforehand(
    service, shared, tmp_path, program
):
    """Turned by another program, ImageMagick, which shares no code with our reader."""
    convert = program("convert-im6.q16", "magick")
    for path in sorted((shared / "data/photos/orientation").glob("*.jpg")):
        turned = tmp_path / f"{path.stem}.png"
        subprocess.run([convert, path, "-auto-orient", "-strip", turned], check=True)
        as_it_is = probabilities(service, path.read_bytes())
        upright = probabilities(service, turned.read_bytes())
        assert apart(as_it_is, upright) < OWN_COMPRESSION, path.name


@pytest.mark.parametrize(
    ("folder", "fit", "at_least"),
    [("photos", "crop", 0.90), ("photos", "stretch", 0.83), ("photos-val", "crop", 0.745)],
)
def test_labelled_photos_get_their_names(service, shared, folder, fit, at_least):
    share = top1(service, labelled(shared / "data" / folder), fit=fit)
    print(f"{folder}, {fit}: top-1 {share:.4f}")
    assert share >= at_least


AGREE = """
import sys, os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from pathlib import Path
import numpy as np
from engines.cache import entry
from engines.keras_engine import KerasEngine
from engines.openvino_engine import OpenVinoEngine
from imaging.fit import Fit, fit
from imaging.read import read
from models import zoo
card, weights = zoo.card("MobileNetV2"), Path(sys.argv[1])
fast = OpenVinoEngine(card.name, entry(card, lambda: weights, Path(sys.argv[2])), "f32", cores=1)
reference = KerasEngine(card, weights)
how = Fit(card.input_size, card.mode, card.crop, card.interpolation)
photos = [path for folder in sys.argv[3:] for path in sorted(Path(folder).glob("*.[jJ][pP]*"))]
apart, other = 0.0, 0
for begin in range(0, len(photos), 20):
    some = photos[begin : begin + 20]
    pixels = np.stack([fit(read(p.read_bytes(), at_least=how.decode_side), how) for p in some])
    ours, theirs = fast.run(pixels), reference.run(pixels)
    apart = max(apart, float(np.abs(ours - theirs).max()))
    other += int((ours.argmax(1) != theirs.argmax(1)).sum())
print(len(photos), other, apart)
"""


def test_the_fast_engine_agrees_with_keras_on_every_labelled_photo(shared, weights, compiled):
    folders = [str(shared / "data" / name) for name in ("photos", "photos-val")]
    command = [sys.executable, "-c", AGREE, str(weights), str(compiled), *folders]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    count, other, apart_by = ran.stdout.split()
    print(f"{count} photos: {other} other first answers, probabilities within {apart_by}")
    assert int(count) >= 421
    assert int(other) == 0
    assert float(apart_by) < 1e-3


def test_the_tutorials_client_reads_our_reply(service, elephant):
    """What its page does: JSON.parse(res.data)['predictions'], item.label."""
    reply = service.post(
        "/predict",
        files={"image": ("tmp_9f3.jpg", elephant, "image/jpeg")},
    )
    predictions = reply.json()["predictions"]
    assert predictions[0]["label"] == "African_elephant"
    assert all(set(item) >= {"label", "probability"} for item in predictions)


def test_curl_as_the_readme_says(service, elephant, tmp_path, program):
    photo = tmp_path / "elephant.jpg"
    photo.write_bytes(elephant)
    command = [program("curl"), "-sS", "-F", f"image=@{photo}", f"{service.address}/predict"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert '"label":"African_elephant"' in said


def test_several_photos_at_once_are_answered_in_order(service, shared):
    photos = labelled(shared / "data/photos")[:12]
    files = [("image", path.read_bytes()) for path, _ in photos]
    results = service.post("/predict", files=files, params={"top": 1}).json()["results"]
    alone = [service.predict(content, top=1).json()["predictions"][0] for _, content in files]
    for together, single in zip(results, alone, strict=True):
        assert together["predictions"][0]["id"] == single["id"]
        assert np.isclose(
            together["predictions"][0]["probability"], single["probability"], atol=1e-5
        )


def test_the_service_never_imported_tensorflow(service, elephant):
    service.predict(elephant)
    assert service.worker_pids()
    for pid in service.worker_pids():
        assert "/tensorflow/" not in Path(f"/proc/{pid}/maps").read_text()


def test_the_reference_engine_serves_too_and_says_so(tmp_path, weights, elephant):
    settings = {"model": "MobileNetV2", "weights": weights, "engine": "keras"}
    with running(tmp_path, **settings) as service:
        first = service.predict(elephant).json()["predictions"][0]
        told = service.get("/models/MobileNetV2").json()
    assert first["label"] == "African_elephant"
    assert (told["loaded"], told["engine"], told["precision"]) == (True, "keras", "f32")


def test_two_networks_are_served_side_by_side(tmp_path, shared, compiled, elephant):
    network = colours(tmp_path / "network")
    settings = {"model": f"{network},MobileNetV2", "weights": shared / "data/weights"}
    with running(tmp_path, cache=compiled, **settings) as service:
        assert service.predict(elephant).json()["model"] == "Colours"
        chosen = service.predict(elephant, model="MobileNetV2").json()
    assert chosen["model"] == "MobileNetV2"
    assert chosen["predictions"][0]["label"] == "African_elephant"
