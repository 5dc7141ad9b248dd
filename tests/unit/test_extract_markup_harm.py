"""Web pages that are odd, deep, enormous or nothing: read as a browser does, or refused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.extract.shapes import Limits
from shared.platform.errors import Rejected
from tests.unit.html_blocks import blocks, page, read

if TYPE_CHECKING:
    from pathlib import Path


DEEP = 100_000


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        (
            "a&amp;b &lt;p&gt; &eacute;&nbsp;&euro; &#150; &#x80; &notit; &bogus;",
            "a&b <p> \u00e9 \u20ac \u2013 \u20ac \u00acit; &bogus;",
        ),
        ("a&#0;b&#xD800;c&#x110000;d", "a\ufffdb\ufffdc\ufffdd"),
        ("<!DOCTYPE html [<!ENTITY a 'bomb'>]>&a;&a;", "]>&a;&a;"),
        ("a<!-- never closed <p>b", "a"),
        ("a<!-- b --!>c<!-->d<!---->e", "acde"),
        ("a<script>var x = '</script' + '>'; \"<p>\" </script>b", "ab"),
        ("a<script>never closed <p>b", "a"),
        ("a<style><p>b</style>c", "ac"),
        ("a<textarea><p>b</textarea>c<select><option>d</select>e", "ace"),
        ("a<svg><title>b</title><text>c</text></svg>d", "ad"),
        ("a<b>b<i>c</b>d</i>e", "abcde"),
        ("</p></div></x>a</table></td>", "a"),
        ("<p title='never closed>a</p>", ""),
        ("a\0b<\0p>c", "ab c"),
        ("<![CDATA[a]]>b<?php echo 'c' ?>d", "bd"),
        ("<", "<"),
        ("a < b > c", "a < b > c"),
        ("", ""),
    ],
)
def test_odd_markup_is_read_as_a_browser_does(markup: str, expected: str) -> None:
    """Or nearly so; never is there an error."""
    text = " ".join(block.text for block in blocks(markup))
    assert text == expected


@pytest.mark.parametrize(
    "tag",
    [
        "div",
        pytest.param("b", marks=pytest.mark.slow),
        "table",
        "table><tr><td",
        pytest.param("ul><li", marks=pytest.mark.slow),
        pytest.param("section", marks=pytest.mark.slow),
        pytest.param("blockquote", marks=pytest.mark.slow),
        "a href=x",
        pytest.param("pre", marks=pytest.mark.slow),
        pytest.param("font", marks=pytest.mark.slow),
        "h1",
        pytest.param("x-y", marks=pytest.mark.slow),
    ],
)
def test_nesting_costs_neither_the_stack_nor_the_text(tag: str) -> None:
    """100,000 levels are read in the time that as many elements side by side take."""
    started = time.process_time()
    found = blocks(f"<body><p>Above.{f'<{tag}>' * DEEP}The text in the depths.<p>And after it.")
    text = " ".join(block.text for block in found)
    assert "The text in the depths." in text
    assert "And after it." in text
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    "markup",
    [
        "<p title='" + "x" * 5_000_000 + "'>after",
        "<p class='" + "site-nav-" * 500_000 + "'>after",
        "<p style='" + "display " * 500_000 + "'>after",
        "<p " + " ".join(f"a{at}=1" for at in range(50_000)) + ">after",
        "<!--" * 500_000 + "-->after",
        "<p>" + " " * 5_000_000 + "after",
        "<title>" + " | " * 500_000 + "</title><h1>after</h1>after",
        "<p>" + "</p" * 500_000 + ">after",
        "<table>" + "<tr>" * 100_000 + "</table>after",
    ],
    ids=["attribute", "class", "style", "attributes", "comments", "spaces", "title", "ends", "rows"],
)
def test_sheer_size_does_no_harm(markup: str) -> None:
    """The time is that of reading it once."""
    started = time.process_time()
    assert blocks(markup)[-1].text.endswith("after")
    assert time.process_time() - started < 20


def test_limits_hold_while_reading() -> None:
    """Text beyond the limit is not collected first."""
    with pytest.raises(Rejected) as caught:
        blocks("<p>word " * 1000, Limits(characters=4_000))
    assert caught.value.code == "too_many_characters"
    with pytest.raises(Rejected) as caught:
        blocks("<p>word " * 1000, Limits(rows=999))
    assert caught.value.code == "too_many_rows"


@pytest.mark.parametrize(
    "markup", [b"<html></html>", b"<script>words</script>", b"<p>---</p>", b"", b"\0" * 100]
)
def test_a_page_without_words_is_rejected(markup: bytes, tmp_path: Path) -> None:
    """Pages that scripts fill hold none either."""
    with pytest.raises(Rejected) as caught:
        read(tmp_path, markup)
    assert caught.value.code == "no_text"


_PIECES = st.sampled_from(
    [
        *("<p>", "</p>", "<table>", "<tr>", "<td>", "</table>", "<ul><li>", "<h1>", "</h1>", "<title>"),
        *(
            "</title>",
            "<br>",
            "<pre>",
            "</pre>",
            "<nav>",
            "<main>",
            "<article>",
            "<a href=x>",
            "</a>",
            "<!--",
        ),
        *("-->", "<script>", "</script>", "<svg>", "<div hidden>", "</div>", "&amp;", "&#0;", "<", ">", "\n"),
        *("word ", "\u00e9", "<meta name=a content=b>"),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.lists(_PIECES, max_size=60).map("".join), st.text(max_size=300)))
def test_any_markup_gives_blocks(markup: str) -> None:
    """Every block has text without line ends or control characters, and no title is blank."""
    found = page(markup)
    assert found.title is None or found.title.strip()
    for block in found.blocks:
        assert block.text == " ".join(block.text.split()) != ""
        assert not any(ord(char) < ord(" ") for char in block.text)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_give_blocks(data: bytes) -> None:
    """Whatever they are."""
    page(data)
