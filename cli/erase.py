"""`headrace erase`: all that was made of a document, on request its file too; and what stays for a while.

The file goes first and the record last, so that whoever was interrupted can ask for the same again. Of the
file the versions go that somebody was asked about, and no others: a new upload may lie in the bucket for
seconds, or hours, before its notification comes; until then no record knows of it.
"""

from __future__ import annotations

import shlex
import unicodedata
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cli.connect import is_local
from cli.digest import PAGES
from cli.results import check_name, stored
from shared.digests.store import COLLECTION as DIGESTS
from shared.digests.store import erase as erase_document
from shared.documents.erasure import check_unchanged
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.store import COLLECTION, Documents, document_id
from shared.intake.archives import INSIDE
from shared.platform.clients import firestore_client, storage_client
from shared.platform.errors import HeadraceError, Superseded
from shared.platform.records import TERMINAL, Record
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path


NEEDED = ("id", "bucket", "name", "state", "sha256", "run", "generation")
SECONDS_A_DAY = 86_400
MAX_COPIES = 100
"""The most documents of the same content that are named."""
PAGE = 300
"""Documents that are read at once."""
TEXTS = ("name", "title", "organisation", "summary", "warnings", "metadata", "error.message")
PASSAGE_TEXTS = ("text", "section", "label")
"""Fields that hold words of the file, or of whoever uploaded it."""
ROWS = "DELETE FROM headrace.results WHERE JSON_VALUE(data.document) = '{id}'"


class Subject(Record):
    """A document that is to be erased."""

    id: str
    bucket: str
    name: str
    state: str | None
    """None if nothing is stored but the file."""
    sha256: str | None
    run: int | None = None
    generation: str | None = None
    """Generation and run that are erased; nobody agreed to erase what comes later."""
    versions: list[int] | None = None
    """Generations of its file, which are erased too, and no others; None: the file stays."""

    @property
    def seen(self) -> tuple[int, int] | None:
        """Run and generation of the document; None if nothing is stored but the file."""
        return (self.run, int(self.generation)) if self.run and self.generation else None


class Holding(Record):
    """A document that holds the words of a search."""

    id: str
    name: str
    passages: int
    """Passages of all its runs that hold them; 0: only fields of the document itself do."""


class Erased(Record):
    """What was erased, and what stays."""

    id: str
    name: str
    files: int
    """Versions of the uploaded file that were deleted."""
    newer: list[int]
    """Generations of the file that came after the question, and stay."""
    digests: list[str]
    """Digests that quoted the document, and no longer do."""
    copies: list[str]
    """Documents of the same content, which stay."""
    stays: list[str]
    kept: str | None = None
    """What was not erased because it came meanwhile."""


def subjects(identifiers: Sequence[str], *, with_file: bool) -> list[Subject]:
    """Return what is to be erased, with the members of archives.

    Raises:
        HeadraceError: there is no such document, or it is still being worked on.
    """
    chosen: dict[str, Subject] = {}
    for identifier in identifiers:
        subject = _subject(identifier, with_file=with_file)
        for each in (*_within(subject, with_file=with_file), subject):
            if each.state is not None and each.state not in TERMINAL:
                raise HeadraceError(
                    f"{each.name} ({each.id}) is still being worked on, and what is erased now would be "
                    f"written again. Wait for its end: headrace show {each.id}"
                )
            chosen[each.id] = each
    return list(chosen.values())


def holding(words: str) -> Iterator[Holding]:
    """Yield the documents with these words in any stored text, in any case and spacing.

    Every passage is read: search goes by meaning, and finds a person's name or does not.
    """
    sought = _plain(words)
    client, last = firestore_client(), None
    while True:
        query = client.collection(COLLECTION).order_by("__name__").select(TEXTS).limit(PAGE)
        page = list((query.start_after(last) if last else query).stream())
        for snapshot in page:
            fields = snapshot.to_dict() or {}
            passages = snapshot.reference.collection(PASSAGES).select(PASSAGE_TEXTS).stream()
            number = sum(_holds(passage.to_dict(), sought) for passage in passages)
            if number or _holds(fields, sought):
                yield Holding(id=snapshot.id, name=fields["name"], passages=number)
        if len(page) < PAGE:
            return
        last = page[-1]


