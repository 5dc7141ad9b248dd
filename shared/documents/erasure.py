"""Delete a document: its records, its passages and its artefacts.

The uploaded file is its owner's. An upload or a replay may come at any moment, before or while a document is
erased; every step therefore looks whether the record is still the one that is being erased. What is still on
its way when that ends is refused by what `shared.documents.tombstones` keeps.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from shared.documents import outcomes, tombstones
from shared.documents.store import CONTENTS, Documents, now
from shared.platform.clients import storage_client
from shared.platform.errors import Superseded
from shared.platform.retry import storage_limits
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from google.cloud import firestore

PAGE = 300
"""Records deleted in one commit."""
PARTS = ("passages", "batches", "leases", "runs")
BEGUN = "superseded"
"""The state of a record that is being erased; no other transition leads a document there."""
Seen = tuple[int | None, str | None]
"""Run and generation of a document when somebody looked at it."""


def seen(stored: Mapping[str, Any]) -> Seen:
    """What a stored document is at."""
    return stored.get("run"), stored.get("generation")


def check_unchanged(stored: Mapping[str, Any] | None, expected: Seen) -> None:
    """Raise Superseded where a document has moved on since somebody looked at it."""
    if stored is None or stored.get("state") == BEGUN or seen(stored) == expected:
        return
    run, generation = seen(stored)
    what = "was uploaded again" if generation != expected[1] else "was begun again"
    raise Superseded(f"It {what} meanwhile, and is at run {run} now.")


def erase_stored(
    client: firestore.Client,
    document: str,
    expected: Seen | None = None,
    *,
    deleted: int = 0,
    also: Callable[[], object] = lambda: None,
) -> None:
    """Delete what is stored for a document, its record last, so that a killed erasure is found again.

    Parts that are already gone are no error.

    Args:
        client: the process's own.
        document: its id.
        expected: what it was at when it was chosen; None: whatever it is at.
        deleted: the newest generation of its file that was deleted, of which a notification may still come.
        also: called before the record is deleted, to remove the document from what rests on it.

    Raises:
        Superseded: it has moved on since, or does so while it is erased; what came is left alone.
    """
    from google.api_core.exceptions import NotFound
    from google.cloud.firestore_v1.base_query import FieldFilter

    hold = _Hold(client, document, deleted)
    if not hold.take(expected):
        return
    prefix = f"runs/{document}/"
    blobs = list(storage_client().list_blobs(settings().work_bucket, prefix=prefix, **storage_limits()))
    if not hold.delete([]):
        return
    for blob in blobs:  # each in the generation that was listed: one that is newer is another run's
        with suppress(NotFound):
            blob.delete(**storage_limits())
    also()
    named = client.collection(CONTENTS).where(filter=FieldFilter("document", "==", document))
    for query in [*(hold.reference.collection(part).select([]) for part in PARTS), named.select([])]:
        while found := [snapshot.reference for snapshot in query.limit(PAGE).stream()]:
            if not hold.delete(found):
                return
    hold.delete([hold.reference], last=True)


class _Hold:
    """A document while it is erased: records of it are deleted only as long as nobody has it anew."""

    def __init__(self, client: firestore.Client, document: str, deleted: int) -> None:
        self._documents = Documents(client)
        self._deleted = deleted
        self.reference = self._documents.reference(document)
        self._outcome = client.collection(outcomes.COLLECTION).document(document)
        self._own: Seen | None = None

    def take(self, expected: Seen | None) -> bool:
        """Let no batch of it commit any more, so that what is deleted stays deleted; False: there is none."""

        def step(transaction: firestore.Transaction) -> Seen | None:
            stored = self.reference.get(transaction=transaction).to_dict()
            if stored is None:
                self._stay_gone(transaction, self._deleted)
                return None
            if expected is not None:
                check_unchanged(stored, expected)
            run, generation = seen(stored)
            if stored.get("state") != BEGUN:
                run = (run or 0) + 1
                # Nothing is published: an upload that comes now and fails is to keep nothing that is older.
                fields = {"run": run, "state": BEGUN, "lease": None, "published_run": None}
                transaction.update(self.reference, fields)
            transaction.delete(self._outcome)
            return run, generation

        self._own = self._documents.run(step)
        return self._own is not None

    def delete(self, references: Sequence[firestore.DocumentReference], *, last: bool = False) -> bool:
        """Delete records of it, its own with the `last`; False: it is gone, since another erasure has ended.

        Raises:
            Superseded: it was uploaded again.
        """

        def step(transaction: firestore.Transaction) -> bool:
            stored = self.reference.get(transaction=transaction).to_dict()
            if stored is None:
                return False
            if stored["state"] != BEGUN or seen(stored) != self._own:
                raise Superseded("It was uploaded again while it was erased; what came is left alone.")
            if last:
                self._stay_gone(transaction, max(self._deleted, int(stored.get("generation") or 0)))
            for reference in references:
                transaction.delete(reference)
            return True

        return self._documents.run(step)

    def _stay_gone(self, transaction: firestore.Transaction, generation: int) -> None:
        if generation:
            tombstones.lay(transaction, self._documents.client, self.reference.id, generation, now())
