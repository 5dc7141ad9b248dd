"""Compare two to four sides with each other: years of one organisation, or organisations.

A side is a document, or all documents of an organisation about a year. Everything is read from the outcomes
of its documents, one record each: counts, data points, and sentences that may be quoted, with their vectors.

Sides of one organisation about different years are compared over time, each with the year before it: changes
of data points, what became of plans, what is missing and what is new. Others are compared with the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field, NonNegativeInt

from shared.documents.figures import unpack
from shared.documents.outcomes import COLLECTION as OUTCOMES
from shared.documents.outcomes import CONTENT, COUNTS, Outcome, organisation_key, outcome
from shared.documents.plans import (
    STATUSES,
    Followed,
    Report,
    Sentence,
    Status,
    follow,
    kept_sentences,
    nearest_passages,
)
from shared.platform.clients import where
from shared.platform.errors import Missing, Permanent
from shared.platform.records import DOCUMENT_ID, SENTIMENTS, TOPIC_NAMES, TOPICS, Record, SentimentLabel
from shared.platform.tables import is_total
from shared.text.datapoints import directions, names, topic_of
from shared.text.periods import last_year
from shared.text.units import COUNTED, common

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from google.cloud import firestore

    from shared.documents.figures import DocumentFigure
    from shared.documents.plans import Look

MAX_SIDES = 4
MAX_DOCUMENTS = 10
"""Documents of a side: those with most passages."""
MAX_FOUND = 200
"""Documents of an organisation and year among which these are chosen."""
MAX_ROWS = 300
"""Data points that are listed, in the order of their codes."""
MAX_PERIODS = 12
"""Periods of a data point that are listed: the newest."""
MIN_PASSAGES = 3
"""Passages of a topic whose absence on the other side is listed."""
SECONDS = 20.0
"""Timeout of one query."""
MIN_CONFIDENCE = 0.5
"""Least confidence of a value: of what a sentence says it is 0.68 at most, of a sure cell of a table 0.9."""
RESTATED = 0.01
"""Share by which a later value of the same period differs for it to be another one, not a rounder one."""
IMPLAUSIBLE = 100
"""How many times another value of the same organisation a value may be; beyond, one was likely read wrong."""
_PERIOD = re.compile(r"\d{4}(?:/\d{2,4}|-\d{2}-\d{2}|-(?P<part>H[12]|Q[1-4]))?")
_OF_THE_WHOLE = ("about", "more than", "less than", "average")
"""Qualifiers of a value that is of no part."""
_NOT_REPORTED = ("target", "base", "change", "forecast")
"""How qualifiers of figures begin that are not the period's own value."""
SIDE = r"^(?:[0-9a-f]{24}|[^\n]*[^ \n] +(?:19|20)[0-9]{2})$"
"""What a side looks like: the id of a document, or an organisation and a year behind it."""
_CARBON = ("E1-6.", "E1-7.")
"""How codes of data points begin whose tonnes are of CO2e."""
_COUNTING = ("S", "G")
"""How codes of data points begin that may count people or cases, whose noun may be missing."""

Better = Literal["lower", "higher"]


class Incomparable(Permanent):
    """What was asked for cannot be compared."""


class Asked(NamedTuple):
    """A side as it is asked for: a document, or an organisation and a year."""

    document: str | None = None
    organisation: str = ""
    year: int = 0


class SideDocument(Record):
    """A document of a side."""

    document: str
    name: str
    """The document's name in its bucket."""
    title: str | None
    year: int | None
    run: int


class Side(Record):
    """What is compared, and how its passages divide by outcome and action."""

    label: str
    """For people: the organisation and year, or what is known of the document."""
    organisation: str | None
    year: int | None
    documents: list[SideDocument]
    passages: NonNegativeInt
    sentiment: dict[SentimentLabel, NonNegativeInt]
    """Passages by outcome."""
    shares: dict[SentimentLabel, float]
    """The same in per cent of those that have one."""
    actions: dict[str, NonNegativeInt]
    """Initiatives by action."""


class Value(Record):
    """A value of a data point, and where it stands."""

    value: float
    """In the row's unit."""
    period: str | None
    """None where the document does not say it: then it is taken for the side's own year."""
    stated: str
    """The number with its unit as it stands in the document."""
    unit: str | None
    """The unit that the value was converted from, or the row's."""
    metric: str
    document: str
    passage: NonNegativeInt
    page: int | None
    confidence: float
    """Probability that value, unit and period are right."""