def _holds(value: Any, sought: str) -> bool:  # noqa: ANN401 - whatever a field holds
    if isinstance(value, dict):
        return any(_holds(part, sought) for part in value.values())
    if isinstance(value, list):
        return any(_holds(part, sought) for part in value)
    return isinstance(value, str) and sought in _plain(value)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def erase(chosen: Sequence[Subject], data: Path) -> list[Erased]:
    """Erase documents one after the other; what is gone already is not an error.

    Args:
        chosen: see `subjects`.
        data: the directory in which copies of digests were put.
    """
    gone = {subject.id: subject for subject in chosen}
    return [_unless_it_came_again(subject, data, gone) for subject in chosen]


def _unless_it_came_again(subject: Subject, data: Path, gone: Mapping[str, Subject]) -> Erased:
    """Erase one document; leave what was uploaded since the question, even before its notification came."""
    erased = Erased(id=subject.id, name=subject.name, files=0, newer=[], digests=[], copies=[], stays=[])
    again = "headrace erase" if subject.versions is None else "headrace erase --with-file"
    ask = f"Once that has ended, ask again: {again} {subject.id}"
    try:
        _check(subject, gone)
        if subject.versions is not None:
            files, newer = delete_versions(subject.bucket, subject.name, subject.versions)
            erased = erased.model_copy(update={"files": files, "newer": newer})
        erased = erased.model_copy(update=_erase(subject, data, gone))
    except Superseded as error:
        deleted = (
            f" Of its file, versions that were asked about are deleted: {erased.files}."
            if erased.files
            else ""
        )
        return erased.model_copy(update={"kept": f"{error.message}{deleted} {ask}"})
    if not erased.newer:
        return erased
    came = ", ".join(map(str, erased.newer))
    kept = (
        f"Its file was uploaded again meanwhile (generation {came}); what there was before is erased. {ask}"
    )
    return erased.model_copy(update={"kept": kept})


def _check(subject: Subject, chosen: Mapping[str, Subject]) -> None:
    """Raise Superseded if the document has changed, or an archive around it that may be storing it again."""
    for name in archives_around(subject.name):
        if archive := chosen.get(document_id(subject.bucket, name)):
            try:
                _check_unchanged(archive)
            except Superseded as error:
                raise Superseded(f"Its archive, {name}, has moved on. {error.message}") from error
    _check_unchanged(subject)


def _check_unchanged(subject: Subject) -> None:
    check_unchanged(Documents(firestore_client()).get(subject.id), subject.seen)


def _erase(subject: Subject, data: Path, gone: Mapping[str, Subject]) -> dict[str, list[str]]:
    client = firestore_client()
    quoting = [
        digest.id for digest in _where(DIGESTS, "quoted", "array_contains", subject.id).select([]).stream()
    ]
    for digest in quoting:
        (data.resolve() / PAGES / f"{digest}.html").unlink(missing_ok=True)
    copies = []
    if subject.sha256:
        same = _where(COLLECTION, "sha256", "==", subject.sha256).select(["bucket"]).limit(MAX_COPIES)
        copies = sorted({copy.id for copy in same.stream()} - set(gone))
    deleted = max(subject.versions or [0])
    erase_document(client, subject.id, subject.seen, deleted=deleted)
    stays = list(_stays(subject, quoting, copies, gone))
    return {"digests": sorted(quoting), "copies": copies, "stays": stays}


def _subject(identifier: str, *, with_file: bool) -> Subject:
    """Return a document by id or name. Its file is listed after its record: what is newer than both stays."""
    check_name(identifier)
    try:
        subject = _read(stored(identifier))
    except HeadraceError:
        bucket = settings().uploads_bucket
        versions = versions_of(bucket, identifier) if with_file else []
        if not with_file or not (versions or versions_inside(bucket, identifier)):
            raise
        return _only_file(bucket, identifier, versions)
    if not with_file:
        return subject
    return subject.model_copy(update={"versions": versions_of(subject.bucket, subject.name)})


def _only_file(bucket: str, name: str, versions: list[int]) -> Subject:
    """Return a subject whose results are gone already and whose file is not."""
    identifier = document_id(bucket, name)
    return Subject(id=identifier, bucket=bucket, name=name, state=None, sha256=None, versions=versions)


def _read(fields: dict[str, Any]) -> Subject:
    return Subject.model_validate({name: fields.get(name) for name in NEEDED})


