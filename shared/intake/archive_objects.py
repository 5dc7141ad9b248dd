"""An archive's objects in the bucket: which are its members, until when it may store them, how they go.

Another instance may unpack a newer archive of the same name at the same time. What is stored here is fenced
by the generation of the archive's document: it is looked at before each member and once more after the last,
and who was overtaken takes away what it stored.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from shared.documents.store import Documents, document_id, now
from shared.documents.tombstones import lay
from shared.platform.clients import firestore_client, storage_client
from shared.platform.errors import Superseded
from shared.platform.records import ARCHIVE
from shared.platform.retry import storage_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from google.cloud import firestore
    from google.cloud.storage import Blob, Bucket

    from shared.platform.records import UploadEvent

ARCHIVE_GENERATION, DEPTH = "headrace-archive-generation", "headrace-depth"
"""Metadata of a member: the archive's generation, and how many archives it lies in."""
INSIDE = "!/"
"""Between the names of archive and member, as in jar: URLs. A slash alone would make of the archive's name
both an object and a folder, which buckets may have and file systems may not."""
MAX_DEPTH = 2
"""An archive in an archive is unpacked; one in that is rejected."""
AT_ONCE = 8
"""Small members that are uploaded, or members that go, side by side."""
_NEWER = "a newer archive of this name is known"
_REMOVED = "the archive that this one lies in has it no more"
_ERASED = "the archive's document was erased"


@dataclass(frozen=True)
class Archive:
    """One generation of it."""

    event: UploadEvent
    document: str

    @property
    def depth(self) -> int:
        """Of its members: how many archives they lie in."""
        return depth_of(self.event.metadata) + 1

    @cached_property
    def bucket(self) -> Bucket:
        """In which it lies."""
        return storage_client().bucket(self.event.bucket)

    def objects(self) -> dict[str, Blob]:
        """All under its name, whosever they are."""
        found = self.bucket.list_blobs(prefix=self.event.name + INSIDE, **storage_limits())
        return {blob.name: blob for blob in found}

    def blob(self, member: str) -> Blob:
        """Where a member is stored, with what it is to say of itself."""
        blob = self.bucket.blob(f"{self.event.name}{INSIDE}{member}")
        own = {
            ARCHIVE: self.document,
            ARCHIVE_GENERATION: str(self.event.generation),
            DEPTH: str(self.depth),
        }
        given = {key: value for key, value in self.event.metadata.items() if not key.startswith("headrace-")}
        blob.metadata = given | own
        return blob

    def has(self, blob: Blob) -> bool:
        """Whether it is a member, of whatever generation; it came from elsewhere otherwise."""
        return _metadata(blob).get(ARCHIVE) == self.document

    def check(self) -> None:
        """Raise Superseded where nothing more of it is to be stored."""
        if why := self._over():
            raise Superseded(why)

    def check_newest(self, members: Iterable[Blob]) -> None:
        """Raise Superseded where one of them is a newer archive's."""
        if any(self.has(blob) and generation_of(blob) > self.event.generation for blob in members):
            raise Superseded(_NEWER)

    def clear_if_overtaken(self) -> None:
        """Take away what this generation stored, where none of it belongs to anybody any more.

        Of an archive that was erased meanwhile the files stay, as its own does.
        """
        if self._over() in {_NEWER, _REMOVED}:
            self.remove(self.objects(), lambda generation: generation == self.event.generation, ())

    def remove(self, objects: Mapping[str, Blob], gone: Callable[[int], bool], kept: Collection[str]) -> None:
        """Delete members of generations that are gone but those kept, and what lies in archives among them.

        Their documents are left to sweep, which erases what expires. They are marked before an object is
        deleted, and what lies inside goes first: who is killed in between finds the rest when this is done
        again. What changes meanwhile is somebody else's.
        """
        going = {
            name: blob
            for name, blob in objects.items()
            if name not in kept and self.has(blob) and gone(generation_of(blob))
        }
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(_expire, going.values()))  # from now on their own members are stored no more
            inside = list(self._inside(going, kept))
            list(pool.map(_expire, inside))
            list(pool.map(_delete, inside))
            list(pool.map(_delete, going.values()))

    def _over(self) -> str | None:
        reference = Documents(firestore_client()).reference(self.document)
        stored = reference.get(["generation", "expires_at"]).to_dict()
        if stored is not None and int(stored["generation"]) > self.event.generation:
            return _NEWER
        if self.depth > 1:
            expires = stored.get("expires_at") if stored is not None else now()
            return _REMOVED if expires and expires <= now() else None
        return _ERASED if stored is None else None

    def _inside(self, going: Collection[str], kept: Collection[str]) -> Iterable[Blob]:
        """Members of members that go, or are gone already."""
        objects = self.objects()
        for name, blob in objects.items():
            metadata = _metadata(blob)
            if self.has(blob) or metadata.get(DEPTH) != str(self.depth + 1):
                continue
            parts = name[len(self.event.name) :].split(INSIDE)[1:]
            above = [INSIDE.join([self.event.name, *parts[:end]]) for end in range(1, len(parts))]
            for archive in above:
                if document_id(self.event.bucket, archive) == metadata.get(ARCHIVE):
                    if archive in going or (archive not in objects and archive not in kept):
                        yield blob
                    break


def generation_of(member: Blob) -> int:
    """Of the archive that a member was stored from."""
    given = _metadata(member).get(ARCHIVE_GENERATION, "")
    return int(given) if given.isdecimal() else 0


def depth_of(metadata: Mapping[str, str]) -> int:
    """In how many archives an object lies."""
    given = metadata.get(DEPTH, "0")
    return int(given) if given.isdecimal() and len(given) == 1 else MAX_DEPTH


def _expire(blob: Blob) -> None:
    """Let sweep erase the document of an object that is to go, unless it is at a newer generation.

    Where its notification is still on its way, it does not become a document.
    """
    documents = Documents(firestore_client())
    reference = documents.reference(document_id(blob.bucket.name, blob.name))

    def step(transaction: firestore.Transaction) -> None:
        stored = reference.get(transaction=transaction).to_dict()
        if stored is None:
            lay(transaction, documents.client, reference.id, blob.generation, now())
        elif int(stored["generation"]) <= blob.generation:
            transaction.update(reference, {"expires_at": now()})

    documents.run(step)


def _delete(blob: Blob) -> None:
    from google.api_core.exceptions import NotFound, PreconditionFailed

    try:
        blob.delete(if_generation_match=blob.generation, **storage_limits())
    except (NotFound, PreconditionFailed):
        return


def _metadata(blob: Blob) -> dict[str, str]:
    return blob.metadata or {}
