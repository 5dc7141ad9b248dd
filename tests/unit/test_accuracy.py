"""What `make accuracy` computes without a model: labels, facts, figures of rankings and of calibration."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.accuracy.facts import FACTS, Fact, best_possible, is_found, read_facts
from benchmarks.accuracy.labels import OPEN, Judged, read_labels
from benchmarks.accuracy.measures import calibration_error, gain, interval, pearson, spearman, top_share
from benchmarks.accuracy.passages import calibration, lines_of, table
from benchmarks.accuracy.search import read_questions
from benchmarks.accuracy.shown import table as shown_table
from benchmarks.accuracy.systems import Scores
from model_export.labelled import Example, exhaustive
from training.passages import digest, read_rows

if TYPE_CHECKING:
    from pathlib import Path

JUDGED = Judged.of(
    [
        Example(
            "a",
            "x",
            exhaustive(["E1", "E3"]),
            action="planned",
            sentiment="positive",
            salience=3,
            initiative=True,
        ),
        Example(
            "b",
            "x",
            exhaustive(["S1"]),
            action="implemented",
            sentiment="neutral",
            salience=2,
            initiative=True,
        ),
        Example("c", "x", exhaustive([]), action="none", sentiment="negative", salience=0, initiative=False),
        Example(
            "d", "x", exhaustive(["G1"]), action="none", sentiment="neutral", salience=1, initiative=False
        ),
    ],
    random={digest(text) for text in "acd"},
)


def scores() -> Scores:
    """A system that is right about everything but the topic of the second passage, which it misses."""
    topics = (JUDGED.topics == 1).astype(np.float64)
    topics[1] = 0
    return Scores(
        topics=topics,
        action=np.eye(3)[JUDGED.action],
        sentiment=np.eye(3)[JUDGED.outcome],
        salience=JUDGED.salience.astype(np.float64),
        initiative=JUDGED.initiative.astype(np.float64),
    )


def test_labels_are_read_as_indices() -> None:
    """Columns have the order of the model's outputs; what was drawn at random is known by its hash."""
    assert JUDGED.topics[:, :3].tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert JUDGED.action.tolist() == [1, 0, 2, 2]
    assert JUDGED.outcome.tolist() == [0, 1, 2, 1]
    assert JUDGED.random.tolist() == [True, False, True, True]


def test_what_an_example_does_not_judge_is_open() -> None:
    """A sentence of news, judged for its outcome alone, counts for nothing else."""
    judged = Judged.of([Example("Two pumps leaked into the canal.", "news", sentiment="negative")])
    assert judged.outcome.tolist() == [2]
    assert (judged.topics == OPEN).all()
    titles = [line.title for line in lines_of(judged)]
    assert {title.split()[0].strip(",") for title in titles} == {"outcome"}
    assert "outcome negative in reports alone, F1" not in titles


def test_lines_measure_every_head() -> None:
    """One missed topic of four: micro-F1 is 2*3 / (4 + 3); all else is right."""
    found = {line.title: line.value(scores(), np.arange(4)) for line in lines_of(JUDGED)}
    assert found["topics, micro-F1"] == pytest.approx(6 / 7)
    assert found["S1, F1"] == 0
    for title in ("action, macro-F1", "outcome negative, F1", "initiatives, F1"):
        assert found[title] == 1
    assert found["salience, correlation (Pearson)"] == pytest.approx(1)
    assert found["2 and 3 among the top twelfth by salience, share"] == 1


def test_table_counts_the_passages_that_bear_a_label() -> None:
    """Beside each figure stands how many passages bear the label, in all and in the random part."""
    lines = {line.split(" | ")[0]: line for line in table(JUDGED, {"ours": scores()}).splitlines()}
    assert lines["| S1, F1"].split(" | ")[2] == "1"
    assert lines["| outcome negative, F1"].split(" | ")[2:5:2] == ["1", "1"]


def test_a_head_that_is_missing_is_left_blank() -> None:
    """A model without salience and initiative has no figure for them, and no calibration."""
    without = Scores(scores().topics, scores().action, scores().sentiment)
    line = next(line for line in table(JUDGED, {"old": without}).splitlines() if "initiatives" in line)
    assert line == "| initiatives, F1 | 0.87 | 2 |  | 1 |  |"
    assert set(calibration(JUDGED, without)) == {"topics", "action", "outcome"}


def test_labels_are_asked_of_the_test_split_alone(tmp_path: Path) -> None:
    """Without texts of reports there are the sentences written for this project: to learn, and bad news."""
    found = read_labels(tmp_path)
    assert found.missing > 20_000
    assert found.learnt.texts
    assert not set(found.learnt.texts) & set(found.passages.texts)
    assert not found.sentences.texts
    assert (found.passages.topics == OPEN).all()
    assert (found.passages.outcome == 2).sum() > 20


