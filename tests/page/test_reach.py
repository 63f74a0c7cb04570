"""For everybody: by keyboard alone, by ear, on every width, in the dark, at rest."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.page.pictures import blue, red, sent
from tests.page.seen import answered, ask_colours, bring, drag, sentence
from tests.small import photo

WIDTHS = (320, 768, 1440)
# WCAG 2.2 A and AA, and what axe's makers recommend.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LONG = "a-name-" + "that-never-ends-" * 12 + ".jpg"


def empty(page):
    expect(page.locator("#knows")).to_be_visible()


def one_answer(page):
    answered(bring(page, sent(LONG, photo("orange", (640, 480)))))


def opened(page):
    one_answer(page)
    page.locator("summary").click()
    page.locator(".ids").check(force=True)
    page.locator("#heat").check(force=True)
    expect(page.locator("figcaption")).to_have_text(re.compile("^(Where it looked for|识别“)"))


def gallery(page):
    cards = bring(page, red(), blue(), sent("notes.txt", b"Dear diary", "text/plain"))
    answered(cards.nth(0))
    answered(cards.nth(1))
    expect(cards.nth(2)).to_have_attribute("data-phase", "trouble")


def dragging(page):
    empty(page)
    drag(page, "photo")


def camera(page):
    page.locator("#take").click()
    expect(page.locator("#shutter")).to_be_enabled()


STATES = (empty, one_answer, opened, gallery, dragging, camera)


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
@pytest.mark.parametrize(
    ("scheme", "locale", "width"), [("light", "en-GB", 1440), ("dark", "zh-CN", 320)]
)
def test_axe_finds_no_violation(visit, service, state, scheme, locale, width):
    page = visit(
        service,
        color_scheme=scheme,
        locale=locale,
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
    )
    state(page)
    found = Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_nothing_is_wider_than_the_window(visit, service, state, locale):
    page = visit(service, locale=locale, viewport={"width": 320, "height": 640})
    state(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 640})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        cut = page.evaluate(
            """() => [...document.querySelectorAll("button, h1, h2, p, li, select, summary, label")]
                .filter(one => one.getClientRects().length && !one.closest(".heard"))
                .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
                .map(one => one.outerHTML)"""
        )
        assert cut == []


def test_what_is_pressed_is_large_enough_for_a_finger(visit, service):
    page = visit(service, viewport={"width": 320, "height": 640})
    gallery(page)
    sizes = page.evaluate(
        """() => [...document.querySelectorAll("button, select, label.switch, summary")]
            .filter(one => one.getClientRects().length)
            .map(one => [one.textContent.trim(), one.getBoundingClientRect().height])"""
    )
    assert [text for text, height in sizes if height < 38] == []


def focused(page):
    return page.locator("*:focus")


def tab_to(page, selector, limit=60):
    """Press Tab until what the selector names has the focus."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} is not reached by the keyboard")


def test_the_keyboard_alone_does_everything(visit, service):
    page = visit(service)
    tab_to(page, "[data-language=zh]")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("照片里是什么？")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    expect(page.locator("h1")).to_have_text("What is in your photo?")

    with page.expect_file_chooser() as chooser:
        tab_to(page, "#choose")
        page.keyboard.press("Enter")
    chooser.value.set_files([red(), sent("orange.jpg", photo("orange", (640, 480)))])
    cards = page.locator(".card")
    answered(cards.nth(1))
    expect(page.locator("#choose")).to_be_focused()

    tab_to(page, "#heat")
    page.keyboard.press("Space")
    expect(cards.nth(1).locator("figcaption")).to_contain_text("Where it looked for")
    tab_to(page, "li + .card button.name:not([aria-pressed=true])")
    name = focused(page).inner_text()
    page.keyboard.press("Enter")
    expect(cards.nth(1).locator("figcaption")).to_contain_text(f"Where it looked for: {name}")
    expect(focused(page)).to_have_text(name)  # the focus is not lost

    tab_to(page, ".save")
    with page.expect_download():
        page.keyboard.press("Enter")
    tab_to(page, "summary")
    page.keyboard.press("Enter")
    tab_to(page, ".ids")
    page.keyboard.press("Space")
    expect(cards.nth(1).locator(".id")).to_have_count(5)
    tab_to(page, "[data-copy=json]")

    page.locator("#network").focus()
    page.keyboard.type("Col")
    page.keyboard.press("Enter")
    expect(sentence(cards.nth(0))).to_have_text("Red")

    page.locator("#choose").focus()
    tab_to(page, "#take")
    page.keyboard.press("Enter")
    shutter = page.get_by_role("button", name="Take the photo")
    expect(shutter).to_be_focused()  # as soon as there is a picture to take
    page.keyboard.press("Enter")
    expect(sentence(cards.nth(2))).to_have_text("Red")

    tab_to(page, ".remove")
    page.keyboard.press("Enter")
    expect(cards).to_have_count(2)
    assert focused(page).get_attribute("class") == "plain remove"
    tab_to(page, "footer a")


def test_every_step_of_the_keyboard_is_seen(visit, service):
    page = visit(service)
    gallery(page)
    page.locator("[data-language=en]").focus()
    for _ in range(25):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement === document.body"):
            break
        ring = page.evaluate(
            """() => {
                const here = document.activeElement;
                const shown = here.matches(".switch input") ? here.nextElementSibling : here;
                const { outlineStyle, outlineWidth } = getComputedStyle(shown);
                return [here.outerHTML.slice(0, 80), outlineStyle, parseFloat(outlineWidth)];
            }"""
        )
        assert ring[1] == "solid", ring
        assert ring[2] >= 2, ring


def test_answers_and_troubles_are_heard(visit, service):
    page = visit(service)
    ask_colours(page)
    heard = page.locator("#heard")
    expect(heard).to_have_attribute("aria-live", "polite")
    bring(page, red())
    expect(heard).to_have_text("red.jpg: Red")
    bring(page, sent("notes.txt", b"Dear diary", "text/plain"))
    expect(heard).to_have_text("notes.txt: This is no picture that can be read")


def test_a_heat_map_is_heard_when_it_is_there(visit, service):
    """Who doesn't see it appear would wait for it."""
    page = visit(service)
    ask_colours(page)
    card = bring(page, red())
    answered(card)
    page.get_by_role("switch", name="Heat map").check(force=True)
    expect(page.locator("#heard")).to_contain_text("red.jpg: Where it looked for: red")
    card.get_by_role("button", name="Show where: blue").click()
    expect(page.locator("#heard")).to_have_text("red.jpg: Where it looked for: blue")


def test_nothing_moves_for_those_who_want_rest(visit, service):
    page = visit(service, reduced_motion="reduce")
    gallery(page)
    assert page.evaluate("() => document.getAnimations().length") == 0


def test_the_dark_page_is_dark_and_the_light_one_light(visit, service):
    """By the luminance of the ground: the system's wish decides."""
    for scheme, is_dark in (("dark", True), ("light", False)):
        page = visit(service, color_scheme=scheme)
        ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        channels = [int(part) for part in ground[4:-1].split(",")[:3]]
        assert (sum(channels) < 3 * 64) is is_dark