def _within(archive: Subject, *, with_file: bool) -> Iterable[Subject]:
    """Yield the documents inside an archive, at any depth: their names begin with its own.

    With their files, also those of which nothing but the file is left.
    """
    stored = {member.name: member for member in _members(archive)}
    if not with_file:
        yield from stored.values()
        return
    files = versions_inside(archive.bucket, archive.name)
    for name, member in stored.items():
        yield member.model_copy(update={"versions": files.pop(name, [])})
    for name in sorted(files):
        yield _only_file(archive.bucket, name, files[name])


def _members(archive: Subject) -> Iterable[Subject]:
    first = archive.name + INSIDE
    after = first[:-1] + chr(ord(first[-1]) + 1)
    query = _where(COLLECTION, "name", ">=", first)
    for snapshot in _and(query, "name", "<", after).select(NEEDED).stream():
        member = _read(snapshot.to_dict() or {})
        if member.bucket == archive.bucket:
            yield member


def _stays(
    subject: Subject, quoting: Sequence[str], copies: Sequence[str], gone: Mapping[str, Subject]
) -> Iterable[str]:
    known, with_file = settings(), subject.versions is not None
    if not with_file:
        yield (
            f"The uploaded file, gs://{subject.bucket}/{subject.name}. "
            f"To delete it too: {command_to_erase(subject.name)}"
        )
    yield from _archives_that_stay(subject, gone)
    if copies:
        yield f"Documents of the same content: {', '.join(copies)}. To erase them: headrace erase {copies[0]}"
    if quoting:
        yield f"What was mailed or posted of {', '.join(quoting)} before: it lies with whoever got it."
    names = [known.work_bucket, known.results_bucket, *([subject.bucket] if with_file else [])]
    for name in names:
        bucket = storage_client().lookup_bucket(name)
        if bucket is None:
            continue
        restorable = int(bucket.soft_delete_policy.retention_duration_seconds or 0)
        if restorable:
            days = restorable / SECONDS_A_DAY
            yield f"Deleted objects of {name} can be restored by its administrators for {days:g} days."
        if bucket.versioning_enabled and name != subject.bucket:
            yield f"Noncurrent versions in {name}, until its lifecycle rule: gcloud storage ls -a gs://{name}"
    yield "Logs, which have the document's id and no text."
    if is_local():
        yield (
            "What the local Firestore can read of the last hour, and what the local Pub/Sub, which has names "
            "and no text, had in the last minute; in a stack that is stopped, until it runs again."
        )
    else:
        yield "What Firestore can read of the last seven days (point-in-time recovery), and its backups."
        yield f"Rows with the file's name in BigQuery: {ROWS.format(id=subject.id)}"


def _archives_that_stay(subject: Subject, gone: Mapping[str, Subject]) -> Iterable[str]:
    for name in archives_around(subject.name):
        if document_id(subject.bucket, name) not in gone and versions_of(subject.bucket, name):
            yield (
                f"The archive that it came in, gs://{subject.bucket}/{name}. "
                f"To delete it too: {command_to_erase(name)}"
            )


def _where(collection: str, field: str, operator: str, value: object) -> Any:  # noqa: ANN401 - a query
    return _and(firestore_client().collection(collection), field, operator, value)


def _and(query: Any, field: str, operator: str, value: object) -> Any:  # noqa: ANN401 - a query
    from google.cloud.firestore_v1.base_query import FieldFilter

    return query.where(filter=FieldFilter(field, operator, value))


def versions_of(bucket: str, name: str) -> list[int]:
    """Return the generations of an object, noncurrent ones too."""
    return [blob.generation for blob in _listed(bucket, name) if blob.name == name]


def versions_inside(bucket: str, archive: str) -> dict[str, list[int]]:
    """Return the generations of each file inside an archive, by its name."""
    generations: dict[str, list[int]] = defaultdict(list)
    for blob in _listed(bucket, archive + INSIDE):
        generations[blob.name].append(blob.generation)
    return dict(generations)


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

    old, newer = split_versions(versions_of(bucket, name), asked)
    for generation in old:
        with suppress(NotFound):  # somebody else was quicker
            storage_client().bucket(bucket).blob(name, generation=generation).delete()
    return len(old), newer


def split_versions(there: Collection[int], asked: Collection[int]) -> tuple[list[int], list[int]]:
    """Split the generations that exist into those that were asked about and the rest."""
    return [each for each in there if each in asked], [each for each in there if each not in asked]


def _listed(bucket: str, prefix: str) -> Iterator[Any]:
    yield from storage_client().list_blobs(bucket, prefix=prefix, versions=True)
