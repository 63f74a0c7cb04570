"""A network in int8: made of photos, kept with its verdict, served when it is asked for."""

import json
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from engines import quantised
from engines.cache import seal
from engines.check import Checks, pictures
from engines.engine import Drifted
from engines.load import load
from engines.openvino_engine import has_bf16
from engines.quantise import check, is_depthwise, quantise
from engines.quantised import FILES, Bounds, Figures, NotQuantised, Verdict, find, kept, processor
from models import folder
from serving.taught import Taught, Telling
from tests.small import SIZE, answer, colours

ROOT = Path(__file__).resolve().parents[2]
SLOW, FAST = 100.0, 200.0


def never():
    raise AssertionError("the weights were asked for")


def photos(count: int = 24) -> list[np.ndarray]:
    """Pictures of one colour each, with noise: always the same three numbers, as NNCF takes the
    mean of each photo's largest value for the end of its scale."""
    random = np.random.default_rng(3)
    colour = np.stack([random.permutation([60, 130, 200]) for _ in range(count)])
    noise = random.normal(0, 10, (count, SIZE, SIZE, 3))
    return list((colour[:, None, None] + noise).clip(0, 255).astype(np.uint8))


def figures(same: int = 1000, right: int = 400, rate: float = SLOW, **other: int) -> Figures:
    counts = {"photos": 1200, "same": 1100, "sure": 1000, "labelled": 500} | other
    return Figures(**counts, same_where_sure=same, right=right, photos_per_s=rate)


def verdict(**of: Figures) -> Verdict:
    return Verdict({"f32": figures(), **of}, Bounds(), 40, False, processor(), cores=1)


@pytest.fixture
def card(tmp_path):
    """`colours` by convolutions, so that there is something to quantise."""
    network = colours(tmp_path / "network")
    pixels = ops.parameter([-1, SIZE, SIZE, 3], np.uint8, name="pixels")
    upright = ops.transpose(ops.convert(pixels, "f32"), np.array([0, 3, 1, 2]))
    own = np.eye(3, dtype=np.float32)
    same = ops.convolution(upright, own.reshape(3, 3, 1, 1), [1, 1], [0, 0], [0, 0], [1, 1])
    alone = np.ones((3, 1, 1, 1, 1), np.float32)
    each = ops.group_convolution(same, alone, [1, 1], [0, 0], [0, 0], [1, 1])
    mean = ops.reduce_mean(ops.relu(each), np.array([2, 3]), keep_dims=False)
    logits = ops.matmul(mean, own / 32, False, True)
    graph = openvino.Model([ops.softmax(logits, 1)], [pixels], "colours")
    openvino.save_model(graph, network / "compiled/network.xml", compress_to_fp16=False)
    seal(network / "compiled", key="made in a test")
    return folder.load(network)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def keep(card, cache):
    """Keeps a form with a verdict; what is in it is the network itself, which is quick to make."""

    def kept_with(found: Verdict) -> Path:
        entry = card.folder / "compiled"
        with kept(card, entry, cache) as out:
            for name in ("network.xml", "network.bin", "checks.npz"):
                shutil.copy(entry / name, out)
            (out / "verdict.json").write_text(found.to_json())
        return find(card, entry, cache).folder

    return kept_with


@pytest.fixture
def serve(card, cache, caplog):
    """Loads the network in a precision."""
    caplog.set_level(logging.INFO)  # imported libraries move the root's
    return partial(load, card, never, compiled=cache, cores=1)


def test_a_network_is_quantised_and_answers_like_itself(card, cache, serve):
    entry = card.folder / "compiled"
    with kept(card, entry, cache) as out:
        quantise(entry, photos(), out)
        check(entry, out)
        (out / "verdict.json").write_text(verdict(int8=figures()).to_json())
    assert "FakeQuantize" in (find(card, entry, cache).folder / "network.xml").read_text()

    engine = serve(precision="int8")
    shown = np.stack(photos())
    exact, got = answer(shown), engine.run(shown)
    assert 0 < np.abs(got - exact).max() < 0.1
    sure = exact.max(axis=1) > 0.6
    assert (got.argmax(axis=1) == exact.argmax(axis=1))[sure].all()
    assert engine.description.precision == "int8"
    asked = pictures(SIZE)[:1]
    moved = np.abs(engine.run(asked) - answer(asked)).max()
    assert engine.description.difference == pytest.approx(moved, abs=1e-5)


def test_depthwise_convolutions_can_stay_in_f32(card, tmp_path):
    entry = card.folder / "compiled"
    assert is_depthwise(entry)
    for name, in_f32 in (("all", False), ("some", True)):
        (tmp_path / name).mkdir()
        quantise(entry, photos(8), tmp_path / name, depthwise_in_f32=in_f32)
    counts = [
        (tmp_path / name / "network.xml").read_text().count("FakeQuantize")
        for name in ("all", "some")
    ]
    assert counts[0] > counts[1] > 0


