"""Every way in which a photo comes to the page."""

import io

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.page.pictures import blue, encoded, noise, red, sent, sideways
from tests.page.seen import answered, ask_colours, bring, drag, drop, paste, sentence
from tests.small import photo


@pytest.fixture
def page(visit, service):
    page = visit(service)
    ask_colours(page)
    return page


def test_a_chosen_photo_is_answered(page):
    card = bring(page, red())
    expect(sentence(card)).to_have_text("Red")
    expect(card.get_by_role("img", name="Your photo: red.jpg")).to_be_visible()
    expect(card).to_contain_text("red.jpg")


def test_several_chosen_photos_each_have_their_own_answer_in_order(page):
    cards = bring(page, red(), blue(), sent("green.png", photo("lime", kind="PNG"), "image/png"))
    for card, colour in zip(cards.all(), ("Red", "Blue", "Green"), strict=True):
        expect(sentence(card)).to_have_text(colour)
    expect(page.get_by_text("3 of 3 photos answered")).to_be_visible()


def test_the_same_photo_can_be_chosen_twice(page):
    bring(page, red())
    cards = bring(page, red())
    expect(cards).to_have_count(2)
    expect(sentence(cards.nth(1))).to_have_text("Red")


def test_dropped_photos_are_answered_and_the_page_stays(page):
    drop(page, red(), blue())
    cards = page.locator(".card")
    expect(sentence(cards.nth(0))).to_have_text("Red")
    expect(sentence(cards.nth(1))).to_have_text("Blue")
    expect(page.locator("#veil")).to_be_hidden()


def test_a_name_that_is_code_stays_a_name(page):
    name = "<img src=x onerror=alert(1)>.jpg"
    drop(page, red(name))
    card = page.locator(".card")
    expect(card.locator(".file")).to_have_text(name)
    expect(card.locator("img[src=x]")).to_have_count(0)


def test_a_photo_over_the_page_is_told_that_it_may_be_let_go_and_words_are_not(page):
    veil = page.get_by_text("Let go, and Shiwu looks")
    drag(page, "words")
    expect(veil).to_be_hidden()
    drag(page, "photo")
    expect(veil).to_be_visible()
    page.evaluate(
        "() => document.body.dispatchEvent(new DragEvent('dragleave', { bubbles: true }))"
    )
    expect(veil).to_be_hidden()


def test_pasted_pictures_are_answered_under_names_of_their_own(page):
    """Browsers call every one of them image.png."""
    paste(page, sent("image.png", photo("red", kind="PNG"), "image/png"))
    paste(page, sent("image.png", photo("blue", kind="PNG"), "image/png"))
    cards = page.locator(".card")
    expect(sentence(cards.nth(0))).to_have_text("Red")
    expect(sentence(cards.nth(1))).to_have_text("Blue")
    expect(cards.nth(1)).to_contain_text("Pasted photo 2")


