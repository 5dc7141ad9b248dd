"""Web pages: their content and nothing else, whatever the markup, the encoding and the intent."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import pytest

from shared.extract.decode import codec_of, texts
from shared.extract.shapes import Block, Limits
from shared.platform.errors import Rejected
from tests.unit.html_blocks import blocks, page, read
from tests.unit.markup_pages import PAGES, Page

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_content_is_kept_in_order(page: Page) -> None:
    """Every sentence of the content is there, in the order of the page."""
    text = "\n".join(block.text for block in blocks(page.markup))
    at = [text.find(sentence) for sentence in page.content]
    assert -1 not in at
    assert at == sorted(at)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_stands_beside_the_content_is_left_out(page: Page) -> None:
    """Menus, notices about cookies, teasers, footers, scripts and hidden text."""
    text = "\n".join(block.text for block in blocks(page.markup))
    assert [sentence for sentence in page.beside if sentence in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_headings_are_headings(page: Page) -> None:
    """They become sections of what follows; a heading whose text was left out is left out with it."""
    headings = [
        block.text for block in blocks(page.markup) if block.kind == "heading" and block.text != "Menu"
    ]
    assert tuple(headings) == page.headings


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pieces_make_no_difference(page: Page, tmp_path: Path) -> None:
    """A file is read in pieces, which may end inside of a tag or of a character."""
    whole = page.markup + "<!--" + " " * 70_000 + "-->\u20ac"
    assert [block.text for block in read(tmp_path, whole.encode()).blocks][: len(blocks(page.markup))] == [
        block.text for block in blocks(page.markup)
    ]


def test_the_rows_of_data_tables_are_rows() -> None:
    """With their heads; what only lays out a page is no table."""
    kinds = [
        (block.kind, block.text)
        for block in blocks(
            "<table><tr><th>Year<th>CO<sub>2</sub>, t<tr><td>2022<td>1,200<tr><td>2023<td></table>"
            "<table><tr><td>One column of a page.<td>Another column of it.</table>"
            f"<table><tr><td>{'A long story. ' * 60}<td>b<tr><td>c<td>d</table>"
        )
    ]
    assert kinds[:2] == [("table", "2022 | CO2, t: 1,200"), ("table", "2023")]
    assert {kind for kind, _ in kinds[2:]} == {"text"}


def test_a_table_keeps_spans_heads_levels_and_its_caption(tmp_path: Path) -> None:
    """Cells stand around those that span rows from above; heads stand in <thead> or are all <th>."""
    markup = """<h2>People</h2><table><caption>Staff</caption>
        <thead><tr><td rowspan=2><td colspan=2>2023<td colspan=2>2022</tr>
        <tr><td>Men<td>Women<td>Men<td>Women</tr></thead>
        <tr><th scope=row>All<td>1<td>2<td>3<td>4<sup>1</sup>
        <tr><td style="padding-left: 1em">Trainees<td>5<td>6<td>7<td>8
        <tr><td>&nbsp;&nbsp;&nbsp;Interns<td>9<td>1<td>2<td>3
        <tr><th colspan=99999999999>Germany<tr><td>All<td>1<td>1<td>1<td>1</table>
        <h2>Mills</h2><table><tr><th>Mill<th>Product<th>m<sup>3</sup>
        <tr><td rowspan=2>Alne<td>Paper<td>12<tr><td>Card<td>13</table>"""
    extracted = read(tmp_path, markup.encode())
    assert [block.text for block in extracted.blocks] == [
        "People",
        "Staff",
        "Staff > All | 2023, Men: 1; 2023, Women: 2; 2022, Men: 3; 2022, Women: 4\u00b9",
        "Staff > All > Trainees | 2023, Men: 5; 2023, Women: 6; 2022, Men: 7; 2022, Women: 8",
        "Staff > All > Interns | 2023, Men: 9; 2023, Women: 1; 2022, Men: 2; 2022, Women: 3",
        "Staff > Germany > All | 2023, Men: 1; 2023, Women: 1; 2022, Men: 1; 2022, Women: 1",
        "Mills",
        "Mills > Mill > Alne > Paper | m3: 12",
        "Mills > Mill > Alne > Card | m3: 13",
    ]
    assert [(table.caption, table.columns, table.labels) for table in extracted.tables] == [
        ("Staff", 5, 1),
        ("Mills", 3, 2),
    ]


@pytest.mark.parametrize(
    ("markup", "code"),
    [
        (("<tr>" + "<td>1" * 10_000) * 2, "too_many_columns"),
        (("<tr>" + "<td>1" * 1_000) * 150, "too_many_cells"),
    ],
)
def test_a_table_beyond_a_limit_is_refused(markup: str, code: str) -> None:
    """By the limit's name."""
    with pytest.raises(Rejected) as caught:
        blocks(f"<table>{markup}</table>", Limits(cells=100_000))
    assert caught.value.code == code


def test_spans_that_lie_take_no_time() -> None:
    """A billion columns, rows without end, and spans that overlap."""
    begin = time.process_time()
    cell = "<td colspan=1000000000 rowspan=65534>a"
    found = blocks(f"<table>{('<tr>' + cell * 20 + '<td>1') * 1_000}</table>")
    assert {block.kind for block in found} == {"table"}
    assert time.process_time() - begin < 10


