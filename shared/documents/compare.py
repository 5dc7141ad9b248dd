"""Compare two to four sides with each other: years of one organisation, or organisations.

A side is a document, or all documents of an organisation about a year. Everything is read from the outcomes
of its documents, one record each: counts, data points, and sentences that may be quoted, with their vectors.

Sides of one organisation about different years are compared over time, each with the year before it: changes
of data points, what became of plans, what is missing and what is new. Others are compared with the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field, NonNegativeInt

from shared.documents.figures import unpack as unpack_figures
from shared.documents.outcomes import COLLECTION as OUTCOMES
from shared.documents.outcomes import CONTENT, COUNTS, Outcome, organisation_key, outcome
from shared.documents.outcomes import unpack as unpack_sentences
from shared.platform.errors import Permanent
from shared.platform.records import DOCUMENT_ID, SENTIMENTS, TOPIC_NAMES, TOPICS, Record, SentimentLabel
from shared.platform.tables import is_total
from shared.text.datapoints import directions, names, topic_of
from shared.text.periods import last_year
from shared.text.units import common

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from google.cloud import firestore
    from numpy.typing import NDArray

    from shared.documents.figures import DocumentFigure

    Vectors = NDArray[np.float32]

MAX_SIDES = 4
MAX_DOCUMENTS = 10
"""Documents of a side: those with most passages."""
MAX_FOUND = 200
"""Documents of an organisation and year among which these are chosen."""
MAX_ROWS = 300
"""Data points that are listed, in the order of their codes."""
MAX_PERIODS = 12
"""Periods of a data point that are listed: the newest."""
MAX_PLANS = 60
"""Plans of a year that are followed: those that matter most."""
MIN_SENTENCES = 20
"""Sentences kept of a later side, for the absence of a plan to mean something."""
MIN_PASSAGES = 3
"""Passages of a topic whose absence on the other side is listed."""
SECONDS = 20.0
"""Timeout of one query."""
NEAR = 0.70
"""Cosine from which a sentence is about the same thing as a plan."""
FAR = 0.50
"""Cosine below which it is about something else. What lies between cannot be decided, and says so."""
MIN_CONFIDENCE = 0.7
"""Least confidence of a value: a change is right only where both its values are."""
RESTATED = 0.01
"""Share by which a later value of the same period differs for it to be another one, not a rounder one."""
IMPLAUSIBLE = 100
"""How many times another value of the same organisation a value may be; beyond, one was likely read wrong."""
_PERIOD = re.compile(r"\d{4}(?:/\d{2,4}|-\d{2}-\d{2}|-(?P<part>H[12]|Q[1-4]))?")
_NOT_REPORTED = ("target", "base", "change", "forecast")
"""How qualifiers of figures begin that are not the period's own value."""
_ASKED = re.compile(r"(?P<organisation>.*\S)\s+(?P<year>(?:19|20)\d\d)")
_PEOPLE = ("S1-", "S2.", "G1-")
"""How codes of data points begin that count people or cases, which have a unit or none."""

Better = Literal["lower", "higher"]
Status = Literal["implemented", "planned", "not mentioned", "unclear"]


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
    period: str
    stated: str
    """The number with its unit as it stands in the document."""
    unit: str | None
    """The unit that the value was converted from, or the row's."""
    metric: str
    document: str
    passage: NonNegativeInt
    page: int | None


class Cell(Record):
    """A data point on one side."""

    value: Value | None = None
    """What the side says of its own year."""
    restated: Value | None = None
    """What a later side says of that year, where it is another value or the only one."""
    change: float | None = None
    """In per cent of the side that it is compared with; of its restated value where there is one."""
    is_better: bool | None = None
    """Whether the change is for the better; None where it is none, or where nobody can say."""
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


class Quote(Record):
    """A sentence, and where it stands."""

    text: str
    topics: list[str]
    document: str
    index: NonNegativeInt
    """Number of the passage."""
    page: int | None
    row: int | None


class Followed(Record):
    """A plan, and what the next year says of it."""

    status: Status
    """`unclear` where something is alike, but not enough to be the same."""
    similarity: float
    """Cosine of the nearest sentence."""
    side: NonNegativeInt
    """Which side planned it; the next one is where it was looked for."""
    plan: Quote
    now: Quote | None
    """The nearest sentence; None where it is not mentioned."""


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
    match = _ASKED.fullmatch(text.strip())
    if match and organisation_key(match["organisation"]):
        return Asked(organisation=match["organisation"], year=int(match["year"]))
    raise Incomparable(
        "bad_side",
        "A side is neither the id of a document nor an organisation and a year.",
        'Name an id of 24 digits and letters, or both, as in "Tarnholm Fibre 2025".',
    )