def test_a_picture_copied_in_the_browser_is_pasted_with_the_keyboard(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async bytes => {
            const picture = new Blob([new Uint8Array(bytes)], { type: "image/png" });
            await navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]);
        }""",
        list(photo("blue", kind="PNG")),
    )
    page.keyboard.press("ControlOrMeta+v")
    expect(sentence(page.locator(".card"))).to_have_text("Blue")


def test_what_holds_no_picture_is_said_to_hold_none_until_one_comes(page):
    paste(page)
    told = page.locator("main").get_by_text("There is no picture in what came")
    expect(told).to_be_visible()
    paste(page, red())
    answered(page.locator(".card"))
    expect(told).to_be_hidden()


def test_a_photo_is_taken_with_the_camera(page):
    page.get_by_role("button", name="Take a photo").click()
    dialog = page.get_by_role("dialog", name="Take a photo")
    dialog.get_by_role("button", name="Take the photo").click()
    expect(dialog).to_be_hidden()
    card = page.locator(".card")
    expect(sentence(card)).to_have_text("Red")  # as the fake camera's wall is
    expect(card).to_contain_text("Camera photo 1")
    expect(page.locator("video")).to_have_js_property("srcObject", None)


def test_the_other_camera_can_be_chosen_where_there_are_two(visit, service, launch):
    """Of the fake cameras, only those that Chromium itself draws can be several."""
    page = visit(service, launch("--use-fake-device-for-media-stream=device-count=2"))
    page.get_by_role("button", name="Take a photo").click()
    shutter = page.get_by_role("button", name="Take the photo")
    expect(shutter).to_be_enabled()
    device = """() => {
        const [track] = document.querySelector("video").srcObject.getVideoTracks();
        return track.getSettings().deviceId;
    }"""
    first = page.evaluate(device)
    page.get_by_role("button", name="Other camera").click()
    expect(shutter).to_be_enabled()
    assert page.evaluate(device) != first
    shutter.click()
    answered(page.locator(".card"))


def test_with_one_camera_there_is_no_other_one_to_choose(page):
    page.get_by_role("button", name="Take a photo").click()
    expect(page.get_by_role("button", name="Take the photo")).to_be_enabled()
    expect(page.get_by_role("button", name="Other camera")).to_be_hidden()


def test_a_closed_dialog_lets_go_of_the_camera_and_takes_no_photo(page):
    page.get_by_role("button", name="Take a photo").click()
    expect(page.get_by_role("button", name="Take the photo")).to_be_enabled()
    page.evaluate(
        "() => { window.track = document.querySelector('video').srcObject.getTracks()[0] }"
    )
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.wait_for_function("() => window.track.readyState === 'ended'")
    expect(page.locator(".card")).to_have_count(0)
    expect(page.get_by_role("button", name="Take a photo")).to_be_focused()


def test_on_a_phone_the_camera_app_can_take_it_instead(visit, service):
    page = visit(service, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800})
    page.get_by_role("button", name="Take a photo").tap()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open the camera app").tap()
    assert chooser.value.element.get_attribute("capture") == "environment"
    chooser.value.set_files([red("snap.jpg")])
    answered(page.locator(".card"))


def test_a_phone_without_https_is_led_to_its_camera_app_at_once(visit, service):
    """Browsers give pages the camera only over https, or on the machine itself."""
    page = visit(service, has_touch=True, is_mobile=True)
    page.evaluate("() => Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Take a photo").tap()
    assert chooser.value.element.get_attribute("capture") == "environment"


def photo_that_was_sent(between) -> Image.Image:
    ((path, body),) = between.bodies
    assert path == "/predict"
    start = body.index(b"\r\n\r\n") + 4
    return Image.open(io.BytesIO(body[start : body.rindex(b"\r\n--")]))


def test_a_large_sideways_photo_is_sent_small_upright_and_without_its_metadata(visit, between):
    page = visit(between)
    answered(bring(page, sent("phone.jpg", sideways((3000, 4000)))))
    picture = photo_that_was_sent(between)
    assert picture.size == (960, 1280)
    assert not picture.getexif()
    above, below = picture.getpixel((480, 100)), picture.getpixel((480, 1180))
    assert above[0] > 200 > 60 > above[2]
    assert below[2] > 200 > 60 > below[0]
    shown = page.get_by_role("img", name="Your photo: phone.jpg")
    assert shown.evaluate("img => [img.naturalWidth, img.naturalHeight]") == [960, 1280]


def test_a_small_photo_is_sent_as_it_is(visit, between):
    content = photo("red", (1280, 640))
    answered(bring(visit(between), sent("small.jpg", content)))
    ((_, body),) = between.bodies
    assert content in body
    assert b"small.jpg" not in body  # what it is called is nobody's business


def test_what_is_transparent_counts_as_white(visit, between):
    clear = Image.new("RGBA", (2000, 1000), (255, 0, 0, 0))
    answered(bring(visit(between), sent("clear.png", encoded(clear, "PNG"), "image/png")))
    assert min(photo_that_was_sent(between).getpixel((500, 300))) > 250


def test_a_photo_that_only_the_service_can_read_is_sent_as_it_is_and_shown_all_the_same(
    visit, between
):
    """Chromium reads no HEIC, which is what iPhones make."""
    content = encoded(Image.new("RGB", (640, 480), "red"), "HEIF")
    page = visit(between)
    ask_colours(page)
    card = bring(page, sent("IMG_0001.HEIC", content, "image/heic"))
    expect(sentence(card)).to_have_text("Red")
    shown = card.get_by_role("img", name="Your photo: IMG_0001.HEIC")
    expect(shown).to_be_visible()
    assert shown.evaluate("img => img.naturalWidth") == 640
    paths = [path for path, _ in between.bodies]
    assert paths == ["/predict", "/image"]
    assert content in between.bodies[0][1]


def test_many_photos_are_sent_a_few_at_a_time(visit, between):
    page = visit(between)
    between.hold("/predict")
    cards = bring(page, *[sent(f"{i}.jpg", noise((64, 48))) for i in range(8)])
    expect(cards).to_have_count(8)
    expect(page.locator("[data-phase=looking]")).to_have_count(3)
    expect(page.locator("[data-phase=waiting]")).to_have_count(5)
    between.release()
    expect(page.get_by_text("8 of 8 photos answered")).to_be_visible()
    assert len([path for path, _ in between.bodies if path == "/predict"]) == 8
    assert between.most_at_once == 3
