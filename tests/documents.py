"""Documents as Firestore has them, with what a test says of them and something plausible for the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from shared.documents.model import Document, Timings

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def made(**fields: Any) -> Document:
    """Return a document with these fields."""
    usual: dict[str, Any] = {
        "id": "d" * 24,
        "bucket": "b",
        "name": "n",
        "size": 1,
        "content_type": None,
        "metadata": {},
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "received_at": MOMENT,
        "waiting_since": MOMENT,
        "run": 1,
        "generation": 1,
        "state": "completed",
        "timings": Timings(uploaded_at=MOMENT, claimed_at=MOMENT),
    }
    return Document.model_validate(usual | fields)
