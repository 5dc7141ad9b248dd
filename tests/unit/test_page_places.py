"""Passages are found on their page by their letters, whatever lines, columns and redaction make of them."""

from __future__ import annotations

import time

import pytest

from shared.text.places import MAX_CHARACTERS, Finder, lines

PAGE = (
    "Annual report 12\r\n"
    "The mill on the river burns bark in\ufffe\r\nstead of gas; the e\ufb03ciency of its boilers1 rose.\r\n"
    "Ask Ilse Quandt at ilse@quandt.example or at the gate for a visit to the mill.\r\n"
    "12 % of all people came twice.\r\n"
)


def found(page: str, passage: str, box: tuple[float, float, float, float] | None = None) -> str:
    """What of the page is found, piece by piece; a character stands at its place in the text, on one line."""
    finder = Finder(page, lambda at, around: around[0] <= at <= around[2])
    return "|".join(page[start:end].strip() for start, end in finder.find(passage, box))


@pytest.mark.parametrize(
    ("passage", "expected"),
    [
        # A broken word, and a ligature that is spelt out; the note's mark is left out, so two runs.
        (
            "The mill on the river burns bark instead of gas; the efficiency of its boilers rose sharply.",
            "The mill on the river burns bark in\ufffe\r\nstead of gas; the e\ufb03ciency of its boilers",
        ),
        # A person's address, which is part of the place.
        (
            "Ask Ilse Quandt at [email:0123456789abcdef] or at the gate for a visit to the mill.",
            "Ask Ilse Quandt at|ilse@quandt.example|or at the gate for a visit to the mill.",
        ),
        # Two paragraphs of the page in one passage, one of them a word alone.
        ("Annual\n\nAsk Ilse Quandt", "Annual|Ask Ilse Quandt"),
        ("Nothing of this stands on the page at all.", ""),
        ("—", ""),
    ],
)
def test_a_passage_is_found_by_its_letters(passage: str, expected: str) -> None:
    """Hyphens, breaks, ligatures, marks and pseudonyms make no difference."""
    assert found(PAGE, passage) == expected


def test_of_equal_places_the_one_in_its_paragraph_counts() -> None:
    """A heading, a number or a sentence may stand on a page twice."""
    page = "12 % of all. Other words between. 12 % of all."
    second = page.rindex("12")
    finder = Finder(page, lambda at, around: around[0] <= at <= around[2])
    assert finder.find("12 % of all.", (second, 0, len(page), 1))[0][0] == second
    assert finder.find("12 % of all.", (0, 0, 10, 1))[0][0] == 0
    assert finder.find("12", (20, 0, 30, 1)) == [], "a number that stands elsewhere is another one"


def test_columns_between_which_a_caption_stands_are_two_runs() -> None:
    """The paragraph goes on behind what the page has in between."""
    page = "The mill burns bark\r\nFigure 3: bark, by year of felling\r\ninstead of gas since spring.\r\n"
    assert found(page, "The mill burns bark instead of gas since spring.") == (
        "The mill burns bark|instead of gas since spring."
    )


def test_what_goes_on_over_the_page_is_found_as_far_as_it_stands_there() -> None:
    """Its box says that these words are its own, few as they are."""
    passage = "Headed by its foresters, " + "the mill then did something else, elsewhere, " * 5
    page = "Chapter 1. Headed by its foresters,\r\n"
    assert found(page, passage, (0, 0, len(page), 1)) == "Headed by its foresters,"
    assert found(page, passage) == ""


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (
            "of bark instead of gas\r\nsince spring. Then it rained.",
            "of bark instead of gas\r\nsince spring.",
        ),
        ("since spring. It rained.", ""),  # too little to be sure
        ("The mill burns a lot of bark instead of gas since spring.", ""),  # stands here whole: it is another
    ],
)
def test_what_was_begun_on_the_page_before_is_found_by_its_end(page: str, expected: str) -> None:
    """Where it belongs to the page before, the page begins with it."""
    passage = "The mill burns a lot of bark instead of gas since spring."
    finder = Finder(page, lambda *_: False)
    assert "".join(page[start:end] for start, end in finder.find(passage, None, begun=True)) == expected


def test_a_page_of_one_letter_takes_a_moment() -> None:
    """Every seed has all places of such a page; a hostile file may hold one."""
    started = time.process_time()
    Finder("a" * 10 * MAX_CHARACTERS, lambda *_: True).find("ab" * 2_000 + "a" * 6_000, (0, 0, 1, 1))
    assert time.process_time() - started < 5


def test_boxes_of_letters_make_one_box_a_line() -> None:
    """Spaces have none; a new line, and what stands far away on the same line, begin another."""
    letters = [
        (0, 0, 5, 10), (5, 2, 9, 10), (9, 9, 9, 9), (12, 0, 17, 10),
        (0, 12, 5, 22), (60, 12, 65, 22),
    ]  # fmt: skip
    assert lines(letters) == [(0, 0, 17, 10), (0, 12, 5, 22), (60, 12, 65, 22)]
