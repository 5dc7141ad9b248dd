"""Sentences that may be quoted: the model reads each alone, so that it is quoted for what it says itself."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from shared.inference.engine import interpret
from shared.text.lists import LISTS, score
from shared.text.standalone import standing_alone
from shared.text.summary import Candidate, encoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from shared.inference.engine import Engine, Reading
    from shared.platform.records import PassageResult

PROMISING = 1.2
"""Salience from which a passage's sentences are read: a sixth of a report's text has it, or less."""
MAX_SENTENCES = 8
"""Sentences that are read of a passage."""
_DECIMALS = 3
_PLACE = ("index", "page", "row")


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
    read = (
        _candidate(result, text, interpret(engine.manifest, outputs, at), outputs.embedding[at])
        for at, (result, text) in enumerate(asked)
    )
    for _, of_passage in groupby(read, key=lambda one: one.index):
        found += _best(list(of_passage))
    return sorted(found, key=lambda one: one.index), outputs.cpu_seconds


def _best(sentences: list[Candidate]) -> list[Candidate]:
    """Return the sentence that is worth most, and the best for a list that this one does not belong to."""
    first = max(sentences, key=lambda one: one.worth)
    others = [name for name in LISTS if score(first, name) == 0]
    second = max(sentences, key=lambda one: max((score(one, name) for name in others), default=0.0))
    return [first, second] if any(score(second, name) > 0 for name in others) else [first]


def stand_in(result: PassageResult, text: str) -> Candidate:
    """Return a sentence with what the model says of its passage."""
    return _candidate(result, text, result, result.embedding or [])


def _candidate(
    place: PassageResult,
    text: str,
    says: PassageResult | Reading,
    embedding: Sequence[float] | NDArray[np.float32],
) -> Candidate:
    scores = says.sentiment.scores if says.sentiment else {}
    return Candidate(
        **{name: getattr(place, name) for name in _PLACE},
        text=text,
        topics=[topic.name for topic in says.topics],
        action=says.action.label if says.action else "none",
        negative=round(scores.get("negative", 0.0), _DECIMALS),
        positive=round(scores.get("positive", 0.0), _DECIMALS),
        salience=says.salience,
        initiative=says.initiative,
        initiative_score=says.initiative_score,
        embedding=encoded(embedding),
    )
