"""Follow plans of earlier reports: which were implemented, are still planned, or vanished.

A plan is implemented, or announced again, where a sentence of a new report that says so is near enough and
has a topic in common with it: whichever of the two is nearer. It has vanished where nothing that was kept of
a new report is even remotely like it. What lies between is not reported: a cosine cannot decide it.

A plan that an earlier report called implemented is done with: it does not vanish where a new report no longer
mentions it. A vanished plan is reported once for each year that reports are about, with the first document
about that year that says enough. Which document that is follows from the reports stored, whether or not a
digest was made of its window.

`NEAR` and `FAR` were chosen on 34 plans with four sentences each, written for this
(`benchmarks/digests/plans.json`). `python -m benchmarks.digests.plans` measures what they find and miss, with
the model that the repository builds. A real report has more sentences that are half alike, so fewer of its
plans are reported as vanished.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shared.digests.compute.quotes import (
    ALIKE,
    POOL,
    Best,
    Sentence,
    cosines,
    matrix,
    quote,
    spread,
    unit,
    weight,
)
from shared.digests.records import Followed, Group

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from shared.digests.compute.quotes import Sentence, Vectors
    from shared.digests.compute.rows import Doc
    from shared.digests.records import FollowStatus, Quote
    from shared.documents.outcomes import Outcome

    Indices = NDArray[np.intp]


MAX_QUOTES = 24
"""Most initiatives that are quoted as implemented, and as planned."""

Key = tuple[str, str]
"""Topic, and the key of the document's owner."""


class Groups:
    """The initiatives of a window by topic and organisation; those that matter most are quoted."""

    def __init__(self, topic: str | None) -> None:
        self._topic = topic
        self._counts: dict[Key, Counter[str]] = {}
        self._names: dict[str, Counter[str]] = {}
        self._best: dict[str, Best[Sentence]] = {action: Best(POOL) for action in ("implemented", "planned")}

    def count(self, doc: Doc, outcome: Outcome) -> None:
        """Add the counts of a document."""
        owner, name = doc.owner
        self._names.setdefault(owner, Counter())[name] += 1
        for topic, cells in outcome.topics.items():
            if (cells.implemented or cells.planned) and self._topic in {None, topic}:
                counts = {"implemented": cells.implemented, "planned": cells.planned}
                self._counts.setdefault((topic, owner), Counter()).update(counts)

    def offer(self, sentence: Sentence) -> None:
        """Consider a sentence, if it is an initiative of a group."""
        best = self._best.get(sentence.kept["action"])
        if best is not None and "initiative" in sentence.kept["roles"] and self._key(sentence):
            best.add((-weight(sentence.kept, "initiative"), *sentence.at), sentence)

    def listed(self) -> tuple[list[Group], int]:
        """Return the groups that are quoted, the best first, and the number of others."""
        chosen = [pair for best in self._best.values() for pair in spread(best, MAX_QUOTES)]
        chosen.sort(key=lambda pair: (-weight(pair[0].kept, "initiative"), *pair[0].at))
        by_key: dict[Key, list[Quote]] = {}
        for sentence, also in chosen:
            if key := self._key(sentence):
                by_key.setdefault(key, []).append(quote(sentence, "initiative", also))
        groups = [
            Group(
                topic=topic,
                organisation=self._name(owner),
                implemented=self._counts[topic, owner]["implemented"],
                planned=self._counts[topic, owner]["planned"],
                quotes=quotes,
            )
            for (topic, owner), quotes in by_key.items()
        ]
        return groups, len(self._counts) - len(groups)

    def _key(self, sentence: Sentence) -> Key | None:
        """Return the group of a sentence's surest topic that its passages are counted in."""
        keys = ((topic, sentence.doc.owner[0]) for topic in sentence.kept["topics"])
        return next((key for key in keys if key in self._counts), None)

    def _name(self, owner: str) -> str:
        """Return an owner's name as most documents spell it."""
        names = self._names[owner]
        return min(names, key=lambda name: (-names[name], name))


NEAR = 0.70
"""Cosine from which a sentence is about the same thing as a plan: it finds 91% of what follows plans up, and
98% of what it finds is right."""
FAR = 0.50
"""Cosine below which it is about something else: it finds 46% of the plans that are not followed up,
and none that are."""
MIN_INITIATIVES = 5
"""Kept of a new report, for the absence of a plan to mean something."""
MAX_PLANS = 60
"""Most plans of one earlier report: those that matter most."""
MAX_OF_ORGANISATION = 300
"""Plans, those of the newest reports, whichever were read first."""
MAX_REPORTED = 1_000
"""Implemented initiatives, those of the newest reports."""
MAX_IN_ALL = 20_000
"""Plans, or reported initiatives, of all organisations together: some 90 MB with vectors."""
MAX_LISTED = 30
STATUSES: tuple[FollowStatus, ...] = ("implemented", "vanished", "planned")


def precedes(report: Doc, other: Doc, start: datetime | None = None) -> bool:
    """Return whether a report comes before another one, by the year reported on or else by upload.

    With the start of a window, an upload comes before another only if it was before the window and the other
    is in it.
    """
    if report.year is not None and other.year is not None and report.year != other.year:
        return report.year < other.year
    return report.completed_at < (start or other.completed_at) <= other.completed_at


