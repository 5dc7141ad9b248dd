"""Two models' results on the same passages, compared."""

from __future__ import annotations

import random
from typing import Any

from long_job.comparison import (
    EXAMPLES,
    REPORT_EXAMPLES,
    UNLABELED,
    Comparison,
    combine,
    compare_passages,
)


def passage(index: int, sentiment: str | None, topics: str = "") -> dict[str, Any]:
    """A stored passage."""
    action = "planned" if topics else "none"
    return {
        "index": index,
        "text": f"passage {index}",
        "sentiment": sentiment and {"label": sentiment},
        "action": sentiment and {"label": action},
        "topics": [{"name": name} for name in topics.split()],
        "initiative": bool(topics),
    }


def compared(
    pairs: list[tuple[dict[str, Any] | None, dict[str, Any] | None]], document: str = "d"
) -> Comparison:
    return combine((compare_passages(old, new, document, 2) for old, new in pairs), EXAMPLES)


def test_every_change_is_counted() -> None:
    """Two of four passages change; one gains a topic and loses another; one is in a foreign language."""
    found = compared(
        [
            (passage(0, "neutral"), passage(0, "neutral")),
            (passage(1, "neutral", "E1 E3"), passage(1, "negative", "E1 S1")),
            (passage(2, "positive"), passage(2, "negative", "G1")),
            (passage(3, None), passage(3, None)),
        ]
    )
    assert (found.passages, found.changed, found.unmatched) == (4, 2, 0)
    assert found.sentiment == {
        "neutral": {"negative": 1, "neutral": 1},
        "positive": {"negative": 1},
        UNLABELED: {UNLABELED: 1},
    }
    assert found.action == {
        "none": {"none": 1, "planned": 1},
        "planned": {"planned": 1},
        UNLABELED: {UNLABELED: 1},
    }
    assert (found.topics_gained, found.topics_lost) == ({"G1": 1, "S1": 1}, {"E3": 1})
    assert (found.initiatives_before, found.initiatives_after) == (1, 2)
    assert [(one.index, one.old.sentiment, one.new.topics) for one in found.examples] == [
        (1, "neutral", ["E1", "S1"]),
        (2, "positive", ["G1"]),
    ]


def test_what_does_not_match_is_not_compared() -> None:
    """A passage that one run lacks, and one whose text is another."""
    other = passage(2, "neutral") | {"text": "something else"}
    found = compared(
        [(passage(0, "neutral"), None), (None, passage(1, "neutral")), (passage(2, "neutral"), other)]
    )
    assert (found.passages, found.unmatched) == (0, 3)


def test_many_documents_add_up_to_the_same_whatever_their_order() -> None:
    """Counts are those of all passages at once; examples are bounded."""
    drawn = random.Random(1)
    labels = ("positive", "neutral", "negative")

    def pair(at: int) -> tuple[dict[str, Any], dict[str, Any]]:
        topics = drawn.choice(["", "E1", "E1 S4"])
        old = passage(at, drawn.choice(labels), topics)
        return old, passage(at, drawn.choice(labels), drawn.choice(["", "E1"]))

    documents = {
        f"d{number}": [pair(100 * number + at) for at in range(drawn.randrange(1, 40))]
        for number in range(30)
    }
    parts = [compared(list(pairs), name) for name, pairs in documents.items()]
    together = combine(parts)
    drawn.shuffle(parts)
    assert combine(parts) == together
    at_once = compared([pair for pairs in documents.values() for pair in pairs])
    for field in ("passages", "changed", "sentiment", "action", "topics_gained", "topics_lost"):
        assert getattr(together, field) == getattr(at_once, field), field
    assert len(together.examples) == REPORT_EXAMPLES
    assert all(len(part.examples) <= EXAMPLES for part in parts)
    assert len({example.document for example in together.examples}) > 5


def test_nothing_compared_is_an_empty_comparison() -> None:
    """No division by nothing: a backfill in which no document completed has a report too."""
    assert combine([]) == Comparison()
    assert Comparison.model_validate(combine([]).model_dump()) == Comparison()
