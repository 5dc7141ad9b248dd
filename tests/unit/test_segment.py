"""Passages: whole sentences, slices of the text, nothing lost, nothing beyond the window."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.extract.shapes import Block, BlockKind, Extracted
from shared.platform.errors import Rejected
from shared.text.privacy import redact
from shared.text.segment import MAX_PASSAGE, SegmentLimits, segment
from shared.text.sentences import is_prose, split_sentences
from tests.unit.cuts import Cutting, cutting, read_apart

if TYPE_CHECKING:
    from pathlib import Path

PIECES = re.compile(r"\w+|[^\w\s]")


def count(texts: list[str]) -> list[int]:
    """Stands in for word pieces: words and marks, and the two special tokens."""
    return [len(PIECES.findall(text)) + 2 for text in texts]


def cut(*blocks: Block, limits: SegmentLimits | None = None) -> Cutting:
    return cutting(
        segment(
            Extracted("text/plain", None, None, list(blocks)),
            count=count,
            redact=lambda text: redact(text, b"key"),
            limits=limits or SegmentLimits(),
        )
    )


def texts(segmented: Cutting) -> list[str]:
    return [passage.text for passage in segmented.passages]


LONG = "The mill on the river has burnt bark instead of natural gas since the spring of this year"


@pytest.mark.parametrize(
    "sentences",
    [
        ["We grew by 3.5 percent.", "Costs fell."],  # decimals
        ["See Fig. 3 for approx. 20 sites, e.g. Aulder.", "They grew."],  # abbreviations
        ["Dr. A. B. Smith of Acme Inc. chairs it.", "The board met twice."],  # initials, company forms
        ["Sales in the U.S. Department of X rose.", "In the U.S. we grew."],
        ["We sold it to Acme Inc.", "The price was fair."],  # a company form that does end the sentence
        ["Wir sparen z. B. am 31. Dezember Strom.", "Das wirkt."],  # German abbreviations and dates
        ["Nach Abs. 2 gilt dies.", "Es bleibt so."],
        ["The answer is no.", "We stay."],  # "No. 5" is another matter
        ["It is in No. 5 of the list.", "It stays."],
        ["“We did it.”", "They said so."],  # closing quotes
        ["Did they?", "Yes!", "They did."],
        ["He waited… and went.", "Nobody came."],
        ["So the law says.3 Another sentence follows.", ""],  # a footnote's mark
        ["1. First point of the list."],
        ["これは文です。", "次の文です。"],
    ],
)
def test_sentences_end_where_a_reader_ends_them(sentences: list[str]) -> None:
    """Full stops of abbreviations, numbers and initials end nothing."""
    expected = [sentence for sentence in sentences if sentence]
    if expected[0].startswith("So the law"):
        expected = ["So the law says.3", "Another sentence follows."]
    glue = "" if "。" in expected[0] else " "
    text = glue.join(expected)
    assert [text[start:end] for start, end in split_sentences(text)] == expected


@given(text=st.text(alphabet='aB1. !?,;:"“”()[]…•-\n。é', max_size=200))
@settings(max_examples=300, deadline=None)
def test_splitting_loses_nothing_but_white_space(text: str) -> None:
    """The spans are in order, do not overlap, and hold every other character."""
    spans = split_sentences(text)
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    kept = "".join(text[start:end] for start, end in spans)
    assert "".join(kept.split()) == "".join(text.split())


def test_short_sentences_share_a_passage_and_long_ones_do_not() -> None:
    """A passage grows by whole sentences up to the target."""
    limits = SegmentLimits(target=30, least=5)
    short = "We grew. Costs fell. Nobody left."
    assert texts(cut(Block(short), limits=limits)) == [short]
    assert texts(cut(Block(f"{LONG}. {LONG}. {LONG}."), limits=limits)) == [f"{LONG}."] * 3


def test_paragraphs_are_not_mixed_and_headings_are_left_out() -> None:
    """A heading is part of the text, but of no passage."""
    found = cut(Block("Water", "heading"), Block("We used less of it."), Block("Rivers were clean."))
    assert found.text == "Water\n\nWe used less of it.\n\nRivers were clean."
    assert texts(found) == ["We used less of it.", "Rivers were clean."]


def test_items_of_a_list_join_the_line_that_introduces_them() -> None:
    """A list is read together, as far as the target goes."""
    found = cut(Block("We will do the following:"), Block("• plant more trees"), Block("• burn less gas"))
    assert texts(found) == ["We will do the following:\n• plant more trees\n• burn less gas"]


def test_a_sentence_over_a_page_break_belongs_to_the_page_it_starts_on() -> None:
    """The rest of the paragraph belongs to the page it stands on."""
    before = Block(f"{LONG} and the ash goes back to the for-", page=3)
    after = Block(f"est that the bark came from. {LONG}.", page=4)
    found = cut(before, after, limits=SegmentLimits(target=20, least=5))
    assert [(passage.page, passage.text) for passage in found.passages] == [
        (3, f"{LONG} and the ash goes back to the forest that the bark came from."),
        (4, f"{LONG}."),
    ]


@pytest.mark.parametrize("second", ["The next one begins anew.", "• an item of a list"])
def test_a_new_sentence_on_the_next_page_is_not_joined(second: str) -> None:
    """Only what begins in lower case runs on."""
    found = cut(Block("This one has no full stop and ends here", page=1), Block(second, page=2))
    assert "\n" in found.text


def test_a_data_row_is_one_passage_however_many_word_pieces_it_has() -> None:
    """Rows are neither joined nor cut; one beyond the window is for the model to cut off."""
    long = " ".join([LONG] * 30)
    found = cut(Block("Works well.", "row", row=1), Block(long, "row", row=2), Block("ok", "row", row=4))
    assert [(passage.row, passage.text) for passage in found.passages] == [
        (1, "Works well."),
        (2, long),
        (4, "ok"),
    ]
    assert found.passages[1].tokens > SegmentLimits().window


@pytest.mark.parametrize("kind", ["text", "row", "table"])
@pytest.mark.parametrize("word", ["supercalifragilistic" * 600, "\U00012000" * 11_000, "ab " * 4_000])
def test_no_passage_is_longer_than_a_passage_may_be(kind: BlockKind, word: str) -> None:
    """A word is one word piece however long it is, and a data row is not cut for its word pieces."""
    words = "We cut emissions by 5 percent in the works."
    blocks = [Block(f"{words} {word} {words}", kind, row=at, label="good") for at in (1, 2)]
    found = cut(*blocks, Block(words))
    assert max(len(passage.text) for passage in found.passages) <= MAX_PASSAGE
    whole = "".join("".join(passage.text for passage in found.passages).split())
    assert whole == "".join("".join([block.text for block in blocks] + [words]).split())
    if kind == "row":
        assert {(passage.row, passage.label) for passage in found.passages[:-1]} == {(1, "good"), (2, "good")}


def test_a_sentence_beyond_the_window_is_cut_at_clauses_then_words() -> None:
    """Every part fits, and together they are the sentence."""
    limits = SegmentLimits(window=32, target=30, least=5)
    clauses = "; ".join([LONG] * 3)
    assert texts(cut(Block(clauses + "."), limits=limits)) == [f"{LONG};", f"{LONG};", f"{LONG}."]
    words = cut(Block(" ".join([LONG] * 3) + "."), limits=limits)
    assert all(passage.tokens <= 32 for passage in words.passages)
    assert " ".join(texts(words)) == words.text
    marks = cut(Block("word " * 5 + "!" * 200 + " end of it."), limits=limits)
    assert all(passage.tokens <= 32 for passage in marks.passages)
    assert "".join(texts(marks)).count("!") == 200


@pytest.mark.parametrize(
    "text",
    [
        "Environmental policy ........................ 7",  # contents
        "2019 2020 2021 2022",
        "12,345 3.5% 17",
        "Board Diversity",  # a label
        "Materials Office Employees Depreciation Banks Treasury",  # a legend
        "www.example.com info@example.com",
        "Page 3",
    ],
)
def test_labels_numbers_and_contents_are_no_prose(text: str) -> None:
    """They would only be noise among the results."""
    assert not is_prose(text)


@pytest.mark.parametrize(
    "text",
    [
        "Nobody was hurt.",
        "• reduce the use of water",
        "the water that we take from the river goes back to it clean",  # a sentence without its end
        "環境への取り組みを続けています",
    ],
)
def test_sentences_and_items_are_prose(text: str) -> None:
    """Also where the full stop is missing."""
    assert is_prose(text)


def kinds(segmented: Cutting) -> list[tuple[str, str]]:
    return [(passage.kind, passage.text) for passage in segmented.passages]


def test_everything_that_holds_a_number_is_a_passage() -> None:
    """Rows, notes, numbers beside their labels and headings with a figure are kept as what they are."""
    found = cut(
        Block("Energy", "heading", page=1),
        Block(f"{LONG}.", page=1),
        Block("Gas (MWh) | 2023: 4,100", "table", page=1, table=0, at=1),
        Block("Coal (MWh) | 2023: 7", "table", page=1, table=0, at=2),
        Block("1 Of the works at Aulder.", "note", page=1),
        Block("We saved 45 t CO2 in 2023", "heading", page=2),
        Block("92 %", page=2),
        Block("Suppliers Assessed", page=2),
        Block("Board Members", page=3),
    )
    assert kinds(found) == [
        ("text", f"{LONG}."),
        ("row", "Gas (MWh) | 2023: 4,100"),
        ("row", "Coal (MWh) | 2023: 7"),
        ("note", "1 Of the works at Aulder."),
        ("heading", "We saved 45 t CO2 in 2023"),
        ("fragment", "92 %\n\nSuppliers Assessed"),
    ]
    assert [passage.table for passage in found.passages] == [None, 0, 0, None, None, None]


@pytest.mark.parametrize("kind", ["text", "fragment"])
def test_fragments_join_their_neighbours_up_to_a_size(kind: BlockKind) -> None:
    """A number and its label are read together; another page, or much more of it, is another passage."""
    near = [Block(f"{number} %", kind, page=1) for number in range(20)]
    found = cut(Block(f"{LONG}."), *near, Block("Suppliers Assessed: 7", kind, page=2))
    fragments = [passage for passage in found.passages if passage.kind == "fragment"]
    assert [passage.page for passage in fragments] == [1, 1, 2]
    assert all(passage.tokens <= 42 for passage in fragments)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["92 %", "Suppliers Assessed", "45 t", "Waste"], ["92 %\n\nSuppliers Assessed", "45 t\n\nWaste"]),
        (["Suppliers", "92 %", "Waste", "45 t"], ["Suppliers\n\n92 %", "Waste\n\n45 t"]),
        (["Gas", "10", "12", "14"], ["Gas\n\n10\n\n12\n\n14"]),  # of a diagram
    ],
)
def test_a_number_is_read_with_its_own_label(pieces: list[str], expected: list[str]) -> None:
    """Whether labels stand above their numbers or below."""
    found = cut(Block(f"{LONG}."), *(Block(piece, page=1) for piece in pieces))
    assert texts(found)[1:] == expected


@pytest.mark.parametrize("text", ["Water use ........... 12", "Board Members", "Contents _______ 4"])
def test_contents_and_labels_without_a_number_are_left_out(text: str) -> None:
    """They say nothing, and hold no figure."""
    assert kinds(cut(Block(f"{LONG}."), Block(text))) == [("text", f"{LONG}.")]


def test_the_box_of_a_passage_is_around_its_blocks_of_that_page() -> None:
    """Whoever draws it over the page sees where it stands."""
    found = cut(
        Block("It has the following parts:", page=1, box=(10, 10, 90, 20)),
        Block("• a mill of stone", page=1, box=(20, 30, 95, 40)),
        Block(f"{LONG} and the", page=2, box=(1, 1, 2, 2)),
        Block("rest of it.", page=3, box=(8, 8, 9, 9)),
        Block("Without a box it has none.", page=5),
    )
    assert [passage.box for passage in found.passages] == [(10, 10, 95, 40), (1, 1, 2, 2), None]


def test_a_row_is_cut_between_its_values_if_it_is_too_long() -> None:
    """Every part knows its row."""
    row = "Energy | " + "; ".join(f"{year}: {year}" for year in range(1990, 2020))
    found = cut(Block(row, "table", table=3, at=2), limits=SegmentLimits(window=40))
    assert len(found.passages) > 1
    assert {(passage.kind, passage.table) for passage in found.passages} == {("row", 3)}
    assert " ".join(passage.text for passage in found.passages) == row


def test_a_document_of_headings_alone_is_not_thrown_away() -> None:
    """Where nothing reads as prose, whatever holds a letter is analyzed."""
    assert texts(cut(Block("Great product", "heading"), Block("12", "text"))) == ["Great product"]


def test_a_document_without_a_word_is_rejected() -> None:
    """Numbers are not analyzed."""
    with pytest.raises(Rejected) as caught:
        cut(Block("12 13"), Block("14 | 15", "table"))
    assert caught.value.code == "no_text"


def test_too_many_passages_are_rejected() -> None:
    """The limit is the document's."""
    with pytest.raises(Rejected) as caught:
        cut(*[Block("We grew again.")] * 4, limits=SegmentLimits(passages=3))
    assert caught.value.code == "too_many_passages"