def share_topic(sentence: Sentence, other: Sentence) -> bool:
    """Return whether two sentences have a topic in common."""
    return not set(sentence.kept["topics"]).isdisjoint(other.kept["topics"])


class Reported:
    """What the reports of one organisation that completed before the window had said."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.done: list[Sentence] = []
        self._compared: dict[int | None, datetime] = {}

    def add(self, sentences: Sequence[Sentence]) -> None:
        """Add a report, the newest first."""
        initiatives = [sentence for sentence in sentences if "initiative" in sentence.kept["roles"]]
        if len(initiatives) >= MIN_INITIATIVES:
            year, at = initiatives[0].doc.year, initiatives[0].doc.completed_at
            self._compared[year] = max(at, self._compared.get(year, at))
        self.done += [
            sentence._replace(kept={"topics": sentence.kept["topics"]})
            for sentence in initiatives
            if sentence.kept["action"] == "implemented"
        ][: self._limit - len(self.done)]

    def left_open(self, planned: Sequence[Sentence]) -> list[Sentence]:
        """Return the plans of which no later report said that they are implemented."""
        closed = _closed(planned, self.done) if planned and self.done else set()
        return [plan for at, plan in enumerate(planned) if at not in closed]

    def reported(self, report: Doc, new: Doc) -> bool:
        """Return whether a document about the same year was already compared with a report's plans."""
        last = self._compared.get(new.year)
        return last is not None and report.completed_at < last


def _closed(planned: Sequence[Sentence], done: Sequence[Sentence]) -> set[int]:
    """Return indices of plans that are implemented: a later sentence is near to each, or to a plan like it.

    Another report may have worded the plan a little further from what became of it.
    """
    vectors = matrix(planned)
    closing: dict[int, list[Sentence]] = {}
    for row, column in np.argwhere(cosines(vectors, matrix(done)) >= NEAR).tolist():
        if precedes(planned[row].doc, done[column].doc) and share_topic(planned[row], done[column]):
            closing.setdefault(row, []).append(done[column])
    closed = set(closing)
    for row, other in np.argwhere(cosines(vectors, vectors) >= ALIKE).tolist():
        if share_topic(planned[row], planned[other]):
            closed |= {row for sentence in closing.get(other, ()) if precedes(planned[row].doc, sentence.doc)}
    return closed


def plans(sentences: Sequence[Sentence], topic: str | None) -> list[Sentence]:
    """Return what a report plans, the best first."""
    planned = [
        sentence
        for sentence in sentences
        if sentence.kept["action"] == "planned"
        and "initiative" in sentence.kept["roles"]
        and (topic is None or topic in sentence.kept["topics"])
    ]
    return sorted(planned, key=lambda each: (-weight(each.kept, "initiative"), each.at))[:MAX_PLANS]


def _newest_first(plan: Sentence) -> tuple[int, float, str]:
    """Return a sort key: the year reported on, if that is known, and the upload."""
    report = plan.doc
    year = report.completed_at.year if report.year is None else report.year
    return -year, -report.completed_at.timestamp(), report.document


