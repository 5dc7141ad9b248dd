"""Sentences that can be quoted: whole, without marks, and not leaning on another."""

from __future__ import annotations

import pytest

from shared.text.standalone import MAX_SENTENCE, standing_alone

WHOLE = "The mill took less water from the river in the last year."


@pytest.mark.parametrize(
    "text",
    [
        "Water taken from the river by the mill and",
        "and took less water from the river again.",
        "The mill took less water from the river, as did the town\u2019s",
        "It did.",
        "THE MILL TOOK LESS WATER FROM THE RIVER.",
        "The mill took less water (from the river again.",
        "How did the mill take less water from the river?",
        "The mill took | less water from the river.",
        f"The mill took {'much ' * (MAX_SENTENCE // 5)} water.",
    ],
)
def test_what_is_no_whole_sentence_is_left_out(text: str) -> None:
    """Cut, shouted, asked, run together or too long."""
    assert standing_alone(text) == []


@pytest.mark.parametrize("leaning", ["It saved a tenth of its costs.", "This town took more of it."])
def test_a_sentence_that_leans_is_quoted_with_the_one_before(leaning: str) -> None:
    """Alone where both are too long, and not at all where it is the first."""
    assert standing_alone(f"{WHOLE} {leaning}") == [f"{WHOLE} {leaning}"]
    assert standing_alone(leaning) == []
    long = f"The mill took {'much ' * 50}less water from the river."
    more = f"This town took {'much ' * 45}more."
    assert standing_alone(f"{long} {more}") == [long, more]


def test_a_connective_does_not_lean() -> None:
    """It is understood without what it connects."""
    assert standing_alone(f"In addition, {WHOLE}") == [f"In addition, {WHOLE}"]


def test_list_marks_and_footnotes_are_left_out() -> None:
    """A list shows the sentence, not its place in another."""
    assert standing_alone(f"\u2022 {WHOLE}7") == [WHOLE]
    assert standing_alone(f"Nobody was hurt in any year. 16 {WHOLE}")[1:] == [WHOLE]


def test_a_count_is_no_footnote() -> None:
    """Before a noun a number says how many there are."""
    assert standing_alone("12 European mills took less water.") == ["12 European mills took less water."]


def test_a_line_without_a_full_stop_may_be_quoted() -> None:
    """Highlights of a report are printed so."""
    assert standing_alone("Scope 1 emissions cut by 38% since 2019") == [
        "Scope 1 emissions cut by 38% since 2019"
    ]
