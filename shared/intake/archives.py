"""Unpack archives: their members become objects and documents of their own.

Another instance may unpack a newer archive of the same name at the same time. The generation of the archive's
document is the fence: it is checked before each member and once more after the last, and an instance that was
overtaken removes what it stored.
"""

from __future__ import annotations

import io
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Self

from shared.documents.store import Documents, document_id, now
from shared.documents.store import lay_tombstone as lay
from shared.extract.facts import TITLE
from shared.extract.sandbox.client import too_slow
from shared.extract.zips import MAX_NAME, members
from shared.platform.clients import firestore_client, storage_client
from shared.platform.errors import Rejected, Retryable, Superseded
from shared.platform.records import ARCHIVE, INSIDE
from shared.platform.retry import storage_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    from google.cloud.storage import Blob, Bucket

    from shared.extract.shapes import Limits
    from shared.platform.records import UploadEvent
    from shared.platform.transaction import ShortTransaction


ARCHIVE_GENERATION = "headrace-archive-generation"
"""Metadata of a member: the generation of its archive."""
AT_ONCE = 8
"""Small members that are uploaded, or members that are deleted, side by side."""
_NEWER = "a newer archive of this name is known"
_ERASED = "the archive's document was erased"


@dataclass(frozen=True)
class Archive:
    """One generation of an archive in the bucket."""

    event: UploadEvent
    document: str

    @cached_property
    def bucket(self) -> Bucket:
        """The bucket that holds the archive and its members."""
        return storage_client().bucket(self.event.bucket)

    def objects(self) -> dict[str, Blob]:
        """All objects whose names begin with the archive's, whoever stored them."""
        blobs = self.bucket.list_blobs(prefix=self.event.name + INSIDE, **storage_limits())
        return {blob.name: blob for blob in blobs}

    def blob(self, member: str) -> Blob:
        """The object of a member, with its metadata."""
        blob = self.bucket.blob(f"{self.event.name}{INSIDE}{member}")
        own = {ARCHIVE: self.document, ARCHIVE_GENERATION: str(self.event.generation)}
        given = {
            key: value
            for key, value in self.event.metadata.items()
            if not key.startswith("headrace-") and key != TITLE
        }
        blob.metadata = given | own
        return blob

    def has(self, blob: Blob) -> bool:
        """Whether the object was unpacked from any generation of this archive."""
        return _metadata(blob).get(ARCHIVE) == self.document

    def check(self) -> None:
        """Raise Superseded if no more members of this generation may be stored."""
        if reason := self._superseded():
            raise Superseded(reason)

    def check_newest(self, members: Iterable[Blob]) -> None:
        """Raise Superseded if one of the objects comes from a newer generation."""
        if any(self.has(blob) and generation_of(blob) > self.event.generation for blob in members):
            raise Superseded(_NEWER)

    def clear_if_overtaken(self) -> None:
        """Delete what this generation stored, if a newer one is known.

        The members of an archive that was erased meanwhile stay, as the archive's own file does.
        """
        if self._superseded() == _NEWER:
            self.remove(self.objects(), lambda generation: generation == self.event.generation, ())

    def remove(self, objects: Mapping[str, Blob], gone: Callable[[int], bool], kept: Collection[str]) -> None:
        """Delete the members whose generation is `gone`, except those `kept`.

        Sweep erases their documents, which are marked as expired before the objects are deleted: if this
        process is killed in between, the next delivery finds the remaining objects. An object that changes
        meanwhile belongs to somebody else and stays.
        """
        going = [
            blob
            for name, blob in objects.items()
            if name not in kept and self.has(blob) and gone(generation_of(blob))
        ]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(_expire, going))
            list(pool.map(_delete, going))

    def _superseded(self) -> str | None:
        snapshot = Documents(firestore_client()).reference(self.document).get(["generation"])
        if not snapshot.exists:
            return _ERASED
        return _NEWER if int(snapshot.get("generation")) > self.event.generation else None


def generation_of(member: Blob) -> int:
    """Return the generation of the archive that a member was unpacked from; 0 if its metadata names none."""
    given = _metadata(member).get(ARCHIVE_GENERATION, "")
    return int(given) if given.isdecimal() else 0


def _expire(blob: Blob) -> None:
    """Let sweep erase the document of an object, unless a newer generation of the object is known.

    If its notification is still on its way, no document is made from it.
    """
    documents = Documents(firestore_client())
    identifier = document_id(blob.bucket.name, blob.name)

    def step(transaction: ShortTransaction) -> None:
        document = documents.read(transaction, identifier)
        if document is None:
            lay(transaction, documents.client, identifier, blob.generation, now())
        elif document.generation <= blob.generation:
            documents.write(transaction, document, document.altered(expires_at=now()))

    documents.run(step)


def _delete(blob: Blob) -> None:
    from google.api_core.exceptions import NotFound, PreconditionFailed

    try:
        blob.delete(if_generation_match=blob.generation, **storage_limits())
    except (NotFound, PreconditionFailed):
        return


def _metadata(blob: Blob) -> dict[str, str]:
    return blob.metadata or {}


