"""Markdown, JSON and the short forms say what the page says, and no text of a document becomes markup."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from shared.digests.records import Digest, Unfinished
from shared.digests.render import as_json, headline, markdown, words
from shared.digests.render.outline import MAX_HEADLINE
from shared.digests.render.templates import escape
from tests.digest_example import empty, rich, single
from tests.digest_quotes import link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from markdown_it.token import Token

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def inner(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from inner(token.children or [])


def read(text: str) -> list[Token]:
    return list(inner(READER.parse(text)))


@pytest.mark.parametrize("make", [rich, single, empty])
def test_forms_are_the_same_each_time(make: Callable[[], Digest]) -> None:
    digest, copy = make(), make()
    assert markdown(digest, link) == markdown(copy, link)
    assert as_json(digest) == as_json(copy)
    assert headline(digest) == headline(copy)


def test_json_is_read_back_as_the_same_digest() -> None:
    told = as_json(rich())
    assert Digest.model_validate_json(told) == rich()
    assert told.startswith('{\n  "id": "board-weekly-20261123T060000Z",\n  "schedule"')
    assert told.endswith("}\n")


def test_markdown_says_every_quote_with_its_link() -> None:
    digest = rich()
    tokens = read(markdown(digest, link))
    said = "".join(token.content for token in tokens if token.type in {"text", "text_special"})
    for quote in digest.quotes():
        assert quote.text in said or quote in (
            digest.narrative.sentences[0].cites if digest.narrative else []
        )
    links = {token.attrGet("href") for token in tokens if token.type == "link_open"}
    assert links == {link(source).replace(" ", "%20") for source in digest.sources()}
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings == [
        "Digest “board-weekly”, 16 to 22 November 2026", "Summary", "In other words", "What changed",
        "Data points", "Incidents", "Good news", "New", "Initiatives", "Announced earlier",
        "Topics and tone", "Trend", "Problems", "About this digest",
    ]  # fmt: skip
    assert len([token for token in tokens if token.type == "table_open"]) == 5
    for expected in (
        "and 4 like it",
        "97% sure",
        "headrace replay ab12cd",
        "EUR 7.5 million",
        "a language model",
        "Passages unlike all that was kept of 212 earlier documents",
        "**Velmora Foods** Gross Scope 1 GHG emissions: 899 tCO2e in 2026, up 11% from 812.5 tCO2e in 2025",
        digest.test,
    ):
        assert expected in markdown(digest, link).replace("\\", ""), expected


def test_an_empty_digest_is_its_title_and_one_line() -> None:
    assert markdown(empty(), link) == (
        "# Digest “board-weekly”, 23 to 29 November 2026\n\nTimes of Europe/Berlin. All documents.\n\n"
        "**No document was uploaded.**\n"
    )


def test_a_digest_of_which_nothing_ended_says_what_waits() -> None:
    """Nor is it told as empty."""
    waiting = Unfinished(document="77aa", name="scan.pdf", state="analyzing", seconds=590_000)
    overview = empty().overview.model_copy(update={"waiting": 30, "oldest": waiting})
    digest = empty().model_copy(update={"overview": overview})
    assert headline(digest).endswith(": 0 documents, 30 waiting")
    longest = "30 documents, the longest of them scan.pdf (analyzing), for 7 days."
    assert f"Waiting when the window ended: {longest}" in markdown(digest, link)
    came = empty().overview.model_copy(update={"received": 1})
    assert not empty().model_copy(update={"overview": came}).empty


HOSTILE = (
    "<script>x</script>", "[a](javascript:alert(1))", "![a](https://evil.example/p.png)", "# no heading",
    "- no item", "1. no item", "2) no item", "+ no item", "> no quote", "*no* _emphasis_ ~~no~~", "`no code`",
    "a | b", "https://evil.example", "www.evil.example", "<https://evil.example>", "&lt;b&gt;", "\\", "a\\",
    "---", "===", "[x]: https://evil.example", "x\n\n# y", "$x$", "@everybody", "<!-- -->", "***",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_escaped_text_is_read_as_itself(text: str) -> None:
    tokens = read(escape(text))
    assert {token.type for token in tokens} <= {
        "paragraph_open", "paragraph_close", "inline", "text", "text_special",
    }  # fmt: skip
    assert "".join(token.content for token in tokens if token.type != "inline") == words.clean(text)


@given(st.text(alphabet=st.characters(codec="utf-8", max_codepoint=0x2FF), min_size=1, max_size=60))
def test_any_text_is_read_as_itself(text: str) -> None:
    tokens = read(f"- {escape(text)}")
    inline = [token for token in tokens if token.type != "inline" and token.content]
    assert all(token.type in {"text", "text_special"} for token in inline)
    assert "".join(token.content for token in inline) == words.clean(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_documents_make_no_markup(text: str) -> None:
    digest = rich()
    quotes = [
        one.model_copy(update={"text": text, "title": text, "organisation": text}) for one in digest.incidents
    ]
    row = digest.topics[0].model_copy(update={"name": text})
    spoilt = digest.model_copy(update={"incidents": quotes, "topics": [row], "line": text, "notes": [text]})
    tokens = read(markdown(spoilt, link))
    assert not [token for token in tokens if token.type in {"html_block", "html_inline", "image"}]
    assert {token.attrGet("href") for token in tokens if token.type == "link_open"} <= {
        link(source).replace(" ", "%20") for source in digest.sources()
    }
    tables = [token for token in tokens if token.type == "table_open"]
    assert len(tables) == 5


def test_an_address_cannot_leave_its_brackets() -> None:
    tokens = read(markdown(rich(), lambda _: "https://example.com/>) <b> |\\"))
    links = {token.attrGet("href") for token in tokens if token.type == "link_open"}
    assert links == {"https://example.com/%3E)%20%3Cb%3E%20%7C%5C"}
    assert not [
        token for token in read(markdown(rich(), lambda _: "javascript:x")) if token.type == "link_open"
    ]


def test_the_headline_says_what_it_is_and_how_much_came_in() -> None:
    assert headline(rich()) == (
        "Digest “board-weekly”, 16 to 22 November 2026: 13 documents, 4 changes, 3 problems, 2 waiting"
    )
    assert headline(single()) == "Digest, 16 to 22 November 2026: 1 document"
    assert headline(empty()) == "Digest “board-weekly”, 23 to 29 November 2026: nothing to tell"


def test_a_headline_has_a_limit_and_a_single_line() -> None:
    digest = rich().model_copy(update={"schedule": "x\r\n" * 300})
    line = headline(digest)
    assert len(line) == MAX_HEADLINE
    assert not {"\r", "\n"} & set(line)
