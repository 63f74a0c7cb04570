"""POST /image: the photo back, with what /predict says of it drawn on it."""

import io
import logging

import numpy as np
import pytest
from PIL import Image

from imaging import draw
from imaging.draw import LEAST_WIDTH_PX, Line
from imaging.read import read
from imaging.write import jpeg
from serving import drawn
from tests.api.counted import photos_counted
from tests.small import colours, photo

JSON = {"Accept": "application/json"}


def post(client, path, content=None, **options):
    content = content or photo("red", (640, 480))
    return client.post(path, data=content, content_type="image/jpeg", **options)


def size(reply):
    with Image.open(io.BytesIO(reply.data)) as picture:
        return picture.size


def refusal(reply):
    assert (reply.status_code, reply.json["error"]["code"]) == (400, "bad_request")
    return reply.json["error"]["message"]


@pytest.fixture(scope="module")
def chinese():
    if not draw.can_write([Line("红色绿蓝不确定")]):
        pytest.skip("needs a font with Chinese letters; `make test` installs one on Debian")


def test_what_is_drawn_is_what_predict_says_to_the_digit(client):
    """On a photo of many colours, whose probabilities are none of 0 and 1."""
    noise = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)
    content = jpeg(Image.fromarray(noise))
    said = post(client, "/predict", content).json
    assert said["answer"]["level"] == "unsure"
    lines = [Line(said["answer"]["label"])]
    lines += [Line(one["label"], one["probability"]) for one in said["predictions"]]
    expected = jpeg(draw.labels(read(content), lines[:3]))
    assert post(client, "/image?draw=labels", content).data == expected
    doubt_and_a_guess = jpeg(draw.labels(read(content), lines[:2]))
    assert post(client, "/image?draw=labels&top=1", content).data == doubt_and_a_guess


def test_what_is_sure_is_the_first_line(client):
    said = post(client, "/predict").json
    assert said["answer"]["level"] == "class"
    lines = [Line(one["label"], one["probability"]) for one in said["predictions"]]
    expected = jpeg(draw.labels(read(photo("red", (640, 480))), lines))
    assert post(client, "/image?draw=labels").data == expected


def test_the_drawing_is_kept_and_the_photo_without_it_is_another(client):
    reply = post(client, "/image?draw=labels")
    assert client.get(reply.headers["Content-Location"]).data == reply.data
    assert post(client, "/image").data != reply.data


def test_the_names_are_drawn_in_the_callers_language(client, chinese):
    english = post(client, "/image?draw=labels")
    by_option = post(client, "/image?draw=labels&lang=zh")
    by_header = post(client, "/image?draw=labels", headers={"Accept-Language": "zh-CN"})
    assert english.data != by_option.data == by_header.data
    languages = [r.headers["Content-Language"] for r in (english, by_option, by_header)]
    assert languages == ["en", "zh", "zh"]


def test_names_that_no_font_here_can_write_are_drawn_in_english_and_the_log_says_it_once(
    make_app, tmp_path, caplog
):
    """A character for private use stands for all that a machine's fonts lack."""
    network = colours(tmp_path / "network")
    names = "c0\t\U00100000\nc1\t绿\nc2\t蓝\n"
    (network / "labels.zh.tsv").write_text(names, encoding="utf-8")
    drawn._tell_what_is_missing.cache_clear()
    client = make_app(model=(str(network),)).test_client()
    with caplog.at_level(logging.WARNING, "serving.drawn"):
        replies = [post(client, "/image?draw=labels&lang=zh") for _ in range(2)]
    assert [reply.headers["Content-Language"] for reply in replies] == ["en", "en"]
    assert replies[0].data == post(client, "/image?draw=labels&lang=en").data
    (line,) = [one for one in caplog.records if one.name == "serving.drawn"]
    assert "apt-get install fonts-droid-fallback" in line.getMessage()


def test_how_many_names_are_drawn_can_be_chosen(client):
    pictures = [post(client, f"/image?draw=labels&top={top}").data for top in (1, 2, 3)]
    assert len(set(pictures)) == 3
    assert post(client, "/image?draw=labels&top=1000").data == pictures[2]  # it knows three
    assert post(client, "/image?draw=labels").data == pictures[2]


