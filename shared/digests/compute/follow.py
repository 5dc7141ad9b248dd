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
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shared.digests.compute.quotes import ALIKE, Best, Found, cosines, matrix, quote, quotes, unit
from shared.digests.records import Followed, Group
from shared.platform.records import TOPICS
from shared.text.quality import GOOD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from shared.digests.compute.quotes import Found, Vectors
    from shared.digests.compute.rows import Doc
    from shared.digests.records import FollowStatus, Quote
    from shared.documents.outcomes import Outcome


MAX_GROUPS = 40
"""Listed; the others are counted."""
MAX_QUOTES = 2
"""Most quotes of what a group implemented, and as many of what it plans."""
POOL = 256
"""The best of either, among which those that say the same are counted."""

ACTIONS = ("implemented", "planned")

Key = tuple[str, str | None]
"""Topic, and the key of the organisation."""


class Groups:
    """The initiatives of a window: counted first, and then quoted."""

    def __init__(self, topic: str | None) -> None:
        """Without any."""
        self._topic = topic
        self._counts: dict[Key, list[int]] = {}
        self._names: dict[str | None, Counter[str]] = {}
        self._best: dict[tuple[Key, str], Best[Found]] | None = None

    def count(self, outcome: Outcome) -> None:
        """Add the counts of a document."""
        if outcome.organisation:
            self._names.setdefault(outcome.organisation_key, Counter())[outcome.organisation] += 1
        for topic, cells in outcome.topics.items():
            if (cells.implemented or cells.planned) and self._topic in {None, topic}:
                group = self._counts.setdefault((topic, outcome.organisation_key), [0, 0])
                group[0] += cells.implemented
                group[1] += cells.planned

    def offer(self, doc: Doc, found: Found) -> None:
        """Take up a sentence of a document, if it is of a group that is listed."""
        if self._best is None:
            self._best = {(key, action): Best(POOL) for key in self._listed() for action in ACTIONS}
        for topic in found.kept["topics"]:
            key = (topic, doc.organisation_key)
            if (best := self._best.get((key, found.kept["action"]))) is not None:
                best.add((-found.kept["quality"], *found.at), found)

    def listed(self) -> Listed:
        """The largest groups, each with its best sentences, and how many others there are."""
        groups = [
            Group(
                topic=key[0],
                organisation=self._name(key[1]),
                implemented=self._counts[key][0],
                planned=self._counts[key][1],
                quotes=[quote for action in ACTIONS for quote in self._quotes(key, action)],
            )
            for key in self._listed()
        ]
        return Listed(groups, len(self._counts) - len(groups))

    def _quotes(self, key: Key, action: str) -> list[Quote]:
        best = (self._best or {}).get((key, action))
        return quotes(best, MAX_QUOTES, MAX_QUOTES) if best else []

    def _listed(self) -> list[Key]:
        def order(key: Key) -> tuple[Any, ...]:
            topic, organisation = key
            rank = TOPICS.index(topic) if topic in TOPICS else len(TOPICS)
            return (-sum(self._counts[key]), organisation is None, organisation or "", rank, topic)

        return sorted(self._counts, key=order)[:MAX_GROUPS]

    def _name(self, key: str | None) -> str | None:
        """As most documents spell it."""
        names = self._names.get(key)
        return min(names, key=lambda name: (-names[name], name)) if names else None


class Listed(NamedTuple):
    """Groups as a digest lists them."""

    groups: list[Group]
    left: int


MAX_REPORTED = 1_000
"""Implemented initiatives, those of the newest reports."""
MAX_REPORTED_IN_ALL = 20_000
"""The same of all organisations: some 16 MB, because their words are not kept."""


def before(one: Doc, other: Doc) -> bool:
    """Whether a report comes before another of its organisation: by the year reported on, else by upload."""
    if one.year is not None and other.year is not None and one.year != other.year:
        return one.year < other.year
    return one.completed_at < other.completed_at


