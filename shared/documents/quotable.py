"""Choose the sentences of a document that may be quoted later."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np

from shared.documents.outcomes import Kept
from shared.text.quality import GOOD, reports_death
from shared.text.summary import choose, decode_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.documents.outcomes import Role
    from shared.text.summary import Aggregate, Candidate

MAX_INITIATIVES = 400
"""Initiatives kept of a document. With their vectors they take some 250 kB, and Firestore takes 1 MiB."""
MAX_MOOD = 8
"""Sentences kept of the most negative ones on a topic, people's deaths first, and as many positive ones."""
MAX_UNUSUAL = 4
LIKELY = 0.5
"""Probability of a mood from which a sentence may stand for it."""


def keep(aggregate: Aggregate) -> tuple[list[Kept], NDArray[np.int8]]:
    """Return sentences in document order, and their vectors: (n, 384), eight bits a component."""
    roles: dict[int, set[Role]] = {}

    def give(role: Role, chosen: list[Candidate]) -> None:
        for each in chosen:
            roles.setdefault(each.index, set()).add(role)

    candidates = aggregate.candidates
    quotable = [each for each in candidates if each.topics and each.quality >= GOOD]
    give("summary", choose(aggregate))
    initiatives = [each for each in candidates if each.topics and each.action != "none"]
    give("initiative", sorted(initiatives, key=lambda each: (-each.quality, each.index))[:MAX_INITIATIVES])
    deaths = {each.index for each in quotable if reports_death(each.text, each.negative, each.positive)}
    bad = sorted(
        (each for each in quotable if each.negative >= LIKELY or each.index in deaths),
        key=lambda each: (each.index not in deaths, -each.negative, each.index),
    )
    good = sorted(
        (each for each in quotable if each.positive >= LIKELY), key=lambda each: (-each.positive, each.index)
    )
    give("negative", bad[:MAX_MOOD])
    give("positive", good[:MAX_MOOD])
    give("unusual", _unusual(aggregate, quotable))
    chosen = [each for each in candidates if each.index in roles]
    kept = [
        Kept(**each.model_dump(exclude={"embedding"}), roles=sorted(roles[each.index])) for each in chosen
    ]
    return kept, _vectors(chosen)


def _unusual(aggregate: Aggregate, quotable: list[Candidate]) -> list[Candidate]:
    """Return the sentences on a topic that are furthest from the centre of their document."""
    if not quotable or not aggregate.centre:
        return []
    centre = decode_sum(aggregate.centre).astype(np.float64)
    vectors = _vectors(quotable).astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1) * (np.linalg.norm(centre) or 1.0)
    near = vectors @ centre / np.where(lengths == 0, 1.0, lengths)
    order = sorted(range(len(quotable)), key=lambda at: (round(float(near[at]), 6), quotable[at].index))
    return [quotable[at] for at in order[:MAX_UNUSUAL]]


def _vectors(candidates: list[Candidate]) -> NDArray[np.int8]:
    parts = [base64.b64decode(each.embedding) for each in candidates]
    return np.frombuffer(b"".join(parts), dtype=np.int8).reshape(len(parts), -1 if parts else 0)
