"""Erase everything made of a document, on request its file too; and say what stays for a while.

The file goes first and the record last, so that an erasure that was interrupted can be repeated. Of the file,
those versions go that the user was asked about, and no others: a new upload may lie in the bucket for
seconds, or hours, before its notification comes, and until then it has no record.
"""

from __future__ import annotations

import shlex
import unicodedata
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from shared.digests.store import COLLECTION as DIGESTS
from shared.digests.store import erase as erase_document
from shared.documents.corrected import COLLECTION as CORRECTIONS
from shared.documents.erasure import check_unchanged, seen
from shared.documents.model import Document
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.store import COLLECTION, Documents, check_name, document_id, find, in_pages, select
from shared.platform.clients import emulator, firestore_client, storage_client, where
from shared.platform.errors import Conflict, Missing, Superseded
from shared.platform.records import INSIDE, TERMINAL
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from google.cloud.storage import Blob

    from shared.documents.erasure import Seen

SECONDS_A_DAY = 86_400
MAX_COPIES = 100
"""The most documents of the same content that are named."""
PAGE = 300
"""Documents that are read at once."""
TEXTS = ("name", "title", "organisation", "summary", "warnings", "metadata", "error.message")
PASSAGE_TEXTS = ("text", "section", "label")
"""Fields that hold words of the file, or of whoever uploaded it."""
ROWS = "DELETE FROM headrace.results WHERE JSON_VALUE(data.document) = '{id}'"


@dataclass(frozen=True)
class Subject:
    """A document that is to be erased, as it was when the user was asked; not what comes later."""

    id: str
    bucket: str
    name: str
    document: Document | None = None
    """None if nothing is stored but the file."""
    versions: list[int] | None = None
    """Generations of its file, which are erased too, and no others; None: the file stays."""

    @property
    def seen(self) -> Seen | None:
        """Run and generation of the document; None if nothing is stored but the file."""
        return seen(self.document) if self.document else None


@dataclass(frozen=True)
class Holding:
    """A document that holds the words of a search."""

    id: str
    name: str
    passages: int
    """Passages of all its runs that hold them; 0: only fields of the document itself do."""


@dataclass
class Erased:
    """What was erased, and what stays."""

    id: str
    name: str
    files: int = 0
    """Versions of the uploaded file that were deleted."""
    newer: list[int] = field(default_factory=list)
    """Generations of the file that came after the question, and stay."""
    digests: list[str] = field(default_factory=list)
    """Digests that quoted the document, and no longer do."""
    copies: list[str] = field(default_factory=list)
    """Documents of the same content, which stay."""
    stays: list[str] = field(default_factory=list)
    kept: str | None = None
    """What was not erased because it came meanwhile."""


def subjects(identifiers: Sequence[str], *, with_file: bool) -> list[Subject]:
    """Return what is to be erased, with the members of archives.

    Raises:
        Missing: there is no such document.
        Conflict: it is still being worked on.
    """
    chosen: dict[str, Subject] = {}
    for identifier in identifiers:
        named = _subject(identifier, with_file=with_file)
        for subject in (*_members(named, with_file=with_file), named):
            if subject.document and subject.document.state not in TERMINAL:
                raise Conflict(
                    f"{subject.name} ({subject.id}) is still being worked on, and what is erased now would "
                    f"be written again. Wait until it has ended: headrace show {subject.id}"
                )
            chosen[subject.id] = subject
    return list(chosen.values())


def _subject(identifier: str, *, with_file: bool) -> Subject:
    """Return a document by id or name. Its file is listed after its record: what is newer than both stays."""
    check_name(identifier)
    try:
        subject = _of_document(find(identifier))
    except Missing:
        bucket = settings().uploads_bucket
        versions = versions_of(bucket, identifier) if with_file else []
        if not with_file or not (versions or versions_inside(bucket, identifier)):
            raise
        return Subject(document_id(bucket, identifier), bucket, identifier, versions=versions)
    return replace(subject, versions=versions_of(subject.bucket, subject.name)) if with_file else subject


def _of_document(document: Document) -> Subject:
    return Subject(document.id, document.bucket, document.name, document)


