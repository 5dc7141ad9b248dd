"""The summary: exact sums in any order, all topics, the bad news, no boilerplate, nothing said twice."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
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
from shared.text.quality import MAX_SENTENCE, best_sentence, is_boilerplate
from shared.text.summary import MAX_CANDIDATES, Aggregate, Partial, combine, partial, summarise

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
        initiative=bool(topics) and action != "none",
        figures=[],
        embedding=vector(index, near),
    )


def sentence(number: int) -> str:
    return f"The mill of the town number {number} has used less water from the river since the spring."


def document(size: int) -> list[PassageResult]:
    return [result(index, sentence(index), (TOPICS[index % 4],)) for index in range(size)]


def summary(results: list[PassageResult], batch: int = 16) -> list[str]:
    parts = [partial(results[at : at + batch]) for at in range(0, len(results), batch)]
    return [one.text for one in summarise(combine(parts))]


def test_a_partial_counts_what_it_holds() -> None:
    """Sentiment, topics and initiatives: a passage with a topic and an action."""
    part = partial(
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
    assert combine([]) == combine([partial([])]) == Aggregate()
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
        return combine(partial(results[start:end]) for start, end in pairwise(edges))

    assert divided(cuts) == divided(other)


@given(size=st.integers(1, 40), batch=st.integers(1, 16), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_order_of_batches_does_not_matter(size: int, batch: int, seed: int) -> None:
    """Bit for bit the same aggregate, and so the same summary."""
    results = document(size)
    parts = [partial(results[at : at + batch]) for at in range(0, size, batch)]
    shuffled = random.Random(seed).sample(parts, len(parts))
    stored = [Partial.model_validate_json(part.model_dump_json()) for part in shuffled]
    assert combine(stored) == combine(parts)
    assert summarise(combine(stored)) == summarise(combine(parts))


def test_a_record_stays_small_whatever_the_batch() -> None:
    """The largest batch there may be, of the longest sentences, is far below what Firestore takes."""
    (most,) = (one.le for one in Settings.model_fields["batch_passages"].metadata if isinstance(one, Le))
    assert isinstance(most, int)
    long = "Headquarters' representatives " * 13
    part = partial([result(index, f"{long}left {index}.", TOPICS) for index in range(most)])
    assert len(part.candidates) == most
    assert max(len(one.text) for one in part.candidates) > MAX_SENTENCE - 30
    assert len(part.model_dump_json()) < 256_000


def test_the_candidates_of_a_document_are_limited() -> None:
    """However long it is; the worst of its news stays, and the order of the batches still does not matter."""
    results = document(3 * MAX_CANDIDATES)
    bad = "A failed pump sent effluent into the river for eleven hours and killed the fish."
    results[-2] = result(len(results) - 2, bad, ("E3",), mood="negative")
    parts = [partial(results[at : at + 64]) for at in range(0, len(results), 64)]
    whole = combine(parts)
    assert len(whole.candidates) <= MAX_CANDIDATES
    assert whole.passages == len(results)
    assert bad in [one.text for one in whole.candidates]
    assert combine(reversed(parts)) == whole


@pytest.mark.parametrize(
    ("passages", "sentences"),
    [(1, 1), (4, 2), (10, 5), (40, 6), (100, 7), (400, 8)],
)
def test_the_summary_has_five_to_eight_sentences_or_fewer(passages: int, sentences: int) -> None:
    """A short document has a short summary."""
    assert len(summary(document(passages))) == sentences


def test_sentences_come_in_document_order_with_their_pages() -> None:
    """The page is the one the passage stands on."""
    found = summarise(combine([partial(document(64))]))
    indices = [int(one.text.split()[6]) for one in found]
    assert indices == sorted(indices)
    assert [one.page for one in found] == [index // 4 + 1 for index in indices]


def test_every_main_topic_is_told() -> None:
    """A topic of a tenth of the passages is not lost behind one that has nine tenths."""
    results = [result(index, sentence(index), ("E1",)) for index in range(90)]
    results += [
        result(index, f"Workers of mill {index} have elected a council in autumn.", ("S1",))
        for index in range(90, 100)
    ]
    assert any("council" in text for text in summary(results))


def test_the_bad_news_is_told() -> None:
    """One clearly negative passage among a hundred good ones is in the summary."""
    results = [result(index, sentence(index), ("E1",), mood="positive") for index in range(100)]
    bad = "A failed pump sent effluent into the river for eleven hours and killed the fish."
    results[57] = result(57, bad, ("E3",), mood="negative")
    assert bad in summary(results)


@pytest.mark.parametrize(
    "death",
    [
        "A contractor of the mill lost his life in the bale yard on a day in May.",
        "In March two contractors died when a crane collapsed at the northern plant.",
        "The fall of a load in the yard killed a driver of the haulier in the spring.",
        "The mill had one fatal accident in the north of the country during the winter.",
    ],
)
def test_a_death_goes_before_all_other_bad_news(death: str) -> None:
    """Even where the model is surer of the fines, and these alone have taken the bad news' share."""
    results = [result(index, sentence(index), ("E1",), mood="positive") for index in range(100)]
    for place in (10, 40, 70):
        results[place] = result(
            place, f"The court of town {place} fined the mill for what it sent out.", ("G1",), mood="negative"
        )
    dead = result(90, death, ("S1",), mood="negative")
    scores: dict[SentimentLabel, float] = {"positive": 0.12, "neutral": 0.46, "negative": 0.42}
    results[90] = dead.model_copy(update={"sentiment": Sentiment(label="neutral", scores=scores)})
    assert death in summary(results)


