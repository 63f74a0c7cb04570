"""POST /explain, and the heat map of POST /image: where on the photo, in numbers and as a picture."""

import io
import threading

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops
from PIL import Image

from engines.cache import seal
from tests.api.counted import photos_counted
from tests.small import CLASSES, SIZE, colours, photo

JSON = {"Accept": "application/json"}
WIDTH, HEIGHT = 300, 200
# Orientation (EXIF tag 0x0112) and how an upright photo must be turned to be stored so.
STORED = {
    1: None,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def patch_at(left: int, top: int, orientation: int = 1) -> bytes:
    """A blue photo of 300x200 with a red patch of 30x30, stored turned as phones do."""
    upright = Image.new("RGB", (WIDTH, HEIGHT), "blue")
    upright.paste("red", (left, top, left + 30, top + 30))
    turn = STORED[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    encoded = io.BytesIO()
    stored = upright if turn is None else upright.transpose(turn)
    stored.save(encoded, "JPEG", quality=95, subsampling=0, exif=exif)
    return encoded.getvalue()


def post(client, path, content, **options):
    return client.post(path, data=content, content_type="image/jpeg", **options)


def picture(reply) -> Image.Image:
    assert reply.status_code == 200, reply.data
    with Image.open(io.BytesIO(reply.data)) as opened:
        return opened.convert("RGB")


def hottest(said: dict) -> tuple[float, float]:
    """The middle of the hottest places on the photo, in pixels from the left and the top."""
    rows, columns = np.nonzero(np.array(said["map"]) > 0.5)
    left, top, right, bottom = said["area"]
    across, down = (right - left) / said["shape"][1], (bottom - top) / said["shape"][0]
    x, y = left + across * (columns.mean() + 0.5), top + down * (rows.mean() + 0.5)
    return x * WIDTH, y * HEIGHT


def refusal(reply) -> str:
    assert (reply.status_code, reply.json["error"]["code"]) == (400, "bad_request")
    return reply.json["error"]["message"]


@pytest.mark.parametrize("orientation", STORED)
def test_the_map_says_where_on_the_upright_photo_the_class_is(client, orientation):
    """The photo is turned, then cut to a square and shrunk; the map is laid back through it all."""
    said = post(client, "/explain?class=c0", patch_at(180, 40, orientation), headers=JSON).json
    assert hottest(said) == (pytest.approx(195, abs=3), pytest.approx(55, abs=3))


@pytest.mark.parametrize("orientation", STORED)
def test_the_picture_shows_where_on_the_upright_photo_the_class_is(client, orientation):
    shown = picture(post(client, "/explain?class=c0", patch_at(180, 40, orientation)))
    assert shown.size == (WIDTH, HEIGHT)
    red, green, _ = shown.getpixel((195, 55))
    assert red > 200, "it is still bright"
    assert green > 100, "and covered with yellow"
    assert shown.getpixel((100, 150)) == pytest.approx((0, 0, 254), abs=3)


def test_what_lies_beyond_the_square_is_dark_and_not_cold(client):
    """The network never saw it. With fit=stretch it sees everything."""
    content = patch_at(265, 40)
    shown = picture(post(client, "/explain?class=c0", content))
    assert max(shown.getpixel((280, 55))) < 200
    stretched = post(client, "/explain?class=c0&fit=stretch", content, headers=JSON).json
    assert stretched["area"] == [0, 0, 1, 1]
    assert hottest(stretched) == (pytest.approx(280, abs=6), pytest.approx(55, abs=3))


def test_without_a_class_the_likeliest_is_explained_as_predict_names_it(client):
    content = photo("teal")
    first = post(client, "/predict", content).json["predictions"][0]
    said = post(client, "/explain", content, headers=JSON).json
    assert said["class"] == first
    assert said["success"] is True
    assert said["model"] == "Colours"
    assert said["method"] == "cam"
    assert said["shape"] == [SIZE, SIZE]
    assert np.shape(said["map"]) == (SIZE, SIZE)
    assert np.max(said["map"]) == 1


def test_a_class_that_nothing_speaks_for_gives_an_empty_map(client):
    said = post(client, "/explain?class=c0", photo("blue", kind="PNG"), headers=JSON).json
    assert np.max(said["map"]) == 0


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "image/jpeg"),
        ("*/*", "image/jpeg"),
        ("image/*", "image/jpeg"),
        ("image/png", "image/png"),
        ("image/png;q=0.5, image/jpeg;q=0.9", "image/jpeg"),
        ("application/json", "application/json"),
        ("text/html", "image/jpeg"),
    ],
)
def test_accept_chooses_between_a_picture_and_the_map(client, accept, kind):
    headers = {} if accept is None else {"Accept": accept}
    reply = post(client, "/explain", photo("red"), headers=headers)
    assert (reply.status_code, reply.mimetype) == (200, kind)
    assert "Accept" in reply.headers["Vary"]


