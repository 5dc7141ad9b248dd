"""Read the documents of a window, and those that it is compared with.

Every function appends to `notes` what it left out, for the reader of the digest.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shared.digests.compute import follow
from shared.digests.compute.follow import Groups, Organisation, Plans, Reported, plans, select
from shared.digests.compute.measures import Tally
from shared.digests.compute.quotes import Lists, News, Sentence
from shared.digests.compute.rows import Doc, between, counts, doc, everything, fits, of_organisation
from shared.digests.records import Problem, Unfinished
from shared.digests.render import words
from shared.documents.outcomes import COLLECTION, CONTENT, COUNTS, Trouble, outcome, unpack
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from shared.digests.compute.datapoints import Values
    from shared.digests.compute.rows import Request, Row, Rows
    from shared.digests.records import Followed, FollowStatus
    from shared.platform.clients import Condition

MAX_PROBLEMS = 20
"""Listed; all are counted."""
FIRST_UNFINISHED = 10
"""Read where the filter means all: one may have ended since these were counted."""
MAX_UNFINISHED = 1_000
"""Unfinished documents among which those that a filter means are sought."""
UNFINISHED = ("extracting", "analyzing", "delegated")
MAX_ORGANISATIONS = 300
"""Organisations, those with most documents, whose earlier reports are read. Firestore takes 30 a query."""
IN = 30
_RECORD = ("name", "organisation", "language")
_CONTENT = (*CONTENT, "datapoints")


def _first(records: Iterator[Row], notes: list[str], what: str) -> Iterator[Row]:
    """Yield as many records as the setting allows; a note says if there are more."""
    for read, row in enumerate(records):
        if read == settings().digest_max_documents:
            notes.append(f"{what} after the first {read:,} are left out (HEADRACE_DIGEST_MAX_DOCUMENTS).")
            return
        yield row


class Problems(NamedTuple):
    """Documents whose newest run did not complete."""

    rejected: dict[str, int]
    failed: int
    listed: list[Problem]


def problems(rows: Rows, request: Request, notes: list[str]) -> Problems:
    """Return what did not complete in the window, failures first."""
    conditions = between("problem.at", request.window.start, request.window.end)
    fields = (*_RECORD, "document", "problem")
    rejected: Counter[str] = Counter()
    listed: list[tuple[tuple[Any, ...], Problem]] = []
    limit = settings().digest_max_documents + 1
    records = rows.range(COLLECTION, "problem.at", conditions, fields, limit=limit)
    for row in _first(records, notes, "Problems"):
        if not fits(row, request.filter):
            continue
        trouble = Trouble.model_validate(row["problem"])
        failed = trouble.state == "failed"
        if not failed:
            rejected[trouble.code] += 1
        replay = f"headrace replay {row['document']}" if failed else None
        ending = trouble.model_dump(exclude={"at"})
        problem = Problem(document=row["document"], name=row["name"], replay=replay, **ending)
        listed.append(((not failed, trouble.at, row["document"]), problem))
    if left_out := len(listed[MAX_PROBLEMS:]):
        notes.append(f"{left_out:,} of {len(listed):,} problems are not listed.")
    listed.sort(key=lambda pair: pair[0])
    first = [problem for _, problem in listed[:MAX_PROBLEMS]]
    return Problems(dict(sorted(rejected.items())), len(listed) - rejected.total(), first)


def received(rows: Rows, request: Request, notes: list[str]) -> int:
    """Return the number of documents whose newest content was uploaded in the window, without archives."""
    window = request.window
    conditions = [("members", "==", None), *between("received_at", window.start, window.end)]
    if everything(request.filter):
        return rows.count(DOCUMENTS, conditions)
    limit = settings().digest_max_documents + 1
    records = rows.range(DOCUMENTS, "received_at", conditions, _RECORD, limit=limit)
    return sum(fits(row, request.filter) for row in _first(records, notes, "Uploads"))


def waiting(rows: Rows, request: Request, notes: list[str]) -> tuple[int, Unfinished | None]:
    """Return how many documents wait for results since before the window's end, and the first of them."""
    end, whole = request.window.end, everything(request.filter)
    conditions = [("state", "in", list(UNFINISHED)), ("waiting_since", "<", end)]
    limit = FIRST_UNFINISHED if whole else MAX_UNFINISHED
    fields = (*_RECORD, "state", "waiting_since")
    read = list(rows.range(DOCUMENTS, "waiting_since", conditions, fields, limit=limit))
    unfinished = [row for row in read if fits(row, request.filter)]
    if not whole and len(read) == limit:
        notes.append(f"Of unfinished documents the first {limit:,} were looked at.")
    if not unfinished:
        return 0, None
    first = unfinished[0]
    seconds = round((end - first["waiting_since"]).total_seconds(), 1)
    oldest = Unfinished(document=first[""], name=first["name"], state=first["state"], seconds=seconds)
    # What ended in between is counted as waiting all the same: it is named.
    return max(rows.count(DOCUMENTS, conditions), 1) if whole else len(unfinished), oldest


