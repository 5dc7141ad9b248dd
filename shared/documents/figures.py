"""Figures and tables of documents, packed: of a batch in its record, of data points in `outcomes/{document}`.

A figure of a batch is thus stored in the transaction that stores its passage, and is read with a few others
hundreds at a time. Across documents only figures with a data point are found.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field, fields, replace
from functools import cache
from itertools import groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from shared.documents import corrected
from shared.documents.batches import of_run
from shared.documents.outcomes import COLLECTION as OUTCOMES
from shared.documents.outcomes import organisation_key
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.platform.clients import where
from shared.platform.errors import Superseded
from shared.platform.tables import Figure, Table, is_total
from shared.text.datapoints import datapoint_of_query, names, told_apart

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from google.cloud import firestore
    from pydantic import TypeAdapter

    from shared.platform.records import Passage, PassageResult

MAX_PACKED = 600_000
"""Limit on the figures and tables of a batch in bytes, packed: Firestore takes 1 MiB a record."""
MAX_CODED = 300_000
"""Limit on a document's figures with a data point in bytes, packed; the surest are kept."""
MAX_CODED_FIGURES = 4_000
OUTCOMES_AT_ONCE = 50
FIRST_OUTCOMES = 5
"""Outcomes of the first query, since a page often needs few; each one after asks for twice as many."""
MAX_OUTCOMES = 500
"""Documents that one call of `known` reads, whether they have such figures or not."""
MAX_FACTS = 10
"""Figures that answer a question."""
MAX_CODES = 3
"""Data points that a question may ask for: the first that its words name."""
MAX_ASKED = 2_000
"""Documents among which those of the organisation and year of a question are looked for."""
SHOWN = ("start", "packed", "corrected")
"""Fields of a batch's record that `shown` needs."""
SECONDS = 20.0
"""Timeout of one query."""
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_CURSOR = re.compile(r"([0-9a-f]{24})-([1-9][0-9]{0,8})-([0-9]{1,6})")
CURSOR = _CURSOR.pattern
"""What a cursor looks like: document, its run, and how many of its figures were returned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFigure(Figure):
    """A figure, and where in its document it stands."""

    passage: int
    """Number of the passage."""
    page: int | None = None
    at: int = 0
    """Place among the figures of its passage, as the model has them, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFigure(DocumentFigure):
    """A figure, and which document says it."""

    document: str
    run: int
    name: str
    """The document's name in its bucket."""
    title: str | None = None
    organisation: str | None = None
    year: int | None = None
    """The year that the document reports on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentTable(Table):
    """A table, and its number in its document, by which figures and passages name it."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What `pack` packs."""

    figures: tuple[DocumentFigure, ...] = ()
    tables: tuple[DocumentTable, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Some figures of documents; the cursor asks for those that follow, None where there are no more."""

    figures: list[KnownFigure] = field(default_factory=list)
    cursor: str | None = None


def of_batch(passages: Sequence[Passage], results: Sequence[PassageResult]) -> Packed:
    """Return the figures of results, and the tables that begin with their passages."""
    return Packed(
        figures=tuple(
            DocumentFigure(**_values(figure), passage=result.index, page=result.page)
            for result in results
            for figure in result.figures
        ),
        tables=tuple(
            DocumentTable(**_values(table), number=passage.table - back)
            for passage in passages
            if passage.table is not None
            for back, table in zip(reversed(range(len(passage.tables))), passage.tables, strict=True)
        ),
    )


def fitting(packed: Packed, room: int) -> tuple[bytes, int]:
    """Pack what fits into so many bytes, figures before tables; return how much is left out too.

    What does not fit is halved, so that at least half of what would fit is kept.
    """
    kept = packed
    while len(content := pack(kept)) > room and kept != Packed():
        figures, tables = kept.figures, kept.tables[: len(kept.tables) // 2]
        kept = Packed(figures=figures if kept.tables else figures[: len(figures) // 2], tables=tables)
    left_out = len(packed.figures) - len(kept.figures) + len(packed.tables) - len(kept.tables)
    return content, left_out


def pack(packed: Packed) -> bytes:
    """Compress figures and tables; `unpack` reverses it."""
    return zlib.compress(_adapter().dump_json(packed, exclude_defaults=True))


def unpack(content: bytes) -> Packed:
    """Reverse `pack`."""
    return _adapter().validate_json(zlib.decompress(content))


def plain(packed: Packed) -> dict[str, list[dict[str, Any]]]:
    """Return `figures` and `tables` in JSON types."""
    values: dict[str, list[dict[str, Any]]] = _adapter().dump_python(packed, mode="json")
    return values


def coded(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the fields of an outcome that say which data points a run's batches found, and their figures."""
    found = [figure for figure in shown(records) if figure.datapoint is not None]
    surest = sorted(range(len(found)), key=lambda at: (-found[at].confidence, at))[:MAX_CODED_FIGURES]
    while len(content := pack(Packed(figures=tuple(found[at] for at in sorted(surest))))) > MAX_CODED:
        surest = surest[: len(surest) // 2]
    kept = {found[at].datapoint for at in surest}
    return {"datapoints": content, "codes": sorted(code for code in kept if code)}


def shown(records: Iterable[Mapping[str, Any]]) -> list[DocumentFigure]:
    """Return the figures of all batches of a run in reading order, as people have corrected them."""
    ordered = sorted(records, key=lambda record: int(record["start"]))
    said = {index: fixes for record in ordered for index, fixes in corrected.fixes(record).items()}
    answers = told_apart([each for record in ordered for each in _numbered(_of_record(record).figures)])
    if not said:
        return answers
    return [
        figure
        for index, of_passage in groupby(answers, key=lambda each: each.passage)
        for figure in corrected.fixed([(each.at, each) for each in of_passage], said.get(index, {}))
    ]


def _numbered(figures: Sequence[DocumentFigure]) -> Iterator[DocumentFigure]:
    for _, of_passage in groupby(figures, key=lambda each: each.passage):
        for place, figure in enumerate(of_passage):
            yield replace(figure, at=place) if place else figure


def figures_of(client: firestore.Client, document: str, run: int | None = None) -> list[DocumentFigure]:
    """Return the figures of a document's run in reading order; None: of its published run."""
    return shown(_of_document(client, document, run))


def tables_of(client: firestore.Client, document: str, run: int | None = None) -> list[DocumentTable]:
    """Return the tables of a document's run in reading order; None: of its published run."""
    records = sorted(_of_document(client, document, run), key=lambda record: int(record["start"]))
    return [table for record in records for table in _of_record(record).tables]


def known(  # noqa: PLR0913 - the filters
    client: firestore.Client,
    *,
    organisation: str | None = None,
    datapoint: str | None = None,
    topic: str | None = None,
    period: str | None = None,
    unit: str | None = None,
    documents: Collection[str] | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> Page:
    """Return figures with a data point of the published runs of documents, by document, then as they stand.

    Args:
        client: Firestore.
        organisation: only of this one; case and punctuation do not count.
        datapoint: code of a data point.
        topic: code of a topic.
        period: as the figure has it; "2023" also finds parts of the year, and days in it.
        unit: as normalised.
        documents: only of these.
        cursor: of the page before.
        limit: figures of a page; it may have fewer although others follow.

    Raises:
        ValueError: there is no such cursor.
        Superseded: the document that the page before ended in was analyzed again since.
    """
    start, run, offset = read_cursor(cursor)
    page: list[KnownFigure] = []
    key = organisation_key(organisation)
    if documents is None:
        found = _stored(client, key, None if datapoint is None else [datapoint], start)
    else:
        found = _named(client, sorted(each for each in set(documents) if start is None or each >= start))
    for read, stored in enumerate(found, 1):
        skipped = 0
        if stored["document"] == start:
            if offset and stored["run"] != run:
                raise Superseded("The document was analyzed again since the page before.")
            skipped = offset
        of_asked = _known(stored) if key in {None, stored["organisation_key"]} else []
        fits = [each for each in of_asked if matches(each, datapoint, topic, period, unit)]
        room = limit - len(page)
        page += fits[skipped : skipped + room]
        if len(page) == limit or read == MAX_OUTCOMES:
            upto = min(len(fits), skipped + room)
            return Page(page, f"{stored['document']}-{stored['run']}-{upto}")
    return Page(page)


def facts(
    client: firestore.Client,
    question: str,
    *,
    topic: str | None = None,
    document: str | None = None,
) -> list[KnownFigure]:
    """Return figures that answer a question which names a data point, the likeliest first; others have none.

    Where the question names an organisation or a year, only figures of these are returned, otherwise those of
    the latest periods first.
    """
    codes = datapoint_of_query(question)[:MAX_CODES]
    if not codes:
        return []
    years = _YEAR.findall(question)
    found = [
        each
        for stored in _named(client, [document] if document else _asked_for(client, question, codes, years))
        for each in _known(stored)
        if each.datapoint in codes
        and topic in {None, each.topic}
        and (not years or any(is_within(each.period, year) for year in years))
    ]
    found.sort(key=lambda each: (each.period or "", each.confidence), reverse=True)
    return sorted(found, key=lambda each: codes.index(each.datapoint or ""))[:MAX_FACTS]


def _asked_for(
    client: firestore.Client, question: str, codes: Sequence[str], years: Sequence[str]
) -> list[str]:
    """Return documents with such data points, of the organisation that a question names if it names one.

    Of too many, those that report on the year of the question, or else the latest.
    """
    asked, about = f" {organisation_key(question)} ", {word for code in codes for word in _name_words(code)}
    newest = max(map(int, years), default=9999)
    ranked = [
        (-_named_words(stored["organisation_key"], asked, about), abs(newest - (stored["year"] or 0)), stored)
        for stored in islice(_stored(client, None, codes, None, _IDENTITY), MAX_ASKED)
    ]
    most = min((named for named, _, _ in ranked), default=0)
    nearest = sorted((away, stored["document"]) for named, away, stored in ranked if named == most)
    return sorted(document for _, document in nearest[:OUTCOMES_AT_ONCE])


def _name_words(code: str) -> list[str]:
    return (organisation_key(names().get(code)) or "").split()


def _named_words(key: str | None, asked: str, about: Collection[str]) -> int:
    """Count the first words of an organisation that a question has in a row.

    A number alone names none, nor does a word of what is asked: "energy" is not Energy Transfer.
    """
    words = (key or "").split()
    for count in range(len(words), 0, -1):
        if f" {' '.join(words[:count])} " in asked:
            return 0 if count == 1 and (words[0].isdecimal() or words[0] in about) else count
    return 0


def of_document(stored: Mapping[str, Any], found: Iterable[DocumentFigure]) -> list[KnownFigure]:
    """Return figures of the published run of a document, as Firestore has it, with what is known of it."""
    about = {name: stored[name] for name in ("name", "title", "organisation", "year")}
    about |= {"document": stored["id"], "run": stored["published_run"]}
    return [KnownFigure(**_values(figure), **about) for figure in found]


def key_figures(figures: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each data point of a document once, of its newest period, in the order of their codes.

    Numbers with neither unit nor period are left out.
    """
    best: dict[str, dict[str, Any]] = {}
    for figure in figures:
        code = figure.get("datapoint") if figure.get("unit") or figure.get("period") else None
        if code and (code not in best or _newness(figure) > _newness(best[code])):
            best[code] = figure
    return [best[code] for code in sorted(best)]


def _newness(figure: dict[str, Any]) -> tuple[str, int, float]:
    whole = 2 if is_total(figure.get("qualifier")) else 0 if figure.get("qualifier") else 1
    return figure.get("period") or "", whole, figure.get("confidence", 1.0)


def read_cursor(cursor: str | None) -> tuple[str | None, int, int]:
    """Return document, run and offset that a cursor names. Raises ValueError."""
    if cursor is None:
        return None, 0, 0
    if (match := _CURSOR.fullmatch(cursor)) is None:
        raise ValueError("not a cursor")
    return match[1], int(match[2]), int(match[3])


def matches(
    figure: Figure,
    datapoint: str | None = None,
    topic: str | None = None,
    period: str | None = None,
    unit: str | None = None,
) -> bool:
    """Whether a figure has what is asked for; None: anything."""
    return (
        datapoint in {None, figure.datapoint}
        and topic in {None, figure.topic}
        and unit in {None, figure.unit}
        and (period is None or is_within(figure.period, period))
    )


def is_within(period: str | None, asked: str) -> bool:
    """Whether a period is the one that is asked for, or a part of it: "2023-H1" of "2023"."""
    return period is not None and (period == asked or period.startswith((f"{asked}-", f"{asked}/")))


_SHOWN = (
    *("document", "run", "name", "title", "organisation", "organisation_key", "year"),
    "datapoints",
)
_IDENTITY = ("document", "organisation_key", "year")


def _named(client: firestore.Client, documents: list[str]) -> Iterator[dict[str, Any]]:
    references = [client.collection(OUTCOMES).document(each) for each in documents]
    for at in range(0, len(references), OUTCOMES_AT_ONCE):
        read = client.get_all(references[at : at + OUTCOMES_AT_ONCE], _SHOWN, timeout=SECONDS)
        yield from sorted((stored for each in read if (stored := each.to_dict())), key=itemgetter("document"))


def _stored(
    client: firestore.Client,
    key: str | None,
    codes: Sequence[str] | None,
    start: str | None,
    shown: Sequence[str] = _SHOWN,
) -> Iterator[dict[str, Any]]:
    """Yield outcomes by document, from `start` on, with figures of any of the data points."""
    outcomes = client.collection(OUTCOMES)
    query = where(
        outcomes.order_by("__name__").select(shown),
        None if key is None else ("organisation_key", "==", key),
        None if codes is None else ("codes", "array_contains_any", codes),
    )
    after = query if start is None else query.start_at({"__name__": outcomes.document(start)})
    at_once, most = (FIRST_OUTCOMES, OUTCOMES_AT_ONCE) if shown == _SHOWN else (MAX_OUTCOMES, MAX_OUTCOMES)
    while page := list(after.limit(at_once).get(timeout=SECONDS)):
        yield from (each.to_dict() for each in page)
        if len(page) < at_once:
            return
        after, at_once = query.start_after(page[-1]), min(2 * at_once, most)


def _known(stored: Mapping[str, Any]) -> list[KnownFigure]:
    if not stored.get("datapoints"):  # recorded by a release that kept no figures, or without a result
        return []
    about = {name: stored[name] for name in ("document", "run", "name", "title", "organisation", "year")}
    return [KnownFigure(**_values(figure), **about) for figure in unpack(stored["datapoints"]).figures]


def _of_document(client: firestore.Client, document: str, run: int | None) -> list[dict[str, Any]]:
    reference = client.collection(DOCUMENTS).document(document)
    if run is None:
        run = (reference.get(["published_run"], timeout=SECONDS).to_dict() or {}).get("published_run")
    if run is None:
        return []
    stored = of_run(reference, run).select(SHOWN).get(timeout=SECONDS)
    return [each.to_dict() or {} for each in stored]


def _of_record(record: Mapping[str, Any]) -> Packed:
    parts = [unpack(content) for content in record.get("packed", ())]
    return Packed(
        figures=tuple(figure for part in parts for figure in part.figures),
        tables=tuple(table for part in parts for table in part.tables),
    )


def _values(record: Figure | Table) -> dict[str, Any]:
    return {each.name: getattr(record, each.name) for each in fields(record)}


@cache
def _adapter() -> TypeAdapter[Packed]:
    from pydantic import TypeAdapter

    return TypeAdapter(Packed)