SMALL = 4 << 20
"""Members up to this size, in bytes, are uploaded side by side; larger ones one by one."""
ATTEMPTS = 5
"""Attempts to store a member whose object changes meanwhile."""
_CHUNK = 1 << 20
_SHOWN = 5


@dataclass
class Unpacked:
    """The outcome of unpacking an archive."""

    members: int = 0
    """Members that are in the bucket now."""
    warnings: list[str] = field(default_factory=list)


def unpack(  # noqa: PLR0913 - what an archive is, how it is opened, and within which limits
    path: Path,
    media_type: str,
    event: UploadEvent,
    document: str,
    limits: Limits,
    *,
    seconds: float,
    password: str | None = None,
) -> Unpacked:
    """Store every member in the bucket, as `{name of the archive}!/{name of the member}`.

    The whole archive is read once before any member is stored, so that an archive beyond a limit leaves
    nothing behind. Unpacking again stores only what is missing. Members of an older generation that this one
    lacks are deleted; an object of such a name that came from elsewhere stays.

    Raises:
        Rejected: the archive cannot be unpacked, is beyond a limit, takes more than `seconds` to unpack, or
            holds no file.
        Superseded: a newer archive of this name came, or its document was erased.
    """
    archive = Archive(event, document)
    result = Unpacked()
    read = members(path, media_type, event.name, limits, result.warnings, password=password)
    sizes = _sizes(read, seconds)
    before = archive.objects()
    kept: set[str] = set()
    left_out: dict[str, list[str]] = {}
    try:
        archive.check_newest(before.values())
        with _Uploads(archive) as uploads:
            for name, content in members(path, media_type, event.name, limits, [], password=password):
                blob = archive.blob(name)
                present = before.get(blob.name)
                if reason := _why_not(archive, blob, sizes[name], present, limits):
                    left_out.setdefault(reason, []).append(name)
                    continue
                kept.add(blob.name)
                if present is None or generation_of(present) != event.generation:
                    uploads.store(blob, content, sizes[name], 0 if present is None else present.generation)
        archive.check()
    except Exception:
        archive.clear_if_overtaken()
        raise
    if before:
        archive.remove(before, lambda generation: generation < event.generation, kept)
    result.members = len(kept)
    for reason, names in left_out.items():
        more = " …" if len(names) > _SHOWN else ""
        result.warnings.append(f"{len(names)} members {reason}: {', '.join(names[:_SHOWN])}{more}")
    if not result.members:
        raise Rejected(
            "no_members",
            "The archive holds no file that could be analyzed.",
            "Check that the right file was uploaded.",
        )
    return result


class _Uploads:
    """Uploads small members side by side while the next ones are unpacked."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._pending: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown(cancel_futures=kind is not None)
        if kind is None:
            for future in self._pending:
                future.result()

    def store(self, blob: Blob, content: IO[bytes], size: int, generation: int) -> None:
        if size > SMALL:
            with TemporaryFile() as file:
                while chunk := content.read(_CHUNK):
                    file.write(chunk)
                file.seek(0)
                _store(self._archive, blob, file, size, generation)
            return
        if len(self._pending) >= 2 * AT_ONCE:
            self._pending.pop(0).result()
        held = io.BytesIO(content.read())
        self._pending.append(self._pool.submit(_store, self._archive, blob, held, size, generation))


def _store(archive: Archive, blob: Blob, content: IO[bytes], size: int, generation: int) -> None:
    """Upload a member over the generation of the object that was seen (0: none), or over an older archive's.

    If another delivery of the same archive stored the member already, that will do; an object that came from
    elsewhere stays.
    """
    from google.api_core.exceptions import PreconditionFailed

    for _ in range(ATTEMPTS):
        archive.check()
        content.seek(0)
        try:
            blob.upload_from_file(content, size=size, if_generation_match=generation, **storage_limits())
        except PreconditionFailed:
            present = archive.bucket.get_blob(blob.name, **storage_limits())
        else:
            return
        if present is None:
            generation = 0
            continue
        archive.check_newest([present])
        if not archive.has(present) or generation_of(present) == archive.event.generation:
            return
        generation = present.generation
    raise Retryable("a member's object goes on changing while it is stored")


def _sizes(read: Iterable[tuple[str, IO[bytes]]], seconds: float) -> dict[str, int]:
    """The size of each member in bytes. Time is limited because Python decrypts ZipCrypto byte by byte."""
    deadline = time.monotonic() + seconds
    sizes: dict[str, int] = {}
    for name, content in read:
        sizes[name] = 0
        while chunk := content.read(_CHUNK):
            sizes[name] += len(chunk)
            if time.monotonic() > deadline:
                raise too_slow(seconds)
    return sizes


def _why_not(archive: Archive, blob: Blob, size: int, present: Blob | None, limits: Limits) -> str | None:
    if len(blob.name.encode()) > MAX_NAME:
        return f"whose names are longer than {MAX_NAME:,} bytes were left out"
    if size > limits.bytes:
        return f"larger than {limits.bytes:,} bytes were left out"
    if present is not None and not archive.has(present):
        return "have the name of another object in the bucket and were left out"
    return None