class Counted:
    """The counts of the window's documents."""

    def __init__(self, rows: Rows, request: Request, notes: list[str]) -> None:
        """Read and count what completed in the window."""
        window, topic = request.window, request.filter.topic
        self.tally, self.groups = Tally(topic), Groups(topic)
        self.docs: list[Doc] = []
        """Documents whose passages count, by their ids."""
        self.completed = self.copies = self._unjudged = 0
        self.space: str | None = None
        """Space of the vectors of most documents; others cannot be compared with them."""
        conditions = between("completed_at", window.start, window.end) + of_organisation(request.filter)
        fields, limit = (*COUNTS, "space"), settings().digest_max_documents + 1
        records = rows.range(COLLECTION, "completed_at", conditions, fields, limit=limit)
        for row in _first(records, notes, "Documents"):
            if fits(row, request.filter) and row["members"] is None:
                self._add(row)
        self.docs.sort(key=lambda doc: doc.document)
        spaces = Counter(doc.space for doc in self.docs if doc.space is not None)
        self.space = min(spaces, key=lambda space: (-spaces[space], space), default=None)
        if others := spaces.total() - spaces[self.space or ""]:
            why = "another model read them, and its vectors cannot be compared with the others'"
            notes.append(f"News and earlier plans are without {others:,} documents: {why}.")
        if self._unjudged:
            unjudged = f"{self._unjudged:,}; no share counts them."
            notes.append(f"Passages in languages that the model does not judge: {unjudged}")

    def _add(self, row: Row) -> None:
        self.completed += 1
        if not counts(row):
            self.copies += 1
            return
        counted = outcome(row)
        self.docs.append(doc(row))
        self.tally.add(counted)
        self.groups.count(self.docs[-1], counted)
        self._unjudged += counted.passages - sum(counted.sentiment.values())


def content(row: Row, of: Doc) -> tuple[list[Sentence], NDArray[np.int8]]:
    """Return the sentences that were kept of a document, and (n, d) their vectors."""
    kept = unpack(row["items"]) if row.get("items") else []
    packed: bytes = row.get("vectors") or b""
    vectors = np.frombuffer(packed, dtype=np.int8).reshape(len(kept), -1 if kept else 0)
    size = vectors.shape[1]
    sentences = [Sentence(of, each, packed[at * size : (at + 1) * size]) for at, each in enumerate(kept)]
    return sentences, vectors