class Cell(Record):
    """A data point on one side."""

    value: Value | None = None
    """What the side says of its own year."""
    restated: Value | None = None
    """What a later side says of that year, where it is another value or the only one."""
    change: float | None = None
    """In per cent of the side that it is compared with, or of its restated value where there is one; in
    percentage points where the unit is per cent."""
    is_better: bool | None = None
    """Whether the change is for the better; None where it is none, or where nobody can say: of amounts of
    organisations, one of which is larger than the other."""
    doubtful: bool = False
    """Whether the values are so far apart that one was likely read wrong; then no change is given."""


class DatapointRow(Record):
    """A data point on all sides."""

    code: str
    name: str
    topic: str | None
    part: str
    """What it is a part of the data point, as in "of which women"; empty for the whole."""
    unit: str | None
    better: Better | None
    """In which direction a change is for the better, where that is clear."""
    cells: list[Cell]
    """By side."""
    periods: dict[str, list[float | None]]
    """Every period that a side states, the newest first, with what each side says of it."""


class TopicCell(Record):
    """A topic on one side."""

    passages: NonNegativeInt = 0
    share: float = 0.0
    """In per cent of the side's passages."""
    change: float | None = None
    """In percentage points, against the side that it is compared with."""
    implemented: NonNegativeInt = 0
    planned: NonNegativeInt = 0
    positive: NonNegativeInt = 0
    neutral: NonNegativeInt = 0
    negative: NonNegativeInt = 0


class TopicRow(Record):
    """A topic on all sides."""

    topic: str
    name: str | None
    cells: list[TopicCell]
    """By side."""


class Difference(Record):
    """What one side has and the other has not."""

    side: NonNegativeInt
    against: NonNegativeInt
    """The side that it is compared with."""
    missing_datapoints: list[str]
    new_datapoints: list[str]
    missing_topics: list[str]
    new_topics: list[str]


class Comparison(Record):
    """Two to four sides beside each other."""

    over_time: bool
    """Whether the sides are years of one organisation: then they are in their order, each against the one
    before it. Otherwise all are against the first."""
    sides: list[Side]
    datapoints: list[DatapointRow]
    topics: list[TopicRow]
    plans: list[Followed]
    """Only over time; of each status the clearest first."""
    plan_counts: dict[Status, NonNegativeInt]
    differences: list[Difference]
    notes: list[str] = Field(default_factory=list)
    """What was left out."""


def parse_side(text: str) -> Asked:
    """Return what a side asks for: the id of a document, or an organisation and a year behind it.

    Raises:
        Incomparable: it is neither.
    """
    if re.fullmatch(DOCUMENT_ID, text):
        return Asked(document=text)
    if re.fullmatch(SIDE, text):
        organisation, _, year = text.rpartition(" ")
        return Asked(organisation=organisation.rstrip(" "), year=int(year))
    raise Incomparable(
        "bad_side",
        "A side is neither the id of a document nor an organisation and a year.",
        'Name an id of 24 digits and letters, or both, as in "Tarnholm Fibre 2025".',
    )


def compare(client: firestore.Client, sides: Sequence[Asked]) -> Comparison:
    """Return 2 to `MAX_SIDES` sides beside each other; in the order of their years where these differ.

    Raises:
        Incomparable: there are too few or too many sides.
        Missing: a side has no result.
    """
    if not 2 <= len(sides) <= MAX_SIDES:  # noqa: PLR2004 - a comparison has two sides at least
        raise Incomparable(
            "bad_sides", f"{len(sides)} sides cannot be compared.", f"Name 2 to {MAX_SIDES} of them."
        )
    notes: list[str] = []
    return compared(
        [_read(client, asked, notes) for asked in sides], notes, look=partial(nearest_passages, client)
    )


