"""Stored documents as the command line uploads, follows, reads, searches and replays them."""

from __future__ import annotations

import mimetypes
import time
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from shared.documents.batches import count_done
from shared.documents.contents import write
from shared.documents.export import in_order
from shared.documents.figures import (
    MAX_CODED_FIGURES,
    KnownFigure,
    facts,
    figures_of,
    key_figures,
    known,
    matches,
    of_document,
)
from shared.documents.outcomes import organisation_key
from shared.documents.store import COLLECTION, Documents, check_name, document_id, find, in_pages
from shared.documents.views import document_view, quantity
from shared.platform.clients import firestore_client, storage_client
from shared.platform.errors import HeadraceError
from shared.platform.records import ARCHIVE, INSIDE, TERMINAL, TOPIC_NAMES
from shared.platform.retry import storage_limits
from shared.platform.settings import settings
from shared.text.datapoints import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from shared.api.ask import Answer
    from shared.api.assistants import Library
    from shared.documents.contents import Format, RowKind
    from shared.documents.export import Content
    from shared.documents.model import Document

POLL_SECONDS = 0.05
LISTED = 100
"""Documents that `headrace show` lists where none is named; also a page of a query."""


@dataclass(frozen=True)
class Dropped:
    """A file in the uploads bucket."""

    id: str
    name: str
    generation: int


@dataclass(frozen=True)
class Progress:
    """How far a dropped file is."""

    dropped: Dropped
    state: str
    done: int
    total: int | None
    """Batches, or what the long job counts; None before the document is planned."""
    members: int | None = None
    """Members, if it is an archive."""
    job: str = ""
    """How far the long job is, in words."""


def drop(path: Path, *, name: str | None = None, metadata: dict[str, str] | None = None) -> Dropped:
    """Upload a file with metadata of its object, which the pipeline then analyzes.

    Raises:
        HeadraceError: there is no such bucket.
    """
    from google.api_core.exceptions import NotFound

    blob = storage_client().bucket(settings().uploads_bucket).blob(name or path.name)
    if metadata:
        blob.metadata = metadata
    content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    try:
        blob.upload_from_filename(str(path), content_type=content_type, **storage_limits())
    except NotFound:
        raise HeadraceError(
            f"There is no bucket {settings().uploads_bucket}; name yours with HEADRACE_UPLOADS_BUCKET."
        ) from None
    return Dropped(document_id(settings().uploads_bucket, blob.name), blob.name, int(blob.generation))


def drop_all(paths: Sequence[Path], *, metadata: dict[str, str] | None = None) -> list[Dropped]:
    """Upload files, each under its own name; a file named twice is uploaded once.

    Raises:
        HeadraceError: two different files would be one object. Nothing has been uploaded then.
    """
    by_name: dict[str, Path] = {}
    for path in paths:
        check_name(path.name)
        other = by_name.setdefault(path.name, path)
        if not other.samefile(path):
            raise HeadraceError(
                f"{other} and {path} would both be uploaded as {path.name}, and only the second be kept; "
                "nothing was uploaded. Rename one of them, and drop them again."
            )
    return [drop(path, metadata=metadata) for path in by_name.values()]


def received(dropped: Dropped) -> dict[str, Any]:
    """Return the document object of a file that was uploaded and is not followed."""
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
    """Yield each change of each file, and of each member of an archive, until all have ended.

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
    """Return the members of an archive, as uploaded to the bucket."""
    blobs = storage_client().bucket(settings().uploads_bucket).list_blobs(prefix=archive.name + INSIDE)
    return [
        Dropped(document_id(settings().uploads_bucket, blob.name), blob.name, int(blob.generation))
        for blob in blobs
        if (blob.metadata or {}).get(ARCHIVE) == archive.id
    ]


def document(identifier: str) -> dict[str, Any]:
    """Return a document as people read it, by its id or its object's name. Raises HeadraceError."""
    return document_view(find(identifier).model_dump())


def newest_first() -> Iterator[dict[str, Any]]:
    """Yield every document as people read it, the newest first."""
    newest = firestore_client().collection(COLLECTION).order_by("created_at", direction="DESCENDING")
    for snapshot in chain.from_iterable(in_pages(newest, LISTED)):
        yield document_view(snapshot.to_dict() or {})


def export(contents: Iterable[Content], form: Format, rows: RowKind, output: Path) -> list[str]:
    """Write documents to a file, which is replaced only once all is written; return what was left out.

    Raises:
        HeadraceError: the file cannot be written.
    """
    part = output.with_name(f"{output.name}.part")
    try:
        with part.open("wb") as file:
            notes = write(contents, form, rows, file)
        part.replace(output)
    except OSError as error:
        raise HeadraceError(f"{output} cannot be written: {error.strerror or error}.") from None
    finally:
        part.unlink(missing_ok=True)
    return notes


@dataclass(frozen=True)
class Wanted:
    """Which figures are asked for; None: any."""

    organisation: str | None = None
    datapoint: str | None = None
    topic: str | None = None
    period: str | None = None
    unit: str | None = None


def figures(identifiers: Sequence[str], wanted: Wanted, limit: int | None) -> list[dict[str, Any]]:
    """Return figures of documents, those with a data point first; of all documents only those with one.

    Raises:
        HeadraceError: there is no such document, or no data point of that code.
    """
    codes = {code.casefold(): code for code in names()}
    if wanted.datapoint is not None:
        if wanted.datapoint.casefold() not in codes:
            topic = wanted.datapoint[:2].upper()
            alike = [code for code in codes.values() if code.startswith(topic)] or list(codes.values())
            raise HeadraceError(
                f"There is no data point {wanted.datapoint!r}; there are: {', '.join(alike)}."
            )
        wanted = replace(wanted, datapoint=codes[wanted.datapoint.casefold()])
    found = [figure for each in identifiers for figure in _figures_of(find(each), wanted)]
    if not identifiers:
        found = list(islice(_known(wanted), limit))
    return in_order(map(asdict, found))[:limit]