class Reported:
    """What the reports of one organisation that completed before the window had said."""

    def __init__(self) -> None:
        """No reports."""
        self._done: list[Found] = []
        self._compared: dict[tuple[str | None, int | None], datetime] = {}

    def add(self, found: Sequence[Found], limit: int) -> int:
        """Take up what was kept of a report, the newest first; how many of `limit` initiatives were taken."""
        initiatives = [one for one in found if "initiative" in one.kept["roles"]]
        if len(initiatives) >= MIN_INITIATIVES:
            of = initiatives[0].doc
            key = (of.space, of.year)
            self._compared[key] = max(of.completed_at, self._compared.get(key, of.completed_at))
        done = [
            one._replace(kept={"topics": one.kept["topics"]})
            for one in initiatives
            if one.kept["action"] == "implemented"
        ][: min(limit, MAX_REPORTED - len(self._done))]
        self._done += done
        return len(done)

    def left_open(self, planned: Sequence[Found]) -> list[Found]:
        """The plans of which no later report said that they are implemented."""
        closed: set[int] = set()
        for space in {one.doc.space for one in self._done}:
            done = [one for one in self._done if one.doc.space == space]
            places = [at for at, plan in enumerate(planned) if plan.doc.space == space]
            if places:
                closed |= {places[row] for row in _closed([planned[at] for at in places], done)}
        return [plan for at, plan in enumerate(planned) if at not in closed]

    def reported(self, report: Doc, new: Doc) -> bool:
        """Whether an earlier document about the year of this one could be compared with a report's plans."""
        last = self._compared.get((new.space, new.year))
        return last is not None and report.completed_at < last


def _closed(planned: Sequence[Found], done: Sequence[Found]) -> set[int]:
    """Places of the plans that are done: one that was done is near to each, or to one that says the same.

    Another report may have worded the plan a little further from what became of it.
    """
    vectors = matrix(planned)
    closing: dict[int, list[Found]] = {}
    for row, column in np.argwhere(cosines(vectors, matrix(done)) >= NEAR).tolist():
        if before(planned[row].doc, done[column].doc) and _share_topic(planned[row], done[column]):
            closing.setdefault(row, []).append(done[column])
    closed = set(closing)
    for row, other in np.argwhere(cosines(vectors, vectors) >= ALIKE).tolist():
        if _share_topic(planned[row], planned[other]):
            closed |= {row for one in closing.get(other, ()) if before(planned[row].doc, one.doc)}
    return closed


def _share_topic(one: Found, other: Found) -> bool:
    return not set(one.kept["topics"]).isdisjoint(other.kept["topics"])


NEAR = 0.70
"""Cosine from which a sentence is about the same thing as a plan: it finds 91% of what follows plans up, and
98% of what it finds is right."""
FAR = 0.50
"""Cosine below which it is about something else: it finds 46% of the plans that are not followed up,
and none that are."""
MIN_INITIATIVES = 5
"""Kept of a new report, for the absence of a plan to mean something."""
MAX_PLANS = 60
"""Most plans of one earlier report: those that read best."""
MAX_OF_ORGANISATION = 300
"""Plans, those of the newest reports, whichever were read first."""
MAX_IN_ALL = 20_000
"""Plans of all organisations: some 70 MB with their vectors."""
MAX_LISTED = 30
_STATUSES: tuple[FollowStatus, ...] = ("implemented", "vanished", "planned")


class Followings(NamedTuple):
    """What a digest lists, and what there is of each kind in all."""

    listed: list[Followed]
    counts: dict[FollowStatus, int]


def earlier(one: Doc, other: Doc, start_of_window: object) -> bool:
    """Whether a report comes before another of its organisation: by the year reported on, else by upload."""
    if one.year is not None and other.year is not None and one.year != other.year:
        return one.year < other.year
    return one.completed_at < start_of_window <= other.completed_at  # type: ignore[operator]


def _about_one_year(one: Doc, other: Doc) -> bool:
    """Whether both are known to be: what one leaves out of what the other plans is no news of the plan."""
    return one.year is not None and one.year == other.year


def plans(found: Sequence[Found], topic: str | None) -> list[Found]:
    """What a report plans, as far as it can be quoted; the best first."""
    planned = [
        one
        for one in found
        if one.kept["action"] == "planned"
        and "initiative" in one.kept["roles"]
        and one.kept["quality"] >= GOOD
        if topic is None or topic in one.kept["topics"]
    ]
    return sorted(planned, key=lambda one: (-one.kept["quality"], one.at))[:MAX_PLANS]