def compare(client: firestore.Client, sides: Sequence[Asked]) -> Comparison:
    """Return 2 to `MAX_SIDES` sides beside each other; in the order of their years where these differ.

    Raises:
        Incomparable: there are too few or too many sides, or one has no result.
    """
    if not 2 <= len(sides) <= MAX_SIDES:  # noqa: PLR2004 - a comparison has two sides at least
        raise Incomparable(
            "bad_sides", f"{len(sides)} sides cannot be compared.", f"Name 2 to {MAX_SIDES} of them."
        )
    notes: list[str] = []
    return compared([_read(client, asked, notes) for asked in sides], notes)


@dataclass(frozen=True)
class Loaded:
    """The documents of a side, the largest first."""

    asked: Asked
    outcomes: list[Outcome]
    figures: list[tuple[str, DocumentFigure]] = field(default_factory=list)
    """Those with a data point, with the document that says them."""
    sentences: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Fields of `Kept`, with the document."""
    vectors: dict[str | None, Vectors] = field(default_factory=dict)
    """Of the sentences, by the space they are in: (n, d), unit length; others are zero there."""

    @property
    def key(self) -> str | None:
        """By which the organisation is known; None if the documents have several."""
        keys = {each.organisation_key for each in self.outcomes}
        return keys.pop() if len(keys) == 1 else None

    @property
    def year(self) -> int | None:
        """The year that it reports on."""
        return self.asked.year or max((each.year for each in self.outcomes if each.year), default=None)


def _read(client: firestore.Client, asked: Asked, notes: list[str]) -> Loaded:
    """Read a side. Raises Incomparable."""
    identifiers = [asked.document] if asked.document else _documents_of(client, asked, notes)
    references = [client.collection(OUTCOMES).document(each) for each in identifiers]
    read = client.get_all(references, [*COUNTS, *CONTENT, "datapoints"], timeout=SECONDS)
    records = [stored for each in read if (stored := each.to_dict()) and stored.get("completed_at")]
    if not records:
        raise Incomparable(
            "no_result",
            f"The document {asked.document} has no result.",
            "It is unknown, still being analyzed, or has failed; see: headrace show",
        )
    return loaded(asked, sorted(records, key=_largest_first))


def _documents_of(client: firestore.Client, asked: Asked, notes: list[str]) -> list[str]:
    """Return documents of an organisation about a year. Raises Incomparable, with the years there are."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    key = organisation_key(asked.organisation)
    query = client.collection(OUTCOMES).where(filter=FieldFilter("organisation_key", "==", key))
    shown = query.select(["document", "year", "passages", "members", "duplicate_of", "completed_at"])
    of_year = shown.where(filter=FieldFilter("year", "==", asked.year)).limit(MAX_FOUND)
    found = [each.to_dict() or {} for each in of_year.get(timeout=SECONDS)]
    known = {each["document"] for each in found}
    own = [each for each in found if each["completed_at"] and each["members"] is None]
    own = sorted((each for each in own if each["duplicate_of"] not in known), key=_largest_first)
    if not own:
        others = [each.to_dict() or {} for each in shown.limit(MAX_FOUND).get(timeout=SECONDS)]
        years = sorted({each["year"] for each in others if each["year"]})
        raise Incomparable(
            "no_documents",
            f"No document of {asked.organisation} reports on {asked.year}.",
            f"There are some about: {', '.join(map(str, years))}."
            if years
            else "Name the organisation as its documents do; see: headrace show",
        )
    if left := len(own[MAX_DOCUMENTS:]):
        notes.append(f"{asked.organisation} {asked.year}: {left} more documents were not read.")
    return [each["document"] for each in own[:MAX_DOCUMENTS]]


def _largest_first(stored: Mapping[str, Any]) -> tuple[int, str]:
    return -stored["passages"], stored["document"]


