"""What passages add up to: exact sums in any order, however a document is divided, within bounds."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from annotated_types import Le
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.platform.records import (
    TOPICS,
    Action,
    ActionLabel,
    PassageResult,
    Sentiment,
    SentimentLabel,
    TopicScore,
)
from shared.platform.settings import Settings
from shared.text.lists import summarise
from shared.text.standalone import MAX_SENTENCE
from shared.text.summary import Aggregate, Partial, combine, encoded, partial, stand_in, vectors

if TYPE_CHECKING:
    import pytest

DIMENSIONS = 384


def vector(seed: int, near: int | None = None) -> list[float]:
    """A unit vector; `near` gives one that is all but that of another seed."""
    drawn = np.random.default_rng(seed).normal(size=DIMENSIONS)
    if near is not None:
        drawn = 0.1 * drawn + np.random.default_rng(near).normal(size=DIMENSIONS)
    return [float(part) for part in drawn / np.linalg.norm(drawn)]


def result(
    index: int,
    text: str,
    topics: tuple[str, ...] = (),
    *,
    mood: SentimentLabel = "neutral",
    action: ActionLabel = "none",
    salience: float | None = None,
    near: int | None = None,
) -> PassageResult:
    scores: dict[SentimentLabel, float] = dict.fromkeys(("positive", "neutral", "negative"), 0.05)
    scores[mood] = 0.9
    actions: dict[ActionLabel, float] = dict.fromkeys(("implemented", "planned", "none"), 0.05)
    actions[action] = 0.9
    return PassageResult(
        index=index,
        page=index // 4 + 1,
        row=None,
        span=(0, len(text)),
        text=text,
        sentiment=Sentiment(label=mood, scores=scores),
        topics=[TopicScore(name=name, score=0.9) for name in topics],
        action=Action(label=action, scores=actions),
        salience=salience,
        initiative=bool(topics) and action != "none",
        figures=[],
        embedding=vector(index, near),
    )


def sentence(number: int) -> str:
    return f"The mill of the town number {number} has used less water from the river since the spring."


def document(size: int) -> list[PassageResult]:
    return [result(index, sentence(index), (TOPICS[index % 4],)) for index in range(size)]


def added(results: list[PassageResult]) -> Partial:
    """A batch in which every passage is one sentence, and may be quoted."""
    return partial(results, [stand_in(each, each.text) for each in results])


def whole(results: list[PassageResult], batch: int = 16) -> Aggregate:
    return combine(added(results[at : at + batch]) for at in range(0, len(results), batch))


def test_a_partial_counts_what_it_holds() -> None:
    """Sentiment, topics and initiatives."""
    part = added(
        [
            result(0, sentence(0), ("E1", "S1"), mood="positive", action="implemented"),
            result(1, sentence(1), ("E1",), action="none"),
            result(2, sentence(2), (), mood="negative", action="planned"),
        ]
    )
    assert part.passages == 3
    assert part.sentiment == {"positive": 1, "neutral": 1, "negative": 1}
    assert {name: count for name, count in part.topics.items() if count} == {"E1": 2, "S1": 1}
    assert list(part.topics) == list(TOPICS)
    assert part.initiatives == 1
    assert part.cells == {
        "E1": {"implemented": 1, "neutral": 1, "positive": 1},
        "S1": {"implemented": 1, "positive": 1},
    }


def test_an_empty_batch_and_no_batch_add_up_to_nothing() -> None:
    """A document may turn out to have no results at all."""
    assert combine([]) == combine([added([])]) == Aggregate()
    assert summarise(Aggregate()) == []


@given(
    size=st.integers(1, 150),
    cuts=st.lists(st.integers(1, 149), max_size=12),
    other=st.lists(st.integers(1, 149), max_size=12),
)
@settings(max_examples=30, deadline=None)
def test_how_a_document_is_divided_does_not_matter(size: int, cuts: list[int], other: list[int]) -> None:
    """Batches of any size, or cut off where the time was up, give the same summary."""
    results = document(size)

    def divided(at: list[int]) -> Aggregate:
        edges = [0, *sorted({cut for cut in at if cut < size}), size]
        return combine(added(results[start:end]) for start, end in pairwise(edges))

    assert divided(cuts) == divided(other)


@given(size=st.integers(1, 40), batch=st.integers(1, 16), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_order_of_batches_does_not_matter(size: int, batch: int, seed: int) -> None:
    """Bit for bit the same aggregate, and so the same summary."""
    results = document(size)
    parts = [added(results[at : at + batch]) for at in range(0, size, batch)]
    shuffled = random.Random(seed).sample(parts, len(parts))
    stored = [Partial.model_validate_json(part.model_dump_json()) for part in shuffled]
    assert combine(stored) == combine(parts)
    assert summarise(combine(stored)) == summarise(combine(parts))


def test_a_record_stays_small_whatever_the_batch() -> None:
    """The largest batch there may be, of the longest sentences, is far below what Firestore takes."""
    (most,) = (one.le for one in Settings.model_fields["batch_passages"].metadata if isinstance(one, Le))
    assert isinstance(most, int)
    long = "Headquarters' representatives " * 16
    part = added([result(index // 2, f"{long}left {index}.", TOPICS) for index in range(2 * most)])
    assert len(part.candidates) == 2 * most
    assert max(len(one.text) for one in part.candidates) > MAX_SENTENCE - 30
    assert len(part.model_dump_json()) < 400_000


def test_the_candidates_of_a_document_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it is; what matters most stays, and the order of the batches still does not matter."""
    monkeypatch.setattr("shared.text.summary.MAX_CANDIDATES", 150)
    results = document(450)
    results[-2] = result(len(results) - 2, sentence(1), ("E3",), salience=2.9)
    parts = [added(results[at : at + 64]) for at in range(0, len(results), 64)]
    found = combine(parts)
    assert len(found.candidates) == 150
    assert found.passages == len(results)
    assert len(results) - 2 in [one.index for one in found.candidates]
    assert combine(reversed(parts)) == found


def test_a_record_of_an_earlier_version_is_read() -> None:
    """What it had besides is left out."""
    part = added(document(2))
    stored = part.model_dump(mode="json") | {"centre": "AAAA"}
    stored["candidates"] = [fields | {"quality": 0.5} for fields in stored["candidates"]]
    assert Partial.model_validate(stored) == part


def test_a_vector_takes_a_byte_a_component() -> None:
    """Within half of a step of what it was."""
    [candidate] = added([result(0, sentence(0))]).candidates
    [stored] = vectors([candidate])
    assert np.abs(stored / 127 - np.array(vector(0))).max() <= 0.5 / 127 + 1e-9
    assert encoded(vector(0)) == candidate.embedding
