"""Choose the sentences of a document that may be quoted later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.documents.outcomes import Kept
from shared.text.lists import listed, summary
from shared.text.summary import vectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.documents.outcomes import Role
    from shared.text.summary import Aggregate, Candidate

MAX_INITIATIVES = 400
"""Initiatives kept of a document. With their vectors they take some 250 kB, and Firestore takes 1 MiB."""
MAX_MOOD = 8
"""Incidents kept of a document, and as much good news."""


def keep(aggregate: Aggregate) -> tuple[list[Kept], NDArray[np.int8]]:
    """Return sentences in document order, and their vectors: (n, 384), eight bits a component."""
    candidates = aggregate.candidates
    chosen: dict[Role, list[Candidate]] = {
        "summary": summary(aggregate),
        "initiative": listed(candidates, "initiatives", MAX_INITIATIVES),
        "negative": listed(candidates, "incidents", MAX_MOOD),
        "positive": listed(candidates, "good_news", MAX_MOOD),
    }
    roles: dict[tuple[int, str], list[Role]] = {}
    for role, taken in chosen.items():
        for one in taken:
            roles.setdefault(one.place, []).append(role)
    kept = [one for one in candidates if one.place in roles]
    return [
        Kept(
            **one.model_dump(exclude={"embedding"}), worth=round(one.worth, 3), roles=sorted(roles[one.place])
        )
        for one in kept
    ], vectors(kept)
