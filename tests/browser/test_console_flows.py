"""The whole console in a real browser, over a running stack: each flow, by mouse and keyboard, and its looks.

Screenshots are kept in build/screenshots/.
"""

from __future__ import annotations

import base64
import re
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from google.cloud import firestore
from playwright.sync_api import Browser, BrowserContext, FilePayload, Locator, Page, expect, sync_playwright

from shared.documents.replay import DeadLetter, Digested
from shared.platform.records import ErrorInfo
from tests.e2e.running import RunningStack, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHROMIUM = shutil.which("chromium")
SCREENSHOTS = Path("build/screenshots")
SAMPLES = Path(__file__).resolve().parents[2] / "samples"
REPORT = "tarnholm_sustainability_report_2025.pdf"
RELEASE = "velmora_press_release.txt"
SPARE = "spare.txt"
BROKEN = "broken.pdf"
SCRIPT = "<script>window.attacked=1</script>"
HOSTILE = "<img src=x onerror=window.attacked=1>.html"
MARKUP = "&lt;script&gt;window.attacked=1&lt;/script&gt;"
HOSTILE_TEXT = f"Our emissions fell by 12% in 2024 {MARKUP} after the new kiln."
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
PAGES = ("/", "/check", "/search", "/compare", "/digests", "/operations")
SECONDS = 90
"""For what a stack works on, on a machine that is busy with others."""
IN_PAGE = """() => { window.stayed = true; window.states = new Set();
    new MutationObserver(() => document.querySelectorAll('#uploads li > span:last-child')
        .forEach(one => window.states.add(one.textContent)))
        .observe(document.getElementById('uploads'), {childList: true, subtree: true}); }"""
DROP = """files => { const carried = new DataTransfer();
    for (const [name, content] of files)
        carried.items.add(new File([Uint8Array.from(atob(content), one => one.charCodeAt(0))], name));
    for (const kind of ['dragenter', 'dragover', 'drop'])
        document.getElementById('drop').dispatchEvent(
            new DragEvent(kind, {dataTransfer: carried, bubbles: true, cancelable: true})); }"""
ASIDE = """() => { const [image, places] = [...document.querySelectorAll('.page-image > *')]
    .map(one => one.getBoundingClientRect());
    return ['x', 'y', 'width', 'height'].filter(side => Math.abs(image[side] - places[side]) > 2); }"""
WIDER = "() => document.documentElement.scrollWidth - innerWidth"
expect.set_options(timeout=20_000)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")


class Seen(NamedTuple):
    """What the browser showed as files were dropped."""

    ids: dict[str, str]
    states: set[str]
    stayed: bool


class Empty(NamedTuple):
    """What a page of the empty stack says, and what is wrong with it."""

    text: str
    faults: list[str]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    running = RunningStack(tmp_path_factory.mktemp("console"), free_ports())
    running.up()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    yield running
    running.end()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        # Chromium's own sandbox does not start as root, which is who containers run as.
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def entered(stack: RunningStack, browser: Browser) -> Any:
    """The cookie that the stack's link gives; whoever opens it a second time gets none."""
    link = stack.stack()["console"]
    states = []
    for status in (200, 401):
        context = browser.new_context()
        answer = context.new_page().goto(link)
        assert answer is not None
        assert answer.status == status
        states.append(context.storage_state())
        context.close()
    assert [len(state.get("cookies", [])) for state in states] == [1, 0]
    return states[0]