def _newest_first(one: Found) -> tuple[int, float, str]:
    """By the year reported on, where that is known, and by upload; never by what chance named a file."""
    doc = one.doc
    year = doc.completed_at.year if doc.year is None else doc.year
    return -year, -doc.completed_at.timestamp(), doc.document


class Plans:
    """The plans of earlier reports, by organisation; reports come in any order."""

    def __init__(self) -> None:
        """Without reports."""
        self._by_key: dict[str, list[Found]] = {}
        self._left = MAX_IN_ALL
        self._full = False
        self._cut: set[str] = set()

    def add(self, key: str, found: Sequence[Found]) -> None:
        """Take up the plans of a report, the best first."""
        mine = self._by_key.setdefault(key, [])
        self._full |= len(found) > self._left
        mine += found[: self._left]
        self._left -= min(self._left, len(found))
        if len(mine) > MAX_OF_ORGANISATION:  # so that one organisation's leave room for the others'
            mine.sort(key=_newest_first)
            self._left += len(mine) - MAX_OF_ORGANISATION
            del mine[MAX_OF_ORGANISATION:]
            self._cut.add(key)

    def by_organisation(self) -> dict[str, list[Found]]:
        """Those of the newest report first."""
        return {key: sorted(mine, key=_newest_first) for key, mine in self._by_key.items()}

    def notes(self) -> list[str]:
        """What was left out."""
        notes = []
        if self._cut:
            of = f"{len(self._cut):,} organisations" if len(self._cut) > 1 else "one organisation"
            newest = f"the {MAX_OF_ORGANISATION:,} plans of the newest earlier reports"
            notes.append(f"Of {of} only {newest} were followed.")
        if self._full:
            notes.append(f"Of earlier reports {MAX_IN_ALL:,} plans were followed, and no more.")
        return notes


class Finding(NamedTuple):
    """What became of a plan."""

    status: FollowStatus
    similarity: float
    plan: Found
    now: Found | None


class _Match:
    """The nearest sentence to each of some plans."""

    def __init__(self, count: int) -> None:
        self.near = np.full(count, -1.0, np.float32)
        self.found: list[Found | None] = [None] * count

    def offer(self, rows: NDArray[np.intp], near: Vectors, found: Sequence[Found]) -> None:
        """(rows, found) cosines; the first of equals stays."""
        if not found:
            return
        columns, values = near.argmax(axis=1), near.max(axis=1)
        for at in np.flatnonzero(values > self.near[rows]):
            self.near[rows[at]] = values[at]
            self.found[rows[at]] = found[columns[at]]


class _Places(NamedTuple):
    """Indices of plans, in their order."""

    all: NDArray[np.intp]
    unreported: NDArray[np.intp]
    """Those that would be reported as vanished for the first time."""