def loaded(asked: Asked, records: Sequence[Mapping[str, Any]]) -> Loaded:
    """Return a side from the outcomes of its documents, as Firestore has them."""
    side = Loaded(asked, [outcome(record) for record in records])
    spaces: list[tuple[str | None, NDArray[np.float32]]] = []
    for record in records:
        document = record["document"]
        if record.get("datapoints"):
            side.figures.extend((document, each) for each in unpack_figures(record["datapoints"]).figures)
        kept = unpack_sentences(record["items"]) if record.get("items") else []
        if kept:
            side.sentences.extend((document, each) for each in kept)
            whole = np.frombuffer(record["vectors"], np.int8).reshape(len(kept), -1).astype(np.float32)
            lengths = np.linalg.norm(whole, axis=1, keepdims=True)
            spaces.append((record.get("space"), whole / np.maximum(lengths, 1)))
    for space in {space for space, _ in spaces}:
        parts = [unit if of == space else np.zeros_like(unit) for of, unit in spaces]
        side.vectors[space] = np.concatenate(parts)
    return side


def compared(sides: Sequence[Loaded], notes: Iterable[str] = ()) -> Comparison:
    """Return sides beside each other."""
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
            plans += _followed(sides[at], sides[at + 1], at, notes)
    counts: dict[Status, int] = {"implemented": 0, "planned": 0, "not mentioned": 0, "unclear": 0}
    for each in plans:
        counts[each.status] += 1
    order = list(counts)
    plans.sort(key=lambda each: (each.side, order.index(each.status), _clearness(each)))
    return Comparison(
        over_time=over_time,
        sides=[_side(side) for side in sides],
        datapoints=rows[:MAX_ROWS],
        topics=_topics(sides, against),
        plans=plans,
        plan_counts=counts,
        differences=[
            _difference(sides[at], sides[against[at]], at, against[at]) for at in range(1, len(sides))
        ],
        notes=notes,
    )


def _side(side: Loaded) -> Side:
    first = side.outcomes[0]
    sentiment = {label: sum(each.sentiment.get(label, 0) for each in side.outcomes) for label in SENTIMENTS}
    judged = sum(sentiment.values())
    actions = {
        action: sum(each.actions.get(action, 0) for each in side.outcomes)
        for action in ("implemented", "planned")
    }
    organisation = first.organisation if side.key else None
    known = [organisation or first.title or first.name, str(side.year) if side.year else ""]
    return Side(
        label=" ".join(filter(None, known)),
        organisation=organisation,
        year=side.year,
        documents=[
            SideDocument(
                document=each.document, name=each.name, title=each.title, year=each.year, run=each.run
            )
            for each in side.outcomes
        ],
        passages=sum(each.passages for each in side.outcomes),
        sentiment=sentiment,
        shares={label: _percent(count, judged) for label, count in sentiment.items()},
        actions=actions,
    )


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 2) if whole else 0.0


class _Key(NamedTuple):
    """What two values must have in common."""

    code: str
    unit: str | None
    kind: str
    """A half or a quarter of a year; empty for a year."""
    part: str


class _Stated(NamedTuple):
    rank: tuple[bool, bool, float]
    """The greatest one counts: a total, of the plain year, the surest."""
    value: Value


def _values(side: Loaded) -> dict[_Key, dict[int, Value]]:
    """Return what a side says of each data point by year."""
    best: dict[_Key, dict[int, _Stated]] = {}
    for document, figure in side.figures:
        period, code = _PERIOD.fullmatch(figure.period or ""), figure.datapoint or ""
        year = last_year(figure.period)
        if period is None or year is None or figure.confidence < MIN_CONFIDENCE:
            continue
        if (figure.qualifier or "").startswith(_NOT_REPORTED):
            continue
        value, unit = _in_common(figure, code)
        total = is_total(figure.qualifier)
        key = _Key(code, unit, period["part"] or "", "" if total else figure.qualifier or "")
        rank = (total, figure.period == str(year), figure.confidence)
        years = best.setdefault(key, {})
        if year not in years or rank > years[year].rank:
            stated = Value(
                value=value,
                period=figure.period or "",
                stated=figure.text,
                unit=figure.unit,
                metric=figure.metric,
                document=document,
                passage=figure.passage,
                page=figure.page,
            )
            years[year] = _Stated(rank, stated)
    return {key: {year: each.value for year, each in years.items()} for key, years in best.items()}


