"""On what is measured, and which figure answers each question of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.annotations.load import load
from model_export.labelled import Example, exhaustive, split_of
from model_export.scores import f1, macro_f1, micro_f1
from shared.platform.errors import SetupError
from shared.platform.records import TOPICS
from training.rows import read_examples
from training.targets import OPEN, Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.accuracy.systems import Answers

PROSE = {"newsmtsc": "news", "nyt": "editorials", "sentfin": "financial headlines", "sst5": "films"}
"""The sources whose mean is the figure for sentiment."""


@dataclass(frozen=True, slots=True)
class Data:
    """What is learnt from, what is asked, and what could not be found."""

    learnt: list[Example]
    asked: list[Example]
    problems: list[str]
    examples: list[Example]
    """All of which no annotation is: as a training takes them, which splits them itself."""


def read_data(directory: Path, samples: Path) -> Data:
    """Training and test splits of the corpora, and the annotated sentences, which are asked only."""
    problems = []
    examples = read_examples(directory if directory.is_dir() else None)
    if not directory.is_dir():
        problems.append(f"No corpora at {directory}: our own sentences alone.")
    annotated: list[Example] = []
    try:
        loaded = load(samples)
    except SetupError as error:
        problems.append(error.message)
    else:
        problems += loaded.problems
        annotated = [
            Example(
                sentence.text,
                f"annotated {sentence.drawn}",
                exhaustive(sentence.label.topics),
                action=sentence.label.action,
                sentiment=sentence.label.sentiment,
                split="test",
            )
            for sentence in loaded.sentences
        ]
    return Data(
        [example for example in examples if split_of(example) != "test"],
        [example for example in examples if split_of(example) == "test"] + annotated,
        problems,
        examples,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    title: str
    texts: int
    goal: float | None
    value: Callable[[Answers], float | None]
    """None where the system has no answer."""


def rows_of(asked: Sequence[Example]) -> list[Row]:
    """Every line for which there are texts."""
    targets = Targets.of(asked, TOPICS)
    source = np.array([example.source for example in asked])
    rows = [row for row, _ in sentiment_rows(asked)]
    if len(rows) == len(PROSE):
        rows.append(_mean("sentiment, mean of the four", tuple(rows), 0.72))
    rows.append(_sentiment(targets, source == "amazon", "product reviews"))
    whole = (source == "sst5") & (targets.sentiment != 1)
    rows.append(
        Row(
            "films, positive or negative, accuracy",
            int(whole.sum()),
            0.90,
            lambda a: (
                None
                if a.positive is None
                else float((a.positive[whole] == (targets.sentiment[whole] == 0)).mean())
            ),
        )
    )
    for column, (name, wanted) in enumerate((("E", 0.90), ("S", 0.89), ("G", 0.78))):
        known = ~np.isnan(targets.pillars[:, column])
        rows.append(_pillar(f"{name} from the ESRS topics, F1", targets, known, column, wanted, derived=True))
        rows.append(_pillar(f"{name} by a head of its own, F1", targets, known, column, None, derived=False))
    judged = ~np.isnan(targets.aspects[:, 0])
    rows.append(
        Row(
            "ten categories of A3CG, micro-F1",
            int(judged.sum()),
            0.85,
            lambda a: None if a.aspects is None else micro_f1(targets.aspects[judged], a.aspects[judged]),
        )
    )
    rows.append(_action(targets, source == "a3cg", "action, A3CG, macro-F1", 0.75))
    rows.append(_topics(targets, source == "own", "ten ESRS topics, our held-out sentences, micro-F1", None))
    rows.append(_action(targets, source == "own", "action, our held-out sentences, macro-F1", None))
    everything = np.char.startswith(source, "annotated")
    parts: tuple[tuple[NDArray[np.bool_], str, float | None], ...] = (
        (everything, "annotated real sentences", 0.80),
        (source == "annotated random", "their random part", None),
    )
    for chosen, part, goal in parts:
        rows.append(_topics(targets, chosen, f"ten ESRS topics, {part}, micro-F1", goal))
        rows.append(_action(targets, chosen, f"action, {part}, macro-F1", None))
        rows.append(_sentiment(targets, chosen, part))
    return [row for row in rows if row.texts]


def sentiment_rows(asked: Sequence[Example]) -> list[tuple[Row, str]]:
    """The lines of the four kinds of prose that there are texts of, each with its source."""
    targets = Targets.of(asked, TOPICS)
    source = np.array([example.source for example in asked])
    rows = [(_sentiment(targets, source == name, title), name) for name, title in PROSE.items()]
    return [(row, name) for row, name in rows if row.texts]


def topic_rows(asked: Sequence[Example]) -> list[Row]:
    """F1 of each topic over all annotated sentences."""
    targets = Targets.of(asked, TOPICS)
    chosen = np.char.startswith(np.array([example.source for example in asked]), "annotated")
    return [_one_topic(targets, chosen, column) for column in range(len(TOPICS)) if chosen.any()]


def _one_topic(targets: Targets, chosen: NDArray[np.bool_], column: int) -> Row:
    truth = targets.topics[chosen, column] == 1
    return Row(
        TOPICS[column],
        int(truth.sum()),
        None,
        lambda a: None if a.topics is None else f1(truth, a.topics[chosen, column]),
    )


def _sentiment(targets: Targets, chosen: NDArray[np.bool_], title: str) -> Row:
    rows = chosen & (targets.sentiment != OPEN)
    return Row(
        f"sentiment, {title}, macro-F1",
        int(rows.sum()),
        None,
        lambda a: None if a.sentiment is None else macro_f1(targets.sentiment[rows], a.sentiment[rows]),
    )


def _mean(title: str, rows: Sequence[Row], goal: float) -> Row:
    def value(answers: Answers) -> float | None:
        found = [row.value(answers) for row in rows]
        return None if None in found else float(np.mean([x for x in found if x is not None]))

    return Row(title, sum(row.texts for row in rows), goal, value)


def _pillar(  # noqa: PLR0913 - a line of the table has as many parts
    title: str, targets: Targets, known: NDArray[np.bool_], column: int, goal: float | None, *, derived: bool
) -> Row:
    def value(answers: Answers) -> float | None:
        chosen = answers.pillars if derived else answers.own_pillars
        return None if chosen is None else f1(targets.pillars[known, column] == 1, chosen[known, column])

    return Row(title, int(known.sum()), goal, value)


def _action(targets: Targets, chosen: NDArray[np.bool_], title: str, goal: float | None) -> Row:
    rows = chosen & (targets.action != OPEN)
    return Row(
        title,
        int(rows.sum()),
        goal,
        lambda a: None if a.action is None else macro_f1(targets.action[rows], a.action[rows]),
    )


def _topics(targets: Targets, chosen: NDArray[np.bool_], title: str, goal: float | None) -> Row:
    return Row(
        title,
        int(chosen.sum()),
        goal,
        lambda a: None if a.topics is None else micro_f1(targets.topics[chosen], a.topics[chosen]),
    )
