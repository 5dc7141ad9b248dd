"""A file read in the process that has the limits: extracted, redacted, cut into passages.

That process may be taken over by the file it reads, so it does not know the redaction key. It redacts with
pseudonyms that are made without a key, and sends the values that they stand for beside the text. The caller,
which has the key, puts the real pseudonyms in their place: they are of the same length, so no span moves.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.extract.core import extract
from shared.extract.facts import UPLOADED, state_facts
from shared.extract.language import detect
from shared.extract.shapes import ExtractOptions, Limits, from_plain
from shared.extract.tables import row_text
from shared.extract.tidy import visible
from shared.extract.zips import ARCHIVES
from shared.inference.tokens import counter
from shared.platform.errors import Rejected
from shared.platform.tables import Figure, Table  # noqa: TC001 - pieces are validated where they arrive
from shared.text.figures import Context, figures_of_text, reported_year
from shared.text.numbers import style_of
from shared.text.privacy import MAX_PSEUDONYM, PSEUDONYM, identifiers, pseudonym, replace_identifiers
from shared.text.row_figures import TableFigures
from shared.text.segment import Cut, Segmented, SegmentLimits, segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from shared.extract.shapes import Extracted
    from shared.platform.tables import Cell, Row

READ = f"{__name__}:read"
NO_KEY = b""
"""Key of provisional pseudonyms: none, as whoever takes the process over must not learn a real one."""
OWN_LANGUAGE_WORDS = 12
"""Fewer words say little about their language."""
_CHARACTERS, _PASSAGES = 100_000, 500
"""Characters of the text, and number of passages, that one piece carries."""
MAX_TABLES = 5_000
"""Limit on the tables of a document. The rows of those beyond it are passages all the same."""
MAX_TABLE_CELLS, MAX_KEPT_CELLS = 10_000, 200_000
"""Limits on a table's rows and cells together, and on those of a document's tables."""
MAX_FIGURES = 20_000
"""Limit on the figures of a document."""
MAX_METRIC = 500
"""Limit on what is said of a figure, in characters."""
_LONGEST_WORD = 24  # characters before a number that say that it is a telephone's
_PLAIN_NUMBER = re.compile(r"[-+\u2212(]?[\d.,' \u2019]*+[)%]?")
_FIGURE = re.compile(r"[-+\u2212(]?\d{1,4}(?:[ .,]\d{3})*(?:[.,]\d+)?[)%]?")
_MAY_IDENTIFY = re.compile(r"@|[A-Z]{2}\d\d|(?<!\d)\(?\+\d|(?<![\d.,])\(?0\d|(?i:tel|tél|phone|fax|mobil)")
_CALLED = re.compile(
    r"(?i)(?<![^\W_])(?:tel|tél|phone|fon|fax|mobil|cell|hotline)[^\W\d_]{0,8}(?P<marked>[.:]{1,2})?\s*$"
)


@dataclass(frozen=True, slots=True)
class Described:
    """What the file says of itself."""

    media_type: str
    language: str | None
    title: str | None
    organisation: str | None
    year: int | None
    tags: list[str]
    facts_from: dict[str, str]
    """Where title, organisation and year come from: "upload", "document" or "name"."""
    pages: int | None
    ocr_pages: list[int]
    recognised: list[tuple[int, float]]
    """Page, and how sure its recognition is."""
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Found:
    """A passage, with its language, its figures, and the tables that begin with it."""

    cut: Cut
    language: str | None
    figures: list[Figure] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a reading. All of the text comes first, then the passages, and last what describes the file."""

    text: str = ""
    passages: list[Found] = field(default_factory=list)
    described: Described | None = None
    identifiers: list[tuple[str, str]] = field(default_factory=list)
    """Kind and value of what the provisional pseudonyms of this piece stand for."""


def arguments(  # noqa: PLR0913 - those of `read`
    *,
    name: str,
    content_type: str | None,
    metadata: Mapping[str, str],
    options: ExtractOptions,
    tokenizer: Path,
    passages: int,
) -> dict[str, Any]:
    """Return the arguments of `read` as JSON types."""
    plain = {option: getattr(options, option) for option in ExtractOptions.__dataclass_fields__}
    return {
        "name": name,
        "content_type": content_type,
        "metadata": {fact: metadata[fact] for fact in UPLOADED if fact in metadata},
        "options": plain | {"recognised": list(options.recognised.values())},
        "tokenizer": str(tokenizer.resolve()),
        "passages": passages,
    }


