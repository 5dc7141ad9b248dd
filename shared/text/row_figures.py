"""Key figures of the rows of tables.

What a cell does not say itself is taken from the row's label, the heads, the groups above, the caption and
the section, in this order; the farther it is fetched from, the less sure the figure is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from shared.extract.tables import heads_of, label_of, parents_of
from shared.platform.tables import Figure
from shared.text.figures import MAX_FIGURES, MAX_METRIC, Context, figures_of_text, qualifier_in
from shared.text.mentions import NOUNS, as_share, inherited, is_range, kind_of, mentions, scaled
from shared.text.numbers import style_of
from shared.text.periods import Period, last_year, periods
from shared.text.stated import BRACKET, IN, MAX_TEXT, STATED, Stated, currencies_in, unit_in, without_marks
from shared.text.units import Unit, plain, unit_of
from shared.text.vocabulary import any_of, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.platform.tables import Cell, Row, Table
    from shared.text.mentions import Mention

MAX_COLUMNS = 200
"""Limit on the columns of a table that are read for figures."""
MAX_STATEMENTS = 200
"""Limit on the labels and cells of a table in which its unit of emissions is looked for."""
_SENTENCE = 7  # words of a cell; one with more is read as a sentence
_MARKS = 20  # a lone whole number up to it, behind another in a cell, is a footnote's
_MOST_SHARE = 100  # per cent; whole numbers beyond it in a column of shares are counts
_YEAR_DIGITS = 4
_PAGES = 2_000  # a greater number is no page
_CONTENTS = 4  # rows of a table of contents, at least

_SKIPPED = re.compile(rf"\W*(?:{any_of('not a value')}|{any_of('unit')})\W*", re.IGNORECASE)
_UNIT_HEAD = re.compile(rf"\W*{any_of('unit')}\W*", re.IGNORECASE)
_CHANGE = re.compile(rf"(?<!climate ){any_of('change')}|\u0394|\+/-", re.IGNORECASE)
_DIFFERENCE = re.compile(rf"{any_of('difference')}|\u0394", re.IGNORECASE)
_YEARLY = re.compile(any_of("about years"), re.IGNORECASE)
_EMISSIONS = re.compile(any_of("emissions"), re.IGNORECASE)
_COUNT = re.compile(r"\W*(?:numbers?|nos?|nr|anzahl|nombre|numero|count|quantity|n)\W*", re.IGNORECASE)
_OF_WHICH = re.compile(rf"^\W*{any_of('of which')}[:\s]*", re.IGNORECASE)
_SEXES = {name: words_of(name) for name in ("women", "men")}
_NEGATIVE = re.compile(r"\(\s*(?:[\u20ac$\u00a3]\s?)?\d[\d.,' \u00a0]*\s?%?\s?\)\s?%?")
_MARK = re.compile(
    r"(?<=[\d%)])\s*(?:\(\d{1,2}\)|\[\d{1,2}\]|\s\d{1,2}\)|\*+|[a-d]\)|\([a-z]\))\s*$|(?<=\d)\s+\d{1,2}\)?\s*$"
)
_CODE = re.compile(
    r"\W*(?:(?:GRI|ESRS|SASB|TCFD|HGB|DNK)\b.*|(?:GRI )?\d{1,3}-\d{1,2}\b.*|[ESG]\d-\d.*"
    r"|(?:SBM|GOV|IRO|BP)-\d.*|SDG \d.*)",
    re.IGNORECASE | re.DOTALL,
)
_YEAR_MARK = re.compile(r"(?<=\b20\d\d)(?:[a-z]{1,3}|\(\d{1,2}\)|\d\)?|\*{1,3})(?!\w)")
_GOALS = re.compile(r"\bSDGs?\b|sustainable development goals?", re.IGNORECASE)
_GOAL = re.compile(r"\d{1,2}\.[\da-d]")
_THOUSANDS = re.compile(r"[12][.,' \u00a0]\d{3}")
_WORD = re.compile(r"[^\W\d_]{3,}")
_EMPTY = re.compile(r"\(\s*\)")
_EDGES = " ,;:-\u2013|*"


@dataclass(frozen=True, slots=True)
class _Column:
    """What the heads of a column say of its numbers."""

    period: Period | None
    unit: Stated | None
    qualifier: str | None
    words: str
    """Beside period and unit."""
    whole: str
    is_change: bool
    is_skipped: bool
    is_unit: bool


class TableFigures:
    """Reads the rows of one table, of which heads, caption and style are read once."""

    def __init__(self, table: Table, above: Table | None, context: Context) -> None:
        """`above` is the table whose heads count, where this one continues another."""
        self.table = table
        self.above = above
        self.context = context
        texts = [cell.text[:MAX_TEXT] for row in table.rows if row.kind == "row" for cell in row.cells]
        self.style = style_of(texts, context.style)
        self.caption = table.caption or (above.caption if above else None)
        columns = range(min(table.columns, MAX_COLUMNS))
        self.columns = [_column(heads_of(table, column, above), context) for column in columns]
        around = [text for text in (self.caption, context.section) if text]
        self.periods = [(time, 0.88) for text in around if (time := only_period(text, context))]
        self.units = [unit.less(0.86) for text in around if (unit := unit_in(text)) and unit.sure > STATED]
        if self.caption and (unit := unit_in(self.caption)) and unit.sure <= STATED:
            self.units.append(unit.less(0.86))
        self.carbon = self._carbon([*around, *texts])
        whole = " ".join([*around, *(column.whole for column in self.columns)])
        self.is_index = _is_index(table, self.columns)
        self.has_goals = bool(_GOALS.search(whole))
        self.has_long_numbers = any(_THOUSANDS.fullmatch(text.strip()) for text in texts)

    def row(self, at: int) -> list[Figure]:
        """Return the figures of a row, in the order of its columns; none of an index or table of contents."""
        row = self.table.rows[at]
        if self.is_index or row.kind == "head":
            return []
        reading = _Row(self, at, row)
        found: list[Figure] = []
        for cell in row.cells:
            if not self.table.labels <= cell.column < len(self.columns) or len(found) >= MAX_FIGURES:
                continue
            if not self.columns[cell.column].is_skipped and any(map(str.isdecimal, cell.text)):
                found += (
                    replace(figure, box=cell.box, cell=(at, cell.column))
                    for figure in reading.figures(cell, self.columns[cell.column])
                )
        return _with_change(found[:MAX_FIGURES])

    def _carbon(self, texts: Sequence[str]) -> Stated | None:
        """Return the unit of emissions that the table states somewhere, if it is the only one."""
        heads = [column.whole for column in self.columns]
        stated = [text for text in (*heads, *texts) if "co" in text.lower() and "CO2e" in plain(text)]
        units = {unit.unit for text in stated[:MAX_STATEMENTS] if (unit := unit_in(text))}
        carbon = [unit for unit in units if unit.name == "tCO2e"]
        return Stated(carbon[0], 0.85) if len(carbon) == 1 else None


class _Row:
    """A row with what is the same for all its cells."""

    def __init__(self, table: TableFigures, at: int, row: Row) -> None:
        self._table = table
        self._context = table.context
        self._label = label_of(table.table, at)[:MAX_TEXT] if row.kind == "row" else ""
        self._parents = parents_of(table.table, at, table.above)
        self._unit = unit_in(self._label)
        self._own_unit, self._is_other = self._unit_cell(row.cells)
        self._outer = [unit.less(0.93) for parent in reversed(self._parents) if (unit := unit_in(parent))]
        named = [(self._label, 0.95), *((parent, 0.93) for parent in reversed(self._parents))]
        times = [(time, sure) for text, sure in named if (time := only_period(text, self._context))]
        self._period = next(iter([*times, *table.periods]), (None, 0.9))

    def figures(self, cell: Cell, column: _Column) -> list[Figure]:
        """Return the figures of a cell, in their order."""
        text = _unmarked(cell.text[:MAX_TEXT])
        if self._table.has_goals and _GOAL.fullmatch(text.strip()):
            return []
        if len(_WORD.findall(text)) > _SENTENCE:
            sentences = figures_of_text(text, self._context)
            return [replace(figure, metric=self._metric(column, figure.metric)) for figure in sentences]
        years = self._may_count(text, column)
        times = periods(text, self._context.year)
        found = inherited(text, list(mentions(text, self._table.style, times, opening=False, years=years)))
        kept = [
            mention for at, mention in enumerate(found) if not at or _is_said(text, found[at - 1], mention)
        ]
        named = [] if years else [time for time in times if time.name]
        figures = [self._figure(text, mention, column, named[0] if named else None) for mention in kept]
        return [figure for figure in figures if figure.metric or figure.kind not in {"number", "percentage"}]

    def _may_count(self, text: str, column: _Column) -> bool:
        """Whether four digits such as 2023 are a count, and no year."""
        digits = text.strip()
        if not digits.isdigit() or len(digits) != _YEAR_DIGITS or not column.period:
            return False
        return not self._table.has_long_numbers and not _YEARLY.search(f"{self._label} {column.words}")

    def _figure(self, text: str, mention: Mention, column: _Column, own: Period | None) -> Figure:
        unit, sure = self._unit_of(mention, column)
        value, begin, finish = mention.value, mention.begin, mention.finish
        if unit and unit.name == "%" and mention.unit is None:
            value = as_share(mention.number) * (-1 if value < 0 else 1)
        if value > 0 and _NEGATIVE.fullmatch(text.strip()):
            value, begin, finish = -value, 0, len(text)
        period, timely = (
            (column.period.name, 0.99) if column.period and not column.is_change else self._period
        )
        if own:
            period, timely = own.name, 0.95
        qualifier = self._qualifier(mention, column)
        against = column.period.name if qualifier == "change" and column.period else None
        if against and not own:
            period, timely = self._period
        return Figure(
            kind=kind_of(unit),
            value=scaled(value, unit, mention.number.printed),
            unit=unit.name if unit else None,
            text=text[begin:finish].strip(),
            printed=mention.number.printed,
            metric=self._metric(column),
            period=period,
            qualifier=qualifier,
            against=against,
            confidence=round(0.97 * sure * timely, 2),
        )

    def _unit_cell(self, cells: Sequence[Cell]) -> tuple[Stated | None, bool]:
        """Return the unit that a cell of its own states, and whether that names another than is known."""
        columns = self._table.columns
        is_other = False
        for cell in cells:
            has_head = cell.column < len(columns) and columns[cell.column].is_unit
            text = plain(cell.text[:MAX_TEXT]).strip()
            if not has_head and (cell.column == 0 or text[:1].isdecimal()):
                continue
            unit = unit_of(text.strip("()[]"))
            if unit is None and has_head and (stated := unit_in(text)):
                unit = stated.unit
            if unit and (has_head or (unit.name and unit.dimension not in NOUNS)):
                return Stated(unit, 0.97), False
            is_other = is_other or (has_head and bool(_WORD.search(text)) and not _COUNT.fullmatch(text))
        return None, is_other

    def _unit_of(self, mention: Mention, column: _Column) -> tuple[Unit | None, float]:
        """Return the unit of a number, and how sure it is."""
        said = f"{self._label} {' '.join(self._parents)} {column.words}"
        carbon = self._table.carbon if _EMISSIONS.search(said) else None
        if mention.unit and mention.unit.name:
            is_mass = mention.unit.name == "t" and mention.unit.dimension == "mass"
            emitted = unit_of(f"{mention.unit.symbol} CO2e") if is_mass and carbon else None
            return emitted or self._multiplied(mention.unit, column), 0.97
        scale = mention.unit.factor if mention.unit else 1.0
        for stated in self._options(mention, column):
            unit = stated.unit
            if unit.name is None:  # "in thousands"
                scale *= unit.factor
                continue
            is_scaled = unit.dimension == "currency" or mention.unit is not None
            return unit._replace(factor=unit.factor * (scale if is_scaled else 1.0)), stated.sure
        if carbon and not column.is_change and not mention.number.printed.startswith("0"):
            return carbon.unit, carbon.sure
        return (Unit(None, scale, "scale", "") if scale != 1 else None), 0.85

    def _multiplied(self, unit: Unit, column: _Column) -> Unit:
        """Return the currency of a cell with the scale of its head or caption: "$20" below "$B"."""
        if unit.dimension == "currency" and unit.factor == 1:
            stated = (column.unit, *self._outer, *self._table.units)
            units = [one.unit for one in stated if one]
            units += [
                word for text in (*self._parents, self._table.caption or "") for word in currencies_in(text)
            ]
            scales = (one.factor for one in units if one.name in {unit.name, None} and one.factor > 1)
            return unit._replace(factor=next(scales, 1.0))
        return unit

    def _options(self, mention: Mention, column: _Column) -> list[Stated]:
        """Return the units that may be a number's, the likeliest first."""
        own = self._own_unit
        head = column.unit if self._fits(column.unit, mention) else None
        label = self._unit if self._fits(self._unit, mention) and not self._is_other else None
        is_share = abs(mention.value) <= _MOST_SHARE
        outer = [unit for unit in (*self._outer, *self._table.units) if self._fits(unit, mention)]
        outer = [unit for unit in outer if is_share or unit.unit.name != "%"]
        if column.is_change:
            is_absolute = bool(_DIFFERENCE.search(column.whole))
            return [unit for unit in (head, *((own, label, *outer) if is_absolute else ())) if unit][:1]
        if own and head and head.sure > STATED and head.unit.name == "%":
            return [head]
        if label and label.unit.dimension == "people" and label.sure < STATED:
            # "Women" below "Training hours" counts no women.
            outer.sort(key=lambda unit: unit.unit.dimension == "people")
            label = label if not outer or outer[0].unit.dimension == "people" else None
        first = [own, label, head]
        if label and head and not own and head.sure > STATED and not _holds(label, head):
            first = [head, label]
        return [unit for unit in (*first, *outer) if unit]

    def _fits(self, stated: Stated | None, mention: Mention) -> bool:
        """Whether a number can be in a unit that its cell does not state."""
        if stated is None:
            return False
        is_whole = not mention.value % 1
        if stated.unit.name == "%":
            return not is_whole or abs(mention.value) <= _MOST_SHARE
        return (
            is_whole
            or stated.unit.dimension not in NOUNS
            or stated.sure > STATED
            or stated.unit.name == "FTE"
        )

    def _qualifier(self, mention: Mention, column: _Column) -> str | None:
        is_share = column.unit is not None and column.unit.unit.name == "%"
        if column.is_change or (is_share and mention.signed and column.period):  # "+44.5%" below "% 2018"
            return "change"
        if column.qualifier:
            return column.qualifier
        if part := _OF_WHICH.match(self._label):
            return f"of which {clean(self._label[part.end() :])}"[:80]
        return _qualifier_of(clean(self._label)) or mention.about

    def _metric(self, column: _Column, more: str = "") -> str:
        """Return the caption, the groups, the label and the words of the head, without footnote marks."""
        caption = self._table.caption or ""
        parts = [
            caption if len(caption) <= MAX_METRIC // 2 else "",
            *self._parents,
            self._label,
            column.words,
            more,
        ]
        kept = {part.lower(): part for part in map(clean, parts) if part}
        metric = " > ".join(kept.values())
        return metric if len(metric) <= MAX_METRIC else metric[-MAX_METRIC:].partition(" ")[2]