@contextmanager
def opened(
    stack: RunningStack,
    browser: Browser,
    state: Any,
    *,
    size: str = "desktop",
    expected: str | None = None,
) -> Iterator[Page]:
    """Yield a page of the console; fail where the browser complained of anything but what is expected."""
    width, height = SIZES[size]
    context: BrowserContext = browser.new_context(
        base_url=re.sub(r"(?<=\d)/.*", "", stack.stack()["console"]),
        storage_state=state,
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
    )
    complaints: list[str] = []
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.on(
        "console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    yield page
    assert page.evaluate("window.attacked") is None
    assert [said for said in complaints if expected is None or expected not in said] == []
    context.close()


@pytest.fixture
def page(stack: RunningStack, browser: Browser, entered: Any) -> Iterator[Page]:
    with opened(stack, browser, entered) as page:
        yield page


def faults(page: Page, name: str, rules: Sequence[str] | None = None) -> list[str]:
    """What axe finds serious or critical, by all or some rules, and how much too wide the page is."""
    page.screenshot(path=SCREENSHOTS / f"console-{name}.png", full_page=True)
    options: dict[str, Any] = {"resultTypes": ["violations"], "iframes": False}
    if rules is not None:
        options["runOnly"] = list(rules)
    found = [
        f"{each['id']}: {node['html'][:160]} {node['failureSummary']}"
        for each in Axe().run(page, options=options).response["violations"]
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]
    return found + ([f"{wider} pixels too wide"] if (wider := page.evaluate(WIDER)) > 0 else [])


def drop(page: Page, files: Sequence[tuple[str, bytes]]) -> None:
    page.evaluate(DROP, [(name, base64.b64encode(content).decode()) for name, content in files])


def line(page: Page, name: str) -> Locator:
    """The line of a file's upload."""
    return page.locator("#uploads li").filter(has=page.get_by_text(name, exact=True))


def click_on(page: Page, place: Locator) -> None:
    """Click where a place stands on the image: the driver's own boxes of shapes below 1 are too coarse."""
    place.scroll_into_view_if_needed()
    image = page.locator(".page-image img").bounding_box()
    assert image is not None
    x, y, width, height = (float(place.get_attribute(name) or "") for name in ("x", "y", "width", "height"))
    page.mouse.click(
        image["x"] + image["width"] * (x + width / 2), image["y"] + image["height"] * (y + height / 2)
    )


@pytest.fixture(scope="module")
def empty(stack: RunningStack, browser: Browser, entered: Any) -> dict[str, Empty]:
    """The pages before anything was dropped."""
    shown = {}
    with opened(stack, browser, entered, size="phone") as page:
        for path in PAGES:
            page.goto(path)
            text = page.inner_text("main")
            shown[path] = Empty(text, faults(page, f"empty-{path.strip('/') or 'documents'}"))
    return shown


@pytest.fixture(scope="module")
def seen(stack: RunningStack, browser: Browser, entered: Any, empty: dict[str, Empty]) -> Seen:
    """Two files dropped on the zone, the rest chosen, all watched to their ends on the same page."""
    assert empty
    hostile = f"<html><head><title>{MARKUP}</title></head><body><p>{HOSTILE_TEXT}</p></body></html>"
    chosen = {
        HOSTILE: hostile.encode(),
        SPARE: b"Spare Works planted 3,000 trees in 2024. It will plant more in 2026.",
        BROKEN: b"%PDF-1.7 and nothing more",
    }
    with opened(stack, browser, entered) as page:
        page.goto("/")
        page.evaluate(IN_PAGE)
        drop(page, [(name, (SAMPLES / name).read_bytes()) for name in (REPORT, RELEASE)])
        page.set_input_files(
            "#files",
            [FilePayload(name=name, mimeType="", buffer=content) for name, content in chosen.items()],
        )
        ids = {}
        for name in (REPORT, RELEASE, *chosen):
            link = line(page, name).get_by_role("link")
            expect(link).to_contain_text(
                "rejected" if name == BROKEN else "completed", timeout=SECONDS * 1000
            )
            ids[name] = (link.get_attribute("href") or "").rpartition("/")[2]
        expect(page.locator("#list tr[data-state=completed]")).to_have_count(4)
        expect(page.locator("#list tr[data-state=rejected]")).to_have_count(1)
        return Seen(ids, set(page.evaluate("[...window.states]")), page.evaluate("window.stayed === true"))


@pytest.fixture
def report(seen: Seen, page: Page) -> Page:
    """The page of the report, whose reader has been loaded."""
    page.goto(f"/documents/{seen.ids[REPORT]}")
    page.wait_for_selector("#reader .page-image svg g")
    return page


def test_faults_are_found(page: Page) -> None:
    page.goto("/search")
    page.evaluate("document.querySelector('main h1').outerHTML = '<input>'")
    assert [fault.partition(":")[0] for fault in faults(page, "fault")] == ["label"]


@pytest.mark.parametrize("path", PAGES)
def test_an_empty_stack_says_what_to_do(empty: dict[str, Empty], path: str) -> None:
    says = {
        "/": "Drop a report above",
        "/check": "Nothing is left to check",
        "/search": "Ask in your own words",
        "/compare": "Drop two reports",
        "/digests": "No digest has been made yet",
        "/operations": "Nothing stands still",
    }
    assert says[path] in empty[path].text
    assert empty[path].faults == []


def test_a_key_signs_in_and_a_wrong_one_does_not(stack: RunningStack, browser: Browser) -> None:
    key = (stack.data / "api-key").read_text().strip()
    with opened(stack, browser, None, expected="401") as page:
        page.goto("/operations")
        expect(page).to_have_url(re.compile("/sign-in"))
        page.keyboard.type("not the key")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_be_visible()
        assert faults(page, "sign-in") == []
        page.fill("input[name=key]", key)
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("/operations$"))  # where somebody wanted to go
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(re.compile("/sign-in"))
        page.goto("/")
        expect(page).to_have_url(re.compile("/sign-in"))


