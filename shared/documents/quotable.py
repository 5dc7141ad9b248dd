"""Choose the sentences of a document that may be quoted later."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np

from shared.documents.outcomes import Kept
from shared.text.summary import choose

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from shared.documents.outcomes import Role
    from shared.text.summary import Aggregate, Candidate

MAX_INITIATIVES = 400
"""Initiatives kept of a document. With their vectors they take some 250 kB, and Firestore takes 1 MiB."""
MAX_MOOD = 8
"""Sentences kept of the bad news on a topic, and as many of the good."""
LIKELY = 0.5
"""Probability of a mood from which a sentence may stand for it."""


def weight(salience: float | None, likely: float | None) -> float:
    """Return what a sentence is worth in a list: how much it matters, by how sure it belongs there.

    What an older model does not say counts as 1.
    """
    return (1.0 if salience is None else salience) * (1.0 if likely is None else likely)


def keep(aggregate: Aggregate) -> tuple[list[Kept], NDArray[np.int8]]:
    """Return sentences in document order, and their vectors: (n, 384), eight bits a component."""
    roles: dict[int, set[Role]] = {each.index: {"summary"} for each in choose(aggregate)}
    candidates = aggregate.candidates

    def give(role: Role, likely: Iterable[tuple[float | None, Candidate]], most: int) -> None:
        best = sorted(likely, key=lambda pair: (-weight(pair[1].salience, pair[0]), pair[1].index))
        for _, each in best[:most]:
            roles.setdefault(each.index, set()).add(role)

    on_topic = [each for each in candidates if each.topics]
    give("negative", ((each.negative, each) for each in on_topic if each.negative >= LIKELY), MAX_MOOD)
    give("positive", ((each.positive, each) for each in on_topic if each.positive >= LIKELY), MAX_MOOD)
    initiatives = ((each.initiative_score, each) for each in candidates if each.initiative)
    give("initiative", initiatives, MAX_INITIATIVES)
    chosen = [each for each in candidates if each.index in roles]
    kept = [
        Kept(**each.model_dump(exclude={"embedding"}), roles=sorted(roles[each.index])) for each in chosen
    ]
    return kept, _vectors(chosen)


def _vectors(candidates: list[Candidate]) -> NDArray[np.int8]:
    parts = [base64.b64decode(each.embedding) for each in candidates]
    return np.frombuffer(b"".join(parts), dtype=np.int8).reshape(len(parts), -1 if parts else 0)
