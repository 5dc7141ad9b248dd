"""A document's lists: what matters most and is surest comes first, all topics, nothing twice."""

from __future__ import annotations

import pytest

from shared.platform.records import PassageResult, Sentiment
from shared.text.lists import LEAST, LISTED, ListName, listing, summarise, summary
from tests.unit.test_summary import document, result, sentence, whole

MILL = "The mill has cut what it takes from the river by 12% in a year."


def texts(results: list[PassageResult]) -> list[str]:
    return [one.text for one in summarise(whole(results))]


def index_list(results: list[PassageResult], name: ListName) -> list[int]:
    return [one.index for one in listing(whole(results).candidates, name)]


@pytest.mark.parametrize(
    ("passages", "sentences"),
    [(1, 1), (4, 2), (10, 5), (40, 6), (100, 7), (400, 8)],
)
def test_the_summary_has_five_to_eight_sentences_or_fewer(passages: int, sentences: int) -> None:
    """A short document has a short summary."""
    assert len(texts(document(passages))) == sentences


def test_what_matters_most_comes_first_with_its_page() -> None:
    """Wherever it stands in the document."""
    results = [result(at, sentence(at), ("E1",), salience=1.6) for at in range(60)]
    results[47] = result(47, MILL, ("E1",), salience=2.8)
    first, *_ = summarise(whole(results))
    assert (first.text, first.page) == (MILL, 12)


def test_every_main_topic_is_told() -> None:
    """A topic of a tenth of the passages is not lost behind one that has nine tenths and matters more."""
    results = [result(at, sentence(at), ("E1",), salience=2.0) for at in range(90)]
    results += [
        result(at, f"Workers of mill {at} have elected a council.", ("S1",), salience=1.9)
        for at in range(90, 100)
    ]
    assert any("council" in text for text in texts(results))


def test_the_bad_news_is_told() -> None:
    """One piece of it among a hundred of good."""
    results = [result(at, sentence(at), ("E1",), mood="positive", salience=2.2) for at in range(100)]
    bad = "A failed pump sent effluent into the river for eleven hours."
    results[57] = result(57, bad, ("E3",), mood="negative", salience=2.0)
    assert bad in texts(results)


def test_nothing_is_said_twice() -> None:
    """Neither word for word nor in other words."""
    results = document(30)
    results += [result(30 + at, sentence(3), ("E1",), near=3, salience=2.9) for at in range(10)]
    results += [
        result(40 + at, f"In other words {at}: mill three used less of it.", ("E1",), near=3, salience=2.9)
        for at in range(10)
    ]
    found = texts(results)
    assert sum(text == sentence(3) or "In other words" in text for text in found) == 1
    assert len(index_list(results, "initiatives")) == 0


def test_without_salience_the_middle_of_the_document_is_told() -> None:
    """The model does not know the language: of forty sentences alike and one that is not, the forty."""
    results = [result(at, sentence(at), near=1000 + at % 2) for at in range(40)]
    results.append(result(40, sentence(40)))
    assert 40 not in [one.index for one in summary(whole(results))[:2]]


@pytest.mark.parametrize("name", ["initiatives", "incidents", "good_news"])
def test_a_list_has_the_best_first_within_its_limit(name: ListName) -> None:
    """By how much they matter and how sure they are; all of it is said in the record."""
    mood = {"incidents": "negative", "good_news": "positive"}.get(name, "neutral")
    results = [
        result(at, sentence(at), ("E1",), mood=mood, action="planned", salience=1.5 + at / 40)  # type: ignore[arg-type]
        for at in range(40)
    ]
    assert index_list(results, name) == list(range(39, 39 - LISTED, -1))
    first, *_, last = listing(whole(results).candidates, name)
    assert 1 >= first.score > last.score > 0
    assert first.sure >= 0.9
    assert (first.page, first.topics, first.action, first.salience) == (10, ["E1"], "planned", 1.5 + 39 / 40)


def test_what_is_more_likely_something_else_is_not_listed() -> None:
    """Nor bad news on no topic, or that hardly matters."""
    mood = Sentiment(label="neutral", scores={"positive": 0.05, "neutral": 0.4, "negative": 0.55})
    unsure = result(0, MILL, ("E1",), salience=3.0).model_copy(update={"sentiment": mood})
    loss = result(1, sentence(1), (), mood="negative", salience=1.0)
    feared = result(2, sentence(2), ("E1",), mood="negative", salience=LEAST - 0.1)
    grave = result(3, sentence(3), (), mood="negative", salience=2.5)
    assert index_list([unsure, loss, feared, grave], "incidents") == [3]
    assert index_list([unsure, loss, feared], "initiatives") == []


def test_numbers_and_news_count_beside_what_matters() -> None:
    """Of sentences that matter equally."""
    plain = result(0, "The mill has cut what it takes from the river.", ("E1",), salience=2.0)
    told = result(1, MILL, ("E1",), salience=2.0)
    good = result(2, MILL, ("E1",), mood="positive", salience=2.0)
    worth = [one.worth for one in whole([plain, told, good]).candidates]
    assert worth == sorted(worth)
    assert len(set(worth)) == 3
