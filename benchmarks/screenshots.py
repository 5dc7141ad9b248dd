"""The pictures of docs/console.md: `make screenshots`, which analyzes samples/ on a stack of its own."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright

from benchmarks.pipeline import completed, fresh_stack
from local.services import ROOT
from local.stack import read_stack
from shared.api.erasing import erase, subjects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Page

FOLDER = ROOT / "docs" / "images"
REPORT = "tarnholm_sustainability_report_2025.pdf"
WIDTH, HEIGHT = 1280, 900
MARGIN = 24
BOTTOM = "document.querySelector('main').lastElementChild.getBoundingClientRect().bottom"
MARKED = "Scope 1 and 2 emissions were"
"""Begins a passage of the report's fourth page."""
COLORS = 256
MAX_BYTES = 200_000


def keep(page: Page, name: str) -> None:
    """Write what the browser shows, without the empty rest of a short page, as a small PNG."""
    height = min(page.evaluate(BOTTOM) + MARGIN, HEIGHT)
    picture = page.screenshot(clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
    shown = Image.open(io.BytesIO(picture)).convert("RGB")
    packed = io.BytesIO()
    shown.quantize(COLORS, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
    if packed.tell() > MAX_BYTES:
        raise SystemExit(f"{name} has {packed.tell():,} bytes, more than {MAX_BYTES:,}.")
    (FOLDER / name).write_bytes(packed.getvalue())
    print(f"docs/images/{name}: {packed.tell():,} bytes")


def take(page: Page, link: str, report: str) -> None:
    """Show the list, the report's reader with a passage marked on its page, and what to check first."""
    page.goto(link)
    page.wait_for_selector("#list tr[data-state=completed]")
    keep(page, "console-documents.png")
    page.goto(f"/documents/{report}?page=4")
    page.wait_for_selector("#reader .page-image svg g")
    page.wait_for_load_state("networkidle")
    page.locator("#reader .passage > p").filter(has_text=MARKED).first.click()
    page.locator("#h-reader").evaluate("heading => heading.scrollIntoView()")
    keep(page, "console-document.png")
    page.goto("/check")
    page.wait_for_selector("#card blockquote")
    keep(page, "console-check.png")


def main(_arguments: Sequence[str]) -> int:
    """Start a stack, drop the samples, take the pictures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("There is no Chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder, fresh_stack(Path(folder)) as (_, data):
        erase(subjects(["warm.txt"], with_file=True))
        ids = {
            path.name: completed(path, path.name)[1]["id"] for path in sorted((ROOT / "samples").iterdir())
        }
        link = read_stack(data)["console"]
        with sync_playwright() as driver:
            # Chromium's own sandbox does not start as root, which is who containers run as.
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            context = browser.new_context(
                base_url=link.partition("/sign-in")[0],
                viewport={"width": WIDTH, "height": HEIGHT},
                color_scheme="light",
                reduced_motion="reduce",
            )
            take(context.new_page(), link, ids[REPORT])
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
