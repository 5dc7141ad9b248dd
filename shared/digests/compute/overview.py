"""What became of documents: received, completed, rejected, failed, and what has been waiting the longest."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.digests.compute.selection import between, everything, fits
from shared.digests.records import Problem, Unfinished
from shared.documents.outcomes import COLLECTION, Trouble
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.platform.lanes import CANDIDATE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.digests.compute.request import Request
    from shared.digests.compute.rows import Row, Rows

MAX_PROBLEMS = 20
"""Listed; all are counted."""
FIRST_UNFINISHED = 10
"""Read where the filter means all, beside samples: one may have ended since these were counted."""
MAX_SAMPLES = 100
"""Of deployments; what was made of one is erased after an hour."""
MAX_UNFINISHED = 1_000
"""Unfinished documents among which those that a filter means are sought."""
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
    conditions = [("members", "==", None), *between("received_at", window.start, window.end)]
    if everything(request.filter):
        samples = sum(
            row.get("members") is None and window.start <= row.get("received_at", window.end) < window.end
            for row in _samples(rows)
        )
        return max(rows.count(DOCUMENTS, conditions) - samples, 0), []
    found = rows.range(DOCUMENTS, "received_at", conditions, _RECORD, limit=limit + 1)
    count = 0
    for read, row in enumerate(found):
        if read == limit:
            return count, [f"Uploads after the first {limit:,} are left out (HEADRACE_DIGEST_MAX_DOCUMENTS)."]
        count += fits(row, request.filter)
    return count, []


def waiting(rows: Rows, request: Request) -> tuple[int, Unfinished | None, list[str]]:
    """Documents that wait for their results since before the window's end, and the first of them."""
    end, whole = request.window.end, everything(request.filter)
    conditions = [("state", "in", list(UNFINISHED)), ("waiting_since", "<", end)]
    samples = 0
    if whole:
        samples = sum(
            row["state"] in UNFINISHED and row.get("waiting_since", end) < end for row in _samples(rows)
        )
    limit = FIRST_UNFINISHED + samples if whole else MAX_UNFINISHED
    fields = (*_RECORD, "state", "waiting_since")
    read = list(rows.range(DOCUMENTS, "waiting_since", conditions, fields, limit=limit))
    found = [row for row in read if fits(row, request.filter)]
    many = not whole and len(read) == limit
    notes = [f"Of unfinished documents the first {limit:,} were looked at."] if many else []
    if not found:
        return 0, None, notes
    oldest = Unfinished(
        document=found[0][""],
        name=found[0]["name"],
        state=found[0]["state"],
        seconds=round((end - found[0]["waiting_since"]).total_seconds(), 1),
    )
    # What ended in between is told as waiting all the same: it is named.
    return max(rows.count(DOCUMENTS, conditions) - samples, 1) if whole else len(found), oldest, notes


def _samples(rows: Rows) -> list[Row]:
    """What is stored of deployments' samples: Firestore cannot leave them out of what it counts."""
    after = CANDIDATE_PREFIX[:-1] + chr(ord(CANDIDATE_PREFIX[-1]) + 1)
    named = [("name", ">=", CANDIDATE_PREFIX), ("name", "<", after)]
    fields = ("members", "received_at", "state", "waiting_since")
    return list(rows.range(DOCUMENTS, "name", named, fields, limit=MAX_SAMPLES))
