"""The passages of two runs, side by side as they are stored, some at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from long_job.backfill.compare import Comparer
from shared.documents.passages import COLLECTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud import firestore

    from long_job.backfill.compare import Comparison

FIELDS = ("index", "text", "sentiment", "action", "topics", "initiative", "embedding")
PAGE = 200
"""Passages read at once of each run: a megabyte with their embeddings."""


def compare(reference: firestore.DocumentReference, old_run: int, new_run: int) -> Comparison:
    """How the passages of the new run differ from those of the old one.

    Args:
        reference: the document.
        old_run: made from the same passages.
        new_run: compared with it.
    """
    comparer = Comparer(reference.id, new_run)
    olds, news = _passages(reference, old_run), _passages(reference, new_run)
    old, new = next(olds, None), next(news, None)
    while old is not None or new is not None:
        if old is not None and new is not None and old["index"] == new["index"]:
            comparer.add(old, new)
            old, new = next(olds, None), next(news, None)
        elif new is None or (old is not None and old["index"] < new["index"]):
            comparer.add(old, None)
            old = next(olds, None)
        else:
            comparer.add(None, new)
            new = next(news, None)
    return comparer.result()


def _passages(reference: firestore.DocumentReference, run: int) -> Iterator[dict[str, Any]]:
    from google.cloud.firestore_v1.base_query import FieldFilter

    query = reference.collection(COLLECTION).where(filter=FieldFilter("run", "==", run))
    query = query.order_by("index").select(FIELDS).limit(PAGE)
    page = [snapshot.to_dict() or {} for snapshot in query.stream()]
    while page:
        yield from page
        if len(page) < PAGE:
            return
        following = query.start_after({"index": page[-1]["index"]})
        page = [snapshot.to_dict() or {} for snapshot in following.stream()]
