"""Amounts, percentages, years and quantities that a passage names, with their values and units normalised."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from shared.platform.tables import Figure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.platform.tables import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What surrounds a row or a text, where its figures leave out their unit or period."""

    decimal: Literal[".", ","] | None = None
    """The decimal mark of the document, as `decimal_mark` found it; None: it is not known."""
    language: str | None = None
    """ISO 639-1."""
    year: int | None = None
    """Year of the report."""
    section: str | None = None
    """The nearest heading above."""
    page: int | None = None


_SCALES = {
    "thousand": 1e3, "tsd": 1e3, "tausend": 1e3, "mille": 1e3, "k": 1e3, "lakh": 1e5, "crore": 1e7,
    "million": 1e6, "millions": 1e6, "millionen": 1e6, "milioni": 1e6, "mio": 1e6, "mln": 1e6, "mn": 1e6,
    "m": 1e6, "billion": 1e9, "billions": 1e9, "milliarden": 1e9, "milliards": 1e9, "miliardi": 1e9,
    "mrd": 1e9, "bn": 1e9, "b": 1e9, "trillion": 1e12, "tn": 1e12,
}  # fmt: skip
_CODES = (
    "EUR USD GBP CHF JPY CNY INR SEK NOK DKK PLN CZK HUF RON AUD CAD NZD SGD HKD KRW BRL MXN ZAR TRY AED SAR"
)
_CURRENCIES = {
    "us$": "USD", "a$": "AUD", "c$": "CAD", "hk$": "HKD", "$": "USD", "\u20ac": "EUR", "\u00a3": "GBP",
    "\u00a5": "JPY", "\u20b9": "INR", "rs.": "INR", "euros": "EUR", "euro": "EUR", "dollars": "USD",
    "pounds": "GBP", "yen": "JPY", "rupees": "INR", "swiss francs": "CHF",
}  # fmt: skip
_CO2 = r"(?: of)? ?CO[2\u2082](?:[- ]?(?:eq|e|equivalents?))?"
_ADJECTIVE = (
    r"(?:(?:new|female|male|full-time|part-time|own|young|external|permanent|more|other|training|working) )?"
)
_PEOPLE = (
    r"employees|people|persons|workers|colleagues|volunteers|participants|women|men|students|FTEs?"
    r"|Mitarbeitenden?|Mitarbeiter(?:innen)?|Besch\u00e4ftigten?|collaborateurs|salari\u00e9s|dipendenti"
)
_UNITS = (
    # (pattern, unit as normalised, factor); what is longer or more special comes first. Symbols keep their
    # case: "Mt" is a megatonne, "MT" a metric tonne.
    (rf"(?:(?-i:Mt)|megatonn?e?s?){_CO2}", "tCO2e", 1e6),
    (rf"(?:(?-i:kt)|kilotonn?e?s?){_CO2}", "tCO2e", 1e3),
    (rf"(?:(?:metric )?(?:tonnes?|tons?)|Tonnen|(?-i:t|MT)){_CO2}", "tCO2e", 1.0),
    (rf"(?:kg|kilograms?){_CO2}", "tCO2e", 1e-3),
    (r"(?-i:kt)|kilotonn?e?s?", "t", 1e3),
    (r"(?:metric )?(?:tonnes?|tons?)|Tonnen|(?-i:t|MT)", "t", 1.0),
    (r"kilograms?|kg", "kg", 1.0),
    (r"TWh", "MWh", 1e6),
    (r"GWh|gigawatt[- ]hours?", "MWh", 1e3),
    (r"MWh|megawatt[- ]hours?", "MWh", 1.0),
    (r"kWh|kilowatt[- ]hours?", "kWh", 1.0),
    (r"(?-i:GW)|gigawatts?", "MW", 1e3),
    (r"(?-i:MW)|megawatts?", "MW", 1.0),
    (r"(?-i:TJ)|terajoules?", "GJ", 1e3),
    (r"(?-i:GJ)|gigajoules?", "GJ", 1.0),
    (r"m[3\u00b3]|cubic met(?:er|re)s?", "m3", 1.0),
    (r"m[2\u00b2]|sqm|square met(?:er|re)s?", "m2", 1.0),
    (r"km[2\u00b2]|square kilomet(?:er|re)s?", "km2", 1.0),
    (r"kilomet(?:er|re)s?|km", "km", 1.0),
    (r"lit(?:er|re)s?|Liter", "l", 1.0),
    (r"hectares?|(?-i:ha)", "ha", 1.0),
    (_ADJECTIVE + rf"(?:{_PEOPLE})", "people", 1.0),
    (_ADJECTIVE + r"(?:hours|Stunden|heures)", "hours", 1.0),
)
_COUNTED = {"people", "hours"}


