"""Periods that a text names: years, financial years, halves, quarters and days."""

from __future__ import annotations

import re
from typing import NamedTuple

_MONTHS = (
    ("january", "januar", "janvier", "gennaio", "jan"),
    ("february", "februar", "f\u00e9vrier", "febbraio", "feb"),
    ("march", "m\u00e4rz", "mars", "marzo", "mar"),
    ("april", "avril", "aprile", "apr"),
    ("may", "mai", "maggio"),
    ("june", "juni", "juin", "giugno", "jun"),
    ("july", "juli", "juillet", "luglio", "jul"),
    ("august", "ao\u00fbt", "agosto", "aug"),
    ("september", "septembre", "settembre", "sept", "sep"),
    ("october", "oktober", "octobre", "ottobre", "oct", "okt"),
    ("november", "novembre", "nov"),
    ("december", "dezember", "d\u00e9cembre", "dicembre", "dec", "dez"),
)
_MONTH = {name: number for number, names in enumerate(_MONTHS, 1) for name in names}
_NAME = "|".join(sorted(_MONTH, key=len, reverse=True))
_YEAR = r"(?:19[5-9]\d|20\d\d|2100)"
_HALVES = {"first": "1", "second": "2", "1st": "1", "2nd": "2", "erste": "1", "zweite": "2"}
_DAY = (
    rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th|er|\.)? ?(?:de |of )?(?P<month>{_NAME})\b\.?,?"
    rf"(?: (?:de |of )?(?P<year>{_YEAR})\b)?"
    rf"|(?P<us_month>{_NAME})\.? (?P<us_day>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (?P<us_year>{_YEAR})\b)?"
    rf"|(?P<plain_day>\d{{1,2}})[./](?P<plain_month>\d{{1,2}})[./](?P<plain_year>{_YEAR}|\d\d)(?![\d/])"
    rf"|(?P<iso_year>{_YEAR})-(?P<iso_month>[01]\d)-(?P<iso_day>[0-3]\d)(?!\d)"
)
_PART = (
    r"(?:(?:Q(?P<quarter>[1-4])|(?P<quarter_of>[1-4])Q|H(?P<half>[12])|(?P<half_of>[12])H)[ /-]?(?:FY ?)?'?"
    r"|(?P<half_word>first|second|1st|2nd|erste|zweite)[ -](?:half|halbjahr) (?:of )?)"
    rf"(?P<part_year>{_YEAR}|\d\d)(?![\d%])"
)
_YEARS = (
    r"(?:FY|GJ|fiscal(?: year)?|financial year|exercice|esercizio|gesch\u00e4ftsjahr) ?'?"
    rf"(?P<fiscal>{_YEAR}|\d\d(?=\D|$))(?: ?[/\u2013-] ?(?P<fiscal_end>{_YEAR}|\d\d)(?!\d))?"
    rf"|(?P<first>{_YEAR})(?: ?(?P<mark>[/\u2013-]) ?(?P<last>{_YEAR}|\d\d(?![\d.,]|-\d)))?"
    r"(?![\w%/]|[.,:-]\d)"
)
_RELATIVE = (
    r"(?P<before>prior[- ]year|previous (?:reporting |financial |fiscal )?(?:year|period)|last year"
    r"|vorjahr(?:es)?|ann\u00e9e pr\u00e9c\u00e9dente|anno precedente|N-1\b)"
    r"|(?P<now>(?:current|this|the) (?:reporting |financial |fiscal )?(?:year|period)\b"
    r"|reporting (?:year|period)|year under review|berichtsjahr)"
)
_PERIOD = re.compile(
    rf"(?<![\w.,/:-])(?:{_DAY}|{_PART}|{_YEARS}|{_RELATIVE}|(?P<short>[0-3]?\d/[01]?\d)(?![\w.,/%]))",
    re.IGNORECASE,
)
_CENTURY, _YEAR_DIGITS = 100, 4
_MONTHS_OF_A_YEAR, _DAYS_OF_A_MONTH = 12, 31


class Period(NamedTuple):
    """A period, and [start, end) of the text that names it."""

    start: int
    end: int
    name: str | None
    """None: a day without a year."""
    named: bool
    """Whether the text names a year, not only "the previous year"."""

    @property
    def year(self) -> int | None:
        """The year in which it ends."""
        return last_year(self.name)


def last_year(name: str | None) -> int | None:
    """Return the year in which a period ends."""
    if not name:
        return None
    first = int(name[:4])
    if re.fullmatch(r"\d{4}/\d\d", name):
        return first + 1
    return int(name[5:]) if re.fullmatch(r"\d{4}-\d{4}", name) else first


def periods(text: str, year: int | None = None) -> list[Period]:
    """Return the periods of a text in their order; `year`, the report's, tells what the previous one is."""
    found = []
    for match in _PERIOD.finditer(text):
        name = _name(match, year)
        if name != "":
            found.append(Period(match.start(), match.end(), name, not (match["before"] or match["now"])))
    return found


def _name(match: re.Match[str], year: int | None) -> str | None:
    """Return the period's name; None of a day without a year, or if `year` is needed; "" if it is none."""
    part = match.groupdict()
    if part["before"] or part["now"]:
        return None if year is None else str(year - 1 if part["before"] else year)
    if part["part_year"]:
        half = part["half"] or part["half_of"] or _HALVES.get((part["half_word"] or "").lower())
        quarter = part["quarter"] or part["quarter_of"]
        return f"{_full(part['part_year'])}-" + (f"Q{quarter}" if quarter else f"H{half}")
    if first := part["fiscal"] or part["first"]:
        return _years(_full(first), part["fiscal_end"] or part["last"], part["mark"])
    return _of_day(part)


def _of_day(part: dict[str, str | None]) -> str | None:
    if month := part["month"] or part["us_month"]:
        day = int(part["day"] or part["us_day"] or 0)
        return _day(part["year"] or part["us_year"], _MONTH[month.lower()], day)
    if part["short"]:
        day, number = map(int, part["short"].split("/"))
        return None if _is_day(day, number) and day > _MONTHS_OF_A_YEAR else ""
    written = part["plain_year"] or part["iso_year"] or ""
    day = int(part["plain_day"] or part["iso_day"] or 0)
    number = int(part["plain_month"] or part["iso_month"] or 0)
    if not _is_day(day, number):
        day, number = number, day  # 12/31/2023
    return _day(str(_full(written)), number, day)


def _full(year: str) -> int:
    return int(year) if len(year) == _YEAR_DIGITS else 2000 + int(year)


def _years(first: int, end: str | None, mark: str | None) -> str:
    if not end:
        return str(first)
    last = int(end) if len(end) == _YEAR_DIGITS else first // _CENTURY * _CENTURY + int(end)
    is_fiscal = mark != "\u2013" and (mark != "-" or len(end) < _YEAR_DIGITS)
    if last == first + 1 and is_fiscal:
        return f"{first}/{last % _CENTURY:02}"
    return f"{first}-{last}" if first < last <= first + _CENTURY else ""


def _is_day(day: int, month: int) -> bool:
    return 1 <= day <= _DAYS_OF_A_MONTH and 1 <= month <= _MONTHS_OF_A_YEAR


def _day(year: str | None, month: int, day: int) -> str | None:
    if not _is_day(day, month):
        return ""
    return f"{year}-{month:02}-{day:02}" if year else None
