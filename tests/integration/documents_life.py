"""A document moved on step by step, as ingest and analyze move it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.documents.completion import claim, finish
from shared.documents.store import Documents
from shared.platform.clients import firestore_client
from shared.platform.records import UploadEvent
from tests.integration.documents_parts import batch_of, commit, plan_of

if TYPE_CHECKING:
    from shared.documents.model import Document

SIZES = (2, 1)
"""Passages in the batches of every run."""
_numbers = itertools.count(1)


class Life:
    """A document, moved on step by step."""

    def __init__(self) -> None:
        self.documents = Documents(firestore_client())
        self.name = f"report-{next(_numbers)}.txt"

    def claim(self, generation: int, restart: int | None = None) -> Document:
        event = UploadEvent(
            bucket="uploads",
            name=self.name,
            generation=generation,
            event_type="OBJECT_FINALIZE",
            size=1,
            restart_run=restart,
        )
        claimed = claim(self.documents, event, published=datetime.now(UTC), lease_seconds=60)
        assert claimed is not None
        return claimed

    def analyze(self, claim: Document, generation: int, batches: int = len(SIZES)) -> None:
        """Plan a run and commit its first batches."""
        self.documents.plan(claim, plan_of(f"{claim.id}-{claim.run}", SIZES))
        for number in range(batches):
            start = sum(SIZES[:number])
            bounds = (start, start + SIZES[number])
            commit(
                self.documents,
                batch_of(claim.id, claim.run, generation, number, bounds),
                range(*bounds),
            )
        finish(self.documents, claim.id, claim.run)

    def kept(self, document: str) -> dict[str, set[int]]:
        """Of which runs there are passages, and batches."""
        reference = self.documents.reference(document)
        return {
            part: {(one.to_dict() or {})["run"] for one in reference.collection(part).stream()}
            for part in ("passages", "batches")
        }
