"""Artefacts of runs that were replaced: deleted after their records, by sweep, which alone has the right.

They are listed before the record says which are needed: one that is erased and comes again counts from one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.documents.artefacts import of_runs, remove_runs
from shared.documents.completion import is_as_read, stale_runs

if TYPE_CHECKING:
    from google.cloud import firestore

    from shared.documents.store import Documents


def remove_stale(documents: Documents, document: str) -> None:
    """Delete the artefacts of a document's runs of which nothing is needed, if that is still to be done."""
    reference = documents.reference(document)
    found = of_runs(document)
    stored = reference.get().to_dict()
    if stored is None or not stored.get("stale_artefacts"):
        return
    remove_runs(found, *stale_runs(reference, stored))

    def note(transaction: firestore.Transaction) -> None:
        current = reference.get(transaction=transaction).to_dict()
        if is_as_read(current, stored, "state", "published_run"):
            transaction.update(reference, {"stale_artefacts": False})

    documents.run(note)
