"""What the page says of a photo, and what can be done with it."""

import io
import json
import os
import re
import subprocess

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.page.pictures import blue, encoded, red, sent
from tests.page.riddle import riddle
from tests.page.seen import answered, ask_colours, bring, sentence
from tests.small import photo


@pytest.fixture
def page(visit, service):
    page = visit(service)
    ask_colours(page)
    return page


def test_the_empty_page_invites_with_what_the_network_knows(visit, service):
    page = visit(service)
    expect(page.get_by_role("heading", level=1)).to_have_text("What is in your photo?")
    expect(page.get_by_text("It knows 200 things, among them")).to_be_visible()
    known = {
        label["label"].replace("_", " ")
        for label in service.get("/labels?lang=en").json()["labels"]
    }
    examples = page.locator("#examples li")
    expect(examples).to_have_count(6)
    first = examples.all_text_contents()
    assert set(first) <= known
    page.get_by_role("button", name="Show others").click()
    expect(examples).not_to_have_text(first)
    ask_colours(page)
    expect(page.get_by_text("It knows 3 things, among them")).to_be_visible()
    assert set(examples.all_text_contents()) == {"red", "green", "blue"}


def test_what_the_page_shows_is_what_the_service_said(visit, service):
    content = photo("orange", (640, 480))
    card = bring(visit(service, reduced_motion="reduce"), sent("orange.jpg", content))
    answered(card)
    said = service.predict(content, lang="en").json()
    names = [label["label"].replace("_", " ") for label in said["predictions"]]
    expect(card.locator(".name")).to_have_text(names)
    expect(card.locator(".share")).to_have_count(5)
    widths = card.locator(".bar-of").evaluate_all(
        "bars => bars.map(bar => getComputedStyle(bar, '::before').width.replace('px', '') / bar.clientWidth)"
    )
    for width, prediction in zip(widths, said["predictions"], strict=True):
        assert width == pytest.approx(prediction["probability"], abs=0.01)
    assert json.loads(card.locator(".json").text_content()) == said


# A reply in the form of /predict, and the sentence that it is to become, in both languages.
DOG = {"level": "group", "id": "dog", "label": "dog", "probability": 0.97}
HUND = {**DOG, "label": "狗"}


def named(label, probability, class_id="n02099601"):
    return {"label": label, "probability": probability, "id": class_id}


@pytest.mark.parametrize(
    ("language", "answer", "predictions", "main", "rest"),
    [
        ("en", DOG, [named("golden_retriever", 0.62)], "A dog;", " perhaps a golden retriever"),
        ("en", DOG, [named("golden_retriever", 0.12)], "A dog", ""),
        ("en", DOG, [named("teapot", 0.5, "n1"), named("pug", 0.3, "n2")], "A dog;", " perhaps pug"),
        ("zh", HUND, [named("金毛寻回犬", 0.62)], "狗，", "可能是金毛寻回犬"),
        ("en", {"level": "class", **named("African_elephant", 0.95)}, [], "An African elephant", ""),
        ("en", {"level": "class", **named("unicycle", 0.95)}, [], "A unicycle", ""),
        ("en", {"level": "class", **named("hourglass", 0.95)}, [], "An hourglass", ""),
        ("en", {"level": "class", **named("sunglasses", 0.95)}, [], "Sunglasses", ""),
        ("en", {"level": "class", **named("broccoli", 0.95)}, [], "Broccoli", ""),
        ("en", {"level": "class", **named("red", 0.95, "c0")}, [], "Red", ""),
        ("zh", {"level": "class", **named("非洲象", 0.95)}, [], "非洲象", ""),
        ("en", {"level": "unsure"}, [named("teapot", 0.4), named("vase", 0.3)], "Not sure.", " Perhaps a teapot, or a vase"),
        ("en", {"level": "unsure"}, [named("teapot", 0.4), named("vase", 0.1)], "Not sure.", " Perhaps a teapot"),
        ("en", {"level": "unsure"}, [named("teapot", 0.1)], "Not sure.", ""),
        ("zh", {"level": "unsure"}, [named("茶壶", 0.4), named("花瓶", 0.3)], "不太确定。", "可能是茶壶，或者花瓶"),
        ("en", None, [named("teapot", 0.95)], "A teapot", ""),
        ("en", None, [named("teapot", 0.5)], "Not sure.", " Perhaps a teapot"),
    ],
)  # fmt: skip
def test_the_sentence_says_what_is_certain_and_then_what_may_be(
    page, language, answer, predictions, main, rest
):
    """A class outside the group is not what the group may be: the teapot is no dog."""
    said = page.evaluate(
        """async ([language, answer, predictions]) => {
            (await import("/web/words.js")).speak(language);
            const groups = new Map([["n1", ["thing"]], ["n2", ["dog", "animal"]], ["n02099601", ["dog"]]]);
            const reply = answer ? { answer, predictions } : { predictions };
            return (await import("/web/answer.js")).sentence(reply, groups);
        }""",
        [language, answer, predictions],
    )
    assert (said["main"], said["rest"]) == (main, rest)


