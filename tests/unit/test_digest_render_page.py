"""The page of a digest is whole, well formed, safe whatever documents say, and can be read by everybody."""

from __future__ import annotations

import base64
import hashlib
import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from shared.digests.records import Digest
from shared.digests.render import html, outline
from shared.digests.render.templates import HERE
from shared.platform.records import SENTIMENTS
from tests.digest_example import empty, rich, single
from tests.digest_quotes import BIKES, FLEET, ORGANISATIONS, TRAINING, link

if TYPE_CHECKING:
    from collections.abc import Callable

SPACE = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    "</p></style></title><script>alert(1)</script><img src=x onerror=alert(2)> \" ' & &amp; {{ 7 * 7 }} "
    "<!-- ]]> \u202e\x00javascript:alert(3) " + "w" * 3_000
)
LOADS = {
    "script",
    "link",
    "img",
    "iframe",
    "object",
    "embed",
    "base",
    "form",
    "audio",
    "video",
    "image",
    "use",
}
MAKERS: dict[str, Callable[[], Digest]] = {"rich": rich, "single": single, "empty": empty}


def parsed(page: str) -> etree._Element:
    """As XML, which takes no wrong nesting, no open element and no bare attribute."""
    return etree.fromstring(page.encode(), etree.XMLParser(resolve_entities=False, huge_tree=True))