def _figures_of(document: Document, wanted: Wanted) -> list[KnownFigure]:
    key = organisation_key(wanted.organisation)
    if document.published_run is None or key not in {None, organisation_key(document.organisation)}:
        return []
    asked = (wanted.datapoint, wanted.topic, wanted.period, wanted.unit)
    found = figures_of(firestore_client(), document.id, document.published_run)
    return of_document(document.model_dump(), (each for each in found if matches(each, *asked)))


def _known(wanted: Wanted) -> Iterator[KnownFigure]:
    cursor = None
    while True:
        page = known(firestore_client(), **asdict(wanted), cursor=cursor, limit=LISTED)
        yield from page.figures
        if (cursor := page.cursor) is None:
            return


def stored_key_figures(shown: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the key figures of a document that is stored."""
    if shown["published_run"] is None:
        return []
    page = known(firestore_client(), documents=[shown["id"]], limit=MAX_CODED_FIGURES)
    return key_figures(map(asdict, page.figures))


def _progress(dropped: Dropped) -> Progress:
    documents = Documents(firestore_client())
    document = documents.get(dropped.id)
    if document is None or document.generation < dropped.generation:
        return Progress(dropped, "uploaded", 0, None)
    if document.state == "delegated" and (job := document.progress):
        return Progress(dropped, "delegated", job.done, job.total, job=job_progress(job.model_dump()))
    done = total = document.batches.total if document.batches else None
    if document.state in {"analyzing", "delegated"} and total is not None:
        done = count_done(documents.reference(document.id), document.run)
    return Progress(dropped, document.state, done or 0, total, document.members)


def job_progress(progress: dict[str, Any]) -> str:
    """Return how far the long job is, in words."""
    parts = [f"{progress['done']:,} of {progress['total']:,} {progress['unit']}"]
    if progress["rate"]:
        parts.append(f"{progress['rate']:,.1f} a second")
    if progress["eta_seconds"] is not None:
        parts.append(f"{timedelta(seconds=round(progress['eta_seconds']))} left")
    return ", ".join(parts)


def search(
    question: str, *, model: Path, limit: int, topic: str | None, document: str | None
) -> list[dict[str, Any]]:
    """Return figures that answer the question, then the passages of published runs nearest to its meaning.

    A figure is a hit as a passage is, with `figure`, which is null for passages; `limit` is of passages.

    Raises:
        HeadraceError: the question is blank, or there is no such document, or the model has no such topic.
        SetupError: there is no model.
    """
    from shared.documents.search import search as nearest
    from shared.inference.engine import Engine
    from shared.inference.manifest import read_manifest

    if not question.strip():
        raise HeadraceError('What should be looked for? headrace search "water saved in production"')
    if document is not None:
        document = find(document).id
    if topic is not None:
        topic = known_topic(topic, read_manifest(model).topics)
    engine = Engine(model)
    hits = nearest(
        firestore_client(),
        engine.run([question]).embedding[0].tolist(),
        space=engine.manifest.space,
        limit=limit,
        topic=topic,
        document=document,
    )
    known = facts(firestore_client(), question, topic=topic, document=document)
    return [*map(_fact, known), *(hit.model_dump() | {"figure": None} for hit in hits)]


def ask(question: str, *, model: Path, topic: str | None, document: str | None) -> Answer:
    """Answer a question from the documents, or from one of them.

    Raises:
        HeadraceError: the question is blank or too long, or there is no such document or topic.
        SetupError: there is no model.
    """
    from shared.api.ask import ask as answer
    from shared.api.requests import Problem
    from shared.inference.manifest import read_manifest

    if not question.strip():
        raise HeadraceError('What is the question? headrace ask "How much water was saved in 2024?"')
    try:
        return answer(
            library(model),
            question,
            topic=topic and known_topic(topic, read_manifest(model).topics),
            document=document and find(document).id,
        )
    except Problem as problem:
        raise HeadraceError(problem.detail) from None


def library(model: Path) -> Library:
    """Return what the tools of assistants read from. Raises SetupError if there is no model."""
    from shared.api.assistants import Library
    from shared.api.batcher import Batcher
    from shared.inference.engine import Engine

    engine = Engine(model)
    loaded = engine, Batcher(engine.run, slots=1)
    return Library(firestore_client(), lambda: loaded)


def _fact(figure: KnownFigure) -> dict[str, Any]:
    name = names().get(figure.datapoint or "", figure.metric)
    period = f", {figure.period}" if figure.period else ""
    return {
        **{field: getattr(figure, field) for field in ("document", "name", "title")},
        "index": figure.passage,
        "page": figure.page,
        "row": None,
        "kind": None,
        "text": f"{name}{period}: {quantity(figure.value, figure.unit)}",
        "score": 1.0,
        "figure": asdict(figure),
    }


def known_topic(asked: str, topics: Sequence[str]) -> str:
    """Return the topic with this name, in any case; a model without topics allows every name.

    Raises:
        HeadraceError: there is none.
    """
    if not topics or asked in topics:
        return asked
    for topic in topics:
        if topic.casefold() == asked.casefold():
            return topic
    known = ", ".join(
        f"{topic} ({TOPIC_NAMES[topic]})" if topic in TOPIC_NAMES else topic for topic in topics
    )
    raise HeadraceError(f"There is no topic {asked!r}; there are: {known}.")