def _holds(label: Stated, head: Stated) -> bool:
    """Whether the unit of a label holds although the head states another."""
    if label.unit.dimension in NOUNS:
        return head.unit.dimension == "currency"
    return label.sure > STATED and label.unit.dimension == "share"


def _with_change(found: list[Figure]) -> list[Figure]:
    """Return the figures of a row; the latest value has the change that another column states."""
    changes = [figure for figure in found if figure.qualifier == "change"]
    others = {"change", "target", "base year"}
    dated = [figure for figure in found if figure.qualifier not in others and last_year(figure.period)]
    if len(changes) != 1 or changes[0].unit != "%" or not dated:
        return found
    by_year = sorted(dated, key=lambda figure: last_year(figure.period) or 0, reverse=True)
    latest = by_year[0]
    earlier = [figure.period for figure in by_year if figure.period != latest.period]
    against = changes[0].against if changes[0].against != latest.period else None
    against = against or next(iter(earlier), None)
    changed = {
        id(latest): replace(latest, change=changes[0].value, against=against),
        id(changes[0]): replace(changes[0], period=latest.period, against=against),
    }
    return [changed.get(id(figure), figure) for figure in found]


def _is_said(text: str, one: Mention, other: Mention) -> bool:
    """Whether a further number of a cell is a figure, not a footnote mark."""
    between = text[one.finish : other.begin]
    if (other.unit and not other.inherits) or one.inherits or is_range(between):
        return True
    return other.value > _MARKS or any(mark in between + other.number.printed for mark in "/|.,")