def read(  # noqa: PLR0913 - what a file is, how it is read, and within which limits
    path: Path,
    *,
    name: str,
    content_type: str | None,
    metadata: dict[str, str],
    options: dict[str, Any],
    tokenizer: str,
    passages: int,
) -> Iterator[Piece]:
    """Read the file; yield the reading piece by piece. The arguments are those that `arguments` returns.

    Raises:
        Rejected: it is not something Headrace reads; says why.
        SetupError: there is no tokenizer.
    """
    count = counter(Path(tokenizer))
    own = {"limits": Limits(**options["limits"]), "recognised": from_plain(options["recognised"])}
    chosen = ExtractOptions(**options | own)
    extracted = state_facts(
        extract(path, name=name, content_type=content_type, options=chosen), name=name, metadata=metadata
    )
    redacting = _Redacting()
    tables = _Tables(extracted, redacting)
    segmented = Segmented("", iter(()))
    if extracted.media_type not in ARCHIVES:
        try:
            segmented = segment(
                extracted, count=count, redact=redacting.redact, limits=SegmentLimits(passages=passages)
            )
        except Rejected as rejected:
            if rejected.code != "no_text" or not (chosen.defer_ocr and extracted.ocr_pages):
                raise
    language = detect(segmented.text)
    for part in parts(segmented.text):
        yield Piece(part, identifiers=redacting.behind(part))
    context = Context(
        style=style_of([segmented.text]),
        year=extracted.year,
        reported=reported_year(segmented.text, extracted.year),
    )
    figures = _Figures(segmented.text, context, tables)
    yield from _passages(_found(segmented, figures, tables, language), redacting)
    warnings = [*extracted.warnings, *_left_out(tables.left_out, more_figures=figures.is_full)]
    yield _description(replace(extracted, warnings=warnings), language, redacting)


def parts(text: str) -> Iterator[str]:
    """Yield the text in parts of bounded length, none of which ends within a pseudonym."""
    start = 0
    while start < len(text):
        end = start + _CHARACTERS
        if end < len(text):
            opening = text.rfind("[", end - MAX_PSEUDONYM, end)
            end = opening if opening > 0 else end
        yield text[start:end]
        start = end


class _Redacting:
    """Replaces what identifies a person by provisional pseudonyms, and knows what they stand for."""

    def __init__(self) -> None:
        self._identifiers: dict[str, tuple[str, str]] = {}

    def redact(self, text: str) -> str:
        return replace_identifiers(text, self._replacement)

    def redact_row(self, texts: Sequence[str], cells: Sequence[str]) -> tuple[list[str], list[str]]:
        """Redact the text of a table's row, and its cells, alike; plain numbers only as the text does.

        What is an identifier in one of them is replaced in all: the words around it differ.
        """
        found: dict[str, str] = {}
        for part in (*texts, *(cell for cell in cells if not _PLAIN_NUMBER.fullmatch(cell))):
            for start, end, kind, value in identifiers(part):
                found[part[start:end]] = self._replacement(kind, value)
        longest_first = sorted(found, key=len, reverse=True)

        def redacted(part: str) -> str:
            for written in longest_first:
                part = part.replace(written, found[written])
            return part

        return list(map(redacted, texts)), list(map(redacted, cells))

    def parted(self, cells: Sequence[str], *, is_row: bool) -> dict[int, str]:
        """Return, by index, the cells with parts of identifiers that go over several cells, without these.

        Each part is replaced by the whole's pseudonym. Rows of numbers may look like a telephone: it counts
        if a word says so, or if it begins as no figure does.
        """
        joined, starts = _joined(cells)
        redacted: dict[int, str] = {}
        if not _MAY_IDENTIFY.search(joined):
            return redacted
        for start, end, kind, value in reversed(identifiers(joined)):
            first, last = (bisect_right(starts, at) - 1 for at in (start, end - 1))
            opening = cells[first][start - starts[first] :]
            if first == last or not (
                kind in {"email", "iban"}
                or (kind == "phone" and _is_telephone(joined, start, end, opening, is_row=is_row))
            ):
                continue
            for at in range(first, last + 1):
                cell = redacted.get(at, cells[at])
                begin, stop = max(0, start - starts[at]), end - starts[at]
                redacted[at] = cell[:begin] + self._replacement(kind, value) + cell[max(0, stop) :]
        return redacted

    def behind(self, text: str) -> list[tuple[str, str]]:
        """Return kind and value of what each pseudonym in a text stands for."""
        pseudonyms = dict.fromkeys(PSEUDONYM.findall(text))
        return [self._identifiers[made] for made in pseudonyms if made in self._identifiers]

    def _replacement(self, kind: str, value: str) -> str:
        made = pseudonym(NO_KEY, kind, value)
        self._identifiers[made] = kind, value
        return made


