"""Sentences of other corpora and of annotated reports: on what is measured, and which figure answers what."""

from __future__ import annotations

import re
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
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.accuracy.systems import Answers
    from shared.platform.records import SentimentLabel

PROSE = {"newsmtsc": "news", "nyt": "editorials", "sentfin": "financial headlines", "sst5": "films"}
"""The sources whose mean is the figure for sentiment."""
_PHRASES, _PHRASE_WORDS = "sentiment_sst2_dev.tsv", 6
"""SST-2's development phrases: pieces of the sentences of SST-5, of which no training saw the test split."""


@dataclass(frozen=True, slots=True)
class Data:
    """What is learnt from, what is asked, and what could not be found."""

    learnt: list[Example]
    asked: list[Example]
    problems: list[str]


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
        [example for example in examples if split_of(example) == "test"]
        + _phrases(directory, examples)
        + annotated,
        problems,
    )


def _phrases(directory: Path, examples: Sequence[Example]) -> list[Example]:
    """Those of six words and more that are pieces of a film sentence of the test split, and of no other."""
    pieces = {
        split: " | ".join(
            ["", *(_letters(e.text) for e in examples if e.source == "sst5" and split_of(e) == split), ""]
        )
        for split in ("train", "dev", "test")
    }
    found = []
    for path in directory.rglob(_PHRASES):
        for line in path.read_text(encoding="utf-8").splitlines()[1:]:
            text, label = line.rsplit("\t", 1)
            words = f" {_letters(text)} "
            if len(text.split()) >= _PHRASE_WORDS and [s for s in pieces if words in pieces[s]] == ["test"]:
                sentiment: SentimentLabel = "positive" if label == "1" else "negative"
                found.append(Example(text, "sst2 dev", sentiment=sentiment, polar=True, split="test"))
    return found


def _letters(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


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
    prose = [_sentiment(targets, source == name, title) for name, title in PROSE.items()]
    reviews = _sentiment(targets, source == "amazon", "product reviews")
    rows = [
        *prose,
        _mean("sentiment, mean of the four", prose, 0.72),
        reviews,
        _mean("sentiment, mean of the five", [*prose, reviews], None),
        _polarity(
            targets,
            (source == "sst5") & (targets.sentiment != 1),
            "films, positive or negative, accuracy",
            0.89,
        ),
        _polarity(targets, source == "sst2 dev", "phrases of films (SST-2), accuracy", None),
    ]
    for column, (name, wanted) in enumerate((("E", 0.90), ("S", 0.87), ("G", 0.78))):
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
    rows.append(_action(targets, source == "a3cg", "action, A3CG, macro-F1"))
    rows.append(_topics(targets, source == "own", "ten ESRS topics, our held-out sentences, micro-F1"))
    rows.append(_action(targets, source == "own", "action, our held-out sentences, macro-F1"))
    everything = np.char.startswith(source, "annotated")
    parts: tuple[tuple[NDArray[np.bool_], str], ...] = (
        (everything, "annotated real sentences"),
        (source == "annotated random", "their random part"),
    )
    for chosen, part in parts:
        rows.append(_topics(targets, chosen, f"ten ESRS topics, {part}, micro-F1"))
        rows.append(_action(targets, chosen, f"action, {part}, macro-F1"))
        rows.append(_sentiment(targets, chosen, part))
    return [row for row in rows if row.texts]


def _sentiment(targets: Targets, chosen: NDArray[np.bool_], title: str) -> Row:
    rows = chosen & (targets.sentiment != OPEN)
    return Row(
        f"sentiment, {title}, macro-F1",
        int(rows.sum()),
        None,
        lambda a: None if a.sentiment is None else macro_f1(targets.sentiment[rows], a.sentiment[rows]),
    )


def _polarity(targets: Targets, chosen: NDArray[np.bool_], title: str, goal: float | None) -> Row:
    def value(answers: Answers) -> float | None:
        if answers.positive is None:
            return None
        return float((answers.positive[chosen] == (targets.sentiment[chosen] == 0)).mean())

    return Row(title, int(chosen.sum()), goal, value)


def _mean(title: str, rows: Sequence[Row], goal: float | None) -> Row:
    """Return a row with the mean of others, and with no texts where one of them has none."""

    def value(answers: Answers) -> float | None:
        found = [row.value(answers) for row in rows]
        return None if None in found else float(np.mean([x for x in found if x is not None]))

    texts = sum(row.texts for row in rows) if all(row.texts for row in rows) else 0
    return Row(title, texts, goal, value)


def _pillar(  # noqa: PLR0913 - a line of the table has as many parts
    title: str, targets: Targets, known: NDArray[np.bool_], column: int, goal: float | None, *, derived: bool
) -> Row:
    def value(answers: Answers) -> float | None:
        chosen = answers.pillars if derived else answers.own_pillars
        return None if chosen is None else f1(targets.pillars[known, column] == 1, chosen[known, column])

    return Row(title, int(known.sum()), goal, value)


def _action(targets: Targets, chosen: NDArray[np.bool_], title: str) -> Row:
    rows = chosen & (targets.action != OPEN)
    return Row(
        title,
        int(rows.sum()),
        None,
        lambda a: None if a.action is None else macro_f1(targets.action[rows], a.action[rows]),
    )


def _topics(targets: Targets, chosen: NDArray[np.bool_], title: str) -> Row:
    return Row(
        title,
        int(chosen.sum()),
        None,
        lambda a: None if a.topics is None else micro_f1(targets.topics[chosen], a.topics[chosen]),
    )


def table(asked: Sequence[Example], systems: Mapping[str, Answers]) -> str:
    """Markdown; blank where a system has no answer."""
    lines = [
        "| | texts | goal | " + " | ".join(systems) + " |",
        "| --- | ---: | ---: |" + " ---: |" * len(systems),
    ]
    for row in rows_of(asked):
        values = [row.value(answers) for answers in systems.values()]
        cells = ["" if value is None else f"{value:.3f}" for value in values]
        goal = "" if row.goal is None else f"{row.goal:.2f}"
        lines.append(f"| {row.title} | {row.texts:,} | {goal} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