def test_dropped_files_are_followed_to_their_end(seen: Seen) -> None:
    assert len(set(seen.ids.values())) == 5
    assert seen.stayed
    assert {"uploading", "waiting to be read"} <= seen.states
    assert any(state.startswith("completed, ") for state in seen.states)


def test_documents_are_filtered_and_sorted(seen: Seen, page: Page) -> None:
    page.goto("/")
    rows = page.locator("#list tbody tr")
    expect(rows).to_have_count(len(seen.ids))
    page.get_by_label("Name, title or organisation").press_sequentially("velmora")
    expect(rows).to_have_count(1)
    page.go_back()
    expect(rows).to_have_count(len(seen.ids))
    expect(page.get_by_label("Name, title or organisation")).to_have_value("")
    page.get_by_label("State").select_option("rejected")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(BROKEN)
    page.get_by_label("Topic").select_option("S1")
    expect(page.locator(".empty")).to_contain_text("No document fits")
    page.get_by_role("link", name="Clear").click()
    page.get_by_label("Sort by").select_option("name")
    expect(page).to_have_url(re.compile("sort=name"))
    expect(rows.first).to_contain_text("window.attacked")
    expect(rows.nth(1)).to_contain_text(BROKEN)


def test_marked_documents_are_analyzed_again(seen: Seen, stack: RunningStack, page: Page) -> None:
    run = stack.record(seen.ids[RELEASE])["run"]
    page.goto("/")
    page.locator(f"#row-{seen.ids[RELEASE]}").get_by_role("checkbox").check()
    page.get_by_role("button", name="Analyze again").click()
    expect(page.get_by_role("status").filter(has_text="analyzed again")).to_be_visible()
    page.wait_for_function("() => !document.querySelector('#list [role=status].note')")
    for _ in range(SECONDS):
        record = stack.record(seen.ids[RELEASE])
        if record["run"] > run and record["state"] == "completed":
            break
        page.wait_for_timeout(500)
    assert record["run"] > run
    assert record["state"] == "completed"


def test_erasing_asks_first(seen: Seen, stack: RunningStack, page: Page) -> None:
    """Also with the keyboard alone."""
    page.goto("/?text=spare")
    page.locator(f"#row-{seen.ids[SPARE]}").get_by_role("checkbox").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Erase").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Erase 1 document?")).to_be_visible()
    assert faults(page, "erase") == []
    assert stack.record(seen.ids[SPARE])
    page.get_by_role("button", name="Erase").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Erased")).to_be_visible()
    assert stack.record(seen.ids[SPARE]) == {}