def _unmarked(text: str) -> str:
    """Return a cell without the footnote mark behind its number."""
    return _MARK.sub("", text)


def clean(text: str) -> str:
    """Return a label without footnote marks."""
    return " ".join(without_marks(text).split()).strip(_EDGES)


def only_period(text: str, context: Context) -> str | None:
    """Return the period that a text names, if it is one."""
    named = {time.name for time in periods(text[:MAX_TEXT], context.year) if time.name}
    return named.pop() if len(named) == 1 else None


def _column(heads: tuple[str, ...], context: Context) -> _Column:
    texts = [_YEAR_MARK.sub("", head[:MAX_TEXT]) for head in heads]
    whole = " ".join(texts)
    last = texts[-1] if texts else ""
    is_change = bool(_CHANGE.search(whole))
    times = [time for text in reversed(texts) for time in periods(text, context.year) if time.name]
    timeless = [_timeless(text, context) for text in texts]
    units = [unit for text in reversed(timeless) if (unit := unit_in(text))]
    words = " > ".join(filter(None, map(_unitless, timeless)))
    own = unit_of(words)
    words = "" if is_change or (own and own.dimension not in NOUNS) else words
    is_unit = bool(_UNIT_HEAD.fullmatch(last))
    return _Column(
        period=min(times, key=lambda time: time.year or 0)
        if times and is_change
        else next(iter(times), None),
        unit=next((unit for unit in units if unit.sure > STATED), next(iter(units), None)),
        qualifier=_qualifier_of(words),
        words=words,
        whole=whole,
        is_change=is_change,
        is_skipped=is_unit or bool(_SKIPPED.fullmatch(last)),
        is_unit=is_unit,
    )