@pytest.mark.parametrize(
    ("markup", "title"),
    [
        ("<title>Water use</title><p>x", "Water use"),
        ("<title>Water use | Example</title><h1>Water use</h1><p>x", "Water use"),
        (
            '<title>Water use - Example</title><meta property="og:site_name" content="Example"><p>x',
            "Water use",
        ),
        ('<title>Example: Water</title><meta property="og:title" content="Water use"><p>x', "Water use"),
        ("<title>Non-financial report</title><p>x", "Non-financial report"),
        ("<title>\n</title><h1>Water <em>use</em></h1><p>x", "Water use"),
        ("<title>One</title><title>Two</title><p>x", "One"),
        ("<p>x", None),
    ],
)
def test_the_title_is_the_pages_own(markup: str, title: str | None) -> None:
    """The page's own, not its site's."""
    assert page(markup).title == title


@pytest.mark.parametrize(
    ("markup", "organisation"),
    [
        ("<p>Some text.<footer>\u00a9 2024 Example plc. All rights reserved.</footer>", "Example plc"),
        ("<p>Some text.<footer>Copyright \u00a9 2019-2024 Esempio S.p.A.</footer>", "Esempio S.p.A."),
        ('<meta property="og:site_name" content="Example News"><p>Some text.', "Example News"),
        ("<p>Some text.", None),
    ],
)
def test_the_organisation_is_whoever_has_the_rights(
    markup: str, organisation: str | None, tmp_path: Path
) -> None:
    """The footer says so, else the page's metadata."""
    assert read(tmp_path, markup.encode()).organisation == organisation


@pytest.mark.parametrize(
    ("encoding", "declared", "word"),
    [
        ("utf-8", "", "M\u00fchle \u2013 \u20ac"),
        ("utf-8", "iso-8859-1", "M\u00fchle \u2013 \u20ac"),  # declared wrongly, as servers do
        ("utf-8-sig", "", "M\u00fchle"),
        ("utf-16", "", "M\u00fchle"),
        ("utf-16-le", "utf-16", "M\u00fchle"),
        ("cp1252", "utf-8", "M\u00fchle \u2013 \u20ac"),  # likewise
        ("cp1252", "iso-8859-1", "M\u00fchle \u2013 \u20ac"),  # what Latin-1 means on the web
        ("iso8859-2", "ISO-8859-2", "m\u0142yn i rzeka"),
        ("cp1251", "windows-1251", "\u043c\u0435\u043b\u044c\u043d\u0438\u0446\u0430"),
        ("koi8-r", "koi8-r", "\u043c\u0435\u043b\u044c\u043d\u0438\u0446\u0430"),
        ("shift_jis", "Shift_JIS", "\u6c34\u8eca\u5c0f\u5c4b"),
        ("iso2022_jp", "iso-2022-jp", "\u6c34\u8eca\u5c0f\u5c4b"),
        ("euc_jp", "euc-jp", "\u6c34\u8eca\u5c0f\u5c4b"),
        ("gb18030", "gb2312", "\u6c34\u78e8\u574a"),
        ("big5", "big5", "\u6c34\u78e8\u574a"),
        ("euc_kr", "euc-kr", "\ubb3c\ub808\ubc29\uc557\uac04"),
    ],
)
def test_any_encoding_is_read(encoding: str, declared: str, word: str) -> None:
    """By its byte-order mark, its bytes, or what it declares of itself."""
    markup = f'<html><meta charset="{declared}"><body><p>{word}</body></html>'
    assert blocks(markup.encode(encoding)) == [Block(word)]


def test_no_encoding_is_followed_that_is_none() -> None:
    """Python has codecs that unpack or evaluate; a page cannot ask for one of them."""
    for label in ("zip", "hex", "base64", "rot13", "unicode_escape", "utf-7", "idna", "nonsense", "", "\0"):
        assert codec_of(label) is None
    assert blocks(b'<meta charset="zip"><p>M\xfchle und Fluss') == [Block("M\u00fchle und Fluss")]


def test_the_transports_word_goes_before_the_pages() -> None:
    """As a browser does it."""
    markup = '<meta charset="koi8-r"><p>\u043c\u0435\u043b\u044c\u043d\u0438\u0446\u0430'
    assert markup in "".join(texts(io.BytesIO(markup.encode("cp1251")), "windows-1251"))


def test_a_wrongly_suspected_class_costs_no_text() -> None:
    """Where nearly the whole page stands in something called a menu, it is no menu."""
    found = blocks(
        f"<h1>Dishes</h1><div class='menu'><p>{'A dish is described. ' * 20}</p></div><p>Closed today."
    )
    assert "A dish is described." in found[1].text


def test_links_are_left_out_and_linking_sentences_kept() -> None:
    """A list of links is a menu, whatever it is called; a table that links to its sources is data."""
    found = blocks(
        "<p>We publish <a href=a>the report</a> and its annexes every spring.</p>"
        "<ul><li><a href=b>Investors</a><li><a href=c>Careers</a></ul>"
        "<table><tr><th>Report<th>File<tr><td>2023<td><a href=d>Download it</a></table>"
    )
    assert [block.text for block in found] == [
        "We publish the report and its annexes every spring.",
        "Report > 2023 | File: Download it",
    ]