class Plans:
    """The plans of earlier reports, by organisation; reports come in any order."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_key: dict[str, list[Sentence]] = {}
        self.cut: set[str] = set()
        """Organisations with more plans than the limit."""

    def add(self, key: str, sentences: Sequence[Sentence]) -> None:
        """Add the plans of a report, the best first."""
        kept = self._by_key.setdefault(key, [])
        kept += sentences
        if len(kept) > self._limit:
            kept.sort(key=_newest_first)
            del kept[self._limit :]
            self.cut.add(key)

    def by_organisation(self) -> dict[str, list[Sentence]]:
        """Return the plans by organisation, those of the newest report first."""
        return {key: sorted(kept, key=_newest_first) for key, kept in self._by_key.items()}


class Finding(NamedTuple):
    """What became of a plan."""

    status: FollowStatus
    similarity: float
    plan: Sentence
    now: Sentence | None


class _Nearest:
    """The nearest sentence to each plan."""

    def __init__(self, count: int) -> None:
        self.near = np.full(count, -1.0, np.float32)
        self.sentences: list[Sentence | None] = [None] * count

    def offer(self, rows: Indices, near: Vectors, sentences: Sequence[Sentence]) -> None:
        """Consider (rows, sentences) cosines; the first of equals stays."""
        if not sentences:
            return
        columns, values = near.argmax(axis=1), near.max(axis=1)
        for at in np.flatnonzero(values > self.near[rows]):
            self.near[rows[at]] = values[at]
            self.sentences[rows[at]] = sentences[columns[at]]


class Organisation:
    """The plans of one organisation's earlier reports, and what is nearest to each in its new ones."""

    def __init__(self, planned: Sequence[Sentence], start: datetime, reported: Reported) -> None:
        """Keep each plan once, the newest report's first; what an older report says alike is the same plan.

        One that is closed is left out before that, or it would take the place of one that is open.
        """
        self._start, self._reported = start, reported
        self._plans = _without_repetition(reported.left_open(planned))
        count = len(self._plans)
        self._vectors = matrix(self._plans)
        self._implemented, self._planned, self._any = _Nearest(count), _Nearest(count), _Nearest(count)
        self._comparable = np.zeros(count, bool)
        self._rows: dict[Doc, list[int]] = {}
        for at, plan in enumerate(self._plans):
            self._rows.setdefault(plan.doc, []).append(at)
        self._names = sorted({topic for plan in self._plans for topic in plan.kept["topics"]})
        self._topics = _topics(self._plans, self._names)
        self._places: dict[tuple[int | None, bool], tuple[Indices, Indices]] = {}

    def meet(self, doc: Doc, sentences: Sequence[Sentence], vectors: NDArray[np.int8]) -> None:
        """Compare the plans with a new report."""
        rows, unreported = self._comparable_with(doc)
        if not rows.size or not sentences:
            return
        (whole, lengths), topics = self._vectors, self._topics
        if rows.size < len(self._plans):  # else they are as they are needed, and need not be copied
            whole, lengths, topics = whole[rows], lengths[rows], topics[rows]
        near = cosines((whole, lengths), unit(vectors))
        initiatives = [at for at, sentence in enumerate(sentences) if "initiative" in sentence.kept["roles"]]
        if len(initiatives) >= MIN_INITIATIVES:
            self._comparable[unreported] = True
        self._any.offer(rows, near, sentences)
        shared = topics @ _topics(sentences, self._names).T > 0
        for nearest, action in ((self._implemented, "implemented"), (self._planned, "planned")):
            columns = [at for at in initiatives if sentences[at].kept["action"] == action]
            if columns:
                alike = np.where(shared[:, columns], near[:, columns], -1.0)
                nearest.offer(rows, alike, [sentences[at] for at in columns])

    def _comparable_with(self, doc: Doc) -> tuple[Indices, Indices]:
        """Return indices of the plans of reports before this one, and of those that could vanish with it.

        They are the same for all reports about a year. What a report leaves out of what another one
        about the same year plans says nothing about the plan.
        """
        key = (doc.year, doc.completed_at >= self._start)
        if key not in self._places:
            reports = [report for report in self._rows if precedes(report, doc, self._start)]
            unreported = [
                report
                for report in reports
                if not self._reported.reported(report, doc)
                and (report.year is None or report.year != doc.year)
            ]
            rows, new = (
                np.array(sorted(at for report in chosen for at in self._rows[report]), np.intp)
                for chosen in (reports, unreported)
            )
            self._places[key] = rows, new
        return self._places[key]

    def findings(self) -> list[Finding]:
        """Return what can be said of the plans, in their order."""
        findings: list[Finding] = []
        for at, plan in enumerate(self._plans):
            implemented, planned = self._implemented.near[at], self._planned.near[at]
            if max(implemented, planned) >= NEAR:
                done = implemented >= planned
                nearest, status = (self._implemented if done else self._planned), STATUSES[0 if done else 2]
                similarity = round(float(nearest.near[at]), 4)
                findings.append(Finding(status, similarity, plan, nearest.sentences[at]))
            elif self._comparable[at] and self._any.near[at] < FAR:
                findings.append(Finding("vanished", round(float(self._any.near[at]), 4), plan, None))
        return findings


def _topics(sentences: Sequence[Sentence], names: Sequence[str]) -> NDArray[np.float32]:
    """Return (n, names): 1 where a sentence has the topic."""
    rows = [[name in sentence.kept["topics"] for name in names] for sentence in sentences]
    return np.array(rows, dtype=np.float32)


def _without_repetition(planned: Sequence[Sentence]) -> list[Sentence]:
    alike = cosines(matrix(planned), matrix(planned)) >= ALIKE
    taken: list[int] = []
    for at in range(len(planned)):
        if not alike[at, taken].any():
            taken.append(at)
    return [planned[at] for at in taken]


def select(findings: Sequence[Finding]) -> tuple[list[Followed], dict[FollowStatus, int]]:
    """Return what a digest lists, and the number of each kind.

    What was implemented and what has vanished come in turn, the clearest first; then what is planned again.
    """
    ranked: list[tuple[tuple[bool, int, int], Finding]] = []
    counts: dict[FollowStatus, int] = {}
    for rank, status in enumerate(STATUSES):
        sign = 1 if status == "vanished" else -1
        of_status = sorted(
            (finding for finding in findings if finding.status == status),
            key=lambda finding: (sign * finding.similarity, *finding.plan.at),
        )
        counts[status] = len(of_status)
        ranked += [((status == "planned", at, rank), each) for at, each in enumerate(of_status[:MAX_LISTED])]
    ranked.sort(key=lambda pair: pair[0])
    listed = [
        Followed(
            organisation=finding.plan.doc.organisation or "",
            status=finding.status,
            similarity=finding.similarity,
            before=quote(finding.plan, "initiative"),
            now=quote(finding.now, "initiative") if finding.now else None,
        )
        for _, finding in ranked[:MAX_LISTED]
    ]
    return listed, counts
