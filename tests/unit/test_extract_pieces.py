"""Long texts in pieces: nothing is lost or changed between them, and none is longer than it may be."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.extract.shapes import Block
from shared.extract.tidy import MAX_BLOCK, cut_long, lines_of, squeeze

LONG = MAX_BLOCK * 3


@given(st.lists(st.sampled_from(["", "a", "some words", "x" * 70_000])))
def test_lines_are_those_between_line_feeds(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert list(lines_of(text)) == text.split("\n")


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("The pump failed. It was mended. " * (LONG // 30), r"\.$"),
        ("words without any end " * (LONG // 20), r"[^\W\d_]$"),
        ("call 030 123 456 or 040 123 456 " * (LONG // 30), r"\b(?:call|or|[0-9]{3})$"),
        ("x" * LONG, "x$"),
        ("0 " * LONG, "0$"),
    ],
    ids=["sentences", "words", "numbers", "one word", "digits"],
)
def test_a_long_block_is_cut_where_it_may_be(text: str, ends: str) -> None:
    """Behind a sentence, else between words; within one only where it does not end."""
    block = Block(text.strip(), "heading", page=3, row=2, label="good")
    pieces = list(cut_long([Block("short"), block]))
    assert pieces[0] == Block("short")
    assert len(pieces) > 3
    assert all(len(piece.text) <= MAX_BLOCK for piece in pieces)
    assert all(re.search(ends, piece.text) for piece in pieces[1:-1])
    assert {(piece.kind, piece.page, piece.row, piece.label) for piece in pieces[1:]} == {
        ("heading", 3, 2, "good")
    }
    kept = "".join(piece.text for piece in pieces[1:])
    assert kept.replace(" ", "") == text.replace(" ", "")


def test_a_number_is_not_cut_where_there_are_words() -> None:
    """What stands beside it decides whether it is a telephone number."""
    text = "my words and a number, tel 030 1234567, " * (LONG // 40)
    pieces = list(cut_long([Block(text)]))
    assert all(not re.search(r"(?:tel|030)$", piece.text) for piece in pieces)


@pytest.mark.parametrize("space", [" ", "  ", "\n", " \t\u00a0 "])
def test_white_space_of_a_long_text_is_squeezed_as_of_a_short_one(space: str) -> None:
    words = ["mill", "na\u00efve", "o\ufb03ce"] * MAX_BLOCK
    assert squeeze(space + space.join(words) + space) == " ".join(words).replace("\ufb03", "ffi")