def _members(archive: Subject, *, with_file: bool) -> Iterable[Subject]:
    """Yield the documents inside an archive, at any depth: their names begin with its own.

    With their files, also those of which nothing but the file is left.
    """
    first = archive.name + INSIDE
    after = first[:-1] + chr(ord(first[-1]) + 1)
    inside = select(firestore_client(), ("name", ">=", first), ("name", "<", after))
    documents = [Document.model_validate(snapshot.to_dict()) for snapshot in inside.stream()]
    files = versions_inside(archive.bucket, archive.name) if with_file else {}
    for document in documents:
        if document.bucket == archive.bucket:
            versions = files.pop(document.name, []) if with_file else None
            yield replace(_of_document(document), versions=versions)
    for name in sorted(files):
        yield Subject(document_id(archive.bucket, name), archive.bucket, name, versions=files[name])


def holding(words: str) -> Iterator[Holding]:
    """Yield the documents with these words in any stored text, in any case and spacing.

    Every passage is read: a search by meaning may not find a person's name.
    """
    sought = _plain(words)
    query = firestore_client().collection(COLLECTION).order_by("__name__").select(TEXTS)
    for snapshot in chain.from_iterable(in_pages(query, PAGE)):
        fields = snapshot.to_dict() or {}
        passages = snapshot.reference.collection(PASSAGES).select(PASSAGE_TEXTS).stream()
        number = sum(_holds(passage.to_dict(), sought) for passage in passages)
        said = snapshot.reference.collection(CORRECTIONS).select(["text", "fields", "was"]).stream()
        if number or _holds(fields, sought) or any(_holds(one.to_dict(), sought) for one in said):
            yield Holding(snapshot.id, fields["name"], number)


def _holds(value: Any, sought: str) -> bool:  # noqa: ANN401 - whatever a field holds
    if isinstance(value, dict):
        return any(_holds(part, sought) for part in value.values())
    if isinstance(value, list):
        return any(_holds(part, sought) for part in value)
    return isinstance(value, str) and sought in _plain(value)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def erase(
    chosen: Sequence[Subject], *, before_digest: Callable[[str], object] = lambda _: None
) -> list[Erased]:
    """Erase documents one after the other; what is gone already is not an error.

    Args:
        chosen: see `subjects`.
        before_digest: called with the id of each digest that quotes one of them, before it is changed, to
            remove copies of it.
    """
    gone = {subject.id: subject for subject in chosen}
    return [_erase(subject, before_digest, gone) for subject in chosen]


def _erase(subject: Subject, before_digest: Callable[[str], object], gone: Mapping[str, Subject]) -> Erased:
    """Erase one document; leave what was uploaded since the question, even before its notification came."""
    erased = Erased(subject.id, subject.name)
    command = "headrace erase" if subject.versions is None else "headrace erase --with-file"
    again = f"Once that has ended, ask again: {command} {subject.id}"
    try:
        _check_unchanged(subject, gone)
        if subject.versions is not None:
            erased.files, erased.newer = delete_versions(subject.bucket, subject.name, subject.versions)
        _erase_results(subject, before_digest, gone, erased)
    except Superseded as error:
        deleted = f"Of its file, versions that were asked about are deleted: {erased.files}."
        erased.kept = " ".join([error.message, *([deleted] if erased.files else []), again])
    else:
        if erased.newer:
            came = ", ".join(map(str, erased.newer))
            meanwhile = f"Its file was uploaded again meanwhile (generation {came})"
            erased.kept = f"{meanwhile}; what there was before is erased. {again}"
    return erased


def _check_unchanged(subject: Subject, chosen: Mapping[str, Subject]) -> None:
    """Raise Superseded if the document has changed, or an archive around it that may be storing it again."""
    documents = Documents(firestore_client())
    for name in archives_around(subject.name):
        if archive := chosen.get(document_id(subject.bucket, name)):
            try:
                check_unchanged(documents.get(archive.id), archive.seen)
            except Superseded as error:
                raise Superseded(f"Its archive, {name}, has moved on. {error.message}") from error
    check_unchanged(documents.get(subject.id), subject.seen)


def _erase_results(
    subject: Subject, before_digest: Callable[[str], object], gone: Mapping[str, Subject], erased: Erased
) -> None:
    client = firestore_client()
    quoting = where(client.collection(DIGESTS), ("quoted", "array_contains", subject.id))
    digests = sorted(digest.id for digest in quoting.select([]).stream())
    for digest in digests:
        before_digest(digest)
    copies: list[str] = []
    if subject.document and (sha256 := subject.document.sha256):
        same = select(client, ("sha256", "==", sha256))
        copies = sorted({copy.id for copy in same.select([]).limit(MAX_COPIES).stream()} - set(gone))
    erase_document(client, subject.id, subject.seen, deleted=max(subject.versions or [0]))
    erased.digests, erased.copies = digests, copies
    erased.stays = list(_stays(subject, digests, copies, gone))


