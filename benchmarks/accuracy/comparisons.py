"""Three tables of trainings: how deep a branch should be, sources left out, and permissive data alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.accuracy.costs import milliseconds
from benchmarks.accuracy.sets import PROSE, rows_of, sentiment_rows
from benchmarks.accuracy.systems import words_of_strangers
from benchmarks.accuracy.trainings import LEFT_OUT, Training
from benchmarks.model.plots import Line, plot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.accuracy.sets import Row
    from benchmarks.accuracy.trainings import Laboratory, Result

DEPTHS = (1, 2, 3)
MEAN = "sentiment, mean of the four"
FILMS = "films, positive or negative, accuracy"
TOPICS_READ = "ten ESRS topics, annotated real sentences, micro-F1"
ACTION_READ = "action, annotated real sentences, macro-F1"
ACTION_A3CG = "action, A3CG, macro-F1"
TOPICS_OWN = "ten ESRS topics, our held-out sentences, micro-F1"


def compare(laboratory: Laboratory) -> tuple[str, str]:
    """Markdown, and the plot of accuracy against cost as SVG."""
    asked = laboratory.data.asked
    rows = {row.title: row for row in rows_of(asked)}
    # The most wanted first: whoever stops a run has something of it.
    sentiment = {layers: laboratory.branch(Training("sentiment", layers)) for layers in DEPTHS}
    topic = {layers: laboratory.branch(Training("topic", layers)) for layers in DEPTHS}
    permissive = {
        branch: laboratory.branch(Training(branch, permissive=True)) for branch in ("sentiment", "topic")
    }
    strangers = {source: laboratory.branch(Training("sentiment", without=source)) for source in LEFT_OUT}
    usual = sentiment[2]
    linear, licensed = laboratory.linear()
    costs = milliseconds(laboratory.checkpoint, (0, *DEPTHS), [example.text for example in asked])
    topic[0] = sentiment[0] = linear
    parts = [
        "What another layer gains, and what it costs (both branches alike, one core):",
        _depths(rows, costs, topic, sentiment),
        "Sentiment of a source that the training knew nothing of (macro-F1):",
        _strangers(laboratory, usual, strangers),
        "What it costs to train on data of known, permissive licence alone:",
        _licences(rows, (linear, licensed), {"topic": topic[2], "sentiment": usual}, permissive),
    ]
    lines = [
        Line(name, [(costs[layers], rows[title].value(found[layers].answers) or 0) for layers in costs])
        for name, title, found in (
            ("sentiment, mean of four", MEAN, sentiment),
            ("topics, annotated", TOPICS_READ, topic),
            ("action, annotated", ACTION_READ, topic),
        )
        if title in rows
    ]
    picture = plot("Layers of a branch, 0 to 3", "ms a text, one core", "F1", lines, (2, 2))
    return "\n\n".join(parts), picture


def _depths(
    rows: Mapping[str, Row],
    costs: Mapping[int, float],
    topic: Mapping[int, Result],
    sentiment: Mapping[int, Result],
) -> str:
    titles = {TOPICS_READ: topic, ACTION_READ: topic, ACTION_A3CG: topic, MEAN: sentiment, FILMS: sentiment}
    shown = {title: found for title, found in titles.items() if title in rows}
    table = []
    for layers, cost in costs.items():
        name = str(layers) if layers else "0: linear heads"
        scores = [topic[layers].developed, sentiment[layers].developed]
        values = [rows[title].value(found[layers].answers) for title, found in shown.items()]
        table.append([name, f"{cost:.2f}", *map(_cell, [*scores, *values])])
    head = ["layers of a branch", "ms a text", "development: topic, action", "development: sentiment", *shown]
    return _markdown(head, table)


def _strangers(laboratory: Laboratory, usual: Result, strangers: Mapping[str, Result]) -> str:
    data = laboratory.data
    table = []
    for row, source in sentiment_rows(data.asked):
        words = words_of_strangers(data.learnt, [example.text for example in data.asked], source)
        answers = (words, strangers[source].answers, usual.answers)
        table.append([PROSE[source], *(_cell(row.value(found)) for found in answers)])
    return _markdown(["", "TF-IDF", "branch", "branch that knew the source"], table)


def _licences(
    rows: Mapping[str, Row],
    linear: tuple[Result, Result],
    usual: Mapping[str, Result],
    permissive: Mapping[str, Result],
) -> str:
    table = []
    for title in (MEAN, FILMS, TOPICS_READ, TOPICS_OWN, ACTION_READ, ACTION_A3CG):
        if title in rows:
            branch = "sentiment" if title in {MEAN, FILMS} else "topic"
            results = (*linear, usual[branch], permissive[branch])
            table.append([title, *(_cell(rows[title].value(found.answers)) for found in results)])
    head = ["", "linear heads", "linear, permissive", "branch", "branch, permissive"]
    return _markdown(head, table)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _markdown(head: Sequence[str], table: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *table]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
