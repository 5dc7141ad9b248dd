"""The unit that a label, a head, a caption or a heading states or suggests."""

from __future__ import annotations

import re
from typing import NamedTuple

from shared.text.units import PEOPLE, Unit, plain, unit_of
from shared.text.vocabulary import any_of

MAX_TEXT = 1_000
"""Limit on the characters of a cell, label or head that are read."""
STATED = 0.9
"""A unit that is surer is stated; others are suggested by nouns."""
BRACKET = re.compile(r"\(([^()]{1,80})\)|\[([^\[\]]{1,80})\]")
IN = re.compile(
    r"(?:^|[\s,])(?:in|en|expressed in|measured in|figures in|data in|amounts in|values in|angaben in"
    r"|einheit:|unit:|unit\u00e9 :)\s+(\S.*)$",
    re.IGNORECASE,
)
_MARK_SIGN = re.compile(r"[\d*\u00b9\u00b2\u00b3\u2070-\u2079]")
_LABEL_MARK = re.compile(
    r"(?<=[a-z\u00e4\u00f6\u00fc\u00e9)%])(?<!scope)(?<!\bm)(?<!/m)(?<!km)(?<!tier)(?<!category)(?<!cat)(?<!co)"
    r"(?:\d{1,2}(?:,\d{1,2})?\)?|\s\d\)|\s?\(\d\)|\s?\[\d{1,2}\]|[*\u00b9\u00b2\u00b3\u2070-\u2079]){1,3}(?=$|\s*\()",
    re.IGNORECASE,
)
_NUMBER_OF = re.compile(
    r"\b(?:number|no\.|nr\.|anzahl|zahl|nombre(?: total)?|numero(?: totale)?|n\u00b0|n\.)\s*"
    r"(?:of|der|des|de|d'|di|dei)?\s*(.{1,80})",
    re.IGNORECASE,
)
_CURRENCY_FIRST = re.compile(r"(?:\u20ac|\$|\u00a3|US\$|EUR|USD|GBP)(?=\s)")
_SHARE_FIRST = re.compile(r"\W*(?:%|percentage|percent|pourcentage|percentuale|prozent)", re.IGNORECASE)
_SHARE = re.compile(any_of("share") + "|%", re.IGNORECASE)
_FREQUENCY = re.compile(any_of("frequency"), re.IGNORECASE)
_PART = re.compile(r"[,;]\s|\s[-\u2013]\s| in | as ")
_PREFIX = re.compile(r"(?:in|en|as)\s+", re.IGNORECASE)
_SCOPE = re.compile(r"(?:all|own|incl\w*|excl\w*)\s", re.IGNORECASE)
"""How brackets begin that say of what a number is: "Energy (all facilities)"."""
_GASES = re.compile(r"\bCO2|\bGHG|greenhouse gas|\bscope [123]\b", re.IGNORECASE)
_MASSES = {"g", "kg", "t", "kt", "Mt"}
_HOURS, _CASES = (
    re.compile(r"\bhours\b", re.IGNORECASE),
    "cases/",
)  # cases: of a rate without a unit before "per"
_WORD, _NOUN = re.compile(r"[^\W\d_]+"), re.compile(r"[^\W\d_][\w-]{2,}")
_WORDS = 7  # of a unit, at most
_CURRENCIES = 50  # words of a caption or group
_PARTS = 8  # of a bracket
_FIRST = 6  # words behind "number of" among which the noun is
_LABELS = {"%", "t", "\u20ac", "$"}  # units of one character that a label may end with
_NOUNS = {"people", "counted"}
_OF_LABELS = {"hours", "days"}  # of time
_MODIFIERS = {"employee", "staff", "person", "manager", "member", "workforce"}  # "employee turnover"


class Stated(NamedTuple):
    """A unit, and how surely it is the one meant, from 0 to 1."""

    unit: Unit
    sure: float

    def less(self, factor: float) -> Stated:
        """Return the unit, less sure."""
        return self._replace(sure=self.sure * factor)


