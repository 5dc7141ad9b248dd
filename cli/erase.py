"""`headrace erase`: all that was made of a document, on request its file too; and what stays for a while.

The file goes first and the record last, so that whoever was interrupted can ask for the same again. Of the
file the versions go that somebody was asked about, and no others: a new upload may lie in the bucket for
seconds, or hours, before its notification comes; until then no record knows of it.
"""

from __future__ import annotations

import os
import shlex
import unicodedata
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cli.digest import PAGES
from cli.results import check_name, stored
from shared.digests.redact import erase as erase_document
from shared.digests.store import COLLECTION as DIGESTS
from shared.documents.erasure import check_unchanged
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.store import COLLECTION, document_id
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
"""Documents of the same content that are named."""
PAGE = 300
"""Documents looked through at once."""
TEXTS = ("name", "title", "organisation", "summary", "warnings", "metadata", "error.message", "published")
PASSAGE_TEXTS = ("text", "section", "label")
"""Fields that hold words of the file, or of whoever uploaded it."""
ROWS = "DELETE FROM headrace.results WHERE JSON_VALUE(data.document) = '{id}'"


class Subject(Record):
    """A document that is to be erased."""

    id: str
    bucket: str
    name: str
    state: str | None
    """None: nothing is stored of it but its file."""
    sha256: str | None
    run: int | None = None
    generation: str | None = None
    """It and the run: what is erased. What comes later is not what somebody agreed to erase."""
    versions: list[int] | None = None
    """Generations of its file, which are erased too, and no others; None: the file stays."""


class Holding(Record):
    """A document that holds words which were looked for."""

    id: str
    name: str
    passages: int
    """That hold them, of all its runs; 0: only what is stored of the whole document does."""


class Erased(Record):
    """What was done, and what that leaves."""

    id: str
    name: str
    files: int
    """Versions of the uploaded file that were deleted."""
    newer: list[int]
    """Generations of the file that came after the question, and stay."""
    digests: list[str]
    """That quoted it, and do not any more."""
    copies: list[str]
    """Documents of the same content, which stay."""
    stays: list[str]
    kept: str | None = None
    """What was not erased, and why: what came meanwhile."""


def subjects(identifiers: Sequence[str], *, with_file: bool) -> list[Subject]:
    """What is to be erased: of an archive its members too.

    Raises:
        HeadraceError: there is no such document, or it is still being worked on.
    """
    found: dict[str, Subject] = {}
    for identifier in identifiers:
        one = _subject(identifier, with_file=with_file)
        for each in (*_within(one, with_file=with_file), one):
            if each.state is not None and each.state not in TERMINAL:
                raise HeadraceError(
                    f"{each.name} ({each.id}) is still being worked on, and what is erased now would be "
                    f"written again. Wait for its end: headrace show {each.id}"
                )
            found[each.id] = each
    return list(found.values())


