"""A Firestore transaction that begins with its first read.

The client's own begins with a call that does nothing else. A document's way through the pipeline is a handful
of short transactions, so a call less in each is a good part of what it waits for, and of what is billed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.cloud.firestore_v1 import Transaction
from google.cloud.firestore_v1._helpers import decode_dict

if TYPE_CHECKING:
    from google.cloud import firestore

_NOT_BEGUN = b""
"""In place of the server's id. As the transaction of a commit it means none, which is what a step that has
read nothing needs."""


class ShortTransaction(Transaction):
    """For `Documents.run`; a read of the client's own begins it as well, by a call of its own."""

    _id: Any
    _first_lost = _NOT_BEGUN
    """The first attempt that was aborted, whose place in the queue the next one takes."""

    def read(self, *references: firestore.DocumentReference) -> list[dict[str, Any] | None]:
        """Read documents in one call, in their order; None for one that does not exist."""
        assert not self._write_pbs, "Firestore reads before it writes"
        client = self._client
        request: dict[str, Any] = {
            "database": client._database_string,  # noqa: SLF001 - the client has no public way to begin so
            "documents": [reference._document_path for reference in references],  # noqa: SLF001
        }
        if self._id:
            request["transaction"] = self._id
        else:
            retried = {"retry_transaction": self._first_lost} if self._first_lost else {}
            request["new_transaction"] = {"read_write": retried}
        found: dict[str, dict[str, Any]] = {}
        answers = client._firestore_api.batch_get_documents(  # noqa: SLF001
            request=request,
            metadata=client._rpc_metadata,  # noqa: SLF001
        )
        for answer in answers:
            self._id = answer.transaction or self._id
            if answer.found:
                fields: Any = decode_dict(answer.found.fields, client)
                found[answer.found.name] = fields
        return [found.get(reference._document_path) for reference in references]  # noqa: SLF001

    @property
    def id(self) -> bytes:
        """The server's id; the client asks for it when it reads in this transaction, and so begins it."""
        if not self._id:
            self._id = None
            super()._begin(self._first_lost or None)
        begun: bytes = self._id
        return begun

    def _begin(self, retry_id: bytes | None = None) -> None:
        if retry_id is None:  # the first attempt of several
            self._first_lost = _NOT_BEGUN
        self._id = _NOT_BEGUN

    def _rollback(self) -> None:
        if self._id:
            super()._rollback()
        else:
            self._clean_up()

    def _clean_up(self) -> None:
        self._first_lost = self._first_lost or self._id or _NOT_BEGUN
        super()._clean_up()