def _joined(cells: Sequence[str]) -> tuple[str, list[int]]:
    """Return the text of cells, an address that is cut at its marks in one piece, and where each begins."""
    starts, parts, length = [], [], 0
    for at, cell in enumerate(cells):
        before = cells[at - 1] if at else ""
        is_cut = before.endswith("@") or cell.startswith(("@", ".")) or ("@" in before and before[-1] == ".")
        gap = " " if at and not is_cut else ""
        starts.append(length + len(gap))
        parts += [gap, cell]
        length += len(gap) + len(cell)
    return "".join(parts), starts


def _is_telephone(joined: str, start: int, end: int, opening: str, *, is_row: bool) -> bool:
    """Whether what looks like a telephone's number over several cells is one, and no row of figures."""
    called = _CALLED.search(joined[max(0, start - _LONGEST_WORD) : start])
    if joined[start] not in "+(0":
        return called is not None and called["marked"] is not None
    is_whole = is_row and start == 0 and end == len(joined) and "+" in opening
    return called is not None or is_whole or not _FIGURE.fullmatch(opening) or opening.startswith("00")


class _Tables:
    """The tables of a document, redacted, as are the blocks of their rows, which it replaces."""

    def __init__(self, extracted: Extracted, redacting: _Redacting) -> None:
        self._redacting = redacting
        self._blocks = extracted.blocks
        self._places: dict[tuple[int, int], list[int]] = {}
        for place, block in enumerate(extracted.blocks):
            if block.table is not None and block.at is not None:
                self._places.setdefault((block.table, block.at), []).append(place)
        self._parted: set[int] = set()
        self._tables = [self._redacted(number, table) for number, table in enumerate(extracted.tables)]
        self._write_parted()
        self._numbers = self._numbered({number for number, _ in self._places})
        self._sent = 0
        self._read: tuple[int, TableFigures] | None = None
        """The table whose rows are read now."""
        self.left_out = sum(number is None for number in self._numbers)

    def _redacted(self, number: int, table: Table) -> Table:
        redact = self._redacting.redact
        table = self._without_parted(number, table)
        return replace(
            table,
            rows=tuple(self._row(number, at, table) for at in range(len(table.rows))),
            caption=redact(visible(table.caption)) if table.caption else None,
            notes=tuple(redact(visible(note)) for note in table.notes),
        )

    def _row(self, number: int, at: int, table: Table) -> Row:
        row, places = table.rows[at], self._places.get((number, at), [])
        texts, cells = self._redacting.redact_row(
            [visible(self._blocks[place].text) for place in places],
            [visible(cell.text) for cell in row.cells],
        )
        for place, text in zip(places, texts, strict=True):
            self._blocks[place] = replace(self._blocks[place], text=text)
        fitting = (
            _fitted(cell, text, len(table.rows) - at, table.columns - cell.column)
            for cell, text in zip(row.cells, cells, strict=True)
            if text.strip() and cell.column < table.columns  # without controls a cell may be empty
        )
        return replace(row, cells=tuple(fitting))

    def _without_parted(self, number: int, table: Table) -> Table:
        """Return a table without identifiers that several cells of a row or column hold together."""
        cells = [list(row.cells) for row in table.rows]
        lines = [[(at, place) for place in range(len(row))] for at, row in enumerate(cells)]
        columns: dict[int, list[tuple[int, int]]] = {}
        for at, place in chain.from_iterable(lines):
            columns.setdefault(cells[at][place].column, []).append((at, place))
        for index, line in enumerate([*lines, *columns.values()]):
            texts = [visible(cells[at][place].text) for at, place in line]
            for part, text in self._redacting.parted(texts, is_row=index < len(lines)).items():
                at, place = line[part]
                cells[at][place] = replace(cells[at][place], text=text)
                self._parted.add(number)
        if number not in self._parted:
            return table
        rows = zip(table.rows, cells, strict=True)
        return replace(table, rows=tuple(replace(row, cells=tuple(own)) for row, own in rows))

    def _write_parted(self) -> None:
        """Write the rows anew of tables that hold parts of identifiers, or are read with heads that do."""
        is_parted = False
        for number, table in enumerate(self._tables):
            is_parted = number in self._parted or (is_parted and table.continues)
            heads = self._heads(number) if is_parted else None
            for at in range(len(table.rows)) if is_parted else ():
                for place in self._places.get((number, at), []):
                    text = row_text(table, at, heads)
                    self._blocks[place] = replace(self._blocks[place], text=text)

    def _heads(self, table: int) -> Table | None:
        """Return the table whose heads count, where one continues another."""
        above = table
        while above and self._tables[above].continues and not has_heads(self._tables[above]):
            above -= 1
        return self._tables[above] if above != table else None

    def _numbered(self, with_rows: set[int]) -> list[int | None]:
        """Return each table's number among those that are kept; None: it is beyond a limit, or has no row."""
        numbers: list[int | None] = []
        kept, room = 0, MAX_KEPT_CELLS
        for number, table in enumerate(self._tables):
            size = size_of(table)
            fits = number in with_rows and kept < MAX_TABLES and size <= min(room, MAX_TABLE_CELLS)
            numbers.append(kept if fits else None)
            kept, room = kept + fits, room - size * fits
        return numbers

    def number(self, table: int | None) -> int | None:
        """Return the number that a table is sent with."""
        return None if table is None else self._numbers[table]

    def begun(self, table: int | None) -> list[Table]:
        """Return the tables to be sent up to and with this one, once."""
        if table is None:
            return []
        first, self._sent = self._sent, max(self._sent, table + 1)
        return [self._tables[at] for at in range(first, self._sent) if self._numbers[at] is not None]

    def figures(self, table: int, at: int, context: Context) -> list[Figure]:
        """Return the figures of a row."""
        if self._read is None or self._read[0] != table:
            heads = self._heads(table)
            self._read = (
                table,
                TableFigures(_nameless_table(self._tables[table]), heads and _nameless_table(heads), context),
            )
        number = self._numbers[table]
        cells = self._tables[table].rows[at].cells
        redacted = {(at, cell.column) for cell in cells if PSEUDONYM.search(cell.text)}
        return [
            replace(figure, table=number, cell=figure.cell if number is not None else None)
            for figure in self._read[1].row(at)
            if figure.cell not in redacted  # what is left there may be a part of what was redacted
        ]


