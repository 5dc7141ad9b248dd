"""Passages through the model: one piece of code that every route runs, so that a result depends on none.

Sentences that may be quoted are read once more, each alone, so that it is quoted for what it says itself.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from shared.documents.planning import as_read
from shared.inference.engine import interpret
from shared.platform.records import LANGUAGES, PassageResult
from shared.text.directions import corrected
from shared.text.lists import LISTS, score
from shared.text.standalone import standing_alone
from shared.text.summary import candidate, stand_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.inference.engine import Engine
    from shared.platform.records import Passage
    from shared.text.summary import Candidate


class Analysis(NamedTuple):
    """Results in the order of the passages."""

    results: list[PassageResult]
    candidates: list[Candidate]
    """Sentences that may be quoted, at most two of a passage, in the same order."""
    worker_seconds: float
    """Processor time of the engine's threads; that of the caller's comes on top."""


MAX_ROW = 100
"""Characters of a table's row that the model reads: its label, and some of the heads. Numbers take many word
pieces and say little; read whole, rows of a report take a third as long as its sentences."""
PROMISING = 1.2
"""Salience from which a passage's sentences are read: a sixth of a report's text has it, or less."""
MAX_SENTENCES = 8
"""Sentences that are read of a passage."""


def read_by_model(passage: Passage) -> str:
    """Return what the model reads of a passage; of a long row the end of its label, and what follows."""
    label, _, _ = passage.text.partition(" | ")
    if passage.kind != "row":
        return passage.text
    return passage.text[max(0, len(label) - MAX_ROW) :][:MAX_ROW]


def analyze_passages(engine: Engine, passages: Sequence[Passage]) -> Analysis:
    """Return what the model says of each passage, and of the sentences of those that matter.

    Sentiment, action and initiative are of sentences: other kinds of passages get topics, salience and a
    vector. A passage in a language that the heads do not know gets what does not depend on one (figures and a
    vector), rather than confident nonsense.
    """
    outputs = engine.run([read_by_model(passage) for passage in passages])
    results = []
    for position, passage in enumerate(passages):
        read = interpret(engine.manifest, outputs, position) if passage.language in LANGUAGES else None
        says = read if passage.kind == "text" else None
        topics = read.topics if read else []
        results.append(
            PassageResult(
                **as_read(passage, topics),
                sentiment=corrected(says.sentiment, passage.text) if says else None,
                topics=topics,
                action=says.action if says else None,
                salience=read.salience if read else None,
                initiative=bool(says and says.initiative),
                initiative_score=says.initiative_score if says else None,
                truncated=bool(outputs.truncated[position]),
                embedding=outputs.embedding[position].tolist(),
                space=engine.manifest.space,
            )
        )
    candidates, seconds = judged(engine, results)
    return Analysis(results, candidates, outputs.cpu_seconds + seconds)


def judged(engine: Engine, results: Sequence[PassageResult]) -> tuple[list[Candidate], float]:
    """Return the best sentences of each passage that matters, in their order, and the engine's seconds.

    Where the model does not say what matters, the first sentence of each passage is taken for the passage.
    """
    found: list[Candidate] = []
    asked: list[tuple[PassageResult, str]] = []
    for result in results:
        if result.kind != "text":
            continue
        sentences = standing_alone(result.text)[:MAX_SENTENCES]
        if result.salience is None:
            found += [stand_in(result, text) for text in sentences[:1]]
        elif result.salience >= PROMISING or (result.sentiment and result.sentiment.label == "negative"):
            asked += [(result, text) for text in sentences]
    outputs = engine.run([text for _, text in asked])
    read = []
    for at, (result, text) in enumerate(asked):
        says = interpret(engine.manifest, outputs, at)
        says = says._replace(sentiment=corrected(says.sentiment, text))
        read.append(candidate(result, text, says, outputs.embedding[at]))
    for _, of_passage in groupby(read, key=lambda one: one.index):
        found += _best(list(of_passage))
    return sorted(found, key=lambda one: one.index), outputs.cpu_seconds


def _best(sentences: list[Candidate]) -> list[Candidate]:
    """Return the sentence that is worth most, and the best for a list that this one does not belong to."""
    first = max(sentences, key=lambda one: one.worth)
    others = [name for name in LISTS if score(first, name) == 0]
    second = max(sentences, key=lambda one: max((score(one, name) for name in others), default=0.0))
    return [first, second] if any(score(second, name) > 0 for name in others) else [first]