def _stays(
    subject: Subject, digests: Sequence[str], copies: Sequence[str], gone: Mapping[str, Subject]
) -> Iterable[str]:
    with_file = subject.versions is not None
    if not with_file:
        yield (
            f"The uploaded file, gs://{subject.bucket}/{subject.name}. "
            f"To delete it too: {command_to_erase(subject.name)}"
        )
    for name in archives_around(subject.name):
        if document_id(subject.bucket, name) not in gone and versions_of(subject.bucket, name):
            yield (
                f"The archive that it came in, gs://{subject.bucket}/{name}. "
                f"To delete it too: {command_to_erase(name)}"
            )
    if copies:
        yield f"Documents of the same content: {', '.join(copies)}. To erase them: headrace erase {copies[0]}"
    if digests:
        yield f"Copies of {', '.join(digests)} that were mailed or posted before; their recipients have them."
    buckets = [settings().work_bucket, settings().results_bucket, *([subject.bucket] if with_file else [])]
    yield from chain.from_iterable(_kept_by_bucket(name, subject) for name in buckets)
    yield "Logs, which have the document's id and no text."
    if emulator("FIRESTORE_EMULATOR_HOST"):
        yield (
            "What the local Firestore can read of the last hour, and what the local Pub/Sub, which has names "
            "and no text, had in the last minute; in a stack that is stopped, until it runs again."
        )
    else:
        yield "What Firestore can read of the last seven days (point-in-time recovery), and its backups."
        yield f"Rows with the file's name in BigQuery: {ROWS.format(id=subject.id)}"


def _kept_by_bucket(name: str, subject: Subject) -> Iterable[str]:
    bucket = storage_client().lookup_bucket(name)
    if bucket and (seconds := int(bucket.soft_delete_policy.retention_duration_seconds or 0)):
        days = seconds / SECONDS_A_DAY
        yield f"Deleted objects of {name}, which its administrators can restore for {days:g} days."
    if bucket and bucket.versioning_enabled and name != subject.bucket:
        yield f"Noncurrent versions in {name}, until its lifecycle rule: gcloud storage ls -a gs://{name}"


def versions_of(bucket: str, name: str) -> list[int]:
    """Return the generations of an object, noncurrent ones too; none where its bucket is gone."""
    return [blob.generation for blob in _versions(bucket, name) if blob.name == name]


def versions_inside(bucket: str, archive: str) -> dict[str, list[int]]:
    """Return the generations of each file inside an archive, by its name."""
    generations: dict[str, list[int]] = defaultdict(list)
    for blob in _versions(bucket, archive + INSIDE):
        generations[blob.name].append(blob.generation)
    return dict(generations)


def _versions(bucket: str, prefix: str) -> Iterator[Blob]:
    from google.api_core.exceptions import NotFound

    with suppress(NotFound):
        yield from storage_client().list_blobs(bucket, prefix=prefix, versions=True)


def archives_around(member: str) -> list[str]:
    """Return the names of the archives that an object's name lies in, the outermost first."""
    parts = member.split(INSIDE)
    return [INSIDE.join(parts[:depth]) for depth in range(1, len(parts))]


def command_to_erase(name: str) -> str:
    """Return a shell command that erases an object and everything made from it."""
    return f"headrace erase --with-file {'-- ' if name.startswith('-') else ''}{shlex.quote(name)}"


def delete_versions(bucket: str, name: str, asked: Collection[int]) -> tuple[int, list[int]]:
    """Delete the generations that were asked about; return how many, and the newer ones, which stay.

    Only generations that exist are deleted: given another, the local stack would delete the current one.
    """
    from google.api_core.exceptions import NotFound

    present = versions_of(bucket, name)
    old = [generation for generation in present if generation in asked]
    for generation in old:
        with suppress(NotFound):  # deleted by another command meanwhile
            storage_client().bucket(bucket).blob(name, generation=generation).delete()
    return len(old), [generation for generation in present if generation not in asked]