class Organisation:
    """The plans of one organisation's earlier reports, and what is nearest to each in its new ones."""

    def __init__(self, planned: Sequence[Found], start: object, reported: Reported) -> None:
        """Keep each plan once, the newest report's first; what an older report says alike is the same plan.

        One that is closed is left out before that, or it would take the place of one that is open.

        Args:
            planned: in one vector space or in several.
            start: of the window.
            reported: what its reports before the window said of those before them.
        """
        self._start, self._reported = start, reported
        self._plans = _without_repetition(reported.left_open(planned))
        count = len(self._plans)
        self._vectors = matrix(self._plans)
        self._implemented, self._planned, self._any = _Match(count), _Match(count), _Match(count)
        self._comparable = np.zeros(count, bool)
        places: dict[Doc, list[int]] = {}
        for at, plan in enumerate(self._plans):
            places.setdefault(plan.doc, []).append(at)
        self._rows = {report: np.array(several) for report, several in places.items()}
        self._names = sorted({topic for plan in self._plans for topic in plan.kept["topics"]})
        self._topics = _topics(self._plans, self._names)
        self._before: dict[tuple[str | None, int | None, bool], _Places] = {}

    def meet(self, doc: Doc, found: Sequence[Found], vectors: NDArray[np.int8]) -> None:
        """Compare the plans with a new report."""
        rows, unreported = self._comparable_with(doc)
        if not rows.size or not found:
            return
        (whole, lengths), topics = self._vectors, self._topics
        if rows.size < len(self._plans):  # else they are as they are needed, and need not be copied
            whole, lengths, topics = whole[rows], lengths[rows], topics[rows]
        near = cosines((whole, lengths), unit(vectors))
        initiatives = [at for at, one in enumerate(found) if "initiative" in one.kept["roles"]]
        if len(initiatives) >= MIN_INITIATIVES:
            self._comparable[unreported] = True
        self._any.offer(rows, near, found)
        shared = topics @ _topics(found, self._names).T > 0
        for match, action in ((self._implemented, "implemented"), (self._planned, "planned")):
            columns = [at for at in initiatives if found[at].kept["action"] == action]
            if columns:
                its = [found[at] for at in columns]
                match.offer(rows, np.where(shared[:, columns], near[:, columns], -1.0), its)

    def _comparable_with(self, doc: Doc) -> _Places:
        """The plans of reports before this one: the same for all of a year and a space."""
        key = (doc.space, doc.year, doc.completed_at >= self._start)  # type: ignore[operator]
        if key not in self._before:
            reports = [
                report
                for report in self._rows
                if report.space == doc.space and earlier(report, doc, self._start)
            ]
            unreported = [
                report
                for report in reports
                if not self._reported.reported(report, doc) and not _about_one_year(report, doc)
            ]
            self._before[key] = _Places(self._places(reports), self._places(unreported))
        return self._before[key]

    def _places(self, reports: Sequence[Doc]) -> NDArray[np.intp]:
        return np.sort(np.concatenate([np.empty(0, np.intp), *(self._rows[each] for each in reports)]))

    def findings(self) -> list[Finding]:
        """Return what can be said of the plans, in their order."""
        findings: list[Finding] = []
        for at, plan in enumerate(self._plans):
            implemented, planned = self._implemented.near[at], self._planned.near[at]
            if max(implemented, planned) >= NEAR:
                match = self._implemented if implemented >= planned else self._planned
                status: FollowStatus = "implemented" if implemented >= planned else "planned"
                findings.append(Finding(status, round(float(match.near[at]), 4), plan, match.found[at]))
            elif self._comparable[at] and self._any.near[at] < FAR:
                findings.append(Finding("vanished", round(float(self._any.near[at]), 4), plan, None))
        return findings


def _topics(found: Sequence[Found], names: Sequence[str]) -> NDArray[np.float32]:
    """(n, names): 1 where a sentence has the topic."""
    return np.array([[name in one.kept["topics"] for name in names] for one in found], dtype=np.float32)


def _followed(one: Finding) -> Followed:
    return Followed(
        organisation=one.plan.doc.organisation or "",
        status=one.status,
        similarity=one.similarity,
        before=quote(one.plan),
        now=quote(one.now) if one.now else None,
    )


def _without_repetition(planned: Sequence[Found]) -> list[Found]:
    kept: list[Found] = []
    by_space: dict[str | None, list[Found]] = {}
    for one in planned:
        by_space.setdefault(one.doc.space, []).append(one)
    for several in by_space.values():
        near = cosines(matrix(several), matrix(several)) >= ALIKE
        taken: list[int] = []
        for at in range(len(several)):
            if not near[at, taken].any():
                taken.append(at)
        kept += [several[at] for at in taken]
    return kept


def select(all_of_them: Sequence[Finding]) -> Followings:
    """What was implemented and what has vanished, in turn, the clearest first; then what is planned again."""
    ranked: list[tuple[tuple[bool, int, int], Finding]] = []
    counts: dict[FollowStatus, int] = {}
    for rank, status in enumerate(_STATUSES):
        sign = 1 if status == "vanished" else -1
        of_status = sorted(
            (one for one in all_of_them if one.status == status),
            key=lambda one: (sign * one.similarity, *one.plan.at),
        )
        counts[status] = len(of_status)
        ranked += [((status == "planned", nth, rank), one) for nth, one in enumerate(of_status[:MAX_LISTED])]
    ranked.sort(key=lambda pair: pair[0])
    return Followings([_followed(one) for _, one in ranked[:MAX_LISTED]], counts)
