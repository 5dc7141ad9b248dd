"""What a cell of a table holds: a number, a period, words; and which words say how rows belong together."""

from __future__ import annotations

import functools
import re
from typing import Literal

Kind = Literal["number", "period", "range", "blank", "text"]
"""A number, also with a unit; years, quarters, dates; "30-50" or "< 1"; a dash, "n/a" or "yes"; words."""

YEARS = re.compile(r"(?<![\d.,])(?:19|20)\d\d(?:[/\u2013-]\d\d(?:\d\d)?)?(?![.,]?\d)")
PART = re.compile(
    r"(?i)(?:[-\u2013\u2014\u2022\u00b7\u25aa]\s*)?(?:of which|thereof|davon|darunter|dont|di cui|o/w)\b"
    r"|[-\u2013\u2014\u2022\u00b7\u25aa]\s+\S"
)
"""The label says that its row is a part of one above."""
TOTAL = re.compile(r"(?i)\b(?:sub-?)?(?:total|sum|gesamt|summe|insgesamt|somme|totale)\b")
NUMBERED = re.compile(r"(\d{1,3}(?:\.\d{1,3})*)\.?(?!\S)")
"""The number before a label, as in "1.2 Energy"."""
NOTE = re.compile(
    r"[*\u2020\u2021\u00b9\u00b2\u00b3]|\(?\d{1,2}\) |(?i:source|note|quelle|anm)s?\W|.{60,}[.;]$"
)
"""A row of one cell below a table says something of the table."""
_PLURAL = "(?:s|en|e|n)?"
_GENERIC = re.compile(
    rf"(?i)(?:(?:key (?:performance )?|performance )?(?:indicator|figure|metric){_PLURAL}|kpi{_PLURAL}"
    r"|categor(?:y|ies)|descriptions?|particulars?|disclosures?|topics?|items?|years?|measures?|measurements?|parameters?|units?"
    r"|data ?points?|kennzahl(?:en)?|einheit(?:en)?|indikator(?:en)?|thema|themen|jahre?|kategorien?"
    r"|angaben?|bezeichnung|indicateurs?|unit\u00e9s?|ann\u00e9es?|cat\u00e9gories?|indicator[ei]|unit\u00e0"
    r"|anno)[\W\d]{0,3}"
)
_MONEY = r"(?:EUR|USD|CHF|GBP|[$\u20ac\u00a3])"
_SCALE = r"(?:k|m|bn|mn|mio\.?|mrd\.?|millions?|billions?|thousands?|tsd\.?|'000|1,?000)"
_WEIGHT = r"(?:(?:k|m|metric |thousand |million )?(?:t|tons?|tonnes?|tonnen)|kg|g)"
_CARBON = r"(?: ?(?:of )?CO[2\u2082](?:[- ]?eq?\.?|[- ]?equivalents?)?)?"
_UNIT = re.compile(
    rf"(?i)\(?(?:in |en )?"
    rf"(?:[%\u2030#]|per ?cent|prozent|number|anzahl|nombre|count|headcount|people|persons"
    rf"|employees|ftes?|hours|stunden|heures|days|tage|years?|rate|ratio|(?:{_SCALE} ?)?{_MONEY}"
    rf"|{_MONEY} ?{_SCALE}|{_WEIGHT}{_CARBON}|[kmgt]?wh|[mgtp]?j|gcal|m[23\u00b2\u00b3]"
    r"|(?:cubic|square) met(?:er|re)s|[mk]?l|(?:mega)?lit(?:er|re)s?|ha|km[2\u00b2]?)"
    r"(?: ?/ ?[^\s/()]{1,12}| per [a-z ]{1,20})? ?\)?"
)
"""Matches the units that reports set in columns of their own."""
_MULTIPLE = re.compile(r"^\((?:in )?10{0,2}(?:[,. ]000){1,3} ?")
"""Before a unit in brackets, as in "(1,000 t)"; without them it is a number."""
_DIGITS = re.compile(r"\d(?:[\d.,' \u2019]*\d)?")
_THOUSANDS = 3  # digits
_UNIT_HEAD = re.compile(
    r"(?i)(?:units?(?: of measure(?:ment)?)?|uom|measure(?:ment)? unit|einheit(?:en)?|unit\u00e9s?|unit\u00e0"
    r"|unidad)[\W\d]{0,3}"
)

