"""The page in a real Chromium, from the real service with the network in the box and a small one."""

import contextlib

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.page.between import Between
from tests.page.pictures import camera_film
from tests.service import running
from tests.small import colours

# Generous: nothing here is about speed.
PATIENCE_MS = 60_000
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="package")
def network(tmp_path_factory):
    """The folder of a small network that tells red from green from blue."""
    return colours(tmp_path_factory.mktemp("page") / "network")


@pytest.fixture(scope="package")
def service(tmp_path_factory, network, compiled):
    folder = tmp_path_factory.mktemp("service")
    with running(folder, model=f"ShiwuNet,{network}", cache=compiled) as started:
        yield started


@pytest.fixture
def start(tmp_path, network):
    """Start a service of the test's own, which sees colours only."""
    with contextlib.ExitStack() as ends:
        given = {"model": network}
        yield lambda **settings: ends.enter_context(running(tmp_path, **given | settings))


@pytest.fixture
def between(service):
    """Something between the browser and the service, as a proxy is; it can be told to misbehave."""
    with Between(service.address) as started:
        yield started


# Not for the session: while playwright runs, nothing else in this thread can use asyncio.
@pytest.fixture(scope="package")
def launch(program):
    """Start a Chromium with a fake camera, which is given when asked for."""
    path = program("chromium", "chromium-browser", "google-chrome")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright, contextlib.ExitStack() as ends:

        def start(*camera: str) -> Browser:
            flags = [*FLAGS, "--use-fake-ui-for-media-stream", *camera]
            browser = playwright.chromium.launch(executable_path=path, args=flags)
            ends.callback(browser.close)
            return browser

        yield start


@pytest.fixture(scope="package")
def browser(launch, tmp_path_factory):
    """A Chromium whose camera shows a red wall."""
    film = tmp_path_factory.mktemp("camera") / "film.mjpeg"
    film.write_bytes(camera_film("red"))
    return launch("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}")


@pytest.fixture
def visit(browser):
    """Open the page of a service as somebody new; it must not complain to the console."""
    complaints: list[str] = []
    with contextlib.ExitStack() as ends:

        def open_page(service, browser: Browser = browser, **options) -> Page:
            context = browser.new_context(**{"locale": "en-GB", **options})
            ends.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            page = context.new_page()
            page.on("console", lambda said: complaints.append(said.text) if _bad(said) else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(service.address)
            return page

        yield open_page
    assert complaints == []


def _bad(said) -> bool:
    """Chromium itself tells of each reply that is an error; the page is to show those."""
    told_by_browser = said.text.startswith("Failed to load resource")
    return said.type in ("error", "warning") and not told_by_browser
