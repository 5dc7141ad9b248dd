"""A real browser, by the keyboard alone: check what comes first, and correct a passage where it stands.

Screenshots are kept in build/screenshots/.
"""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from playwright.sync_api import Page, sync_playwright
from werkzeug.serving import make_server

from functions.console import session
from functions.console.app import application
from shared.api import keys
from shared.api.keys import key_hash
from shared.documents.corrections import corrections_of
from shared.platform import clients
from shared.platform.clients import firestore_client
from tests.integration.documents_servers import serving
from tests.integration.test_corrections import BOARD, CRANE, TEXTS, WATER, completed, passage

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = shutil.which("chromium")
SCREENSHOTS = Path("build/screenshots")
KEY = "k" * 43
SIZES = {"desktop": (1280, 900), "phone": (360, 800)}
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The console's address."""
    cached: list[Any] = [session._secret, session._serializer, keys._ring]
    with serving(tmp_path_factory.mktemp("console")), pytest.MonkeyPatch.context() as patch:
        for each in cached:
            each.cache_clear()
        patch.setattr(clients, "secret", lambda *_: key_hash(KEY).encode())
        patch.setattr("shared.api.keys._first_hashes", lambda: (key_hash(KEY),))
        server = make_server("127.0.0.1", 0, application(), threaded=True)
        serves = threading.Thread(target=server.serve_forever)
        serves.start()
        yield f"http://127.0.0.1:{server.port}"
        server.shutdown()
        serves.join()
    for each in cached:
        each.cache_clear()


@pytest.fixture(params=[("desktop", "light"), ("phone", "dark")], ids=lambda param: param[0])
def page(console: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Signed in; the test fails where the page complains."""
    size, scheme = request.param
    width, height = SIZES[size]
    complaints: list[str] = []
    look: Literal["light", "dark"] = scheme
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM) as browser:
        context = browser.new_context(
            base_url=console, viewport={"width": width, "height": height}, color_scheme=look
        )
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/sign-in")
        page.fill("input[name=key]", KEY)
        page.keyboard.press("Enter")
        page.wait_for_url("**/")
        yield page
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        context.close()
    assert not complaints


def test_thirty_passages_take_a_key_or_two_each(page: Page) -> None:
    """A key a label, Enter for the rest, a key for later; what is typed into a field is no key."""
    document = completed()
    page.goto(f"/check?document={document.id}")
    assert page.inner_text("blockquote") == TEXTS[BOARD]
    page.focus("input[name=organisation]")
    page.keyboard.type("wd")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"blockquote:text-is('{TEXTS[WATER]}')")
    assert corrections_of(firestore_client(), document.id)[0].confirms
    page.keyboard.press("l")
    page.wait_for_selector(f"blockquote:text-is('{TEXTS[CRANE]}')")
    for key in ("n", "6", "7", "v"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.wait_for_selector("text=You have checked 2.")
    said = corrections_of(firestore_client(), document.id)[0]
    assert said.fields == {
        "topics": ["S2"],
        "sentiment": "neutral",
        "salience": 3,
        "action": "none",
        "initiative": False,
    }


def test_a_passage_is_corrected_and_put_back_where_it_stands(page: Page) -> None:
    """Without leaving the reader, by tabs and keys."""
    document = completed()
    page.goto(f"/documents/{document.id}")
    article = page.locator(f"#p-{CRANE}")
    article.get_by_role("button", name="Correct passage").focus()
    page.keyboard.press("Enter")
    article.get_by_role("radio", name="neither").focus()
    page.keyboard.press("Space")
    article.get_by_role("button", name="Save", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#p-{CRANE} em:text-is('corrected')")
    assert passage(document, CRANE)["sentiment"]["label"] == "neutral"
    article.get_by_role("button", name="Correct passage").focus()
    page.keyboard.press("Enter")
    article.get_by_role("button", name="undo").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#p-{CRANE}:not(:has(em))")
    assert passage(document, CRANE)["sentiment"]["label"] == "negative"
