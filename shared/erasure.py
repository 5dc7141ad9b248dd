"""Remove a document wholly: its records, its passages, its artefacts, and its sentences in digests.

The uploaded file is its owner's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.clients import storage_client
from shared.digests import outcomes
from shared.documents import COLLECTION, CONTENTS
from shared.retry import storage_limits
from shared.settings import settings

if TYPE_CHECKING:
    from google.cloud import firestore

PAGE = 300
"""Records deleted in one commit."""
PARTS = ("passages", "batches", "leases", "runs")


def erase(client: firestore.Client, document: str) -> None:
    """Erase a document; what is gone already is no error. The record goes last, so a kill is made good."""
    from google.cloud.firestore_v1 import Increment
    from google.cloud.firestore_v1.base_query import FieldFilter

    from shared.digests.redact import redact  # brings all that draws a digest

    reference = client.collection(COLLECTION).document(document)
    if not reference.get().exists:
        return
    # From here on no batch of the document commits: what is deleted stays deleted.
    reference.update({"run": Increment(1), "state": "superseded", "lease": None})
    prefix = f"runs/{document}/"
    for blob in storage_client().list_blobs(settings().work_bucket, prefix=prefix, **storage_limits()):
        blob.delete(**storage_limits())
    client.collection(outcomes.COLLECTION).document(document).delete()
    redact(client, document)
    named = client.collection(CONTENTS).where(filter=FieldFilter("document", "==", document))
    for query in [*(reference.collection(part).select([]) for part in PARTS), named.select([])]:
        while found := list(query.limit(PAGE).stream()):
            batch = client.batch()
            for snapshot in found:
                batch.delete(snapshot.reference)
            batch.commit()
    reference.delete()
