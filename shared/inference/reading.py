"""Interpret the outputs of the model as labels, topics and an embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from shared.platform.records import Action, Sentiment, TopicScore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.inference.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Outputs:
    """Row i of every array belongs to text i. Probabilities; label order is the manifest's.

    Of a model without heads, the arrays of heads have no columns.
    """

    embedding: NDArray[np.float32]
    """(n, 384), unit length."""
    topics: NDArray[np.float32]
    """(n, topics); each on its own, calibrated, in the manifest's order: by default `records.TOPICS`."""
    action: NDArray[np.float32]
    """(n, 3), rows sum to 1: implemented, planned, none."""
    sentiment: NDArray[np.float32]
    """(n, 3), rows sum to 1: positive, neutral, negative."""
    tokens: NDArray[np.int32]
    """(n,), word pieces of the whole text, the two special tokens included."""
    truncated: NDArray[np.bool_]
    """(n,), true where the text was longer than the window and only its beginning was read."""

    cpu_seconds: float = 0.0
    """Processor time of the workers, in seconds; less where rows were known from an earlier call."""

    def __len__(self) -> int:
        return len(self.tokens)


_DECIMALS = 4


class Reading(NamedTuple):
    """What the model says of one text, in the shapes Firestore stores."""

    sentiment: Sentiment
    action: Action
    topics: list[TopicScore]
    """Those that reach their threshold, best first."""


def interpret(manifest: Manifest, outputs: Outputs, row: int) -> Reading:
    """Read row `row` of `outputs`. Scores are rounded to four decimals, so they sum to 1 within 0.0002.

    Raises:
        ValueError: the model only embeds.
    """
    if not manifest.sentiments:
        raise ValueError(f"model {manifest.name} has no heads")
    sentiment = dict(zip(manifest.sentiments, _rounded(outputs.sentiment[row].tolist()), strict=True))
    action = dict(zip(manifest.actions, _rounded(outputs.action[row].tolist()), strict=True))
    scored = zip(manifest.topics, manifest.thresholds, outputs.topics[row].tolist(), strict=True)
    topics = [
        TopicScore(name=name, score=round(score, _DECIMALS))
        for name, threshold, score in scored
        if score >= threshold
    ]
    return Reading(
        sentiment=Sentiment(label=max(sentiment, key=sentiment.__getitem__), scores=sentiment),
        action=Action(label=max(action, key=action.__getitem__), scores=action),
        topics=sorted(topics, key=lambda topic: -topic.score),
    )


def _rounded(scores: list[float]) -> list[float]:
    return [round(score, _DECIMALS) for score in scores]
