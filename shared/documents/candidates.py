"""Sentences that may be quoted: the model reads each alone, so that it is quoted for what it says itself."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from shared.inference.engine import interpret
from shared.text.directions import corrected
from shared.text.lists import LISTS, score
from shared.text.standalone import standing_alone
from shared.text.summary import candidate, stand_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.inference.engine import Engine
    from shared.platform.records import PassageResult
    from shared.text.summary import Candidate

PROMISING = 1.2
"""Salience from which a passage's sentences are read: a sixth of a report's text has it, or less."""
MAX_SENTENCES = 8
"""Sentences that are read of a passage."""


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
