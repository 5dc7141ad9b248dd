"""Words, numbers, units and periods, in a form in which those of the gold and those found can be compared."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import NamedTuple

_MARK = re.compile(r"(?<=[^\W\d_])(?:\d{1,2}|[*\u2020\u2021]+|\(\d{1,2}\)|\[\d{1,2}\])(?!\w)")
"""A footnote's mark behind a letter."""
_WORD = re.compile(r"[^\W_]+")
_STOP = frozenset(
    {"a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "per", "the", "to", "with", "which"}
    | {"au", "aux", "de", "des", "du", "en", "et", "la", "le", "les", "par", "pour"}
    | {"das", "del", "della", "der", "di", "die", "e", "i", "il", "und", "von"}
)


def folded(text: str) -> str:
    """Return a text without case, compatibility forms, accents and footnote marks."""
    whole = unicodedata.normalize("NFKC", text.replace("\u20ac", " eur "))
    plain = unicodedata.normalize("NFKD", _MARK.sub(" ", whole)).casefold()
    return "".join(char for char in plain if not unicodedata.combining(char))


def words(text: str) -> list[str]:
    """Return the words that a label is compared by: without words such as "of" unless there are no others."""
    found = _WORD.findall(folded(text))
    return [word for word in found if word not in _STOP] or found


def squeezed(text: str) -> str:
    """Return a text in lower case without blanks."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def core(printed: str) -> str:
    """Return digits and separators of a number as printed, without blanks, signs and brackets."""
    return "".join(re.findall(r"[\d.,:']", printed.replace("\u2019", "'"))).strip(".,:'")


@cache
def number_pattern(printed: str) -> re.Pattern[str]:
    """Return a pattern that finds a number as printed in a text, however its digits are spaced."""
    spaced = r"[\s\u2019']{0,2}".join(map(re.escape, core(printed)))
    return re.compile(rf"(?<!\d)(?<!\d[.,]){spaced}(?![.,']?\d)")


class Unit(NamedTuple):
    """What a unit measures, and by which factor in the base unit of that."""

    kind: str
    """A base unit (t, tCO2e, MWh, m3 ...), an ISO currency code, "%", "people", or "count" for the rest."""
    factor: float = 1.0


_SCALES = (
    (r"trillion", 1e12),
    (r"billion|milliard|miliard|\bbn\b|\bmrd\b|[$]b\b|\bb eur", 1e9),
    (r"million|milion|\bmn\b|\bmln\b|\bmio\b|[$]m\b|\bm ?eur|\beur ?m\b", 1e6),
    (r"thousand|millier|migliaia|\bmille\b|\bk ?eur|\beur ?k\b|[$]k\b|\bteur", 1e3),
    (r"\b10,000\b", 1e4),
    (r"\b1,000\b", 1e3),
)
_PEOPLE = (
    r"employee|people|person|worker|staff|\bwom[ae]n\b|\bm[ae]n\b|director|administrator|collabor|effectif"
    r"|salari|dipendent|\bdonn[ae]\b|\buomini\b|alternant|apprenti|mentor|colleague|\bfte"
    r"|full-time equivalent|headcount|female|participant|volunteer|mitarbeit"
)
_MASS = r"tons?|tonnes?|tonnellate|tonnen|t|mt"  # "MT" is a metric ton in all these reports
_UNITS = (
    # (pattern, kind, factor); what is longer or more special comes first.
    (r"%|per ?cent|percentage(?! point)", "%", 1.0),
    (r"\bpoints?\b|\bpp\b", "points", 1.0),
    (r"\beur|euro", "EUR", 1.0),
    (r"[$]|\busd|dollar", "USD", 1.0),
    (r"\binr|rupee", "INR", 1.0),
    (r"\bjpy|\byen\b", "JPY", 1.0),
    (r"\bkg ?(?:eq)?[- ]?co2", "tCO2e", 1e-3),
    (r"\bkt ?co2|kilotonn?e?s?(?: of)? co2", "tCO2e", 1e3),
    (r"\bg ?co2", "tCO2e", 1e-6),
    (r"co2|ghg", "tCO2e", 1.0),
    (r"\btwh\b", "MWh", 1e6),
    (r"\bgwh\b", "MWh", 1e3),
    (r"\bmwh\b", "MWh", 1.0),
    (r"\bkwh\b", "MWh", 1e-3),
    (r"\btj\b", "MWh", 1e3 / 3.6),
    (r"\bgj\b|gigajoule", "MWh", 1 / 3.6),
    (r"\bmj\b", "MWh", 1e-3 / 3.6),
    (r"\bgw\b", "MW", 1e3),
    (r"\bmwp?\b", "MW", 1.0),
    (r"\bkwp?\b", "MW", 1e-3),
    (r"\bkm2\b", "m2", 1e6),
    (r"\bm2\b|\bmq\b|sqm|square met", "m2", 1.0),
    (r"\bha\b|hectare", "m2", 1e4),
    (r"\bm3\b|\bmc\b|cubic", "m3", 1.0),
    (r"\bkl\b|\bk ?lit", "m3", 1.0),
    (r"\bml\b", "m3", 1e3),
    (r"\bl\b|\bltrs?\b|\blit(?:er|re|ri)", "m3", 1e-3),
    (r"\bkg\b|kilogram", "t", 1e-3),
    (r"\bkt\b|kilotonn?e?s?", "t", 1e3),
    (rf"\b(?:{_MASS})\b", "t", 1.0),
    (r"\bkm\b|kilomet", "km", 1.0),
    (r"\bh\b|\bhours?\b|\bheures?\b|\bore\b|\bstunden", "hours", 1.0),
    (r"\bdays?\b|\bjours?\b|\bgiorni", "days", 1.0),
    (r"\bmonths?\b|\bmois\b|\bmesi\b", "months", 1.0),
    (r"\byears?\b|\banni\b|\bans\b", "years", 1.0),
    (_PEOPLE, "people", 1.0),
)
_OVER = re.compile(r"\s*(?:/|\bper\b|\bpour\b)\s*")


@cache
def unit_of(text: str) -> Unit:
    """Return what a unit as printed, or as found, measures; of a ratio what stands above the line."""
    plain = folded_unit(text)
    above = _OVER.split(plain)[0] or plain
    factor = next((factor for pattern, factor in _SCALES if re.search(pattern, above)), 1.0)
    for pattern, kind, own in _UNITS:
        if re.search(pattern, above):
            return Unit(kind, factor * own)
    return Unit("count", factor)


def folded_unit(text: str) -> str:
    """Return a unit without case, compatibility forms and accents."""
    plain = unicodedata.normalize("NFKD", text.replace("\u20ac", " eur ")).casefold()
    return " ".join("".join(char for char in plain if not unicodedata.combining(char)).split())


def years(period: str) -> frozenset[str]:
    """Return what tells a period from others: its years with four digits, and its half-years and quarters."""
    day = re.fullmatch(r"((?:19|20)\d\d)-\d\d-\d\d", period.strip())
    if day:  # as of a day: of its year
        return frozenset({day[1]})
    found = set(re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", period))
    for first, second in re.findall(r"(?<!\d)((?:19|20)\d\d)[/-](\d\d)(?!\d)", period):
        found.add(first[:2] + second)
    found.update(part.upper() for part in re.findall(r"\b[HQhq][1-4]\b", period))
    return frozenset(found)
