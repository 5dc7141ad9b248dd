"""How often each head is right on passages of companies that no training saw, and how well it knows that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.accuracy.labels import OPEN
from benchmarks.accuracy.measures import calibration_error, interval, pearson, spearman, top_share
from model_export.scores import f1, macro_f1
from shared.platform.records import SENTIMENTS, TOPICS
from training.targets import LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.accuracy.labels import Judged
    from benchmarks.accuracy.systems import Scores

    Rows = NDArray[np.intp]
    Flags = NDArray[np.bool_]

_NOTABLE = 2
"""Salience from which an analyst lists a passage."""
_TOP = 12
"""One in so many: the best twelfth is what is shown first."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    title: str
    goal: float | None
    judged: Flags
    """(n,), the passages that it is about."""
    counted: Flags
    """(n,), those among them whose number is shown: that bear the label."""
    value: Callable[[Scores, Rows], float | None]
    """Over some of the passages; None where the system has no such head."""


def lines_of(judged: Judged) -> list[Line]:
    """Every line that there are labels for."""
    lines = [
        *_topics(judged),
        *_choices("action", judged.action, LABELS["action"], {"": 0.85, "planned": 0.76}),
        *_choices("outcome", judged.outcome, SENTIMENTS, {"positive": 0.76, "negative": 0.75}),
        *_negative_in_reports(judged),
        _initiatives(judged),
        *_salience(judged),
    ]
    return [line for line in lines if line.judged.any()]


def _topics(judged: Judged) -> list[Line]:
    known = judged.topics[:, 0] != OPEN
    truth = judged.topics == 1

    def line(title: str, goal: float, columns: slice, counted: Flags) -> Line:
        def value(scores: Scores, rows: Rows) -> float:
            chosen = scores.topics >= scores.thresholds
            return f1(truth[rows, columns], chosen[rows, columns])

        return Line(title, goal, known, counted, value)

    every = line("topics, micro-F1", 0.82, slice(None), known)
    return [every] + [
        line(f"{name}, F1", 0.70, slice(column, column + 1), truth[:, column])
        for column, name in enumerate(TOPICS)
    ]


def _choices(
    head: str, labels: NDArray[np.int8], names: Sequence[str], goals: Mapping[str, float]
) -> list[Line]:
    """Macro-F1 of a head that chooses one label, and F1 of each."""
    known = labels != OPEN

    def chosen(scores: Scores, rows: Rows) -> NDArray[np.intp]:
        found = scores.action if head == "action" else scores.sentiment
        return np.asarray(found[rows].argmax(axis=1))

    def one(place: int) -> Callable[[Scores, Rows], float]:
        return lambda scores, rows: f1(labels[rows] == place, chosen(scores, rows) == place)

    def macro(scores: Scores, rows: Rows) -> float:
        return macro_f1(labels[rows].astype(np.int64), chosen(scores, rows))

    return [Line(f"{head}, macro-F1", goals.get(""), known, known, macro)] + [
        Line(f"{head} {name}, F1", goals.get(name), known, labels == place, one(place))
        for place, name in enumerate(names)
    ]


def _negative_in_reports(judged: Judged) -> list[Line]:
    """Without sentences of news and written ones, if there are any: they are judged for the outcome alone."""
    place = SENTIMENTS.index("negative")

    def value(scores: Scores, rows: Rows) -> float:
        return f1(judged.outcome[rows] == place, scores.sentiment[rows].argmax(axis=1) == place)

    if not ((judged.outcome != OPEN) & (judged.action == OPEN)).any():
        return []
    known = judged.action != OPEN
    return [Line("outcome negative in reports alone, F1", None, known, judged.outcome == place, value)]


def _initiatives(judged: Judged) -> Line:
    def value(scores: Scores, rows: Rows) -> float | None:
        if scores.initiative is None:
            return None
        chosen = scores.initiative[rows] >= scores.initiative_threshold
        return f1(judged.initiative[rows] == 1, chosen)

    return Line("initiatives, F1", 0.87, judged.initiative != OPEN, judged.initiative == 1, value)


def _salience(judged: Judged) -> list[Line]:
    known = judged.salience != OPEN
    notable = judged.salience >= _NOTABLE
    truth = judged.salience.astype(np.float64)

    def spread(measure: Callable[..., float | None]) -> Callable[[Scores, Rows], float | None]:
        return lambda scores, rows: (
            None if scores.salience is None else measure(scores.salience[rows], truth[rows])
        )

    def best(scores: Scores, rows: Rows) -> float | None:
        return None if scores.salience is None else top_share(scores.salience[rows], notable[rows], _TOP)

    return [
        Line("salience, correlation (Pearson)", 0.85, known, known, spread(pearson)),
        Line("salience, correlation of ranks (Spearman)", None, known, known, spread(spearman)),
        Line("2 and 3 among the top twelfth by salience, share", 0.95, known, notable, best),
    ]


def table(judged: Judged, systems: Mapping[str, Scores]) -> str:
    """Markdown: every line over all passages and over the random ones, the first system with its interval."""
    parts = {"all": np.ones(len(judged.texts), bool)}
    if judged.random.any():
        parts["random"] = judged.random
    head = ["", "goal"]
    for part in parts:
        head += [f"texts, {part}", *(f"{name}, {part}" for name in systems)]
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for line in lines_of(judged):
        cells = [line.title, "" if line.goal is None else f"{line.goal:.2f}"]
        for within in parts.values():
            rows = np.flatnonzero(line.judged & within)
            cells.append(f"{int((line.counted & line.judged & within).sum()):,}")
            for number, scores in enumerate(systems.values()):
                cells.append(_cell(line, scores, rows, bounds=number == 0))
        lines.append(cells)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(line: Line, scores: Scores, rows: Rows, *, bounds: bool) -> str:
    value = line.value(scores, rows) if len(rows) else None
    if value is None:
        return ""
    found = interval(lambda some: line.value(scores, some), rows) if bounds else None
    return f"{value:.3f}" if found is None else f"{value:.3f} ({found[0]:.2f}-{found[1]:.2f})"


def calibration(judged: Judged, scores: Scores) -> dict[str, float]:
    """Expected calibration error of each head: of one that chooses a label, of the label chosen.

    Of topics over all passages and topics; of salience the distance on its scale from 0 to 3.
    """
    found = {}
    known = judged.topics[:, 0] != OPEN
    if known.any():
        truth = (judged.topics[known] == 1).astype(np.float64)
        found["topics"] = calibration_error(scores.topics[known].ravel(), truth.ravel())
    for name, labels, chances in (
        ("action", judged.action, scores.action),
        ("outcome", judged.outcome, scores.sentiment),
    ):
        rows = labels != OPEN
        right = (chances[rows].argmax(axis=1) == labels[rows]).astype(np.float64)
        found[name] = calibration_error(chances[rows].max(axis=1), right)
    if scores.initiative is not None:
        rows = judged.initiative != OPEN
        found["initiative"] = calibration_error(
            scores.initiative[rows], judged.initiative[rows].astype(np.float64)
        )
    if scores.salience is not None:
        rows = judged.salience != OPEN
        found["salience"] = calibration_error(
            scores.salience[rows], judged.salience[rows].astype(np.float64), width=3.0
        )
    return found