def test_a_png_has_every_pixel_of_the_cold_part_as_it_was(client):
    shown = picture(
        post(client, "/explain?class=c0", patch_at(100, 100), headers={"Accept": "image/png"})
    )
    assert shown.getpixel((200, 50)) == (0, 0, 254)


def test_a_small_photo_is_not_enlarged_and_a_large_one_is_shrunk_to_what_one_can_look_at(client):
    assert picture(post(client, "/explain", photo("red", (9, 5)))).size == (9, 5)
    width, height = picture(post(client, "/explain", photo("red", (3000, 2000)))).size
    assert 280 <= height < 600
    assert width / height == pytest.approx(1.5, abs=0.01)


def test_the_label_comes_in_the_language_asked_for(client):
    content = photo("red")
    assert post(client, "/explain?lang=zh", content, headers=JSON).json["class"]["label"] == "红色"
    accepted = JSON | {"Accept-Language": "zh-CN, en;q=0.9"}
    reply = post(client, "/explain", content, headers=accepted)
    assert reply.json["class"]["label"] == "红色"
    assert reply.headers["Content-Language"] == "zh"


def test_image_draws_the_same_map_on_the_whole_photo(client):
    content = patch_at(180, 40, 6)
    reply = post(client, "/image?draw=heatmap&class=c0", content)
    assert reply.headers["Content-Location"].startswith("/image/")
    shown = picture(reply)
    assert shown.size == (WIDTH, HEIGHT)
    assert shown.getpixel((195, 55))[1] > 100
    kept = client.get(reply.headers["Content-Location"])
    assert kept.data == reply.data
    narrow = picture(post(client, "/image?draw=heatmap&class=c0&width=150", content))
    assert narrow.size == (150, 100)
    assert narrow.getpixel((97, 27))[1] > 100


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("n02504458", "class='n02504458' is no class of Colours; /labels?model=Colours lists the"),
        ("Red", "class='Red' is no class of Colours; did you mean c0? /labels?model=Colours"),
        ("红色", "class='红色' is no class of Colours; did you mean c0?"),
        ("", "class='' is no class of Colours"),
        ("x" * 500, f"class='{'x' * 40}' is no class of Colours"),
    ],
)
def test_an_unknown_class_is_refused_with_where_to_find_the_ids(client, given, sentence):
    reply = client.post(
        "/explain", query_string={"class": given}, data=photo("red"), content_type="image/jpeg"
    )
    assert sentence in refusal(reply)


def test_a_class_of_another_network_is_refused_with_its_name(make_app, tmp_path, network_folder):
    other = colours(tmp_path / "other", name="Other")
    (other / "labels.tsv").write_text("d0\trosy\nd1\tgrassy\nd2\twatery\n")
    client = make_app(model=(str(network_folder), str(other))).test_client()
    message = refusal(post(client, "/explain?class=d1", photo("red")))
    assert message == "class='d1' is no class of Colours, but of Other: add model=Other"
    said = post(client, "/explain?class=d1&model=Other", photo("green"), headers=JSON).json
    assert (said["model"], said["class"]["label"]) == ("Other", "grassy")