def _qualifier_of(text: str) -> str | None:
    """Return the qualifier that a label or head gives to the numbers below or beside it."""
    last = text.rpartition(" > ")[2].lower().strip(" ()[]")
    for name, words in _SEXES.items():
        if last in words:
            return f"of which {name}"
    return qualifier_in(text)


def _timeless(text: str, context: Context) -> str:
    for time in reversed(periods(text, context.year)):
        text = text[: time.start] + text[time.end :]
    return _EMPTY.sub("", text).strip()


def _unitless(text: str) -> str:
    """Return a head without its unit."""
    text = clean(text)
    for match in reversed(list(BRACKET.finditer(text))):
        if unit_of((match[1] or match[2]).removeprefix("in ")):
            text = (text[: match.start()] + text[match.end() :]).strip()
    ending = IN.search(text)
    if ending and unit_of(ending[1].strip()):
        text = text[: ending.start()]
    return text.strip(_EDGES)


def _is_index(table: Table, columns: Sequence[_Column]) -> bool:
    """Whether a table lists where something stands: contents, or an index of a standard."""
    if any(
        column.period or (column.unit and column.unit.sure > STATED) for column in columns[table.labels :]
    ):
        return False
    rows = [row for row in table.rows if row.kind == "row"]
    coded = sum(any(_CODE.fullmatch(cell.text[:MAX_TEXT]) for cell in row.cells[:2]) for row in rows)
    if rows and 2 * coded >= len(rows):
        return True
    last = [row.cells[-1].text.strip() for row in rows if row.cells and len(row.cells) <= table.labels + 1]
    pages = [int(text) for text in last if text.isdecimal() and len(text) <= _YEAR_DIGITS]
    is_rising = all(one <= other for one, other in pairwise(pages))
    return len(pages) >= max(_CONTENTS, 0.75 * len(rows)) and is_rising and pages[0] < pages[-1] < _PAGES