@pytest.mark.parametrize(
    ("probability", "text"),
    [(1, "100%"), (0.9999, "99%"), (0.594, "59%"), (0.0512, "5.1%"), (0.0004, "under 0.1%"), (0, "0.0%")],
)  # fmt: skip
def test_shares_are_never_rounded_to_all_or_none(page, probability, text):
    assert page.evaluate("async p => (await import('/web/words.js')).share(p)", probability) == text


def test_a_photo_that_could_be_better_comes_with_a_hint(visit, service):
    content = encoded(Image.new("RGB", (640, 480), (6, 6, 6)), "JPEG")
    (hint,) = service.predict(content, lang="en").json()["hints"][:1]
    card = bring(visit(service), sent("night.jpg", content))
    expect(card.locator(".hints")).to_contain_text(hint["text"])


def test_class_ids_are_shown_on_demand(page):
    card = bring(page, red())
    answered(card)
    expect(card.get_by_text("c0", exact=True)).to_have_count(0)
    card.get_by_text("For programs").click()
    card.get_by_role("switch", name="Show class ids").check(force=True)
    expect(card.locator(".names").get_by_text("c0", exact=True)).to_be_visible()
    expect(card.locator(".id")).to_have_text(["c0", "c1", "c2"])


def test_the_language_follows_the_browser_and_is_remembered(visit, service):
    page = visit(service, locale="zh-CN")
    expect(page.get_by_role("heading", level=1)).to_have_text("照片里是什么？")
    expect(page).to_have_title("照片里是什么？ 识物 Shiwu")
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What is in your photo?")
    expect(page.get_by_role("button", name="English")).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("What is in your photo?")


@pytest.mark.parametrize(
    ("locale", "spoken"), [("en-US", "en"), ("zh-TW", "zh-CN"), ("fr-FR", "en")]
)
def test_a_language_that_the_page_does_not_speak_gets_english(visit, service, locale, spoken):
    page = visit(service, locale=locale)
    expect(page.locator("html")).to_have_attribute("lang", spoken)


def test_another_language_renames_the_answers_and_all_that_stands_beside_them(visit, service):
    content = photo("orange", (640, 480))
    page = visit(service)
    card = bring(page, sent("orange.jpg", content))
    answered(card)
    page.get_by_role("button", name="中文").click()
    names = [one["label"] for one in service.predict(content, lang="zh").json()["predictions"]]
    expect(card.locator(".name")).to_have_text(names)
    expect(card.get_by_role("button", name="移除")).to_be_visible()
    expect(card.get_by_role("img", name="你的照片：orange.jpg")).to_be_visible()
    assert json.loads(card.locator(".json").text_content())["predictions"][0]["label"] == names[0]
    expect(page.locator("#curl")).to_contain_text("lang=zh")


def test_nothing_on_the_page_stays_in_the_other_language(visit, service):
    page = visit(service, locale="zh-CN")
    answered(bring(page, red()))
    words = page.locator("main, footer, header").all_inner_texts()
    names = ["English", "Shiwu", "ShiwuNet", "Colours", "red", "jpg"]
    without_addresses = re.sub(r"https?://\S+|curl .*", "", " ".join(words))
    left = set(re.findall(r"[A-Za-z]{3,}", without_addresses)) - set(names)
    labels = {one["label"] for one in service.get("/labels?lang=zh").json()["labels"]}
    assert [word for word in left if not any(word in label for label in labels)] == []