def test_quantising_reports_nothing_to_anybody(card, tmp_path):
    """NNCF asks its makers' statistics at each call, unless that module can't be imported."""
    code = """
import sys
from pathlib import Path
import numpy as np
asked = []
sys.addaudithook(lambda event, _: asked.append(event) if event.startswith("socket.") else None)
from engines.quantise import quantise
shown = list(np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8))
quantise(Path(sys.argv[1]), shown, Path(sys.argv[2]))
assert not {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname"} & set(asked), asked
assert not sys.modules.get("openvino_telemetry")
"""
    out, home = tmp_path / "out", tmp_path / "home"
    out.mkdir()
    home.mkdir()
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", code, str(card.folder / "compiled"), str(out)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    assert (out / "network.xml").exists()
    assert not list(home.iterdir())


def test_without_nncf_the_sentence_says_what_to_install(card, tmp_path):
    code = (
        "import sys; sys.modules['nncf'] = None; "
        "from engines.quantise import QuantiserMissing, quantiser\n"
        "try: quantiser()\n"
        "except QuantiserMissing as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "pip install -r requirements-quantise.txt" in said.stdout


def test_int8_that_was_never_made_is_refused_with_the_command_that_makes_it(serve, card, cache):
    with pytest.raises(NotQuantised) as refused:
        serve(precision="int8")
    command = f"python -m training.quantise --model {card.folder} --cache {cache} --photos"
    assert command in str(refused.value)


def test_int8_that_is_not_trusted_is_served_with_a_warning(keep, serve, caplog):
    keep(verdict(int8=figures(same=990)))
    assert serve(precision="int8").description.precision == "int8"
    (said,) = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert "not trusted: 10 of 1,000 photos that f32 is sure of get another first answer" in said


def test_int8_that_is_trusted_is_served_without_a_word(keep, serve, caplog):
    keep(verdict(int8=figures()))
    assert serve(precision="int8").description.precision == "int8"
    assert not caplog.records


def test_heat_maps_and_layers_stay_in_f32_and_features_come_with_answers(card, cache, serve):
    entry = card.folder / "compiled"
    with kept(card, entry, cache) as out:
        quantise(entry, photos(), out)
        check(entry, out)
        (out / "verdict.json").write_text(verdict(int8=figures()).to_json())
    engine, exact = serve(precision="int8"), serve(precision="f32")
    shown = photos()[0]
    np.testing.assert_array_equal(
        engine.explaining().run(shown).evidence, exact.explaining().run(shown).evidence
    )
    features, probabilities = engine.extracting().run_both(shown[None])
    np.testing.assert_allclose(probabilities, engine.run(shown[None]), atol=1e-6)
    np.testing.assert_allclose(features, exact.extracting().run(shown[None]), atol=3)


@pytest.mark.parametrize(
    ("rates", "taken"),
    [
        ({"int8": FAST}, "int8"),
        ({"int8": SLOW / 2}, "f32"),
        ({"bf16": SLOW / 2, "int8": FAST}, "int8"),
    ],
)
def test_auto_takes_the_fastest_one(keep, serve, rates, taken):
    keep(verdict(**{precision: figures(rate=rate) for precision, rate in rates.items()}))
    assert serve(precision="auto").description.precision == taken


def test_auto_takes_bf16_where_that_is_the_fastest_trusted_one(keep, serve):
    keep(verdict(bf16=figures(rate=2 * FAST), int8=figures(rate=FAST)))
    expected = "bf16" if has_bf16() else "f32"
    assert serve(precision="auto").description.precision == expected


def test_auto_takes_nothing_that_is_not_trusted(keep, serve):
    keep(verdict(bf16=figures(same=980, rate=FAST), int8=figures(right=390, rate=FAST)))
    assert serve(precision="auto").description.precision == "f32"


def test_auto_stays_with_f32_where_nothing_was_tried(serve, cache):
    assert serve(precision="auto").description.precision == "f32"
    assert not cache.exists()


def test_auto_stays_with_f32_on_another_kind_of_processor(keep, serve, caplog):
    """What is fastest there may be the slowest here."""
    keep(replace(verdict(int8=figures(rate=FAST)), processor="Another One avx2"))
    assert serve(precision="auto").description.precision == "f32"
    assert "another kind of processor (Another One avx2)" in caplog.text
    assert serve(precision="int8").description.precision == "int8"
    assert "Colours in int8 was tried on another kind of processor, Another One" in caplog.text


@pytest.mark.parametrize("name", FILES)
def test_of_a_form_with_one_changed_byte_nothing_is_used(keep, serve, name):
    path = keep(verdict(int8=figures(rate=FAST))) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert serve(precision="auto").description.precision == "f32"
    with pytest.raises(NotQuantised):
        serve(precision="int8")


@pytest.mark.parametrize("said", ["", "[]", '{"figures": {}}', '{"figures": {"f32": 7}}'])
def test_a_verdict_that_says_nothing_is_not_used(keep, serve, said):
    form = keep(verdict(int8=figures(rate=FAST)))
    key = json.loads((form / "entry.json").read_text())["key"]
    (form / "verdict.json").write_text(said)
    seal(form, key, FILES)
    assert serve(precision="auto").description.precision == "f32"


def test_a_form_of_other_weights_is_not_used(keep, serve, card):
    keep(verdict(int8=figures(rate=FAST)))
    seal(card.folder / "compiled", key="of other weights")
    assert serve(precision="auto").description.precision == "f32"


@pytest.mark.parametrize("changed", ["VERSION", "version"])
def test_a_form_by_other_versions_is_not_used(keep, serve, monkeypatch, changed):
    keep(verdict(int8=figures(rate=FAST)))
    other = "99.0" if changed == "VERSION" else lambda package: f"99.0 of {package}"
    monkeypatch.setattr(quantised, changed, other)
    assert serve(precision="auto").description.precision == "f32"


def test_a_form_that_computes_otherwise_than_in_its_trial_is_refused(keep, serve, caplog):
    form = keep(verdict(int8=figures(rate=FAST)))
    key = json.loads((form / "entry.json").read_text())["key"]
    checks = Checks.load(form / "checks.npz")
    Checks(checks.pictures, np.roll(checks.answers, 1, axis=1)).save(form / "checks.npz")
    seal(form, key, FILES)
    with pytest.raises(Drifted, match="on this one, or use SHIWU_PRECISION=f32"):
        serve(precision="int8")
    assert serve(precision="auto").description.precision == "f32"
    assert "Colours is served in f32" in caplog.text


def test_a_trial_that_is_broken_off_leaves_what_was_there(keep, card, cache, serve):
    form = keep(verdict(int8=figures(rate=FAST)))
    before = sorted(cache.iterdir())
    unfinished = kept(card, card.folder / "compiled", cache)
    (unfinished.__enter__() / "network.xml").write_text("half of")
    assert not unfinished.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert sorted(cache.iterdir()) == before
    assert find(card, card.folder / "compiled", cache).folder == form


@pytest.mark.parametrize(
    ("found", "because"),
    [
        (figures(), None),
        (figures(same=995), None),
        (figures(same=994), "6 of 1,000 photos"),
        (
            figures(same=599, sure=599),
            "sure of 599 held-back photos, and it takes 600 to say 99.5 %",
        ),
        (figures(right=395), None),
        (figures(right=394), "394 of 500 labelled photos are right and 400 by f32"),
        (
            figures(right=400, labelled=299),
            "299 labelled photos, and it takes 300 to tell points of top-1 (1 may",
        ),
        (figures(labelled=0), "0 labelled photos"),
    ],
)
def test_what_is_trusted(found, because):
    told = verdict(int8=found).complaints("int8")
    assert (because is None) == (not told)
    assert because is None or because in told[0]


def test_the_bounds_are_what_was_asked_for():
    lax = replace(verdict(int8=figures(same=900, right=380)), bounds=Bounds(same=0.9, lower=0.05))
    assert lax.trusts("int8")
    assert (lax.bounds.photos, lax.bounds.labelled) == (30, 60)


def test_a_network_that_knows_what_it_was_taught_still_does(card, cache, serve):
    """Its features come with the answer, so they are int8's, too."""
    entry, shown = card.folder / "compiled", photos()
    features = serve(precision="f32").extracting().run(np.stack(shown))
    Taught.of(features, answer(np.stack(shown)).argmax(axis=1)).save(card.folder)
    with kept(card, entry, cache) as out:
        quantise(entry, shown, out)
        check(entry, out)
        (out / "verdict.json").write_text(verdict(int8=figures()).to_json())
    telling = Telling.of(card, serve(precision="int8"))
    assert sum(telling.run(one)[1] for one in shown) >= 0.9 * len(shown)
    assert not telling.run(np.full((SIZE, SIZE, 3), 255, np.uint8))[1]


def test_what_a_killed_trial_left_is_cleared_by_the_next_one(keep, cache):
    form = keep(verdict(int8=figures()))
    (cache / f".{form.name}-of-a-killed-one").mkdir()
    assert keep(verdict(int8=figures())) == form
    assert not list(cache.glob(".*"))