def _fitted(cell: Cell, text: str, rows: int, columns: int) -> Cell:
    """Return a cell with this text, that spans so many rows and columns at most."""
    row_span, column_span = max(1, min(cell.row_span, rows)), max(1, min(cell.column_span, columns))
    if (text, row_span, column_span) == (cell.text, cell.row_span, cell.column_span):
        return cell
    return replace(cell, text=text, row_span=row_span, column_span=column_span)


def _nameless(text: str) -> str:
    """Return a text of which figures are read: their labels are cut anywhere, and pseudonyms must stay whole.

    Half of one would not get the key, so that whoever guesses what it stands for could test the guess.
    """
    return PSEUDONYM.sub("…", text)


def _nameless_table(table: Table) -> Table:
    texts = [table.caption or "", *(cell.text for row in table.rows for cell in row.cells)]
    if not any(map(PSEUDONYM.search, texts)):
        return table
    rows = [
        replace(row, cells=tuple(replace(cell, text=_nameless(cell.text)) for cell in row.cells))
        for row in table.rows
    ]
    return replace(table, rows=tuple(rows), caption=_nameless(table.caption) if table.caption else None)


def has_heads(table: Table) -> bool:
    """Whether columns have heads in the table itself."""
    return any(row.kind == "head" for row in table.rows)


def size_of(table: Table) -> int:
    """Return the number of a table's rows and cells together."""
    return len(table.rows) + sum(len(row.cells) for row in table.rows)