_MAX = 80  # characters of a cell that is more than words
_MAX_LETTERS = 16  # of the unit behind a number
_MAX_DIGITS = 4  # beside the year of a date
_BLANK = re.compile(
    r"(?i)[-\u2012-\u2015\u2212.\u00b7\u2022*/()\u2026\u2713-\u2718 ]*$"
    r"|(?:n\.? ?[/.]? ?[am]\.?|k\. ?a\.|n\.d\.|nil|not (?:available|applicable|reported|disclosed)"
    r"|yes|no|ja|nein|oui|non|x)[\W\d]{0,3}$"
)
_TERM = re.compile(r"(?i)\b(?:FY|GJ|[HQ][1-4])[ '\u2019]?(?:\d\d)?(?![\d.,])|\b[1-4][HQ](?:\d\d)?\b")
_REFERENCE = re.compile(r"(?:GRI |SASB )?\d{3}-\d{1,2}(?:[ -]?[a-z]+)?$|[ESG]\d-\d{1,2}\b")
_RANGE = re.compile(
    r"(?:[<>\u2264\u2265]\s?\d{1,3}|\d{1,3}\s?[-\u2013]\s?\d{1,3}|\d{1,3}\+)(?:\s?[a-z]{1,10})?"
)
_AGES = re.compile(
    r"(?i)(?:[<>\u2264\u2265]\s?\d{1,3}|\d{1,3}\s?[-\u2013]\s?\d{1,3}|\d{1,3}\+)\s?"
    r"(?:(?:years|yrs)(?: old| of age)|jahre alt|anni di et\u00e0)"
    r"|\d{1,3}\s?[<\u2264]\s?[a-z]{1,10}\s?[<\u2264]\s?\d{1,3}"
)
"""A bracket of ages with words, which names a row."""
_NUMBER = re.compile(r"[^\w%]{0,3}(?:[A-Z]{2,3}[$ ]|ca\. ?)?[^\w%]{0,2}\d")


@functools.lru_cache(maxsize=2_000)
def kind_of(text: str) -> Kind:
    """Return what a cell holds."""
    if len(text) > _MAX or (text.startswith("(") and is_unit(text)):
        return "text"
    if _BLANK.match(text):
        return "blank"
    if not any(map(str.isdecimal, text)) or _REFERENCE.match(text) or _AGES.fullmatch(text):
        return "text"
    rest, years = YEARS.subn("", text)
    rest, terms = _TERM.subn("", rest)
    if years + terms and "%" not in rest and sum(map(str.isdecimal, rest)) <= _MAX_DIGITS:
        return "period"
    if _RANGE.fullmatch(text):
        return "range"
    is_number = _NUMBER.match(text) and sum(map(str.isalpha, text)) <= _MAX_LETTERS
    return "number" if is_number else "text"


def amount_of(text: str) -> float | None:
    """Return a number roughly, to compare it with others of its table; None if it is none."""
    found = _DIGITS.search(text)
    if len(text) > _MAX or found is None:
        return None
    whole, mark, decimals = found[0].replace(",", ".").rpartition(".")
    if not mark or len(decimals) == _THOUSANDS:
        whole, decimals = whole + decimals, ""
    return float(re.sub(r"\D", "", whole) + "." + decimals)


def is_unit(text: str) -> bool:
    """Whether a cell holds nothing but a unit, or the number of a disclosure, which says as little."""
    if len(text) > _MAX:
        return False
    return bool(_UNIT.fullmatch(_MULTIPLE.sub("(", text)) or _REFERENCE.fullmatch(text))


def is_unit_head(head: str) -> bool:
    """Whether a head stands over units."""
    return _UNIT_HEAD.fullmatch(head) is not None


def says_nothing(head: str) -> bool:
    """Whether a head over the labels does not say what the rows are."""
    return bool(_GENERIC.fullmatch(head)) or is_unit(head) or kind_of(head) in {"blank", "period"}