def without_marks(text: str) -> str:
    """Return a label without the footnote marks at its end, unless they belong to a bracket."""
    text = text.strip()
    if not _MARK_SIGN.search(text):  # the expression below looks back at every letter
        return text
    bare = _LABEL_MARK.sub("", text)
    return bare if bare.count("(") == bare.count(")") else text


def unit_in(text: str) -> Stated | None:
    """Return the unit of a label, head, caption or heading."""
    text = " ".join(without_marks(plain(text[:MAX_TEXT])).split())
    stated = _unit_in(text) if text else None
    if stated is None or stated.unit.name is None:
        return stated
    unit = stated.unit
    if unit.name in _MASSES and _GASES.search(text):
        unit = unit_of(f"{unit.symbol} CO2e") or unit
    elif unit.symbol.startswith(_CASES) and _HOURS.search(text):
        unit = unit_of(f"hours/{unit.symbol.removeprefix(_CASES)}") or unit
    return stated._replace(unit=unit)


def _unit_in(text: str) -> Stated | None:
    whole = unit_of(text)
    if whole and whole.dimension not in _NOUNS:
        return Stated(whole, 0.98)
    if unit := _bracketed(text):
        return Stated(unit, 0.96)
    if (match := IN.search(text)) and (unit := _leading(match[1].split())):
        return Stated(unit, 0.95)
    unit = _trailing(text)
    if unit is None and (first := _CURRENCY_FIRST.match(text)):
        unit = unit_of(first[0])
    if unit is None and (_SHARE_FIRST.match(text) or text.rstrip(" )").endswith("%")):
        unit = unit_of("%")
    return Stated(unit, 0.93) if unit else _suggested(text, whole)


def currencies_in(text: str) -> list[Unit]:
    """Return the currencies that single words of a text are, such as "$B"."""
    units = map(unit_of, plain(text[:MAX_TEXT]).split()[:_CURRENCIES])
    return [unit for unit in units if unit and unit.dimension == "currency"]


def _bracketed(text: str) -> Unit | None:
    for match in reversed(list(BRACKET.finditer(text))):
        inner = _PREFIX.sub("", match[1] or match[2], count=1)
        if _SCOPE.match(inner):
            continue
        for part in [inner, *_PART.split(inner)][:_PARTS]:
            if unit := unit_of(part):
                return unit
    return None


def _leading(words: list[str]) -> Unit | None:
    for count in range(min(len(words), _WORDS), 0, -1):
        if unit := unit_of(" ".join(words[:count]).strip("()[],;")):
            return unit if unit.dimension not in _NOUNS or count == len(words) else None
    return None


def _trailing(text: str) -> Unit | None:
    words = text.split()
    for count in range(min(len(words) - 1, _WORDS), 0, -1):
        tail = " ".join(words[-count:]).strip(",;-\u2013| ")
        unit = unit_of(tail)
        if unit is None or unit.name is None or unit.dimension in _NOUNS:
            continue
        if (unit.dimension != "time" or unit.name in _OF_LABELS) and (len(tail) > 1 or tail in _LABELS):
            return unit
    return None


def _suggested(text: str, whole: Unit | None) -> Stated | None:
    """Return the unit that the nouns of a label suggest: people or things counted, hours, a share."""
    if match := _NUMBER_OF.search(text):
        nouns = [word.lower() for word in _NOUN.findall(match[1])[:_FIRST]]
        units = [unit for word in nouns if (unit := unit_of(word))]
        unit = next((unit for unit in units if unit.dimension in _NOUNS or unit.name in _OF_LABELS), None)
        return Stated(unit, 0.85) if unit else None
    if whole:
        return Stated(whole, 0.8)
    if _SHARE.search(text) and " per " not in text.lower() and not _FREQUENCY.search(text):
        unit = unit_of("%")
        return Stated(unit, 0.7) if unit else None
    words = [word.lower() for word in _WORD.findall(text)]
    if "hours" in words or "heures" in words or words[-1:] in (["stunden"], ["ore"]):
        unit = unit_of("hours")
        return Stated(unit, 0.85) if unit else None
    for word in words[:1] + words[-1:]:
        if word in PEOPLE and word not in _MODIFIERS and (unit := unit_of(word)):
            return Stated(unit, 0.7)
    return None