def test_several_photos_are_refused(client):
    files = [(io.BytesIO(photo("red")), f"{i}.jpg") for i in range(2)]
    reply = client.post("/explain", data={"image": files})
    assert refusal(reply) == "2 photos came; /explain takes one"


@pytest.mark.parametrize("query", ["top=3", "threshold=0.5", "width=100", "draw=heatmap"])
def test_options_of_other_addresses_are_refused(client, query):
    assert "there is no option" in refusal(post(client, f"/explain?{query}", photo("red")))


def test_what_is_no_photo_is_refused_as_everywhere(client):
    reply = post(client, "/explain", b"%PDF-1.7")
    assert (reply.status_code, reply.json["error"]["code"]) == (415, "unsupported_image")


def test_a_network_that_can_t_be_explained_says_why_and_still_answers(make_app, tmp_path):
    client = make_app(model=(str(by_two_maps(tmp_path / "two")),)).test_client()
    for _ in range(2):
        message = refusal(post(client, "/explain", photo("red")))
        assert message == (
            "Colours can't be explained: its answer comes from 2 feature maps; it takes exactly one"
        )
    assert post(client, "/predict", photo("red")).json["predictions"][0]["id"] == "c0"


def test_ten_at_once_are_all_answered_and_the_network_is_prepared_once(make_app, caplog):
    app = make_app()
    replies, content = [], photo("red")

    def ask():
        replies.append(post(app.test_client(), "/explain", content, headers=JSON))

    threads = [threading.Thread(target=ask) for _ in range(10)]
    with caplog.at_level("INFO", "serving.forms"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [reply.status_code for reply in replies] == [200] * 10
    assert len({reply.data for reply in replies}) == 1
    assert caplog.text.count("Colours prepared for explaining") == 1


def test_metrics_and_the_log_count_explanations_as_photos(make_app, caplog):
    client = make_app().test_client()
    before = photos_counted(client)
    with caplog.at_level("INFO", "shiwu.request"):
        post(client, "/explain", photo("red"))
    assert photos_counted(client) - before == {"ok": 1}
    (record,) = (r for r in caplog.records if getattr(r, "route", "") == "/explain")
    assert (record.photos, record.status) == (1, 200)
    assert record.infer_ms > 0


def test_a_photo_that_cannot_be_explained_is_counted_by_its_error(client):
    before = photos_counted(client)
    post(client, "/explain", b"%PDF-1.7")
    post(client, "/explain?class=none", photo("red"))
    assert photos_counted(client) - before == {"unsupported_image": 1}


def test_explaining_has_a_histogram_of_its_own(client):
    """It takes longer than an answer: in one histogram with answers they would seem to be slow."""

    def observed(name):
        wanted = f'{name}_count{{model="Colours"}}'
        lines = (x.rsplit(" ", 1) for x in client.get("/metrics").text.splitlines())
        return sum(float(value) for key, value in lines if key == wanted)

    names = [f"shiwu_{what}_seconds" for what in ("explain", "wait", "decode", "infer")]
    before = [observed(name) for name in names]
    post(client, "/explain", photo("red"))
    assert [observed(name) for name in names] == [before[0] + 1, before[1] + 1, *before[2:]]


def by_two_maps(where):
    """The colours again, but half of each answer from another map than the other half."""
    colours(where)
    pixels = ops.parameter([-1, SIZE, SIZE, 3], np.uint8, name="pixels")
    halves = []
    for factor in (np.float32(1 / 64), np.float32(1 / 64)):
        scaled = ops.multiply(ops.convert(pixels, "f32"), factor)
        halves.append(ops.reduce_mean(ops.relu(scaled), np.array([1, 2]), keep_dims=False))
    network = openvino.Model([ops.softmax(ops.add(*halves), 1)], [pixels])
    openvino.save_model(network, where / "compiled/network.xml", compress_to_fp16=False)
    seal(where / "compiled", key="made in a test")
    assert len(CLASSES) == 3
    return where
