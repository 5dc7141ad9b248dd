"""What a backfill changed, of all its documents together: in its record, and in full in the work bucket.

It is made from the documents' records alone, so it can be made again, and is then the same.
"""

from __future__ import annotations

import heapq
import json
import tempfile
from typing import TYPE_CHECKING, Any

from long_job.backfill.compare import Comparison, combine
from shared.jobs import backfills
from shared.platform.clients import storage_client
from shared.platform.retry import storage_limits
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from google.cloud import firestore

    from shared.jobs.backfills import Entry

MOST_CHANGED = 20
"""Documents that the report in the record names; the file has all."""
ERRORS = 20


def conclude(client: firestore.Client, backfill: str) -> None:
    """Write the report, and that the backfill has completed. Any number of tasks may."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        report = _report(client, backfill, file)
        file.seek(0)
        name = f"backfills/{backfill}/report.json"
        blob = storage_client().bucket(settings().work_bucket).blob(name)
        blob.upload_from_file(file.buffer, content_type="application/json", **storage_limits())
    report["uri"] = f"gs://{settings().work_bucket}/{name}"
    counts = backfills.counts(client, backfill)
    backfills.update(client, backfill, state="completed", report=report, counts=counts)


def _report(client: firestore.Client, backfill: str, file: TextIO) -> dict[str, Any]:
    """The report; each document is written to `file` as it is met, the rest after them."""
    most: list[tuple[float, str, dict[str, Any]]] = []
    errors: list[dict[str, Any]] = []
    file.write('{"documents": [')

    def comparisons() -> Iterator[Comparison]:
        for at, entry in enumerate(_entries(client, backfill)):
            file.write((",\n" if at else "\n") + entry.model_dump_json(exclude={"settled", "retry_run"}))
            if entry.error and len(errors) < ERRORS:
                errors.append({"document": entry.document, "error": entry.error.model_dump()})
            if entry.comparison:
                one = Comparison.model_validate(entry.comparison)
                _rank(most, entry, one)
                yield one

    together = combine(comparisons())
    changed = [row for _, _, row in sorted(most, key=lambda item: (-item[0], item[1]))]
    report = {"comparison": together.model_dump(), "most_changed": changed, "errors": errors}
    file.write(f"],\n{json.dumps(report, indent=1)[1:]}\n")
    return report


def _entries(client: firestore.Client, backfill: str) -> Iterator[Entry]:
    for page in backfills.pages(client, backfill):
        yield from page


def _rank(most: list[tuple[float, str, dict[str, Any]]], entry: Entry, one: Comparison) -> None:
    if not one.changed:
        return
    row = {"document": entry.document, "passages": one.passages, "changed": one.changed}
    row["cosine"] = one.drift.mean if one.drift else None
    heapq.heappush(most, (one.changed / one.passages, entry.document, row))
    if len(most) > MOST_CHANGED:
        heapq.heappop(most)
