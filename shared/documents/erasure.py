"""Delete a document: its records, its passages and its artefacts.

The uploaded file belongs to its owner and stays. An upload or a replay may come at any moment, before or
during an erasure, so every step checks that the record is still the one being erased. Messages that arrive
after the end are refused by the document's tombstone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.documents import artefacts, outcomes, transitions
from shared.documents.store import CONTENTS, Documents, is_as_read, lay_tombstone, now
from shared.platform.clients import where
from shared.platform.errors import Superseded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from google.cloud import firestore

    from shared.documents.model import Document
    from shared.platform.transaction import ShortTransaction

PAGE = 300
"""Records deleted in one commit."""
PARTS = ("passages", "batches", "leases", "runs", "corrections")
Seen = tuple[int, int]
"""Run and generation of a document when somebody looked at it."""


def seen(document: Document) -> Seen:
    """Return what a document is at."""
    return document.run, document.generation


def check_unchanged(document: Document | None, expected: Seen | None) -> None:
    """Raise Superseded where a document has moved on since somebody looked at it."""
    if document is None or expected is None or document.state == "erasing" or seen(document) == expected:
        return
    what = "was uploaded again" if document.generation != expected[1] else "was begun again"
    raise Superseded(f"It {what} meanwhile, and is at run {document.run} now.")


def erase_stored(
    client: firestore.Client,
    document: str,
    expected: Seen | None = None,
    *,
    deleted: int = 0,
    also: Callable[[], object] = lambda: None,
) -> None:
    """Delete what is stored for a document, its record last, so that a killed erasure is found again.

    Args:
        client: the process's own.
        document: its id.
        expected: what it was at when it was chosen; None: whatever it is at.
        deleted: the newest generation of its file that was deleted, of which a notification may still come.
        also: called before the record is deleted, to remove the document from what rests on it.

    Raises:
        Superseded: it has moved on since, or does so while it is erased; what came is left alone.
    """
    hold = _Hold(client, document, deleted)
    if not hold.take(expected):
        return
    blobs = artefacts.of_runs(document)
    if not hold.delete([]):
        return
    for blob in blobs:  # each in the generation that was listed: one that is newer is another run's
        artefacts.delete(blob)
    also()
    named = where(client.collection(CONTENTS), ("document", "==", document))
    for query in [*(hold.reference.collection(part).select([]) for part in PARTS), named.select([])]:
        while references := [snapshot.reference for snapshot in query.limit(PAGE).stream()]:
            if not hold.delete(references):
                return
    hold.delete([hold.reference], last=True)


class _Hold:
    """A document while it is erased: records of it are deleted only as long as nobody has it anew."""

    def __init__(self, client: firestore.Client, document: str, deleted: int) -> None:
        self._documents = Documents(client)
        self._deleted = deleted
        self.reference = self._documents.reference(document)
        self._outcome = client.collection(outcomes.COLLECTION).document(document)
        self._own: Document | None = None

    def take(self, expected: Seen | None) -> bool:
        """Let no batch of it commit any more, so that what is deleted stays deleted; False: there is none."""

        def step(transaction: ShortTransaction) -> Document | None:
            document = self._documents.read(transaction, self.reference.id)
            if document is None:
                self._stay_gone(transaction, self._deleted)
                return None
            check_unchanged(document, expected)
            erasing = document if document.state == "erasing" else transitions.erase(document, now())
            self._documents.write(transaction, document, erasing)
            transaction.delete(self._outcome)
            return erasing

        self._own = self._documents.run(step)
        return self._own is not None

    def delete(self, references: Sequence[firestore.DocumentReference], *, last: bool = False) -> bool:
        """Delete records of it, its own with the `last`; False: it is gone, since another erasure has ended.

        Raises:
            Superseded: it was uploaded again.
        """

        def step(transaction: ShortTransaction) -> bool:
            document = self._documents.read(transaction, self.reference.id)
            if document is None:
                return False
            if self._own is None or document.state != "erasing" or not is_as_read(document, self._own):
                raise Superseded("It was uploaded again while it was erased; what came is left alone.")
            if last:
                self._stay_gone(transaction, max(self._deleted, document.generation))
            for reference in references:
                transaction.delete(reference)
            return True

        return self._documents.run(step)

    def _stay_gone(self, transaction: ShortTransaction, generation: int) -> None:
        if generation:
            lay_tombstone(transaction, self._documents.client, self.reference.id, generation, now())