def _any(words: list[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_SYMBOL = _any([name for name in _CURRENCIES if not name.isalpha() and " " not in name])
_NAME = _any([name for name in _CURRENCIES if name.isalpha() or " " in name])
_MONEY = rf"(?:{_SYMBOL}|(?:(?-i:{_CODES.replace(' ', '|')})|{_NAME})\b)"
_SCALE = _any([name for name in _SCALES if len(name) > 1])
_UNIT = "|".join(f"(?:{pattern})" for pattern, _, _ in _UNITS)
_MINUS = r"(?:(?<=\s)|(?<=\()|^)[-\u2212]\s?"
_FIGURE = re.compile(
    rf"(?<![\w.,/:+])(?:(?P<minus>{_MINUS})?(?P<before>{_MONEY}\s?))?(?P<sign>{_MINUS})?"
    r"(?<![\d.,])(?P<number>\d{1,3}(?:[,.'\u2019 ]\d{3})+(?!\d)(?:[.,]\d{1,2}(?!\d))?|\d+(?:[.,]\d+)?)(?!\d)"
    rf"(?:[\s-]?(?P<scale>{_SCALE})\b\.?|\s?(?P<letter>[kmb])\b(?![\u00b2\u00b3]))?"
    r"(?:\s?-?(?P<points>percentage points?|pp\b|p\.p\.|Prozentpunkte?n?)"
    r"|\s?-?(?P<percent>%(?:[ -]?points?\b)?|per ?cent\b|Prozent\b|pour cent\b|per cento\b)"
    rf"|\s?(?P<after>{_MONEY})"
    rf"|[\s-]?(?P<unit>{_UNIT})(?![\w\u2082]))?",
    re.IGNORECASE,
)
_NORMAL = [(re.compile(pattern, re.IGNORECASE), unit, factor) for pattern, unit, factor in _UNITS]
_YEAR = re.compile(
    # Free, or behind another year ("2019-2021"), a financial year's mark, a day and month; not in "2020/852".
    r"(?:(?<![\w.,/:$\u20ac\u00a3-])|(?<=FY)|(?<=(?:19|20)\d\d[-\u2013/])|(?<=\d\d\.))"
    r"(199\d|20\d\d|2100)(?![\w%:]|/\d{3}|[.,]\d)"
)
_MAX_NUMBER = 24  # characters; what is longer is a code
_THOUSANDS = 3  # digits behind a thousands mark
_COMMA_DECIMAL = re.compile(r"\d,\d{1,2}(?!\d)|\d\.\d{3}[.,]\d")
_POINT_DECIMAL = re.compile(r"\d\.\d{1,2}(?!\d)|\d,\d{3}(?!\d)")


def decimal_mark(texts: Iterable[str]) -> Literal[".", ","] | None:
    """Return the mark before decimals that most numbers of a document have; None if none shows it."""
    point = comma = 0
    for text in texts:
        comma += len(_COMMA_DECIMAL.findall(text))
        point += len(_POINT_DECIMAL.findall(text))
    return None if comma == point else "," if comma > point else "."


def figures_of_row(  # in its first form
    table: Table,
    at: int,
    above: Table | None,  # noqa: ARG001
    context: Context,
) -> list[Figure]:
    """Return the figures of a row, in the order of its columns.

    `above` is the table whose heads count, where this one continues another.
    """
    row = table.rows[at]
    if row.kind != "row":
        return []
    return [
        replace(figure, table=None, cell=(at, cell.column), box=cell.box)
        for cell in row.cells
        if cell.column >= table.labels
        for figure in figures_of_text(cell.text, context)
    ]


def figures_of_text(text: str, context: Context) -> list[Figure]:  # noqa: ARG001
    """Return the figures of sentences, a heading or a fragment, in the order they stand.

    `text` holds each figure's `text`; the caller sets the box.
    """
    return [figure for figure in figures(text) if figure.kind != "year"]


def figures(text: str) -> list[Figure]:
    """The figures of a passage in the order they stand; 1990 to 2100 is a year where no unit follows.

    Values are in units: "EUR 3.2 million" is 3,200,000. Of numbers such as "1.234" the passage's other
    numbers tell whether the point marks thousands; where nothing does, it is taken for a thousands mark.
    """
    if not any(map(str.isdecimal, text)):
        return []
    thousands_point = bool(_COMMA_DECIMAL.search(text)) or not _POINT_DECIMAL.search(text)
    found: dict[int, Figure] = {}
    for match in _YEAR.finditer(text):
        found[match.start(1)] = Figure(kind="year", value=float(match[1]), unit="year", text=match[1])
    for match in _FIGURE.finditer(text):
        figure = _figure(match, thousands_point=thousands_point)
        # "In 2022 employees ..." counts nobody.
        if figure and not (match.start("number") in found and figure.unit in _COUNTED):
            found[match.start("number")] = figure
    return [figure for _, figure in sorted(found.items())]


def _figure(match: re.Match[str], *, thousands_point: bool) -> Figure | None:
    if len(match["number"]) > _MAX_NUMBER:
        return None
    magnitude = match["scale"] or match["letter"]
    scale = _SCALES[magnitude.lower()] if magnitude else 1.0
    is_fraction = bool(match["percent"] or match["points"] or match["scale"])
    value = _value(match["number"], thousands_point=thousands_point and not is_fraction)
    if match["minus"] or match["sign"]:
        value = -value
    text = match[0].strip()
    if match["percent"] or match["points"]:
        points = match["points"] or "point" in match["percent"]
        return Figure(kind="percentage", value=value, unit="pp" if points else "%", text=text)
    money = match["before"] or match["after"]
    if money:
        name = money.strip().lower()
        return Figure(
            kind="amount", value=_round(value * scale), unit=_CURRENCIES.get(name, name.upper()), text=text
        )
    if match["unit"]:
        unit, factor = next(
            (unit, factor) for pattern, unit, factor in _NORMAL if pattern.fullmatch(match["unit"])
        )
        return Figure(kind="quantity", value=_round(value * scale * factor), unit=unit, text=text)
    return None


def _value(number: str, *, thousands_point: bool) -> float:
    digits = re.sub(r"['\u2019 ]", "", number)
    comma, point = digits.rfind(","), digits.rfind(".")
    at = max(comma, point)
    if min(comma, point) < 0 <= at:
        marks_thousands = len(digits) - at - 1 == _THOUSANDS and (comma >= 0 or thousands_point)
        if digits.count(digits[at]) > 1 or (marks_thousands and not digits.startswith("0")):
            at = -1
    whole, decimals = (digits, "") if at < 0 else (digits[:at], digits[at + 1 :])
    return float(re.sub("[.,]", "", whole) + "." + decimals)


def _round(value: float) -> float:
    """Without the dust of binary fractions: 4.1 * 1e6 is 4,100,000."""
    return float(f"{value:.12g}")
