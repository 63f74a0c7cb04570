"""Everything that can go wrong, made to go wrong for real: the page says it in words."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.page.between import Between
from tests.page.pictures import blue, encoded, noise, red, sent
from tests.page.seen import answered, bring, drop, sentence
from tests.service import running
from tests.small import photo

SLOW = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: 5000\r\n\r\nabc"


def trouble(card, sentence_is, theirs=None, *, for_good=False):
    expect(card).to_have_attribute("data-phase", "trouble")
    expect(sentence(card)).to_have_text(sentence_is)
    if theirs:
        expect(card.locator(".theirs")).to_contain_text(theirs)
    else:
        expect(card.locator(".theirs")).to_be_hidden()
    expect(card.get_by_role("button", name="Try again")).to_be_visible(visible=not for_good)


def test_what_is_no_picture_is_said_with_the_service_s_own_sentence(visit, service):
    page = visit(service)
    card = bring(page, sent("notes.txt", b"Dear diary", "text/plain"))
    trouble(card, "This is no picture that can be read", "JPEG, PNG, WebP", for_good=True)
    page.get_by_role("button", name="中文").click()
    expect(sentence(card)).to_have_text("这不是能识别的图片")
    expect(card.locator(".theirs")).to_have_attribute("lang", "en")


def test_a_broken_picture_is_said_to_be_broken(visit, service):
    card = bring(visit(service), sent("half.webp", noise((300, 200), "WEBP")[:900], "image/webp"))
    trouble(card, "This picture is broken", "decoded", for_good=True)


def test_too_many_pixels_are_said_with_the_limit(visit, start):
    page = visit(start(max_pixels=100_000))
    card = bring(page, sent("large.jpg", photo("red", (2000, 1000))))
    trouble(card, "This photo is too large", "100,000", for_good=True)


def test_too_many_bytes_are_said_with_the_limit(visit, start):
    page = visit(start(max_bytes=20_000))
    card = bring(page, sent("noise.jpg", noise((1200, 900))))
    trouble(card, "This photo is too large", "20,000", for_good=True)


def test_a_file_far_over_the_limit_is_refused_and_the_next_photo_is_answered(
    visit, start, tmp_path
):
    """It is refused unread: the answer, or the end of the connection, comes while it is sent."""
    page = visit(start(max_bytes=1_000_000))
    film = tmp_path / "film.heic"
    film.write_bytes(bytes(40_000_000))
    card = bring(page, film)
    expect(card).to_have_attribute("data-phase", "trouble")
    assert sentence(card).text_content() in ("This photo is too large", "The upload was cut off")
    cards = bring(page, blue())
    expect(sentence(cards.nth(1))).to_have_text("Blue")


@contextmanager
def full(service) -> Iterator[None]:
    """Hold the three places of a service (one to wait, two at work): photos that come byte by byte."""
    host, port = service.address.removeprefix("http://").split(":")
    with ExitStack() as ends:
        clients = [
            ends.enter_context(socket.create_connection((host, int(port)))) for _ in range(6)
        ]
        for client in clients:
            client.sendall(SLOW)
        refused = []
        while len(refused) < 3:  # they have their answer: there is no place
            refused, _, _ = select.select(clients, [], [], 60)
        yield


def test_a_service_that_is_busy_is_asked_again_until_it_has_room(visit, start):
    service = start(queue=1, cores=1)
    page = visit(service)
    with full(service):
        card = bring(page, red())
        expect(card).to_contain_text("The service is busy; trying again in 1 s")
        expect(card.get_by_role("button", name="Cancel")).to_be_visible()
    expect(sentence(card)).to_have_text("Red")


def test_waiting_for_a_busy_service_can_be_cancelled(visit, start):
    service = start(queue=1, cores=1)
    page = visit(service)
    with full(service):
        card = bring(page, red())
        expect(card).to_contain_text("trying again in")
        card.get_by_role("button", name="Cancel").click()
        expect(card).to_have_attribute("data-phase", "stopped")
        expect(card.get_by_role("button", name="Try again")).to_be_focused()


def test_an_answer_that_takes_too_long_is_said_to(visit, start):
    """A TIFF, as Chromium sends it as it is, that takes longer to read than the deadline allows."""
    page = visit(start(deadline_s=0.1))
    large = encoded(Image.new("RGB", (7000, 7000), "red"), "TIFF", compression="tiff_adobe_deflate")
    card = bring(page, sent("scan.tiff", large, "image/tiff"))
    trouble(card, "The answer took too long", "0.1 s")


def test_a_service_that_is_gone_is_said_and_found_again(visit, network, tmp_path):
    with ExitStack() as ends:
        first = ends.enter_context(running(tmp_path, model=network))
        between = ends.enter_context(Between(first.address))
        page = visit(between)
        answered(bring(page, red()))
        first.stop()
        cards = bring(page, red("two.jpg"))
        trouble(cards.nth(1), "The service can't be reached")
        notice = page.locator("#notice")
        expect(notice).to_have_text("The service can't be reached just now. Trying again…")
        bring(page, red("three.jpg"))
        expect(cards.nth(2)).to_contain_text("Waiting for its turn")
        second = ends.enter_context(running(tmp_path, model=network))
        between.upstream = second.address
        expect(sentence(cards.nth(2))).to_have_text("Red")
        expect(notice).to_be_hidden()
        cards.nth(1).get_by_role("button", name="Try again").click()
        expect(sentence(cards.nth(1))).to_have_text("Red")


def test_a_service_that_stops_in_the_middle_of_a_photo_is_said_to_be_gone(visit, network, tmp_path):
    with ExitStack() as ends:
        service = ends.enter_context(running(tmp_path, model=network))
        between = ends.enter_context(Between(service.address))
        page = visit(between)
        between.hold("/predict")
        card = bring(page, red())
        expect(card).to_have_attribute("data-phase", "looking")
        expect(page.locator("#notice")).to_be_hidden()
        between.wait_for_photo()
        service.stop()
        between.release()
        trouble(card, "The service can't be reached")


def test_a_service_that_is_not_ready_says_so_and_photos_wait_for_it(visit, network, tmp_path):
    """A service that goes down says "not ready" before it closes its door; then comes the next."""
    with ExitStack() as ends:
        first = ends.enter_context(running(tmp_path, model=network, drain_s=300))
        between = ends.enter_context(Between(first.address))
        first.process.terminate()
        end = time.monotonic() + 60
        while first.get("/readyz").status_code != 503:
            assert time.monotonic() < end
        page = visit(between)
        notice = page.locator("#notice")
        expect(notice).to_contain_text("The service is getting ready.")
        card = bring(page, red())
        expect(card).to_contain_text("Waiting for its turn")
        page.get_by_role("button", name="中文").click()
        expect(notice).to_contain_text("服务正在启动")
        assert between.bodies == []
        second = ends.enter_context(running(tmp_path, model=network))
        between.upstream = second.address
        expect(sentence(card)).to_have_text("Red")
        expect(notice).to_be_hidden()
        first.process.kill()


@pytest.mark.parametrize("status", [502, 200])
def test_a_reply_that_is_not_the_service_s_is_said_to_make_no_sense(visit, between, status):
    between.answers_itself = status
    page = visit(between)
    card = bring(page, red())
    trouble(card, "The reply made no sense")
    expect(card.locator(".status")).to_contain_text(f"status {status}")
    between.answers_itself = None
    card.get_by_role("button", name="Try again").click()
    answered(card)


def test_a_file_that_can_not_be_read_is_said_so(visit, between, tmp_path):
    """It was there when it was chosen, and gone when its turn came."""
    page = visit(between)
    paths = [tmp_path / f"{number}.jpg" for number in range(4)]
    for path in paths:
        path.write_bytes(photo("red"))
    between.hold("/predict")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose photos").click()
    chooser.value.set_files(paths)
    expect(page.locator("[data-phase=looking]")).to_have_count(3)
    paths[3].unlink()
    between.release()
    trouble(page.locator(".card").nth(3), "This file can't be read")


def test_one_bad_photo_of_several_leaves_the_others_their_answers(visit, start):
    page = visit(start())
    drop(page, red(), sent("notes.txt", b"Dear diary", "text/plain"), red())
    cards = page.locator(".card")
    expect(sentence(cards.nth(0))).to_have_text("Red")
    trouble(cards.nth(1), "This is no picture that can be read", "JPEG", for_good=True)
    expect(sentence(cards.nth(2))).to_have_text("Red")
    expect(page.get_by_text("2 of 3 photos answered")).to_be_visible()


def test_a_picture_that_can_not_be_saved_is_said_and_the_answer_stays(visit, network, tmp_path):
    with ExitStack() as ends:
        service = ends.enter_context(running(tmp_path, model=network))
        between = ends.enter_context(Between(service.address))
        page = visit(between)
        card = bring(page, red())
        answered(card)
        between.answers_itself = 502
        card.get_by_role("button", name="Save with names").click()
        expect(card.locator(".status")).to_contain_text("The reply made no sense")
        expect(sentence(card)).to_have_text("Red")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("NotAllowedError", "The browser doesn't allow this page to use the camera"),
        ("NotFoundError", "No camera was found"),
        ("NotReadableError", "The camera is used by another program"),
        ("AbortError", "The camera could not be opened"),
    ],
)
def test_a_camera_that_can_not_be_had_is_said_in_words(visit, service, error, words):
    """Chromium has no switch for these, so the browser's own function is made to refuse."""
    page = visit(service)
    page.evaluate(
        "name => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', name)) }",
        error,
    )
    page.get_by_role("button", name="Take a photo").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(words)
    expect(dialog.get_by_role("button", name="Take the photo")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_without_https_the_camera_is_explained(visit, service):
    page = visit(service)
    page.evaluate("() => Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    page.get_by_role("button", name="Take a photo").click()
    expect(page.get_by_role("dialog")).to_contain_text("only over https")


def test_a_browser_that_lets_nobody_copy_is_explained(visit, service):
    page = visit(service)
    page.evaluate("() => Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.locator("#copy").click()
    expect(page.locator("#copy")).to_contain_text("Select it and copy it yourself")
