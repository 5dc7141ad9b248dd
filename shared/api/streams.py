"""Answer with a stream: exports in bounded memory, and a document's progress as server-sent events.

Whoever gets a stream holds one of the function's threads, so a number of streams may be open at once, and
progress is told for a while: a client that wants more asks again, with the id of the last event that it has.
"""

from __future__ import annotations

import json
import threading
import time
from http import HTTPStatus
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from werkzeug.wrappers import Response

from shared.api.endpoints import EVENTS
from shared.api.models import ExportQuery, ProgressEvent
from shared.api.requests import Problem
from shared.api.stored import get_document
from shared.documents.batches import count_done
from shared.documents.catalogue import Filters
from shared.documents.contents import BLOCK, MEDIA_TYPES, blocks, content, selected, write
from shared.documents.store import Documents
from shared.documents.views import document_view
from shared.platform.clients import firestore_client
from shared.platform.records import TERMINAL
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from shared.api.serving import Call
    from shared.documents.export import Content
    from shared.documents.model import Document

EXPORTS_AT_ONCE = 2
"""Exports that one instance writes at once: each takes some 100 MB."""
FOLLOWERS_AT_ONCE = 16
"""Streams that one instance holds open at once: half of its threads."""
POLL_SECONDS = 1.0
RETRY_SECONDS = 10
AGAIN_MILLISECONDS = 1000
"""After which a client that is told nothing more asks again."""
_EXPORTS = threading.BoundedSemaphore(EXPORTS_AT_ONCE)
_FOLLOWERS = threading.BoundedSemaphore(FOLLOWERS_AT_ONCE)


def export(call: Call) -> Response:
    """Send documents as a file. Workbooks and Parquet are written first, the others as they are read."""
    asked = call.query
    assert isinstance(asked, ExportQuery)
    headers = {"Content-Disposition": f'attachment; filename="headrace.{asked.format}"'}
    _enter(_EXPORTS)
    try:
        contents = _contents(asked)
        if asked.format in {"csv", "jsonl"}:
            stream = blocks(contents, "csv" if asked.format == "csv" else "jsonl", asked.rows)
        else:
            file = TemporaryFile()  # noqa: SIM115 - closed when it is sent
            notes = write(contents, asked.format, asked.rows, file)
            stream = _sent(file)
            headers |= {"X-Headrace-Notes": json.dumps(notes)} if notes else {}
    except BaseException:
        _EXPORTS.release()
        raise
    return _streamed(stream, MEDIA_TYPES[asked.format], headers, _EXPORTS)


def _contents(asked: ExportQuery) -> Iterable[Content]:
    """Return what is exported. Documents that are named are looked up before anything is sent."""
    if asked.document:
        client = firestore_client()
        return map(content, [document_view(get_document(client, each)) for each in asked.document])
    filters = Filters(**{name: getattr(asked, name) for name in Filters.model_fields})
    return map(content, selected(filters, asked.sort))


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while block := file.read(BLOCK):
            yield block


def progress(call: Call) -> Response:
    """Send each change of a document's progress, until it has ended or for a while."""
    identifier = call.arguments["id"]
    documents = Documents(firestore_client())
    document = documents.get(identifier)
    if document is None:
        get_document(documents.client, identifier)  # which says that there is none
    elif document.state in TERMINAL and call.last_event == _event(documents, document)[0]:
        return Response(iter(()), HTTPStatus.NO_CONTENT)  # nothing more will come: do not ask again
    _enter(_FOLLOWERS)
    return _streamed(_events(documents, identifier, call.last_event), EVENTS, {}, _FOLLOWERS)


def _events(documents: Documents, identifier: str, last: str | None) -> Iterator[bytes]:
    yield f"retry: {AGAIN_MILLISECONDS}\n\n".encode()
    deadline = time.monotonic() + settings().api_follow_seconds
    while document := documents.get(identifier):
        name, event = _event(documents, document)
        if name != last:
            yield f"id: {name}\nevent: progress\ndata: {event.model_dump_json()}\n\n".encode()
            last = name
        if document.state in TERMINAL or time.monotonic() >= deadline:
            return
        time.sleep(POLL_SECONDS)
    yield b"event: erased\ndata: {}\n\n"


def _event(documents: Documents, document: Document) -> tuple[str, ProgressEvent]:
    """Return where a document is, and a name for that, which is an event's id."""
    total = document.batches.total if document.batches else None
    done = total if document.state == "completed" else 0
    if document.state == "delegated" and document.progress:
        done, total = document.progress.done, document.progress.total
    elif document.state in {"analyzing", "delegated"} and total is not None:
        done = count_done(documents.reference(document.id), document.run)
    event = ProgressEvent(
        document=document.id,
        state=document.state,
        run=document.run,
        published_run=document.published_run,
        done=done or 0,
        total=total,
        error=document.error,
    )
    return f"{document.run}-{document.state}-{event.done}", event


def _enter(slots: threading.BoundedSemaphore) -> None:
    if not slots.acquire(blocking=False):
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "busy",
            "As many streams as may be open at once are open. Try again in a moment.",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )


def _streamed(
    stream: Iterator[bytes], content_type: str, headers: Mapping[str, str], slots: threading.BoundedSemaphore
) -> Response:
    from shared.api.serving import HEADERS

    response = Response(stream, HTTPStatus.OK, {**HEADERS, **headers}, content_type=content_type)
    response.call_on_close(slots.release)  # also where the client goes away, or asked for the head alone
    return response