def hostile() -> Digest:
    """Every string that comes from documents or people is an attack."""

    def spoil(value: object, field: str = "") -> object:
        if isinstance(value, dict):
            return {name: spoil(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [HOSTILE if isinstance(one, str) else spoil(one) for one in value]
        kept = {"zone", "start", "end", "state", "status", "action", "kind", "against"}
        if isinstance(value, str):
            return value if field in kept else HOSTILE
        return value

    spoilt = Digest.model_validate(spoil(rich().model_dump(mode="json")))
    topics = [row.model_copy(update={"name": f"{HOSTILE}{at}"}) for at, row in enumerate(spoilt.topics)]
    trend = [point.model_copy(update={"topics": {HOSTILE: 1, "E1": 1}}) for point in spoilt.trend]
    quotes = [one.model_copy(update={"title": None}) for one in spoilt.incidents]
    overview = spoilt.overview.model_copy(update={"rejected": {HOSTILE: 2}})
    return spoilt.model_copy(
        update={"topics": topics, "trend": trend, "incidents": quotes, "overview": overview}
    )


@pytest.fixture(params=sorted(MAKERS))
def made(request: pytest.FixtureRequest) -> Digest:
    return MAKERS[request.param]()


def test_it_is_well_formed_and_says_the_same_each_time(made: Digest) -> None:
    page = html(made, link)
    assert parsed(page).tag == f"{SPACE}html"
    assert html(made.model_copy(deep=True), link) == page


def test_it_asks_nothing_of_any_network(made: Digest) -> None:
    """No element that loads, no style that does, and a policy that allows the page's own style alone."""
    page = html(made, link)
    root = parsed(page)
    assert not LOADS & {etree.QName(one).localname for one in root.iter(etree.Element)}
    assert not {name for one in root.iter(etree.Element) for name in one.attrib} & {"src", "srcset", "style"}
    [style] = root.iter(f"{SPACE}style")
    assert "@import" not in style.text
    assert set(re.findall(r"url\(([^)]*)\)", page)) == {"#fill-neutral", "#fill-negative", "#fill-planned"}
    [policy] = root.xpath("//*[@http-equiv='Content-Security-Policy']/@content")
    digest = base64.b64encode(hashlib.sha256(style.text.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_no_text_of_a_document_becomes_markup() -> None:
    root = parsed(html(hostile(), lambda _: "https://example.com/a?b=1&c=\"'<>"))
    clean = parsed(html(rich(), link))
    names = [[etree.QName(one).localname for one in tree.iter(etree.Element)] for tree in (root, clean)]
    assert set(names[0]) <= set(names[1])
    attributes = [{name for one in tree.iter(etree.Element) for name in one.attrib} for tree in (root, clean)]
    assert attributes[0] <= attributes[1]
    said = "".join(root.itertext())
    assert "<script>alert(1)</script>" in said
    assert "{{ 7 * 7 }}" in said
    assert "\u202e" not in said
    assert set(root.xpath("//@href[not(starts-with(., '#'))]")) == {"https://example.com/a?b=1&c=\"'<>"}


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "", "//x.example", "http://["],
)
def test_what_is_no_web_address_makes_no_link(address: str) -> None:
    root = parsed(html(rich(), lambda _: address))
    assert not root.xpath("//@href[not(starts-with(., '#'))]")
    assert "Tarnholm Fibre Sustainability Report 2026, p. 14" in "".join(root.itertext())


def test_every_link_of_the_page_is_the_address_of_a_source() -> None:
    digest = rich()
    root = parsed(html(digest, link))
    links = [one for one in root.iter(f"{SPACE}a") if not one.get("href").startswith("#")]
    assert {one.get("href") for one in links} == {link(source) for source in digest.sources()}
    assert {one.get("rel") for one in links} == {"noopener"}
    alike = sum(len(outline.datapoint_sources(one)) == 1 for one in digest.datapoints.changes)
    assert len(links) == len(digest.sources()) - alike


def test_every_quote_and_every_section_is_there() -> None:
    digest = rich()
    said = " ".join("".join(parsed(html(digest, link)).itertext()).split())
    for quote in digest.quotes():
        assert quote.text in said
    for expected in (
        "16 to 22 November 2026", "Digest “board-weekly”", "Times of Europe/Berlin", digest.line,
        "and 4 like it", "EUR 7.5 million", "Of 102 implemented and 93 planned, those",
        "✓ Implemented", "↻ Announced again", "✕ No longer mentioned",
        "Nothing like it stands in the newer report",
        "Written by a language model (gemini-2.5-flash)", "Rejected: encrypted", "Failed: timeout",
        "headrace replay ab12cd --project acme-sustainability", "Upload it without its password.",
        "2 documents, the longest of them scans/archive-1998.pdf (delegated), for 3 days",
        "unlike all that was kept of 212 earlier documents", digest.test,
        "9 data points of 2 organisations compared with the newest earlier period: 2 changed",
        "▼Tarnholm Fibre Gross Scope 1 GHG emissions: 9,100 tCO2e in 2026, down 32% from 13,400 tCO2e",
        *digest.notes, "E3 water and marine resources: 25% of its passages are negative, up from 9%",
    ):  # fmt: skip
        assert expected in said.replace("\N{NO-BREAK SPACE}", " "), expected


def test_flagged_changes_come_first_and_the_rest_stands_in_a_table() -> None:
    root = parsed(html(rich(), link))
    [section] = root.xpath("//*[@aria-labelledby='changes']")
    listed = ["".join(one.itertext()) for one in section.iter(f"{SPACE}li")]
    assert [one[1:3] for one in listed] == ["E3", "E1", "Ne", "S2"]  # by the largest difference
    assert [one[0] for one in listed] == ["▲", "▲", "▲", "▼"]
    rows = ["".join(one.itertext()) for one in section.iter(f"{SPACE}tr")]
    assert any("E5 resource use" in row for row in rows)
    assert [etree.QName(one).localname for one in section][:3] == ["h2", "ul", "details"]


def test_earlier_windows_are_one_group_of_columns_however_many_stand_behind_each_share() -> None:
    behind = [{"against": "trailing", "windows": windows} for windows in (2, 5, 8)]
    sentiments = [
        one.model_copy(update={"changes": [one.changes[0], one.changes[0].model_copy(update=each)]})
        for one, each in zip(rich().sentiments, behind, strict=True)
    ]
    told = outline.changes(rich().model_copy(update={"sentiments": sentiments, "topics": []}))
    assert told is not None
    tests = ["Difference", "Test"]
    assert told.head == ["Measure", "Now", "The previous week", *tests, "Earlier weeks", *tests]
    assert [row[5] for row in told.rows] == ["33% (2 weeks)", "49% (5 weeks)", "18% (8 weeks)"]


def test_further_organisations_are_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outline, "OPEN_GROUPS", 2)
    root = parsed(html(rich(), link))
    [fold] = root.xpath("//*[local-name()='details'][@class='printed']")
    said = "".join(fold.itertext())
    assert said.split("\n")[0] == "1 more organisation"
    assert "take back every crate" in said
    assert "Cargo bicycles" not in said


def test_initiatives_stand_by_organisation_the_best_first() -> None:
    """Whatever groups they are quoted in; an organisation of which none is quoted is left out."""
    sure = {quote.text: at for at, quote in enumerate([BIKES, TRAINING])}
    groups = [
        group.model_copy(
            update={
                "quotes": [
                    quote.model_copy(update={"salience": 2.0 + sure.get(quote.text, 0)})
                    for quote in group.quotes
                ]
            }
        )
        for group in rich().initiatives.groups
    ]
    doing = rich().initiatives.model_copy(update={"groups": groups})
    shown = outline.initiatives(rich().model_copy(update={"initiatives": doing}))
    assert list(shown) == ["Tarnholm Fibre", "Oskell Logistics", "staff-reviews.csv"]
    assert [quote.text for quote in shown["Oskell Logistics"]["Implemented"]] == [TRAINING.text, BIKES.text]
    assert [quote.text for quote in shown["Tarnholm Fibre"]["Planned"]] == [FLEET.text]


def test_sections_without_content_are_left_out() -> None:
    digest = single()
    root = parsed(html(digest, link))
    headings = ["".join(one.itertext()) for one in root.iter(f"{SPACE}h2")]
    assert headings == [
        "Key figures", "What changed", "Initiatives", "Topics and tone", "Trend", "About this digest",
    ]  # fmt: skip
    said = "".join(root.itertext())
    assert "There is no earlier week to compare with." in said
    assert "No trend yet, as only one week has a share: Negative in tone 22%; E1 climate change 30%;" in said
    assert not root.xpath("//*[@class='multiples']")


def test_an_empty_digest_is_its_title_and_one_line() -> None:
    root = parsed(html(empty(), link))
    [main] = root.iter(f"{SPACE}main")
    assert "".join(main.itertext()).strip() == "No document was uploaded."
    assert "".join(next(root.iter(f"{SPACE}h1")).itertext()) == "23 to 29 November 2026"


def test_assistive_technology_finds_its_way(made: Digest) -> None:
    root = parsed(html(made, link))
    assert root.get("lang") == "en"
    ids = root.xpath("//@id")
    assert len(ids) == len(set(ids))
    for target in [one[1:] for one in root.xpath("//@href[starts-with(., '#')]")]:
        assert target in ids
    for names in root.xpath("//@aria-labelledby"):
        assert set(names.split()) <= set(ids)
    assert all(len(list(root.iter(f"{SPACE}{name}"))) == 1 for name in ("main", "h1", "header", "footer"))
    levels = [
        int(name[1])
        for name in (etree.QName(one).localname for one in root.iter(etree.Element))
        if re.fullmatch(r"h\d", name)
    ]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    [first] = [one for one in root.find(f"{SPACE}body") if one.tag == f"{SPACE}a"]
    assert first.get("href") == "#content"
    for table in root.iter(f"{SPACE}table"):
        assert table.find(f"{SPACE}caption") is not None
        assert all(one.get("scope") in {"row", "col"} for one in table.iter(f"{SPACE}th"))
        assert len({len(row) for row in table.iter(f"{SPACE}tr")}) == 1
        assert table.getparent().get("class") == "scroll"
    for drawing in root.iter(f"{SVG}svg"):
        if drawing.get("aria-hidden") != "true":
            assert drawing.get("role") == "img"
            assert [etree.QName(one).localname for one in drawing][:2] == ["title", "desc"]
            assert all(one.text for one in drawing[:2])


def test_the_sections_are_those_that_the_outline_names() -> None:
    root = parsed(html(rich(), link))
    told = [(one.get("id"), "".join(one.itertext())) for one in root.iter(f"{SPACE}h2")][1:]
    assert told == outline.sections(rich())
    assert len(told) == 13


def colours(dark: bool) -> dict[str, str]:  # noqa: FBT001 - of the two schemes
    style = (HERE / "page.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{([^}]*--page[^}]*--positive[^}]*)\}", style)
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", blocks[dark]))


def contrast(one: str, other: str) -> float:
    """By https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_contrast_is_enough_in_both_schemes(dark: bool) -> None:  # noqa: FBT001 - of the two schemes
    """WCAG 2.2 AA: 4.5 for text, 3 for what a chart is read from."""
    has = colours(dark)
    assert len(has) == 14
    texts = [(text, ground) for text in ("text", "muted", "accent") for ground in ("page", "card")]
    texts += [("accent", "tint"), ("text", "tint"), ("warn", "warn-tint")]
    for text, ground in texts:
        assert contrast(has[text], has[ground]) >= 4.5, (text, ground)
    for mark in (*SENTIMENTS, "implemented", "planned", "accent"):
        assert contrast(has[mark], has["card"]) >= 3, mark


def test_contrast_is_computed_as_its_definition_says() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_a_taxonomy_of_ones_own_shows_its_codes() -> None:
    digest = rich()
    row = digest.topics[0].model_copy(update={"name": "DEI-7"})
    assert "DEI-7" in html(digest.model_copy(update={"topics": [row]}), link)


def test_names_with_odd_characters_reach_the_link_untouched() -> None:
    seen = set()
    html(rich(), lambda quote: seen.add(quote.name) or "https://example.com/")  # type: ignore[func-returns-value]
    assert {name for name, _ in ORGANISATIONS.values()} <= seen


def test_codes_of_rejections_break_behind_their_underscores() -> None:
    """And read as before, also by whoever searches the page for one."""
    digest = rich()
    rejected = {"unreadable_archive": 3, "text_column_not_found": 1}
    told = digest.model_copy(update={"overview": digest.overview.model_copy(update={"rejected": rejected})})
    details = parsed(html(told, link)).findall(f".//{SPACE}span[@class='detail']")
    [detail] = [one for one in details if len(one)]
    assert "".join(detail.itertext()) == "unreadable_archive 3, text_column_not_found 1"
    pieces = [detail.text, *(one.tail for one in detail)]
    assert pieces == ["unreadable_", "archive 3, text_", "column_", "not_", "found 1"]
    assert {one.tag for one in detail} == {f"{SPACE}wbr"}