def test_width_shrinks_a_drawing_but_not_under_what_words_need(client):
    widths = [size(post(client, f"/image?draw=labels&width={w}"))[0] for w in (400, 5, 5000)]
    assert widths == [400, LEAST_WIDTH_PX, 640]


def test_a_sideways_photo_is_drawn_on_upright(client):
    exif = Image.Exif()
    exif[0x0112] = 6
    encoded = io.BytesIO()
    Image.new("RGB", (640, 480), "red").save(encoded, "JPEG", exif=exif)
    assert size(post(client, "/image?draw=labels", encoded.getvalue())) == (480, 640)


def test_who_accepts_json_gets_the_address_and_for_how_long(make_app):
    client = make_app(images_ttl_s=90.5).test_client()
    reply = post(client, "/image?draw=labels", headers=JSON)
    assert reply.mimetype == "application/json"
    assert reply.json == {"success": True, "url": reply.json["url"], "expires_s": 90}
    assert client.get(reply.json["url"]).data == post(client, "/image?draw=labels").data
    assert {"Accept", "Accept-Language"} <= set(reply.headers["Vary"].split(", "))


@pytest.mark.parametrize("accept", ["*/*", "image/*", "text/html", "image/png, image/jpeg", "x"])
def test_all_others_get_the_picture(client, accept):
    assert post(client, "/image", headers={"Accept": accept}).mimetype == "image/jpeg"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("draw=names", "draw='names' is not labels or heatmap"),
        ("draw=labels&lang=fr", "lang='fr' is not en or zh"),
        ("draw=labels&class=c0", "the option class goes with draw=heatmap"),
        ("draw=heatmap&top=2", "the option top goes with draw=labels"),
        ("top=2", "the option top goes with draw=labels"),
        ("draw=heatmap&class=n1", "class='n1' is no class of Colours"),
        ("model=Colours", "the option model goes with draw=labels or draw=heatmap"),
        ("draw=labels&model=Nothing", "model='Nothing' is not served here; served: Colours"),
        ("draw=labels&threshold=0.5", "there is no option 'threshold'"),
    ],
)
def test_an_option_that_cannot_be_taken_or_would_change_nothing_is_a_sentence(client, query, said):
    assert said in refusal(post(client, f"/image?{query}"))


def test_a_bad_photo_gets_its_error_and_gives_its_place_back(make_app):
    client = make_app(cores=1, queue=1).test_client()
    for _ in range(4):
        reply = post(client, "/image?draw=labels", b"no picture")
        assert (reply.status_code, reply.json["error"]["code"]) == (415, "unsupported_image")
    assert post(client, "/image?draw=labels").status_code == 200


def test_a_drawing_is_counted_among_the_photos_answered(client):
    def counted():
        told = client.get("/metrics").text
        return [x for x in told.splitlines() if x.startswith('shiwu_infer_seconds_count{model="C')]

    before = counted()
    post(client, "/image?draw=labels")
    assert counted() != before


@pytest.mark.parametrize("query", ["", "?draw=labels", "?draw=heatmap"])
def test_each_photo_that_came_is_counted_by_what_became_of_it(client, query):
    """So a shop that sends broken photos is seen, whichever picture of them it asks for."""
    before = photos_counted(client)
    post(client, f"/image{query}")
    post(client, f"/image{query}", b"no picture")
    post(client, f"/image{query}", photo("red")[:-200])
    counted = photos_counted(client) - before
    assert counted == {"ok": 1, "unsupported_image": 1, "broken_image": 1}


def test_a_request_that_cannot_be_taken_counts_no_photo(client):
    before = photos_counted(client)
    assert post(client, "/image?draw=heatmap&class=none").status_code == 400
    assert post(client, "/image?draw=labels&model=none").status_code == 400
    assert photos_counted(client) == before


def test_a_side_too_long_for_a_jpeg_is_refused_and_no_fault_of_ours(client):
    encoded = io.BytesIO()
    Image.new("L", (65_501, 1)).save(encoded, "PNG")
    reply = post(client, "/image", encoded.getvalue())
    assert (reply.status_code, reply.json["error"]["code"]) == (413, "too_large")
    assert "65,500 px" in reply.json["error"]["message"]
