"""Choose the sentences of a document that later summaries may quote."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np

from shared.documents.outcomes import Kept
from shared.text.quality import GOOD, tells_of_death
from shared.text.summary import choose, decode_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.documents.outcomes import Role
    from shared.text.summary import Aggregate, Candidate

MAX_INITIATIVES = 400
"""Of a document: the best that can be told in a sentence. With their vectors some 250 kB, and Firestore
takes 1 MiB."""
MAX_MOOD = 8
"""Of the most negative sentences on a topic, people's deaths first, and as many of the most positive."""
MAX_UNUSUAL = 4
LIKELY = 0.5
"""Probability of a mood from which a sentence may stand for it."""


def keep(aggregate: Aggregate) -> tuple[list[Kept], NDArray[np.int8]]:
    """Sentences in document order, and (n, 384) their vectors, eight bits a component."""
    roles: dict[int, set[Role]] = {}

    def give(role: Role, chosen: list[Candidate]) -> None:
        for one in chosen:
            roles.setdefault(one.index, set()).add(role)

    candidates = aggregate.candidates
    told = [one for one in candidates if one.topics and one.quality >= GOOD]
    give("summary", choose(aggregate))
    initiatives = [one for one in candidates if one.topics and one.action != "none"]
    give("initiative", sorted(initiatives, key=lambda one: (-one.quality, one.index))[:MAX_INITIATIVES])
    deaths = {one.index for one in told if tells_of_death(one.text, one.negative, one.positive)}
    bad = sorted(
        (one for one in told if one.negative >= LIKELY or one.index in deaths),
        key=lambda one: (one.index not in deaths, -one.negative, one.index),
    )
    good = sorted((one for one in told if one.positive >= LIKELY), key=lambda one: (-one.positive, one.index))
    give("negative", bad[:MAX_MOOD])
    give("positive", good[:MAX_MOOD])
    give("unusual", _unusual(aggregate, told))
    chosen = [one for one in candidates if one.index in roles]
    kept = [
        Kept(
            index=one.index,
            page=one.page,
            row=one.row,
            text=one.text,
            quality=one.quality,
            topics=one.topics,
            action=one.action,
            negative=one.negative,
            positive=one.positive,
            roles=sorted(roles[one.index]),
        )
        for one in chosen
    ]
    return kept, _vectors(chosen)


def _unusual(aggregate: Aggregate, told: list[Candidate]) -> list[Candidate]:
    """The sentences on a topic that are furthest from the centre of their document."""
    if not told or not aggregate.centre:
        return []
    centre = decode_sum(aggregate.centre).astype(np.float64)
    vectors = _vectors(told).astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1) * (np.linalg.norm(centre) or 1.0)
    near = vectors @ centre / np.where(lengths == 0, 1.0, lengths)
    order = sorted(range(len(told)), key=lambda at: (round(float(near[at]), 6), told[at].index))
    return [told[at] for at in order[:MAX_UNUSUAL]]


def _vectors(candidates: list[Candidate]) -> NDArray[np.int8]:
    parts = [base64.b64decode(one.embedding) for one in candidates]
    return np.frombuffer(b"".join(parts), dtype=np.int8).reshape(len(parts), -1 if parts else 0)