def test_spans_index_the_redacted_text() -> None:
    """Personal data is gone before anything is cut."""
    found = cut(Block("Write to jane.doe@example.com for more of it. Thank you very much."))
    assert "jane" not in found.text
    assert "[email:" in found.passages[0].text


WORDS = (
    "Water",
    "mills",
    "burn",
    "less",
    "gas,",
    "(and)",
    "3.5",
    "rivers;",
    "U.S.",
    "a@b.example",
    "No.",
    "\u2022",
)
SENTENCE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=40).map(lambda words: " ".join(words) + ".")
BLOCKS = st.lists(
    st.builds(
        Block,
        text=st.lists(SENTENCE, min_size=1, max_size=5).map(" ".join),
        kind=st.sampled_from(["text", "row"]),
        row=st.integers(1, 9),
    ),
    max_size=8,
).map(lambda blocks: [*blocks, Block("The last of them is prose.")])


@given(blocks=BLOCKS, window=st.integers(12, 64))
@settings(max_examples=150, deadline=None)
def test_no_word_is_lost_and_every_span_is_a_slice(blocks: list[Block], window: int) -> None:
    """Passages follow each other in the text, fit the window, and hold every character of prose and rows."""
    limits = SegmentLimits(window=window, target=window // 2, least=window // 4)
    found = cut(*blocks, limits=limits)
    covered: set[int] = set()
    for index, passage in enumerate(found.passages):
        start, end = passage.span
        assert passage.index == index
        assert found.text[start:end] == passage.text
        assert passage.tokens == count([passage.text])[0]
        assert start >= max(covered, default=-1)
        covered.update(range(start, end))
    at = 0
    for block in blocks:
        text = redact(block.text, b"key")
        at = found.text.index(text, at)
        if block.kind == "row" or is_prose(text):
            assert all(at + place in covered for place, char in enumerate(text) if not char.isspace())
        at += len(text)
    rows = {redact(block.text, b"key") for block in blocks if block.kind == "row"}
    assert all(passage.tokens <= window or passage.text in rows for passage in found.passages)
    assert cut(*blocks, limits=limits) == found


def test_kinds_are_the_ones_segmentation_knows() -> None:
    """A new kind of block needs a decision here."""
    found = {kind: cut(Block("It has 5 words here.", kind)).passages for kind in get_args(BlockKind)}
    assert {kind: [passage.kind for passage in passages] for kind, passages in found.items()} == {
        "text": ["text"],
        "heading": ["text"],  # as it is alone
        "table": ["row"],
        "row": ["text"],
        "fragment": ["fragment"],
        "note": ["note"],
    }


def test_controls_are_no_part_of_a_passage() -> None:
    """Whoever shows one would obey them; an address that one hid is redacted, and white space stays."""
    nasty = f"Of this \x1b]52;c;aa\x07 {LONG},\x9b2J and ann\x00@exam\x1bple.com\tsays\nso"
    made = cut(Block(nasty), Block("\x1b\x00"), Block(LONG, kind="row", row=1, label="go\x1b[2Jod"))
    prose, row = made.passages
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", made.text)
    assert "ple.com" not in made.text
    assert prose.text.startswith(f"Of this ]52;c;aa {LONG},2J and ")
    assert prose.text.split()[-2:] == ["says", "so"]
    assert (row.text, row.label) == (LONG, "go[2Jod")


def test_a_row_of_controls_alone_is_left_out() -> None:
    """As an empty one is: the rest of the file is analyzed."""
    rows = (Block(text, kind="row", row=row) for row, text in enumerate((LONG, "\x07", LONG), 1))
    assert [passage.row for passage in cut(*rows).passages] == [1, 3]


def test_a_title_is_shown_without_controls(tmp_path: Path, tokenizer: Path) -> None:
    """It stands above everything that is told of a document."""
    path = tmp_path / "a.html"
    path.write_text(f"<html><head><title>The &#27;[31mmill</title></head><body><p>{LONG}.</p></body></html>")
    reading = read_apart(path, tokenizer, "a.html")
    assert reading.facts.title == "The [31mmill"
