"""A real browser shows the page of a digest: no message, no request, no sideways scrolling, print and all.

Screenshots are kept in build/screenshots/.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pypdfium2
import pytest
from lxml import etree
from playwright.sync_api import Browser, Page, sync_playwright

from shared.digests.render import html
from tests.digest_example import empty, rich, single
from tests.digest_quotes import BIKES, link

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.digests.records import Digest

CHROMIUM = shutil.which("chromium")
SCREENSHOTS = Path("build/screenshots")
PHONE, DESKTOP = 360, 1280
A4 = (595, 842)
"""Points, rounded."""
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 5
WIDER = """() => [...document.querySelectorAll('body *')]
    .filter(one => !one.closest('.scroll, .unseen, svg'))
    .filter(one => one.getBoundingClientRect().right > innerWidth + 0.5)
    .map(one => one.outerHTML.slice(0, 120))"""
"""What sticks out; tables scroll in their own box."""
SPILLED = """() => [...document.querySelectorAll('svg text')].filter(one => {
    const box = one.getBoundingClientRect(), own = one.ownerSVGElement.getBoundingClientRect();
    return box.left < own.left - 14 || box.right > own.right + 14 || box.bottom > own.bottom + 2;
}).map(one => one.textContent)"""
"""Text of charts that leaves its chart by more than the padding around it."""
SMALL = """() => [...document.querySelectorAll('body *')]
    .filter(one => [...one.childNodes].some(inner => inner.nodeType === 3 && inner.data.trim()))
    .filter(one => parseFloat(getComputedStyle(one).fontSize) < 12).map(one => one.outerHTML.slice(0, 120))"""
TREE = """() => [...document.querySelectorAll('*')].map(one => one.localName)"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        # Chromium's own sandbox does not start as root, which is who containers run as.
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def wide() -> Digest:
    """Words and names longer than any screen."""
    digest = rich()
    quotes = [
        one.model_copy(update={"text": LONG, "title": LONG, "organisation": LONG}) for one in digest.incidents
    ]
    row = digest.topics[0].model_copy(update={"name": LONG})
    problems = [one.model_copy(update={"name": LONG, "replay": LONG}) for one in digest.overview.problems]
    overview = digest.overview.model_copy(update={"problems": problems, "passages": 1_234_567})
    group = digest.initiatives.groups[0].model_copy(
        update={"topic": LONG, "organisation": LONG, "quotes": quotes}
    )
    doing = digest.initiatives.model_copy(update={"groups": [group]})
    return digest.model_copy(
        update={
            "schedule": "a" * 40, "line": LONG, "incidents": quotes, "topics": [row, *digest.topics[1:]],
            "overview": overview, "initiatives": doing, "notes": [LONG], "trend": digest.trend * 9,
        }
    )  # fmt: skip


MAKERS = {"rich": rich, "single": single, "empty": empty, "wide": wide}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each digest as a file, where nothing serves it."""
    folder = tmp_path_factory.mktemp("digests")
    paths = {name: folder / f"{name}.html" for name in MAKERS}
    for name, path in paths.items():
        path.write_text(html(MAKERS[name](), link), encoding="utf-8")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return paths


class Shown:
    """A page in the browser, and what happened as it was opened."""

    def __init__(self, browser: Browser, path: Path, width: int, scheme: Literal["light", "dark"]) -> None:
        self.page: Page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.events: list[str] = []
        address = path.as_uri()
        self.page.on("console", lambda message: self.events.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.events.append(f"error: {error}"))
        self.page.on(
            "request", lambda request: self.events.append(request.url) if request.url != address else None
        )
        self.page.goto(address)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("name", sorted(MAKERS))
def test_it_shows_quietly_and_fits(
    browser: Browser, pages: dict[str, Path], name: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    """No console message, no request beside the file, nothing wider than the screen, no text below 12 px."""
    shown = Shown(browser, pages[name], width, scheme)
    kind = "phone" if width == PHONE else "desktop"
    shown.page.screenshot(path=SCREENSHOTS / f"digest-{name}-{kind}-{scheme}.png", full_page=True)
    assert shown.events == []
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= width
    assert shown.page.evaluate(WIDER) == []
    assert shown.page.evaluate(SPILLED) == []
    assert shown.page.evaluate(SMALL) == []
    shown.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= width
    shown.page.close()


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_the_browser_reads_the_nesting_that_was_written(
    browser: Browser, pages: dict[str, Path], name: str
) -> None:
    """Its parser mends wrong nesting, a block in a paragraph say, so that its tree would be another one."""
    shown = Shown(browser, pages[name], DESKTOP, "light")
    written = etree.fromstring(pages[name].read_bytes(), etree.XMLParser(huge_tree=True))
    assert shown.page.evaluate(TREE) == [etree.QName(one).localname for one in written.iter(etree.Element)]
    shown.page.close()


def test_colours_follow_the_scheme(browser: Browser, pages: dict[str, Path]) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        shown = Shown(browser, pages["rich"], DESKTOP, scheme)
        grounds.add(shown.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        bars = shown.page.evaluate(
            "[...document.querySelectorAll('.chart .bar')].map(one => getComputedStyle(one).fill)"
        )
        assert {bar for bar in bars if "url" in bar} == {
            'url("#fill-neutral")', 'url("#fill-negative")', 'url("#fill-planned")',
        }  # fmt: skip
        shown.page.close()
    assert len(grounds) == 2


def test_the_keyboard_reaches_the_content_first(browser: Browser, pages: dict[str, Path]) -> None:
    shown = Shown(browser, pages["rich"], PHONE, "light")
    shown.page.keyboard.press("Tab")
    assert shown.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert shown.page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    shown.page.close()


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_it_prints_on_paper(browser: Browser, pages: dict[str, Path], name: str) -> None:
    """On A4, light whatever the screen is, with its links, and no chart cut by the end of a page."""
    shown = Shown(browser, pages[name], DESKTOP, "dark")
    path = SCREENSHOTS / f"digest-{name}.pdf"
    shown.page.pdf(path=path, prefer_css_page_size=True, print_background=True)
    assert shown.events == []
    shown.page.close()
    document = pypdfium2.PdfDocument(path)
    try:
        sizes = {tuple(round(side) for side in page.get_size()) for page in document}
        assert sizes == {A4}
        corner = document[0].render().to_numpy()[2, 2]
        assert min(corner) == 255
        texts = [page.get_textpage().get_text_bounded() for page in document]
    finally:
        document.close()
    if name == "rich":
        [chart] = [text for text in texts if "▲ 118 positive" in text]
        assert "3 neutral" in chart[chart.index("E4 biodiversity") :]  # its first and its last row
        [pairs] = [text for text in texts if "34 implemented" in text]
        assert "1 planned" in pairs[pairs.index("E4 biodiversity") :]
        assert any(BIKES.text in " ".join(text.split()) for text in texts)  # folded on the screen
        assert b"storage.cloud.google.com" in path.read_bytes()