@dataclass(frozen=True)
class Loaded:
    """The documents of a side, the largest first."""

    asked: Asked
    outcomes: list[Outcome]
    figures: list[tuple[str, DocumentFigure]] = field(default_factory=list)
    """Those with a data point, with the document that says them."""
    sentences: list[Sentence] = field(default_factory=list)

    @property
    def key(self) -> str | None:
        """By which the organisation is known; None if the documents have several."""
        keys = {each.organisation_key for each in self.outcomes}
        return keys.pop() if len(keys) == 1 else None

    @property
    def year(self) -> int | None:
        """The year that it reports on."""
        return self.asked.year or max((each.year for each in self.outcomes if each.year), default=None)

    @property
    def passages(self) -> int:
        """Passages of all its documents."""
        return sum(each.passages for each in self.outcomes)

    @property
    def label(self) -> str:
        """What people call it: the organisation and year, or what is known of the document."""
        first = self.outcomes[0]
        known = (first.organisation if self.key else None) or first.title or first.name
        return f"{known} {self.year}" if self.year else known


def _read(client: firestore.Client, asked: Asked, notes: list[str]) -> Loaded:
    """Read a side. Raises Missing."""
    identifiers = [asked.document] if asked.document else _documents_of(client, asked, notes)
    references = [client.collection(OUTCOMES).document(each) for each in identifiers]
    read = client.get_all(references, [*COUNTS, *CONTENT, "datapoints"], timeout=SECONDS)
    records = [stored for each in read if (stored := each.to_dict()) and stored.get("completed_at")]
    if not records:
        raise Missing(
            "no_result",
            f"The document {asked.document} has no result.",
            "It is unknown, still being analyzed, or has failed; see: headrace show",
        )
    return loaded(asked, sorted(records, key=_largest_first))


def _documents_of(client: firestore.Client, asked: Asked, notes: list[str]) -> list[str]:
    """Return documents of an organisation about a year. Raises Missing, with the years there are."""
    key = organisation_key(asked.organisation) or ""
    query = where(client.collection(OUTCOMES), ("organisation_key", "==", key))
    shown = query.select(["document", "year", "passages", "members", "duplicate_of", "completed_at"])
    of_year = where(shown, ("year", "==", asked.year)).limit(MAX_FOUND)
    found = [each.to_dict() or {} for each in of_year.get(timeout=SECONDS)]
    known = {each["document"] for each in found}
    own = [each for each in found if each["completed_at"] and each["members"] is None]
    own = sorted((each for each in own if each["duplicate_of"] not in known), key=_largest_first)
    if not own:
        others = [each.to_dict() or {} for each in shown.limit(MAX_FOUND).get(timeout=SECONDS)]
        years = sorted({each["year"] for each in others if each["year"]})
        raise Missing(
            "no_documents",
            f"No document of {asked.organisation} reports on {asked.year}.",
            f"There are some about: {', '.join(map(str, years))}."
            if years
            else "Name the organisation as its documents do; see: headrace show",
        )
    if left := len(own[MAX_DOCUMENTS:]):
        least = "at least " if len(found) == MAX_FOUND else ""
        notes.append(f"{asked.organisation} {asked.year}: {least}{left} more documents were not read.")
    return [each["document"] for each in own[:MAX_DOCUMENTS]]


def _largest_first(stored: Mapping[str, Any]) -> tuple[int, str]:
    return -stored["passages"], stored["document"]


def loaded(asked: Asked, records: Sequence[Mapping[str, Any]]) -> Loaded:
    """Return a side from the outcomes of its documents, as Firestore has them."""
    side = Loaded(asked, [outcome(record) for record in records])
    for record in records:
        document = record["document"]
        if record.get("datapoints"):
            side.figures.extend((document, each) for each in unpack(record["datapoints"]).figures)
        side.sentences.extend(kept_sentences(record))
    return side


def compared(sides: Sequence[Loaded], notes: Iterable[str] = (), *, look: Look | None = None) -> Comparison:
    """Return sides beside each other; without `look`, plans are followed in the kept sentences alone."""
    years = [side.year for side in sides]
    over_time = len({side.key for side in sides}) == 1 and sides[0].key is not None
    over_time = over_time and None not in years and len(set(years)) == len(sides)
    if over_time:
        sides = sorted(sides, key=lambda side: side.year or 0)
    against = [max(at - 1, 0) if over_time else 0 for at in range(len(sides))]
    notes = list(notes)
    rows = _datapoints(sides, against, over_time=over_time)
    if left := len(rows[MAX_ROWS:]):
        notes.append(f"{left} of {len(rows)} data points are not listed.")
    plans: list[Followed] = []
    if over_time:
        for at in range(len(sides) - 1):
            found, left_out = follow(_report(sides[at]), _report(sides[at + 1]), at, look)
            plans += found
            notes += left_out
    return Comparison(
        over_time=over_time,
        sides=[_side(side) for side in sides],
        datapoints=rows[:MAX_ROWS],
        topics=_topics(sides, against),
        plans=plans,
        plan_counts={status: sum(each.status == status for each in plans) for status in STATUSES},
        differences=[
            _difference(sides[at], sides[against[at]], at, against[at]) for at in range(1, len(sides))
        ],
        notes=notes,
    )