def write(path: Path, lines: list[dict[str, str]]) -> None:
    """As the kept tables are: tabs between cells, no quotes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
        writer.writeheader()
        writer.writerows(lines)


def fact(tokens: str, directory: Path) -> Fact:
    """One fact as the file states it."""
    path = directory / "facts.tsv"
    write(path, [{"document": "x.pdf", "fact": "a fact", "tokens": tokens, "place": "1"}])
    return read_facts(path)[0]


@pytest.mark.parametrize(
    ("tokens", "summary", "found"),
    [
        ("42%;2030", ["Emissions fall by 42 percent until 2030."], True),
        ("42%;2030", ["Emissions fall by 42 %.", "That is due in 2030."], True),  # neighbours
        ("42%;2030", ["Emissions fall by 42%.", "All is well.", "That is due in 2030."], False),
        ("4.2", ["A rate of 14.2, then of 4.25."], False),  # other numbers
        ("4.2", ["A rate of 4.2."], True),
        ("women|female;26%", ["Of managers 26% are female."], True),
        ("pump", ["Nine Pumps were replaced."], True),  # words by how they begin
        ("pump", ["They trumpeted it."], False),
    ],
)
def test_facts_are_found_by_their_tokens(
    tmp_path: Path, tokens: str, summary: list[str], *, found: bool
) -> None:
    """All tokens in one sentence or two neighbours; whole numbers, whole beginnings of words."""
    assert is_found(fact(tokens, tmp_path), summary) is found


def test_the_best_possible_summary_takes_what_adds_most(tmp_path: Path) -> None:
    """A sentence with two facts comes before those with one, and what is covered adds nothing."""
    facts = [fact(tokens, tmp_path) for tokens in ("one", "two", "three")]
    assert best_possible(facts, ["one", "one and two", "three"], 2) == ["one and two", "three"]


def test_kept_facts_are_fourteen_of_each_report() -> None:
    """Every report counts the same."""
    documents = [fact.document for fact in read_facts(FACTS)]
    assert {documents.count(document) for document in documents} == {14}
    assert len(set(documents)) == 8


def test_correlations() -> None:
    """Of ranks, ties share the mean of theirs; what does not vary has none."""
    rising = np.array([1.0, 2.0, 3.0, 30.0])
    assert spearman(rising, rising**3) == pytest.approx(1)
    assert pearson(rising, -2 * rising) == pytest.approx(-1)
    assert spearman(np.array([1.0, 1.0, 2.0]), np.array([5.0, 5.0, 9.0])) == pytest.approx(1)
    assert pearson(rising, np.ones(4)) is None


def test_share_of_the_best() -> None:
    """Of eight texts a quarter are two: the two with the highest scores, one of which is good."""
    best = np.array([0.1, 0.9, 0.2, 0.8, 0, 0, 0, 0])
    good = np.array([True, True, False, False, False, False, False, False])
    assert top_share(best, good, 4) == 0.5


def test_calibration_error() -> None:
    """Half of what is said with .8 is true: .3 off; a certainty that holds is not off at all."""
    assert calibration_error(np.array([0.8, 0.8]), np.array([1.0, 0.0])) == pytest.approx(0.3)
    assert calibration_error(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0
    assert calibration_error(np.array([3.0, 2.0]), np.array([3.0, 1.0]), width=3) == pytest.approx(0.5)


def test_gain_of_a_ranking() -> None:
    """1 for the best order; one place later is discounted; without a grade there is no gain."""
    grades = {"a": 2, "b": 1}
    assert gain(["a", "b", "c"], grades) == 1
    assert gain(["c", "a", "b"], grades) == pytest.approx((3 / np.log2(3) + 1 / 2) / (3 + 1 / np.log2(3)))
    assert gain(["c"], grades) == 0


def test_intervals_hold_the_value() -> None:
    """The mean of 200 coin flips lies within its interval; a measure without a value has none."""
    flips = np.random.default_rng(1).integers(0, 2, 200)
    found = interval(lambda chosen: float(flips[chosen].mean()), np.arange(200))
    assert found is not None
    assert found[0] < flips.mean() < found[1]
    assert interval(lambda _: None, np.arange(3)) is None


def test_questions_have_answers() -> None:
    """Sixty questions, each with a passage that answers it; no passage has two grades."""
    questions = read_questions()
    assert len({question.text for question in questions}) == 60
    for question in questions:
        assert 2 in question.grades.values()
        assert all(len(name) == 16 for name in question.grades)


def test_what_is_shown_first_is_judged_by_its_text(tmp_path: Path) -> None:
    """Right ones count among those judged; the others go to a file, with their text for somebody to read."""
    listed = [{"text": "Nine  boilers were replaced.", "page": 3}]
    analyses = {"x.pdf": {"document": {"initiatives_top": listed}}}
    lines = shown_table(analyses, tmp_path / "unjudged.tsv").splitlines()
    assert lines[2:] == [
        "| of the first 12 shown of each document | 1 | 1 | 0 |  |",
        "| x.pdf | 1 | 1 | 0 |  |",
    ]
    (row,) = read_rows(tmp_path / "unjudged.tsv")
    assert (row["text"], row["page"], row["sentence"]) == (
        digest("Nine boilers were replaced."),
        "3",
        "Nine boilers were replaced.",
    )