def _in_common(figure: DocumentFigure, code: str) -> tuple[float, str | None]:
    """Return a figure's value in the unit in which values of its data point are compared."""
    value, unit = common(figure.value, figure.unit)
    if unit == "t" and code.startswith(("E1-6.", "E1-7.")):
        return value, "tCO2e"
    if unit is None and code.startswith(_PEOPLE):
        return value, "people"
    return value, unit


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
            cell = _changed(cell, before.value, own.value, better, over_time=over_time)
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


def _changed(cell: Cell, before: float, now: float, better: Better | None, *, over_time: bool) -> Cell:
    """Return a cell with its change; without one where a value was likely read wrong."""
    if over_time and before and now and not 1 / IMPLAUSIBLE <= now / before <= IMPLAUSIBLE:
        return cell.model_copy(update={"doubtful": True})
    if not before:
        return cell
    is_better = None if better is None or now == before else (now < before) == (better == "lower")
    return cell.model_copy(
        update={"change": round(100 * (now - before) / abs(before), 2), "is_better": is_better}
    )


def _topics(sides: Sequence[Loaded], against: Sequence[int]) -> list[TopicRow]:
    counted = [_counts(side) for side in sides]
    rows = []
    for topic in (*TOPICS, *sorted({topic for each in counted for topic in each} - set(TOPICS))):
        cells: list[TopicCell] = []
        for at, side in enumerate(sides):
            counts = counted[at].get(topic, {})
            share = _percent(counts.get("passages", 0), sum(each.passages for each in side.outcomes))
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


def _clearness(each: Followed) -> float:
    return each.similarity if each.status == "not mentioned" else -each.similarity


def _followed(before: Loaded, now: Loaded, at: int, notes: list[str]) -> list[Followed]:
    """Return what a later side says of the plans of one before it."""
    planned = [n for n, (_, each) in enumerate(before.sentences) if _is_initiative(each, "planned")]
    planned.sort(key=lambda n: (-_weight(before.sentences[n][1]), n))
    if left := len(planned[MAX_PLANS:]):
        notes.append(f"{_side(before).label}: {left} more plans were not followed.")
    spaces = before.vectors.keys() & now.vectors.keys()
    if not spaces and planned and now.sentences:
        notes.append("Plans were not followed: other models read the later documents. Analyze them again.")
    if not spaces:
        return []
    near = np.max(
        [before.vectors[space][planned[:MAX_PLANS]] @ now.vectors[space].T for space in spaces], axis=0
    )
    found = []
    for plan, row in zip(planned[:MAX_PLANS], near, strict=True):
        document, sentence = before.sentences[plan]
        status, nearest = _status(sentence, row, [each for _, each in now.sentences])
        found.append(
            Followed(
                status=status,
                similarity=round(float(row[nearest]), 4),
                side=at,
                plan=_quote(document, sentence),
                now=None if status == "not mentioned" else _quote(*now.sentences[nearest]),
            )
        )
    return found


def _status(
    plan: Mapping[str, Any], near: NDArray[np.float32], sentences: Sequence[Mapping[str, Any]]
) -> tuple[Status, int]:
    """Return what became of a plan, and the sentence that says so or is nearest."""
    alike = [
        at
        for at, each in enumerate(sentences)
        if near[at] >= NEAR and _is_initiative(each) and not set(plan["topics"]).isdisjoint(each["topics"])
    ]
    if alike:
        nearest = max(alike, key=lambda at: near[at])
        return ("implemented" if sentences[nearest]["action"] == "implemented" else "planned"), nearest
    nearest = int(near.argmax())
    is_absent = near[nearest] < FAR and len(sentences) >= MIN_SENTENCES
    return ("not mentioned" if is_absent else "unclear"), nearest


def _is_initiative(sentence: Mapping[str, Any], action: str | None = None) -> bool:
    return "initiative" in sentence["roles"] and sentence["action"] in ({action} if action else _ACTIONS)


_ACTIONS = {"implemented", "planned"}


def _weight(sentence: Mapping[str, Any]) -> float:
    likely = sentence.get("initiative_score")
    return float(sentence.get("worth", 0.0)) * (1.0 if likely is None else float(likely) ** 2)


def _quote(document: str, sentence: Mapping[str, Any]) -> Quote:
    fields = {name: sentence[name] for name in ("text", "topics", "index", "page", "row")}
    return Quote(document=document, **fields)