def _side(side: Loaded) -> Side:
    sentiment = {label: sum(each.sentiment.get(label, 0) for each in side.outcomes) for label in SENTIMENTS}
    judged = sum(sentiment.values())
    return Side(
        label=side.label,
        organisation=side.outcomes[0].organisation if side.key else None,
        year=side.year,
        documents=[
            SideDocument(**{name: getattr(each, name) for name in SideDocument.model_fields})
            for each in side.outcomes
        ],
        passages=side.passages,
        sentiment=sentiment,
        shares={label: _percent(count, judged) for label, count in sentiment.items()},
        actions={
            action: sum(each.actions.get(action, 0) for each in side.outcomes)
            for action in ("implemented", "planned")
        },
    )


def _report(side: Loaded) -> Report:
    runs = {each.document: each.run for each in side.outcomes}
    return Report(side.label, side.passages, runs, side.sentences)


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 2) if whole else 0.0


class _Key(NamedTuple):
    """What two values must have in common."""

    code: str
    unit: str | None
    kind: str
    """A half or a quarter of a year; empty for a year."""
    part: str


_Rank = tuple[bool, bool, float]
"""The greatest one counts: a total, of the plain year, the surest."""


def _values(side: Loaded) -> dict[_Key, dict[int, Value]]:
    """Return what a side says of each data point by year.

    A value of no period is one of the side's own year if nothing else is, and all such values agree. Counts
    and amounts in sentences are not: they often are of another year, or an aim.
    """
    found: dict[_Key, dict[int | None, list[tuple[_Rank, Value]]]] = {}
    for document, figure in side.figures:
        period, year = _PERIOD.fullmatch(figure.period or ""), last_year(figure.period)
        if (figure.period and not period) or figure.confidence < MIN_CONFIDENCE:
            continue
        if not period and figure.cell is None and figure.unit != "%":
            continue
        if (figure.qualifier or "").startswith(_NOT_REPORTED):
            continue
        code, total = figure.datapoint or "", is_total(figure.qualifier)
        value, unit = _in_common(figure, code)
        stated = Value(
            value=value,
            **{name: getattr(figure, name) for name in ("period", "unit", "metric", "passage", "page")},
            stated=figure.text,
            document=document,
            confidence=figure.confidence,
        )
        part = "" if total or figure.qualifier in _OF_THE_WHOLE else figure.qualifier or ""
        key = _Key(code, unit, (period and period["part"]) or "", part)
        rank = (total, figure.period == str(year), figure.confidence)
        found.setdefault(key, {}).setdefault(year, []).append((rank, stated))
    for years in found.values():
        unsaid = years.pop(None, [])
        if side.year and len({each.value for _, each in unsaid}) == 1:
            years.setdefault(side.year, unsaid)
    return {
        key: {year: max(rivals, key=itemgetter(0))[1] for year, rivals in years.items() if year}
        for key, years in found.items()
    }


def _in_common(figure: DocumentFigure, code: str) -> tuple[float, str | None]:
    """Return a figure's value in the unit in which values of its data point are compared."""
    value, unit = common(figure.value, (figure.unit or "").removesuffix("/year") or None)
    if unit == "t" and code.startswith(_CARBON):
        return value, "tCO2e"
    return value, None if unit in COUNTED and code.startswith(_COUNTING) else unit


def _datapoints(sides: Sequence[Loaded], against: Sequence[int], *, over_time: bool) -> list[DatapointRow]:
    by_side = [_values(side) for side in sides]
    rows: dict[tuple[str, str | None, str], tuple[tuple[int, str], DatapointRow]] = {}
    for key in {key for values in by_side for key in values}:
        values = [each.get(key, {}) for each in by_side]
        row = _row(key, values, [side.year for side in sides], against, over_time=over_time)
        if row is None:
            continue
        # Of a whole and its parts one is listed: what most sides state, the whole before its parts.
        rank = (-sum(_any(cell) is not None for cell in row.cells), key.part)
        place = (key.code, key.unit, key.kind)
        if place not in rows or rank < rows[place][0]:
            rows[place] = rank, row
    return [row for _, (_, row) in sorted(rows.items(), key=lambda each: tuple(map(str, each[0])))]


