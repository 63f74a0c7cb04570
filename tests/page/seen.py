"""What a person sees on the page: helpers to find it and to wait for it."""

from pathlib import Path

from playwright.sync_api import Locator, Page, expect


def bring(page: Page, *files: dict | Path) -> Locator:
    """Choose photos as a person does, through the button; gives all cards."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose photos").or_(page.locator("#choose")).click()
    chooser.value.set_files(list(files))
    return page.locator(".card")


def drop(page: Page, *files: dict) -> None:
    """Let files fall on the page."""
    page.evaluate(
        """files => {
            const data = new DataTransfer();
            for (const { name, mimeType, bytes } of files)
                data.items.add(new File([new Uint8Array(bytes)], name, { type: mimeType }));
            const options = { dataTransfer: data, bubbles: true, cancelable: true };
            document.body.dispatchEvent(new DragEvent("drop", options));
        }""",
        [{**file, "bytes": list(file["buffer"]), "buffer": None} for file in files],
    )


def drag(page: Page, kind: str) -> None:
    """Move something over the page without letting it go."""
    page.evaluate(
        """kind => {
            const data = new DataTransfer();
            if (kind === "photo") data.items.add(new File(["x"], "a.jpg"));
            else data.setData("text/plain", "words");
            const options = { dataTransfer: data, bubbles: true, cancelable: true };
            document.body.dispatchEvent(new DragEvent("dragover", options));
        }""",
        kind,
    )


def paste(page: Page, *files: dict) -> None:
    """Paste files, as Ctrl+V does when a picture was copied."""
    page.evaluate(
        """files => {
            const data = new DataTransfer();
            for (const { name, mimeType, bytes } of files)
                data.items.add(new File([new Uint8Array(bytes)], name, { type: mimeType }));
            document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        }""",
        [{**file, "bytes": list(file["buffer"]), "buffer": None} for file in files],
    )


def sentence(card: Locator) -> Locator:
    return card.locator(".sentence")


def answered(card: Locator) -> None:
    """Wait until the card has its answer."""
    expect(card).to_have_attribute("data-phase", "answered")


def ask_colours(page: Page) -> None:
    """Ask the network that knows colours, whose answers are known."""
    page.get_by_label("Network").or_(page.get_by_label("模型")).select_option("Colours")
