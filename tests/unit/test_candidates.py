"""Which sentences the model reads alone, and which of a passage may be quoted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from shared.documents.analysis import MAX_SENTENCES, PROMISING, judged
from shared.inference.engine import Outputs
from tests.unit.test_inference_reading import MANIFEST
from tests.unit.test_summary import result

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAIN = "The mill lies on the river north of the town."
BAD = "The mill lost two of its people in the spring."
FELL = "Use of water in the mill fell by 8% in one year."
GOOD = "The mill cut its emissions by 12% in one year."


@dataclass
class Reader:
    """An engine that finds GOOD alone to matter, and to be an initiative, BAD and FELL to be bad news."""

    manifest = MANIFEST
    asked: list[str] = field(default_factory=list)

    def run(self, texts: Sequence[str]) -> Outputs:
        self.asked += texts
        is_good = np.array([[text == GOOD] for text in texts], np.float32).reshape(-1, 1)
        zeros = np.zeros((len(texts), 10), np.float32)
        is_bad = np.array([[text in (BAD, FELL)] for text in texts], np.float32).reshape(-1, 1)
        third = np.full((len(texts), 3), 1 / 3, np.float32)
        mood = third * (1 - is_bad) + np.array([[0, 0, 1]], np.float32) * is_bad
        return Outputs(
            embedding=np.eye(384, dtype=np.float32)[[len(text) for text in texts]],
            topics=zeros + np.maximum(is_good, is_bad),
            action=third,
            sentiment=mood,
            salience=3 * is_good + is_bad,
            initiative=is_good,
            tokens=np.full(len(texts), 9, np.int32),
            truncated=np.zeros(len(texts), bool),
            cpu_seconds=len(texts),
        )


def test_the_best_sentence_of_what_matters_is_quoted_for_what_it_says_itself() -> None:
    """Not for what its passage says; of other passages no sentence is read."""
    engine = Reader()
    passages = [
        result(0, f"{PLAIN} {GOOD}", ("S1",), mood="negative", salience=PROMISING),
        result(1, GOOD, ("E1",), salience=PROMISING - 0.1),
        result(2, GOOD, salience=3.0).model_copy(update={"kind": "row"}),
    ]
    [found], seconds = judged(engine, passages)  # type: ignore[arg-type]
    assert engine.asked == [PLAIN, GOOD]
    assert seconds == 2
    assert (found.index, found.text, found.topics[:1], found.salience) == (0, GOOD, ["E1"], 3.0)
    assert (found.initiative, found.initiative_score, found.negative) == (True, 1.0, 0.333)


def test_a_passage_may_have_a_second_sentence_for_another_list() -> None:
    """Here bad news, beside an initiative that is worth more."""
    engine = Reader()
    found, _ = judged(engine, [result(0, f"{PLAIN} {BAD} {GOOD}", ("S1",), salience=2.0)])  # type: ignore[arg-type]
    assert [one.text for one in found] == sorted([BAD, GOOD])


def test_a_figure_that_fell_for_the_better_is_no_bad_news() -> None:
    """Whatever the model takes it for: the sentence says what was measured and that it fell."""
    [found], _ = judged(Reader(), [result(0, FELL, ("E3",), mood="negative", salience=2.0)])  # type: ignore[arg-type]
    assert (found.negative, found.positive) == (0.0, 1.0)


def test_bad_news_is_read_however_little_it_matters() -> None:
    """And no more of a passage than the limit."""
    engine = Reader()
    long = " ".join(PLAIN for _ in range(MAX_SENTENCES + 5))
    judged(engine, [result(0, long, ("S1",), mood="negative", salience=0.1)])  # type: ignore[arg-type]
    assert len(engine.asked) == MAX_SENTENCES


def test_where_the_model_says_nothing_the_first_sentence_stands_for_its_passage() -> None:
    """In a language that it does not know; nothing is read again."""
    engine = Reader()
    [found], _ = judged(engine, [result(4, f"It did. {PLAIN} {GOOD}", ("S1",))])  # type: ignore[arg-type]
    assert engine.asked == []
    assert (found.index, found.page, found.text, found.topics) == (4, 2, PLAIN, ["S1"])