class _Figures:
    """Finds the figures of passages in their order; those of a row that is cut, by part."""

    def __init__(self, text: str, context: Context, tables: _Tables) -> None:
        self._text = text
        self._context = context
        self._tables = tables
        self._row: tuple[int, int] | None = None
        self._waiting: list[tuple[int, Figure]] = []
        """Figures of the row that are in its next parts, with their place in the text."""
        self.count = 0
        self.is_full = False
        """Whether there may be figures beyond the limit; they are not looked for."""

    def of(self, cut: Cut) -> list[Figure]:
        if self.is_full:
            return []
        section = _nameless(self._text[slice(*cut.section)]) if cut.section else None
        context = replace(self._context, section=section, kind=cut.kind)
        if cut.table is None or cut.at is None:
            text = _nameless(self._text[cut.start : cut.end])
            found = [replace(figure, box=cut.box) for figure in figures_of_text(text, context)]
        else:
            if self._row != (cut.table, cut.at):
                self._row = cut.table, cut.at
                self._waiting = self._placed(cut.start, self._tables.figures(*self._row, context))
            found = [figure for place, figure in self._waiting if place < cut.end]
            self._waiting = self._waiting[len(found) :]
        kept = found[: MAX_FIGURES - self.count]
        self.count += len(kept)
        self.is_full = len(kept) < len(found)
        return [
            replace(figure, metric=figure.metric[:MAX_METRIC]) if len(figure.metric) > MAX_METRIC else figure
            for figure in kept
        ]

    def _placed(self, start: int, figures: list[Figure]) -> list[tuple[int, Figure]]:
        """Return figures with where they stand in the row that starts there; rows end with their line."""
        end = self._text.find("\n", start)
        placed = []
        for figure in figures:
            start = max(start, self._text.find(figure.text, start, end if end >= 0 else None))
            placed.append((start, figure))
        return placed


def _passages(found: Iterable[Found], redacting: _Redacting) -> Iterator[Piece]:
    some: list[Found] = []
    for each in found:
        some.append(each)
        if len(some) == _PASSAGES:
            yield _together(some, redacting)
            some = []
    yield _together(some, redacting)


def _found(segmented: Segmented, figures: _Figures, tables: _Tables, language: str | None) -> Iterator[Found]:
    for cut in segmented.cuts:
        text = segmented.text[cut.start : cut.end]
        own = _language(text, language) if cut.kind == "text" else language
        sent = cut if cut.table is None else replace(cut, table=tables.number(cut.table))
        yield Found(sent, own, figures.of(cut), tables.begun(cut.table))


def _together(some: list[Found], redacting: _Redacting) -> Piece:
    return Piece(passages=some, identifiers=redacting.behind("\n".join(_texts(some))))


def _texts(some: list[Found]) -> Iterator[str]:
    """Yield all text of passages that is sent beside the document's, but for what is only numbers."""
    for found in some:
        yield found.cut.label or ""
        for table in found.tables:
            yield table.caption or ""
            yield from table.notes
            yield from (cell.text for row in table.rows for cell in row.cells)


def _language(text: str, document: str | None) -> str | None:
    """Return the language of a passage of text; its document's where it is too short to show another."""
    if len(text.split()) < OWN_LANGUAGE_WORDS and document is not None:
        return document
    return detect(text, document)


def _left_out(tables: int, *, more_figures: bool) -> Iterator[str]:
    if tables:
        yield f"{tables:,} tables are left out, as they are too large or too many; their rows are passages"
    if more_figures:
        yield f"only the first {MAX_FIGURES:,} figures are kept; what follows stands in passages"


def _description(extracted: Extracted, language: str | None, redacting: _Redacting) -> Piece:
    title, organisation = (
        redacting.redact(visible(text)) if text else None
        for text in (extracted.title, extracted.organisation)
    )
    tags = [redacting.redact(visible(tag)) for tag in extracted.tags]
    described = Described(
        media_type=extracted.media_type,
        language=language,
        title=title,
        organisation=organisation,
        year=extracted.year,
        tags=tags,
        facts_from=extracted.facts_from,
        pages=extracted.pages,
        ocr_pages=extracted.ocr_pages,
        recognised=[(recognition.page, recognition.confidence) for recognition in extracted.recognised],
        warnings=extracted.warnings,
    )
    return Piece(described=described, identifiers=redacting.behind(f"{title} {organisation} {tags}"))