def test_a_death_that_did_not_happen_is_no_news() -> None:
    """A year without one, and what is meant to prevent them, may be told but are not put first."""
    results = [result(index, sentence(index), ("E1",), mood="positive") for index in range(100)]
    none = "For the third year in a row nobody died at any of the works of the group."
    scores: dict[SentimentLabel, float] = {"positive": 0.45, "neutral": 0.16, "negative": 0.39}
    told = result(90, none, ("S1",)).model_copy(
        update={"sentiment": Sentiment(label="positive", scores=scores)}
    )
    bad = "A failed pump sent effluent into the river for eleven hours and killed the fish."
    results[57] = result(57, bad, ("E3",), mood="negative")
    results[90] = told
    assert bad in summary(results)


def test_what_happened_goes_before_what_could_happen() -> None:
    """A report is full of risks; the accident is the news."""
    results = [result(index, sentence(index), ("E1",), mood="positive") for index in range(60)]
    happened = "A contractor of the mill lost his life in the bale yard on a day in May."
    for place in (10, 20, 40, 50):
        results[place] = result(
            place,
            f"Accidents of kind {place} could cost the group as much as 12% of sales.",
            ("S1",),
            mood="negative",
        )
    results[30] = result(30, happened, ("S1",), mood="negative")
    assert happened in summary(results)


def test_bad_news_has_its_share() -> None:
    """Where half of a document is negative, so is about half of its summary."""
    moods: list[SentimentLabel] = ["positive", "negative"]
    results = [
        result(
            index,
            f"The {moods[index % 2]} report of mill {index} was sent to the town.",
            ("E1",),
            mood=moods[index % 2],
        )
        for index in range(40)
    ]
    assert sum("negative" in text for text in summary(results)) >= 3


def test_nothing_is_said_twice() -> None:
    """Neither word for word nor in other words."""
    results = document(30)
    results += [result(30 + index, sentence(3), ("E1",)) for index in range(10)]
    results += [
        result(40 + index, f"In other words {index}: mill three used less of it.", ("E1",), near=3)
        for index in range(10)
    ]
    found = summary(results)
    assert found.count(sentence(3)) + sum("In other words" in text for text in found) <= 1


@pytest.mark.parametrize(
    "text",
    [
        "This report contains forward-looking statements that are subject to risks.",
        "Our sustainability report has been prepared in accordance with the standards.",
        "Further information can be found in the annual report of the group.",
        "All rights reserved by the publisher of this brochure and its authors.",
        "The auditors gave limited assurance on the figures of the environment.",
        "Please contact [email:0123456789abcdef] for questions about sustainability.",
        "The following table shows how the figures have developed since last year.",
    ],
)
def test_boilerplate_is_never_taken(text: str) -> None:
    """What every report has and no reader wants, even if nothing else is there."""
    assert is_boilerplate(text)
    assert summary([result(index, text, ("E1",)) for index in range(20)]) == []


def test_a_sentence_about_a_report_of_an_accident_is_no_boilerplate() -> None:
    """Words like report or page alone make none."""
    assert not is_boilerplate("The safety board reports that two crew members were hurt at the site.")


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (
            "The mill cut its emissions by a tenth in one year.",
            "However, it cut them by a tenth in one year.",
        ),
        ("The mill cut its emissions by 12% in one year.", "The mill cut its emissions by much in one year."),
        ("The mill took less water from the river again.", "Water taken from the river by the mill"),
        ("The mill took less water from the river again.", "For this purpose, the mill took less water."),
        ("The mill took less water from the river again.", "2.3 Water The mill took less water from it."),
        ("The mill took less water from the river again.", "It did."),
    ],
)
def test_the_sentence_that_stands_on_its_own_is_taken(better: str, worse: str) -> None:
    """Of a passage's sentences the one that needs no other; figures count in its favour."""
    for passage in (
        (f"{worse} {better}", f"{better} {worse}") if worse.endswith(".") else (f"{better} {worse}",)
    ):
        found = best_sentence(passage)
        assert found is not None
        assert found.text == better


def test_list_marks_and_footnotes_are_left_out() -> None:
    """A summary shows the sentence, not its place in a list."""
    found = best_sentence("• The mill took less water from the river in the last year.7")
    assert found is not None
    assert found.text == "The mill took less water from the river in the last year."
