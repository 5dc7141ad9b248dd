"""Stored documents as the command line reads them, and what `drop --wait` follows."""

from __future__ import annotations

import mimetypes
import re
import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli.render import job_progress
from shared.documents.batches import count_done
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.passages import initiatives
from shared.documents.store import COLLECTION, Documents, document_id
from shared.documents.views import PASSAGE_FIELDS, document_view, passage_view
from shared.intake.archives import INSIDE
from shared.intake.read import TEXT_COLUMN
from shared.platform.clients import firestore_client, storage_client
from shared.platform.errors import HeadraceError
from shared.platform.records import ARCHIVE, TERMINAL
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

POLL_SECONDS = 0.05
DOCUMENT_ID = re.compile(r"[0-9a-f]{24}")
LISTED = 100
"""Documents, where none is named."""
MAX_INITIATIVES = 200
"""Shown of one document."""


@dataclass(frozen=True)
class Dropped:
    """A file in the uploads bucket."""

    id: str
    name: str
    generation: int


@dataclass(frozen=True)
class Progress:
    """Where a dropped file has got to."""

    dropped: Dropped
    state: str
    done: int
    total: int | None
    """Batches, or what the long job counts; None before the document is planned."""
    members: int | None = None
    """Of an archive."""
    job: str = ""
    """What the long job says of its progress, for a person."""


def drop(path: Path, *, name: str | None = None, text_column: str | None = None) -> Dropped:
    """Upload a file; what happens next is the pipeline's.

    Raises:
        HeadraceError: there is no such bucket.
    """
    from google.api_core.exceptions import NotFound

    blob = storage_client().bucket(settings().uploads_bucket).blob(name or path.name)
    if text_column:
        blob.metadata = {TEXT_COLUMN: text_column}
    content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    try:
        blob.upload_from_filename(str(path), content_type=content_type)
    except NotFound:
        raise HeadraceError(
            f"There is no bucket {settings().uploads_bucket}; name yours with HEADRACE_UPLOADS_BUCKET."
        ) from None
    return Dropped(document_id(settings().uploads_bucket, blob.name), blob.name, int(blob.generation))


def drop_all(paths: Sequence[Path], *, text_column: str | None = None) -> list[Dropped]:
    """Upload files, each under its own name; one that is named twice goes once.

    Raises:
        HeadraceError: two different ones would be one object. Nothing has been uploaded then.
    """
    named: dict[str, Path] = {}
    for path in paths:
        check_name(path.name)
        other = named.setdefault(path.name, path)
        if not other.samefile(path):
            raise HeadraceError(
                f"{other} and {path} would both be uploaded as {path.name}, and only the second be kept; "
                "nothing was uploaded. Rename one of them, and drop them again."
            )
    return [drop(path, text_column=text_column) for path in named.values()]


def check_name(name: str) -> None:
    """Let no name pass that an object cannot have. Raises HeadraceError."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise HeadraceError(f"{name!r} is not UTF-8, as the name of an object must be.") from None


def received(dropped: Dropped) -> dict[str, Any]:
    """The document object of a file that was uploaded and is not followed."""
    return document_view(
        {
            "id": dropped.id,
            "bucket": settings().uploads_bucket,
            "name": dropped.name,
            "generation": str(dropped.generation),
            "state": "received",
            "initiatives": 0,
            "summary": [],
            "warnings": [],
        }
    )


def follow(dropped: Sequence[Dropped], timeout: float) -> Iterator[Progress]:
    """Each change of each file, and of each member of an archive, until all have ended.

    Raises:
        HeadraceError: some have not ended within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    last: dict[str, Progress] = {}
    waiting = list(dropped)
    while waiting:
        for item in waiting:
            progress = _progress(item)
            if progress != last.get(item.id):
                last[item.id] = progress
                yield progress
        unpacked = [item for item in waiting if last[item.id].state == "completed" and last[item.id].members]
        waiting = [item for item in waiting if last[item.id].state not in TERMINAL]
        waiting += [member for item in unpacked for member in members(item)]
        if not waiting:
            return
        if time.monotonic() > deadline:
            names = ", ".join(item.name for item in waiting)
            raise HeadraceError(
                f"Not finished after {timeout:.0f} s: {names}. The work goes on; look again: headrace show"
            )
        time.sleep(POLL_SECONDS)


def members(archive: Dropped) -> list[Dropped]:
    """What an archive held, as it lies in the bucket."""
    found = storage_client().bucket(settings().uploads_bucket).list_blobs(prefix=archive.name + INSIDE)
    return [
        Dropped(document_id(settings().uploads_bucket, blob.name), blob.name, int(blob.generation))
        for blob in found
        if (blob.metadata or {}).get(ARCHIVE) == archive.id
    ]


def document(identifier: str) -> dict[str, Any]:
    """A document by its id or its object's name. Raises HeadraceError where there is none."""
    return document_view(stored(identifier))


def stored(identifier: str) -> dict[str, Any]:
    """The same as Firestore has it."""
    check_name(identifier)
    documents = Documents(firestore_client())
    of_name = document_id(settings().uploads_bucket, identifier)
    # Firestore refuses many a name as the id of a record.
    for candidate in (identifier, of_name) if DOCUMENT_ID.fullmatch(identifier) else (of_name,):
        if found := documents.reference(candidate).get().to_dict():
            return found
    raise HeadraceError(f"There is no document {shlex.quote(identifier)}. List them all: headrace show")


def all_documents(limit: int = LISTED) -> list[dict[str, Any]]:
    """The newest documents, newest first."""
    query = firestore_client().collection(COLLECTION).order_by("created_at", direction="DESCENDING")
    return [document_view(snapshot.to_dict() or {}) for snapshot in query.limit(limit).stream()]


def found_initiatives(shown: dict[str, Any]) -> list[dict[str, Any]]:
    """The initiatives of a document's published run."""
    if shown["published_run"] is None:
        return []
    reference = Documents(firestore_client()).reference(shown["id"])
    return initiatives(reference, shown["published_run"], MAX_INITIATIVES)


def published_passages(shown: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every passage of a document's published run, in order, without their vectors."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    run = shown["published_run"]
    if run is None:
        return
    passages = Documents(firestore_client()).reference(shown["id"]).collection(PASSAGES)
    query = passages.where(filter=FieldFilter("run", "==", run)).order_by("index")
    for snapshot in query.select([field for field in PASSAGE_FIELDS if field != "embedding"]).stream():
        yield passage_view(snapshot.to_dict())


def _progress(dropped: Dropped) -> Progress:
    reference = Documents(firestore_client()).reference(dropped.id)
    stored = reference.get(["generation", "state", "run", "batches", "members", "progress"]).to_dict()
    if stored is None or int(stored["generation"]) < dropped.generation:
        return Progress(dropped, "uploaded", 0, None)
    total = stored["batches"] and stored["batches"]["total"]
    if stored["state"] == "delegated" and (told := stored.get("progress")):
        return Progress(dropped, "delegated", told["done"], told["total"], job=job_progress(told))
    if stored["state"] not in {"analyzing", "delegated"} or total is None:
        return Progress(dropped, stored["state"], total or 0, total, stored.get("members"))
    return Progress(dropped, stored["state"], count_done(reference, stored["run"]), total)