def holding(words: str) -> Iterator[Holding]:
    """Documents with these words in any stored text, in whatever case and spacing.

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
            found = sum(_holds(one.to_dict(), sought) for one in passages)
            if found or _holds(fields, sought):
                yield Holding(id=snapshot.id, name=fields["name"], passages=found)
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
    """Erase them, one after the other; asked twice, what is gone already is no error.

    Args:
        chosen: see `subjects`.
        data: the directory in which copies of digests were put.
    """
    gone = {subject.id: subject for subject in chosen}
    return [_unless_it_came_again(subject, data, gone) for subject in chosen]


def _unless_it_came_again(subject: Subject, data: Path, gone: Mapping[str, Subject]) -> Erased:
    """Erase what was asked about; what came since is left alone, whether its notification is there or not."""
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
        told = (
            f" Of its file, versions that were asked about are deleted: {erased.files}."
            if erased.files
            else ""
        )
        return erased.model_copy(update={"kept": f"{error.message}{told} {ask}"})
    if not erased.newer:
        return erased
    came = ", ".join(map(str, erased.newer))
    kept = (
        f"Its file was uploaded again meanwhile (generation {came}); what there was before is erased. {ask}"
    )
    return erased.model_copy(update={"kept": kept})


def _check(subject: Subject, chosen: Mapping[str, Subject]) -> None:
    """Raise Superseded where it has moved on, or an archive it lies in, which may be storing it anew."""
    for name in archives_around(subject.name):
        if archive := chosen.get(document_id(subject.bucket, name)):
            try:
                _check_unchanged(archive)
            except Superseded as error:
                raise Superseded(f"Its archive, {name}, has moved on. {error.message}") from error
    _check_unchanged(subject)


def _check_unchanged(subject: Subject) -> None:
    found = firestore_client().collection(COLLECTION).document(subject.id).get().to_dict()
    check_unchanged(found, (subject.run, subject.generation))


def _erase(subject: Subject, data: Path, gone: Mapping[str, Subject]) -> dict[str, list[str]]:
    client = firestore_client()
    quoting = [one.id for one in _where(DIGESTS, "quoted", "array_contains", subject.id).select([]).stream()]
    for digest in quoting:
        (data.resolve() / PAGES / f"{digest}.html").unlink(missing_ok=True)
    copies = []
    if subject.sha256:
        same = _where(COLLECTION, "sha256", "==", subject.sha256).select(["bucket"]).limit(MAX_COPIES)
        copies = sorted({one.id for one in same.stream()} - set(gone))
    deleted = max(subject.versions or [0])
    erase_document(client, subject.id, (subject.run, subject.generation), deleted=deleted)
    stays = list(_stays(subject, quoting, copies, gone))
    return {"digests": sorted(quoting), "copies": copies, "stays": stays}


def _subject(identifier: str, *, with_file: bool) -> Subject:
    """Its file is looked at after its record: what is newer than both is not what is erased."""
    check_name(identifier)
    try:
        found = _read(stored(identifier))
    except HeadraceError:
        bucket = settings().uploads_bucket
        versions = versions_of(bucket, identifier) if with_file else []
        if not with_file or not (versions or versions_inside(bucket, identifier)):
            raise
        return _only_file(bucket, identifier, versions)
    if not with_file:
        return found
    return found.model_copy(update={"versions": versions_of(found.bucket, found.name)})


def _only_file(bucket: str, name: str, versions: list[int]) -> Subject:
    """Of which the results are gone already, and the file is not."""
    identifier = document_id(bucket, name)
    return Subject(id=identifier, bucket=bucket, name=name, state=None, sha256=None, versions=versions)


def _read(fields: dict[str, Any]) -> Subject:
    return Subject.model_validate({name: fields.get(name) for name in NEEDED})


def _within(archive: Subject, *, with_file: bool) -> Iterable[Subject]:
    """Documents that lie in it, however deep: their names begin with its own.

    With their files also those of which nothing else is left.
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
    made, with_file = settings(), subject.versions is not None
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
    names = [made.work_bucket, made.results_bucket, *([subject.bucket] if with_file else [])]
    for name in names:
        found = storage_client().lookup_bucket(name)
        if found is None:
            continue
        restorable = int(found.soft_delete_policy.retention_duration_seconds or 0)
        if restorable:
            days = restorable / SECONDS_A_DAY
            yield f"Deleted objects of {name} can be restored by its administrators for {days:g} days."
        if found.versioning_enabled and name != subject.bucket:
            yield f"Noncurrent versions in {name}, until its lifecycle rule: gcloud storage ls -a gs://{name}"
    yield "Logs, which have the document's id and no text."
    if os.environ.get("FIRESTORE_EMULATOR_HOST"):
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
    """Generations of an object that are there, with those that are not current any more."""
    return [blob.generation for blob in _listed(bucket, name) if blob.name == name]


def versions_inside(bucket: str, archive: str) -> dict[str, list[int]]:
    """The same for each of an archive's members that has a file, by its name."""
    found: dict[str, list[int]] = defaultdict(list)
    for blob in _listed(bucket, archive + INSIDE):
        found[blob.name].append(blob.generation)
    return dict(found)


def archives_around(member: str) -> list[str]:
    """Return the names of the archives that an object's name lies in, the outermost first."""
    parts = member.split(INSIDE)
    return [INSIDE.join(parts[:depth]) for depth in range(1, len(parts))]


def command_to_erase(name: str) -> str:
    """What erases an object and all that was made of it, for a shell to run as it stands."""
    return f"headrace erase --with-file {'-- ' if name.startswith('-') else ''}{shlex.quote(name)}"


def delete_versions(bucket: str, name: str, asked: Collection[int]) -> tuple[int, list[int]]:
    """Delete the generations that were asked about; how many there were, and those which came since and stay.

    What is not there any more is not asked for: the local stack would delete the generation that is.
    """
    from google.api_core.exceptions import NotFound

    old, newer = split_versions(versions_of(bucket, name), asked)
    for generation in old:
        with suppress(NotFound):  # somebody else was quicker
            storage_client().bucket(bucket).blob(name, generation=generation).delete()
    return len(old), newer


def split_versions(there: Collection[int], asked: Collection[int]) -> tuple[list[int], list[int]]:
    """Of the generations that are there, those which were asked about, and the rest."""
    return [one for one in there if one in asked], [one for one in there if one not in asked]


def _listed(bucket: str, prefix: str) -> Iterator[Any]:
    yield from storage_client().list_blobs(bucket, prefix=prefix, versions=True)