class Earlier:
    """The plans of earlier reports of the window's organisations, as far as they are open."""

    def __init__(
        self, rows: Rows, request: Request, counted: Counted, values: Values, notes: list[str]
    ) -> None:
        """Read them, and `values` of their data points, of the organisations with most documents."""
        self._values = values
        self._request, self._start, self._space = request, request.window.start, counted.space
        organisations = Counter(doc.organisation_key for doc in counted.docs if doc.organisation_key)
        keys = sorted(organisations, key=lambda key: (-organisations[key], key))
        if len(keys) > MAX_ORGANISATIONS:
            which = f"{MAX_ORGANISATIONS} of {len(keys):,} organisations"
            notes.append(f"Earlier reports were looked for of {which}.")
        share = follow.MAX_IN_ALL // max(1, min(len(keys), MAX_ORGANISATIONS))
        most, most_reported = min(follow.MAX_OF_ORGANISATION, share), min(follow.MAX_REPORTED, share)
        planned, reported = Plans(most), defaultdict[str, Reported](lambda: Reported(most_reported))
        for of, row in self._reports(rows, counted, keys[:MAX_ORGANISATIONS], notes):
            key, kept = of.organisation_key or "", content(row, of)[0]
            if of.completed_at < self._start:
                reported[key].add(kept)
            planned.add(key, plans(kept, request.filter.topic))
        full = planned.cut | {key for key, report in reported.items() if len(report.done) == most_reported}
        if full:
            newest = f"{most:,} plans and {most_reported:,} implemented initiatives of the newest reports"
            notes.append(f"Of {words.many(len(full), 'organisation')} only {newest} were compared.")
        self._organisations = {
            key: Organisation(of_key, self._start, reported[key])
            for key, of_key in planned.by_organisation().items()
        }
        self.compared = len(self._organisations)

    def meet(self, of: Doc, sentences: list[Sentence], vectors: NDArray[np.int8]) -> None:
        """Compare with a report of the window."""
        organisation = self._organisations.get(of.organisation_key or "")
        if organisation is not None and sentences:
            organisation.meet(of, sentences, vectors)

    def followed(self) -> tuple[list[Followed], dict[FollowStatus, int]]:
        """Return what became of the plans, and the number of each kind."""
        organisations = [self._organisations[key] for key in sorted(self._organisations)]
        return select([finding for organisation in organisations for finding in organisation.findings()])

    def _reports(
        self, rows: Rows, counted: Counted, keys: list[str], notes: list[str]
    ) -> Iterator[tuple[Doc, Row]]:
        """Yield the window's own reports that a later one follows, and those before it."""
        limit = settings().digest_earlier_documents
        own = _followed_within(counted.docs, frozenset(keys))[:limit]
        by_id = {report.document: report for report in own}
        for row in rows.named(COLLECTION, list(by_id), CONTENT):
            if row.get("space") == self._space:
                yield by_id[row[""]], row
        left, batches = limit - len(own), [keys[at : at + IN] for at in range(0, len(keys), IN)]
        cut = False
        for nth, batch in enumerate(batches):
            share, read = left // (len(batches) - nth), 0
            conditions: list[Condition] = [
                ("organisation_key", "in", batch),
                ("completed_at", "<", self._start),
            ]
            fields = (*COUNTS, *_CONTENT)
            for row in rows.range(
                COLLECTION, "completed_at", conditions, fields, limit=share, descending=True
            ):
                read += 1
                if not (fits(row, self._request.filter) and counts(row)):
                    continue
                self._values.add(doc(row), row, in_window=False)
                if row.get("space") == self._space:
                    yield doc(row), row
            left -= read
            cut |= read == share
        if cut:
            notes.append("Only the newest earlier reports were compared (HEADRACE_DIGEST_EARLIER_DOCUMENTS).")


def _followed_within(docs: list[Doc], keys: frozenset[str]) -> list[Doc]:
    """Return documents whose organisation has one about a later year in the window, the latest first."""
    newest: dict[str | None, int] = {}
    for of in docs:
        if of.year is not None:
            newest[of.organisation_key] = max(of.year, newest.get(of.organisation_key, 0))
    older = [
        of
        for of in docs
        if of.organisation_key in keys and of.year is not None and of.year < newest[of.organisation_key]
    ]
    return sorted(older, key=lambda of: (-(of.year or 0), of.document))


class Quoted:
    """What may be quoted of the window's documents."""

    def __init__(
        self, rows: Rows, counted: Counted, earlier: Earlier, values: Values, topic: str | None
    ) -> None:
        """Read the documents by their ids, a few at a time, and `values` of their data points."""
        self.lists, self.news = Lists(), News()
        docs = {doc.document: doc for doc in counted.docs}
        for row in rows.named(COLLECTION, list(docs), _CONTENT):
            of = docs[row[""]]
            values.add(of, row, in_window=True)
            sentences, vectors = content(row, of)
            comparable = row.get("space") == counted.space
            if comparable:
                earlier.meet(of, sentences, vectors)
            else:
                sentences = [each._replace(vector=b"") for each in sentences]
            for each in sentences:
                if topic is None or topic in each.kept["topics"]:
                    counted.groups.offer(each)
                    self.lists.offer(each)
                    if comparable:
                        self.news.offer(each)


def compare_with_earlier(rows: Rows, request: Request, news: News, space: str | None) -> None:
    """Compare what may be news of the window with what was kept of the newest documents before it."""
    dimensions = news.close()
    if not dimensions:
        return
    conditions: list[Condition] = [
        ("completed_at", "<", request.window.start),
        *of_organisation(request.filter),
    ]
    fields = (*_RECORD, "members", "duplicate_of", "completed_at", "vectors", "space")
    limit = settings().digest_earlier_documents
    for row in rows.range(COLLECTION, "completed_at", conditions, fields, limit=limit, descending=True):
        vectors = np.frombuffer(row.get("vectors") or b"", dtype=np.int8)
        if len(vectors) and row.get("space") == space and fits(row, request.filter) and counts(row):
            news.compare(vectors.reshape(-1, dimensions))
