"""Unpack archives: their members become objects and documents of their own.

Another instance may unpack a newer archive of the same name at the same time. What is stored here is fenced
by the generation of the archive's document: it is checked before each member and once more after the last,
and an instance that was overtaken removes what it stored.
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
from shared.documents.tombstones import lay
from shared.extract.archive import members
from shared.extract.refusals import archive_inside
from shared.extract.sandbox.client import too_slow
from shared.extract.zips import MAX_NAME
from shared.platform.clients import firestore_client, storage_client
from shared.platform.errors import Rejected, Retryable, Superseded
from shared.platform.records import ARCHIVE
from shared.platform.retry import storage_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    from google.cloud import firestore
    from google.cloud.storage import Blob, Bucket

    from shared.extract.shapes import Limits
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


SMALL = 4 << 20
"""Bytes up to which members are uploaded side by side; larger ones go one by one."""
ATTEMPTS = 5
"""To store a member whose object changes meanwhile."""
_CHUNK = 1 << 20
_SHOWN = 5


@dataclass
class Unpacked:
    """What became of an archive."""

    members: int = 0
    """That are in the bucket now."""
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

    The whole archive is read once before anything of it is stored, so that one which goes beyond a limit
    leaves nothing behind. Doing it again stores only what is missing. Members of an older generation that
    this one has no more are deleted, and so is what was unpacked of them; an object of such a name that came
    from elsewhere is left alone.

    Raises:
        Rejected: it cannot be unpacked, goes beyond a limit, takes more than `seconds` to unpack, or holds no
            file.
        Superseded: a newer archive of this name came, or it was erased; what was stored of it is gone again.
    """
    archive = Archive(event, document)
    if archive.depth > MAX_DEPTH:
        raise archive_inside()
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
                if why := _why_not(archive, blob, sizes[name], present, limits):
                    left_out.setdefault(why, []).append(name)
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
    result.warnings += [f"{len(names)} members {why}: {_shown(names)}" for why, names in left_out.items()]
    if not result.members:
        raise Rejected(
            "no_members",
            "The archive holds no file that could be analysed.",
            "Check that the right file was uploaded.",
        )
    return result


class _Uploads:
    """Small members are uploaded side by side while the next ones are unpacked."""

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
    """Upload, over the generation of the object that was seen (0: none) or what an older archive put there.

    A twin's of the same archive is as good; one that came from elsewhere is left alone.
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
    """Bytes of each member. The old encryption is undone byte by byte, in Python, so time is limited too."""
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


def _shown(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