def test_a_document_begins_with_its_brief(report: Page) -> None:
    for heading in ("In brief", "Key figures", "Initiatives", "Topics and outcomes", "Read"):
        expect(report.get_by_role("heading", name=heading).first).to_be_visible()
    assert report.locator("table.figures tbody tr").count() > 0
    report.locator("table.figures td a").first.click()
    expect(report.locator("#reader .on").first).to_be_visible()
    report.locator("section[aria-labelledby=h-topics] td a").first.click()
    expect(report.locator("#chosen .hit").first).to_be_visible()


def test_passages_and_places_find_each_other(report: Page) -> None:
    """By a click on either side; scores on demand; the next page."""
    passage = report.locator("#reader .passage:visible:has(button[aria-label^=Scores])").first
    number = passage.get_attribute("data-passage")
    passage.locator("p").first.click()
    expect(report.locator(f"svg g.b-{number}.on")).to_have_count(1)
    other = report.locator(f"svg g:not(.b-{number})").first
    found = other.get_attribute("data-passage")
    click_on(report, other.locator("rect").first)
    expect(report.locator(f"svg g.b-{found}.on")).to_have_count(1)
    expect(report.locator(f"#p-{found}.on, tr[data-passage='{found}'].on").first).to_have_count(1)
    expect(report.locator(f"#p-{number}.on")).to_have_count(0)
    passage.get_by_role("button", name="Scores").click()
    expect(passage.locator("dl")).to_contain_text("%")
    report.get_by_role("button", name="Next").click()
    expect(report.get_by_label("Page", exact=True)).to_have_value("2")
    expect(report.get_by_alt_text("Page 2 as it was uploaded")).to_be_visible()
    report.wait_for_function("() => document.querySelector('.page-image img').naturalWidth > 0")


def test_the_reader_needs_no_mouse(report: Page) -> None:
    report.keyboard.press("Tab")
    expect(report.locator(".skip")).to_be_focused()
    passage = report.locator("#reader .passage:visible").first
    report.get_by_label("Page", exact=True).focus()
    for _ in range(6):
        report.keyboard.press("Tab")
        if report.evaluate("document.activeElement.matches('.passage')"):
            break
    expect(passage).to_be_focused()
    report.keyboard.press("Enter")
    expect(report.locator(f"svg g.b-{passage.get_attribute('data-passage')}.on")).to_have_count(1)
    report.get_by_label("Page", exact=True).focus()
    report.keyboard.press("Control+a")
    report.keyboard.type("2")
    report.keyboard.press("Enter")
    expect(report.get_by_alt_text("Page 2 as it was uploaded")).to_be_visible()


def test_a_rejected_document_says_why_and_what_to_do(seen: Seen, page: Page) -> None:
    page.goto(f"/documents/{seen.ids[BROKEN]}")
    told = page.get_by_role("alert")
    expect(told).to_contain_text("This document was rejected")
    expect(told).to_contain_text("What to do")
    assert faults(page, "rejected") == []


def test_search_finds_and_finds_more_like_it(seen: Seen, page: Page) -> None:
    assert seen
    page.goto("/search")
    page.keyboard.type("greenhouse gas emissions")
    page.keyboard.press("Enter")
    expect(page.locator("#found .hit").first).to_be_visible()
    expect(page).to_have_url(re.compile("q=greenhouse"))
    assert faults(page, "search-found") == []
    page.get_by_role("link", name="more like this").first.click()
    expect(page.get_by_role("heading", name="More like this")).to_be_visible()
    expect(page.locator(".hit").first).to_be_visible()
    assert faults(page, "more-like-this") == []


def test_marked_documents_are_compared(seen: Seen, page: Page) -> None:
    page.goto("/")
    for name in (REPORT, RELEASE):
        page.locator(f"#row-{seen.ids[name]}").get_by_role("checkbox").check()
    page.get_by_role("button", name="Compare those marked").click()
    expect(page.get_by_role("heading", name="Data points")).to_be_visible()
    assert page.locator("table.compared tbody tr").count() >= 2
    assert faults(page, "compared") == []


