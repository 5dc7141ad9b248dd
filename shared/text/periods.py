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
_PERIOD = re.compile(
    rf"(?<![\w.,/:-])(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th|er|\.)? ?(?:de |of )?(?P<month>{_NAME})\b\.?,?"
    rf"(?: (?:de |of )?(?P<year1>{_YEAR})\b)?"
    rf"|(?P<month2>{_NAME})\.? (?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (?P<year2>{_YEAR})\b)?"
    rf"|(?P<day3>\d{{1,2}})[./](?P<month3>\d{{1,2}})[./](?P<year3>{_YEAR}|\d\d)(?![\d/])"
    rf"|(?P<year4>{_YEAR})-(?P<month4>[01]\d)-(?P<day4>[0-3]\d)(?!\d)"
    rf"|(?:(?:Q(?P<quarter>[1-4])|(?P<quarter2>[1-4])Q)[ /-]?(?:FY ?)?'?|(?:H(?P<half>[12])|(?P<half2>[12])H)[ /-]?(?:FY ?)?'?"
    rf"|(?P<half3>first|second|1st|2nd|erste|zweite)[ -](?:half|halbjahr) (?:of )?)(?P<year5>{_YEAR}|\d\d)(?![\d%])"
    rf"|(?:FY|GJ|fiscal(?: year)?|financial year|exercice|esercizio|gesch\u00e4ftsjahr) ?'?"
    rf"(?P<year6>{_YEAR}|\d\d(?=\D|$))(?: ?[/\u2013-] ?(?P<end6>{_YEAR}|\d\d)(?!\d))?"
    rf"|(?P<year7>{_YEAR})(?: ?(?P<mark>[/\u2013-]) ?(?P<end7>{_YEAR}|\d\d(?![\d.,]|-\d)))?(?![\w%/]|[.,:-]\d)"
    rf"|(?P<month8>{_NAME})\.? (?P<year8>{_YEAR})\b"
    r"|(?P<before>prior[- ]year|previous (?:reporting |financial |fiscal )?(?:year|period)|last year|vorjahr(?:es)?"
    r"|ann\u00e9e pr\u00e9c\u00e9dente|anno precedente|N-1\b)"
    r"|(?P<now>(?:current|this|the) (?:reporting |financial |fiscal )?(?:year|period)\b|reporting (?:year|period)"
    r"|year under review|berichtsjahr|this year|current fy)"
    r"|(?P<short>[0-3]?\d[/.][01]?\d\.?)(?![\w.,/%]))",
    re.IGNORECASE,
)
_CENTURY = 100


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
    """Return the period's name; "" if it is none."""
    part = match.groupdict()
    if part["day"] or part["day2"]:
        month = _MONTH[(part["month"] or part["month2"]).lower()]
        return _day(part["year1"] or part["year2"], month, int(part["day"] or part["day2"]))
    if part["day3"]:
        return _numeric(int(part["day3"]), int(part["month3"]), part["year3"])
    if part["day4"]:
        return _day(part["year4"], int(part["month4"]), int(part["day4"]))
    if part["year5"]:
        half = part["half"] or part["half2"] or _HALVES.get((part["half3"] or "").lower())
        quarter = part["quarter"] or part["quarter2"]
        return f"{_full(part['year5'])}-" + (f"Q{quarter}" if quarter else f"H{half}")
    if part["year8"]:
        return str(part["year8"])
    if part["year6"] or part["year7"]:
        return _years(_full(part["year6"] or part["year7"]), part["end6"] or part["end7"], part["mark"])
    if part["short"]:
        day, _, month = part["short"].rstrip(".").replace(".", "/").partition("/")
        return None if _is_day(int(day), int(month)) and "/" in part["short"] and int(day) > 12 else ""
    if year is None:
        return None
    return str(year - 1 if part["before"] else year)


def _full(year: str) -> int:
    return int(year) if len(year) > 2 else 2000 + int(year)


def _years(first: int, end: str | None, mark: str | None) -> str:
    if not end:
        return str(first)
    last = int(end) if len(end) > 2 else first // _CENTURY * _CENTURY + int(end)
    if last == first + 1 and (mark != "\u2013" and (mark != "-" or len(end) == 2)):
        return f"{first}/{last % _CENTURY:02}"
    return f"{first}-{last}" if first < last <= first + _CENTURY else ""


def _is_day(day: int, month: int) -> bool:
    return 1 <= day <= 31 and 1 <= month <= 12  # noqa: PLR2004


def _day(year: str | None, month: int, day: int) -> str | None:
    if not _is_day(day, month):
        return ""
    return f"{year}-{month:02}-{day:02}" if year else None


def _numeric(day: int, month: int, year: str) -> str | None:
    if not _is_day(day, month):
        day, month = month, day  # 12/31/2023
    return _day(str(_full(year)), month, day)