def _any(cell: Cell) -> Value | None:
    return cell.value or cell.restated


def _row(
    key: _Key,
    values: Sequence[Mapping[int, Value]],
    years: Sequence[int | None],
    against: Sequence[int],
    *,
    over_time: bool,
) -> DatapointRow | None:
    """Return a data point on all sides; None if no side states its own year."""
    better = directions().get(key.code)
    cells: list[Cell] = []
    for at, (of_side, year) in enumerate(zip(values, years, strict=True)):
        asked = max(of_side, default=0) if year is None else year
        own = of_side.get(asked)
        later = next((each[asked] for each in values[at + 1 :] if over_time and asked in each), None)
        if own and later and abs(later.value - own.value) <= RESTATED * abs(own.value):
            later = None
        cell = Cell(value=own, restated=later)
        if at and own and (before := cells[against[at]].restated or cells[against[at]].value):
            cell = _changed(cell, before.value, own.value, key, over_time=over_time)
        cells.append(cell)
    if not any(map(_any, cells)):
        return None
    stated = sorted({year for of_side in values for year in of_side}, reverse=True)[:MAX_PERIODS]
    return DatapointRow(
        code=key.code,
        name=names().get(key.code, key.code),
        topic=topic_of(key.code),
        part=key.part,
        unit=key.unit,
        better=better,
        cells=cells,
        periods={
            _period(key, year): [each[year].value if year in each else None for each in values]
            for year in stated
        },
    )


def _period(key: _Key, year: int) -> str:
    return f"{year}-{key.kind}" if key.kind else str(year)


def _changed(cell: Cell, before: float, now: float, key: _Key, *, over_time: bool) -> Cell:
    """Return a cell with its change; without one where a value was likely read wrong."""
    points = key.unit == "%"
    better = directions().get(key.code) if over_time or points or "/" in (key.unit or "") else None
    if over_time and before and now and not 1 / IMPLAUSIBLE <= now / before <= IMPLAUSIBLE:
        return cell.model_copy(update={"doubtful": True})
    if not before and not points:
        return cell
    is_better = None if better is None or now == before else (now < before) == (better == "lower")
    return cell.model_copy(
        update={
            "change": round(now - before if points else 100 * (now - before) / abs(before), 2),
            "is_better": is_better,
        }
    )


def _topics(sides: Sequence[Loaded], against: Sequence[int]) -> list[TopicRow]:
    counted = [_counts(side) for side in sides]
    rows = []
    for topic in (*TOPICS, *sorted({topic for each in counted for topic in each} - set(TOPICS))):
        cells: list[TopicCell] = []
        for at, side in enumerate(sides):
            counts = counted[at].get(topic, {})
            share = _percent(counts.get("passages", 0), side.passages)
            change = round(share - cells[against[at]].share, 2) if at else None
            cells.append(TopicCell(**counts, share=share, change=change))
        if any(cell.passages for cell in cells):
            rows.append(TopicRow(topic=topic, name=TOPIC_NAMES.get(topic), cells=cells))
    return rows


def _counts(side: Loaded) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for each in side.outcomes:
        for topic, cells in each.topics.items():
            sums = counts.setdefault(topic, {})
            for name, count in cells.model_dump().items():
                sums[name] = sums.get(name, 0) + count
    return counts


def _difference(side: Loaded, before: Loaded, at: int, against: int) -> Difference:
    now, was = ({each.datapoint for _, each in one.figures if each.datapoint} for one in (side, before))
    topics, earlier = _counts(side), _counts(before)
    return Difference(
        side=at,
        against=against,
        missing_datapoints=sorted(was - now),
        new_datapoints=sorted(now - was),
        missing_topics=list(_only(earlier, topics)),
        new_topics=list(_only(topics, earlier)),
    )


def _only(counts: Mapping[str, Mapping[str, int]], others: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Yield topics that the others have nothing of."""
    for topic, of_topic in sorted(counts.items()):
        if of_topic["passages"] >= MIN_PASSAGES and not others.get(topic, {}).get("passages"):
            yield topic