def test_a_digest_is_made_now_and_read(seen: Seen, page: Page) -> None:
    assert seen
    page.goto("/digests")
    page.get_by_role("button", name="Make it").click()
    frame = page.locator("iframe.digest")
    expect(frame).to_be_visible(timeout=SECONDS * 1000)
    expect(page.frame_locator("iframe.digest").locator("h1").first).to_be_visible()
    assert faults(page, "digest") == []


def test_a_dead_letter_is_replayed(seen: Seen, stack: RunningStack, page: Page) -> None:
    document = stack.record(seen.ids[RELEASE])
    letter = DeadLetter(
        reason=ErrorInfo(code="crashed", message="The function was killed.", hint="Replay it."),
        function="ingest",
        subscription=None,
        document=document["id"],
        run=document["run"],
        replay=f"headrace replay {document['id']}",
        data=Digested(sha256="0" * 64, size=2),
        published_at=None,
        recorded_at=datetime.now(UTC),
    )
    assert isinstance(stack._database, firestore.Client)
    stack._database.collection("dead_letters").document("a" * 24).set(letter.model_dump())
    page.goto("/operations")
    expect(page.locator("main")).to_contain_text(
        "1 in the last day, 1 in all; the newest: The function was killed."
    )
    assert faults(page, "operations-letter") == []
    page.get_by_role("button", name="Replay").click()
    expect(page.locator("main")).to_contain_text("replayed")
    expect(page.locator("main")).not_to_contain_text("in the last day")
    for _ in range(SECONDS):
        if stack.record(document["id"])["run"] > document["run"]:
            break
        page.wait_for_timeout(500)
    assert stack.record(document["id"])["run"] > document["run"]


def test_markup_in_names_titles_tags_and_passages_stays_text(seen: Seen, page: Page) -> None:
    """The page fixture fails where any of it ran."""
    path = f"/documents/{seen.ids[HOSTILE]}"
    page.goto(path)
    expect(page.locator("h1")).to_contain_text(SCRIPT)
    expect(page.locator(".passage").filter(has_text=SCRIPT).first).to_be_visible()
    expect(page.locator("dd").filter(has_text=HOSTILE).first).to_be_visible()
    page.goto(f"{path}/corrections")
    page.get_by_label("Tags").fill('"><b onmouseover=window.attacked=1>')
    page.get_by_role("button", name="Save").click()
    page.goto("/")
    row = page.locator(f"#row-{seen.ids[HOSTILE]}")
    expect(row).to_contain_text(SCRIPT)
    expect(row).to_contain_text(HOSTILE)
    expect(row.locator("a.tag")).to_have_text('"><b onmouseover=window.attacked=1>')
    row.locator("a.tag").click()
    expect(page.locator("#list tbody tr")).to_have_count(1)
    page.goto("/search?q=emissions+after+the+new+kiln")
    expect(page.locator(".hit").filter(has_text="window.attacked").first).to_be_visible()


def test_every_page_fits_and_is_for_everybody(
    seen: Seen, stack: RunningStack, browser: Browser, entered: Any
) -> None:
    """At each size, light and dark; the reader with a passage that was clicked on."""
    document = f"/documents/{seen.ids[REPORT]}"
    wrong = {}
    with opened(stack, browser, entered) as page:
        for path in (*PAGES, document, f"{document}/corrections"):
            page.goto(path)
            if path == document:
                page.wait_for_selector("#reader .page-image svg g")
                page.locator("#reader .passage:visible").first.locator("p").first.click()
            name = {document: "document"}.get(path, path.rpartition("/")[2] or "documents")
            for size, scheme in product(SIZES, SCHEMES):
                width, height = SIZES[size]
                page.set_viewport_size({"width": width, "height": height})
                page.emulate_media(color_scheme=scheme)
                if path == document:  # what is marked stands on the image
                    assert page.evaluate(ASIDE) == []
                rules = None if scheme == "light" else ["color-contrast"]
                if found := faults(page, f"{name}-{size}-{scheme}", rules):
                    wrong[f"{path} {size} {scheme}"] = found
    assert wrong == {}