def test_another_network_answers_every_photo_again(visit, service):
    page = visit(service)
    card = bring(page, red())
    answered(card)
    expect(card.locator(".json")).to_contain_text("ShiwuNet")
    expect(page.get_by_label("Network")).to_have_value("ShiwuNet")
    ask_colours(page)
    expect(sentence(card)).to_have_text("Red")
    expect(card.locator(".command")).to_contain_text("model=Colours")
    expect(card.locator(".json")).to_contain_text("Colours")


def test_a_single_network_is_no_choice(visit, start):
    page = visit(start())
    answered(bring(page, red()))
    expect(page.get_by_label("Network")).to_be_hidden()


def run_shell(lines, folder):
    """What the lines print in a terminal; nothing goes through a proxy."""
    given = os.environ | {"no_proxy": "*"}
    shell = ["sh", "-c", lines]
    return subprocess.run(shell, cwd=folder, env=given, capture_output=True, check=True).stdout


@pytest.mark.parametrize(
    "name", ["red.jpg", 'it\'s; a "red", one $(x) .jpg', "红色 照片.jpg", "-red.jpg"]
)
def test_the_curl_line_gives_the_json_that_is_shown(page, program, tmp_path, name):
    program("curl")
    (tmp_path / name).write_bytes(photo("red"))
    card = bring(page, sent(name, photo("red")))
    answered(card)
    said = run_shell(card.locator(".command").text_content(), tmp_path)
    assert json.loads(said) == json.loads(card.locator(".json").text_content())


