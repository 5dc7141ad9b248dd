"""What became of documents: received, completed, rejected, failed, and what has been waiting the longest."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.digests.compute.selection import between, everything, fits
from shared.digests.outcomes import COLLECTION, Trouble
from shared.digests.records import Problem, Unfinished
from shared.documents import COLLECTION as DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.digests.compute.request import Request
    from shared.digests.compute.rows import Row, Rows

MAX_PROBLEMS = 20
"""Listed; all are counted."""
MAX_UNFINISHED = 1_000
"""Unfinished documents among which the oldest that a filter means is sought."""
UNFINISHED = ("extracting", "analyzing", "delegated")
_FIELDS = ("document", "name", "organisation", "language", "problem")
_RECORD = ("name", "organisation", "language")


class Problems(NamedTuple):
    """Documents whose newest run did not complete."""

    rejected: dict[str, int]
    failed: int
    listed: list[Problem]


def problems(rows: Rows, request: Request, limit: int) -> tuple[Problems, list[str]]:
    """Of the window, and what is to be noted."""
    window = request.window
    conditions = between("problem.at", window.start, window.end)
    found = list(
        islice(rows.range(COLLECTION, "problem.at", conditions, _FIELDS, limit=limit + 1), limit + 1)
    )
    notes = []
    if len(found) > limit:
        notes.append(f"Problems after the first {limit:,} are left out (HEADRACE_DIGEST_MAX_DOCUMENTS).")
    told = _problems(row for row in found[:limit] if fits(row, request.filter))
    total = told.failed + sum(told.rejected.values())
    if total > len(told.listed):
        notes.append(f"{total - len(told.listed):,} of {total:,} problems are not listed.")
    return told, notes


def _problems(found: Iterable[Row]) -> Problems:
    rejected: Counter[str] = Counter()
    listed: list[tuple[tuple[Any, ...], Problem]] = []
    for row in found:
        trouble = Trouble.model_validate(row["problem"])
        failed = trouble.state == "failed"
        if not failed:
            rejected[trouble.code] += 1
        problem = Problem(
            document=row["document"],
            name=row["name"],
            state=trouble.state,
            code=trouble.code,
            message=trouble.message,
            hint=trouble.hint,
            replay=f"headrace replay {row['document']}" if failed else None,
        )
        listed.append(((not failed, trouble.at, row["document"]), problem))
    listed.sort(key=lambda pair: pair[0])
    return Problems(
        {code: rejected[code] for code in sorted(rejected)},
        len(listed) - rejected.total(),
        [problem for _, problem in listed[:MAX_PROBLEMS]],
    )


def received(rows: Rows, request: Request, limit: int) -> tuple[int, list[str]]:
    """Documents whose newest content was uploaded in the window; archives do not count."""
    window = request.window
    conditions = [
        ("members", "==", None),
        *between("timings.uploaded_at", window.start, window.end),
    ]
    if everything(request.filter):
        return rows.count(DOCUMENTS, conditions), []
    fields = (*_RECORD, "timings.uploaded_at")
    found = rows.range(DOCUMENTS, "timings.uploaded_at", conditions, fields, limit=limit + 1)
    count = 0
    for read, row in enumerate(found):
        if read == limit:
            return count, [f"Uploads after the first {limit:,} are left out (HEADRACE_DIGEST_MAX_DOCUMENTS)."]
        count += fits(row, request.filter)
    return count, []


def oldest(rows: Rows, request: Request) -> Unfinished | None:
    """The document that has waited the longest, of those uploaded before the window's end."""
    end = request.window.end
    conditions = [("state", "in", list(UNFINISHED)), ("timings.uploaded_at", "<", end)]
    limit = 1 if everything(request.filter) else MAX_UNFINISHED
    fields = (*_RECORD, "state", "timings.uploaded_at")
    for row in rows.range(DOCUMENTS, "timings.uploaded_at", conditions, fields, limit=limit):
        if fits(row, request.filter):
            waited = end - row["timings"]["uploaded_at"]
            return Unfinished(
                document=row[""],
                name=row["name"],
                state=row["state"],
                seconds=round(waited.total_seconds(), 1),
            )
    return None
