"""From numbers to what a person reads: labels with scores, and the topics that reach their threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shared.platform.records import Action, Sentiment, TopicScore

if TYPE_CHECKING:
    from shared.inference.manifest import Manifest
    from shared.inference.outputs import Outputs

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