def test_curl_line_and_json_are_copied_by_a_button(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    card = bring(page, red())
    answered(card)
    card.get_by_text("For programs").click()
    for part in ("command", "json"):
        button = card.locator(f"[data-copy={part}]")
        expect(button).to_have_accessible_name("Copy")
        button.click()
        expect(button).to_have_text("Copied")
        copied = page.evaluate("() => navigator.clipboard.readText()")
        assert copied == card.locator(f".{part}").text_content()
    page.locator("#copy").click()
    expect(page.locator("#copy")).to_have_text("Copied")
    assert page.evaluate("() => navigator.clipboard.readText()").startswith(
        "curl -F image=@photo.jpg http"
    )


def test_the_photo_is_saved_with_its_names_drawn(page):
    card = bring(page, sent("wall.jpg", photo("red", (640, 480))))
    answered(card)
    with page.expect_download() as download:
        card.get_by_role("button", name="Save with names").click()
    assert download.value.suggested_filename == "wall - names.jpg"
    with Image.open(download.value.path()) as picture:
        assert picture.format == "JPEG"
        assert len(picture.convert("RGB").getcolors(2**24)) > 20  # more than a red wall
    expect(card.get_by_text("Saved")).to_be_visible()


def test_cancelled_photos_are_let_go_and_can_be_asked_again(visit, between):
    page = visit(between)
    ask_colours(page)
    between.hold("/predict")
    cards = bring(page, red(), blue())
    expect(page.locator("[data-phase=looking]")).to_have_count(2)
    cards.nth(0).get_by_role("button", name="Cancel").click()
    expect(cards.nth(0)).to_contain_text("Cancelled")
    between.release()
    expect(sentence(cards.nth(1))).to_have_text("Blue")
    expect(page.get_by_text("1 of 2 photos answered")).to_be_visible()
    cards.nth(0).get_by_role("button", name="Try again").click()
    expect(sentence(cards.nth(0))).to_have_text("Red")


def test_all_can_be_cancelled_at_once(visit, between):
    page = visit(between)
    between.hold("/predict")
    bring(page, *[red(f"{i}.jpg") for i in range(5)])
    expect(page.locator("[data-phase=looking]")).to_have_count(3)
    page.get_by_role("button", name="Cancel all").click()
    expect(page.locator("[data-phase=stopped]")).to_have_count(5)
    expect(page.get_by_role("button", name="Cancel all")).to_be_hidden()


def test_removed_photos_leave_the_empty_page(page):
    cards = bring(page, red(), blue())
    answered(cards.nth(1))
    cards.nth(0).get_by_role("button", name="Remove").click()
    expect(cards).to_have_count(1)
    expect(cards).to_contain_text("blue.jpg")
    bring(page, red())
    page.get_by_role("button", name="Clear").click()
    expect(cards).to_have_count(0)
    expect(page.get_by_role("button", name="Choose photos")).to_be_focused()


def test_the_heat_map_shows_where_the_network_looked_for_each_name(
    visit, service, program, tmp_path
):
    program("curl")
    content = photo("orange", (640, 480))
    page = visit(service)
    card = bring(page, sent("wall.jpg", content))
    answered(card)
    page.get_by_role("switch", name="Heat map").check(force=True)
    for label in card.locator(".name").all_inner_texts()[:2]:
        card.get_by_role("button", name=f"Show where: {label}", exact=True).click()
        shown = card.get_by_role("img", name=f"Where it looked for: {label}")
        expect(shown).to_be_visible()
        assert shown.evaluate("img => [img.naturalWidth, img.naturalHeight]") == [640, 480]
        expect(card.locator(".names [aria-pressed=true]")).to_have_text(label)
    (tmp_path / "wall.jpg").write_bytes(content)
    run_shell(card.locator(".command").text_content(), tmp_path)
    with Image.open(tmp_path / "heatmap.jpg") as drawn:
        assert drawn.size == (640, 480)
    page.get_by_role("switch", name="Heat map").uncheck(force=True)
    expect(card.locator(".map")).to_be_hidden()
    expect(card.get_by_role("button", name="Show where")).to_have_count(0)


def test_the_heat_map_stays_on_for_the_next_photo_and_the_next_network(visit, service):
    """What was looked for may be unknown to the other network."""
    page = visit(service)
    page.get_by_role("switch", name="Heat map").check(force=True)
    card = bring(page, sent("wall.jpg", photo("orange", (640, 480))))
    expect(card.locator("figcaption")).to_have_text("Where it looked for: orange")
    page.get_by_role("button", name="中文").click()
    expect(card.locator("figcaption")).to_contain_text("时看的位置")
    page.get_by_role("button", name="English").click()
    ask_colours(page)
    expect(card.locator(".name").first).to_have_text("red")
    expect(card.locator("figcaption")).to_be_visible()


def test_a_network_that_can_not_show_where_it_looked_says_so_and_its_answer_stays(
    visit, start, tmp_path
):
    page = visit(start(model=riddle(tmp_path / "riddle")))
    card = bring(page, red())
    expect(sentence(card)).to_have_text("Red")
    page.get_by_role("switch", name="Heat map").check(force=True)
    expect(card.locator("figcaption")).to_contain_text("No heat map: Riddle can't be explained")
    expect(sentence(card)).to_have_text("Red")
    expect(card.get_by_role("img", name="Your photo: red.jpg")).to_be_visible()


def test_the_elephant(visit, service, shared):
    content = (shared / "data/photos/elephant.jpg").read_bytes()
    said = service.predict(content, lang="en").json()
    page = visit(service)
    card = bring(page, sent("elephant.jpg", content))
    answered(card)
    expect(card.locator(".name").first).to_have_text(
        said["predictions"][0]["label"].replace("_", " ")
    )
    label = said["answer"]["label"].replace("_", " ")
    expect(sentence(card)).to_contain_text(
        label if said["certain"] else "Not sure", ignore_case=True
    )


def test_a_gallery_keeps_what_is_shown_apart(page):
    """Two photos, one with ids shown: the other one is not changed."""
    cards = bring(page, red(), blue())
    answered(cards.nth(1))
    cards.nth(0).get_by_text("For programs").click()
    cards.nth(0).get_by_role("switch").check(force=True)
    expect(cards.nth(0).locator(".id")).to_have_count(3)
    expect(cards.nth(1).locator(".id")).to_have_count(0)


def test_the_saved_picture_is_in_the_language_of_the_page(visit, between):
    page = visit(between, locale="zh-CN")
    card = bring(page, sent("wall.jpg", photo("red", (640, 480))))
    answered(card)
    with page.expect_download() as download:
        card.get_by_role("button", name="保存带名称的图片").click()
    assert download.value.suggested_filename == "wall - 名称.jpg"
    assert Image.open(io.BytesIO(download.value.path().read_bytes())).format == "JPEG"
