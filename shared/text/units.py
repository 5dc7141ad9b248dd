"""Units of figures: read from words beside a number, a label, a head or a caption, and normalised."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

MAX_UNIT = 60
"""Limit on the words that are tried as a unit, in characters."""
SCALES = {
    "hundred": 1e2, "thousand": 1e3, "thousands": 1e3, "tsd": 1e3, "tausend": 1e3, "mille": 1e3, "k": 1e3,
    "milliers": 1e3, "migliaia": 1e3, "mila": 1e3, "'000": 1e3, "000": 1e3, "000s": 1e3, "'000s": 1e3,
    "lakh": 1e5, "lakhs": 1e5, "lac": 1e5, "crore": 1e7, "crores": 1e7, "cr": 1e7,
    "million": 1e6, "millions": 1e6, "millionen": 1e6, "milioni": 1e6, "milione": 1e6, "mio": 1e6,
    "mill": 1e6, "mln": 1e6, "mn": 1e6, "mm": 1e6, "m": 1e6, "billion": 1e9, "billions": 1e9,
    "milliarden": 1e9, "milliarde": 1e9, "milliard": 1e9, "milliards": 1e9, "miliardi": 1e9,
    "miliardo": 1e9, "mrd": 1e9, "mds": 1e9, "md": 1e9, "bln": 1e9, "bn": 1e9, "b": 1e9,
    "trillion": 1e12, "trillions": 1e12, "tn": 1e12, "t": 1e3, "thsd": 1e3,
}  # fmt: skip
"""Words behind or before a number by which it is multiplied."""
LETTERS = {"k", "m", "b", "t", "mm", "cr", "md", "000", "mill"}
"""Scales that are one only beside a currency, or attached to the number."""
_PLAIN = str.maketrans(
    {"\u2080": "0", "\u2081": "1", "\u2082": "2", "\u2083": "3", "\u2084": "4", "\u00b2": "2", "\u00b3": "3",
     "\u00b9": None, "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u2011": "-", "\u2010": "-",
     "\u2019": "'", "\u2018": "'", "\u2044": "/", "\u2215": "/", "*": None, "\u2020": None}
)  # fmt: skip
_CO2 = re.compile(
    r"(?:kohlendioxid|carbon dioxide|co ?2)[- ._]{0,2}"
    r"(?:equivalents?|[a\u00e4]quivalenten?|\u00e9quivalents?|equivalenti?|equiv\b\.?|eqv?\b\.?|\u00e9q\b\.?|e\b)?"
    r"|(?:\u00e9quivalents?|\u00e9q\.?|eq\.?) ?co2\b|co2[- ]?eq\w*",
    re.IGNORECASE,
)
_PER = re.compile(
    r" ?/ ?|(?:^| )(?:per|pro|je|par|por|for each|for every|per each) (?!cent\b|ciento\b|mille\b)"
)
_OF = re.compile(r"^(?:of|de|d'|di|von|an|der|des|in|en|the)\s*(?<=[\s'])")
_JOINED = re.compile(
    r"(?P<scale>k|m|mm|mn|b|bn|t|te|thsd|mio|mrd)(?P<code>[a-z]{3}|[$\u20ac\u00a3\u00a5\u20b9]|us\$)"
    r"|(?P<symbol>[$\u20ac\u00a3\u00a5\u20b9]|us\$|[a-z]{3})(?P<behind>k|m|mm|mn|b|bn|t|mio)"
)
_MULTIPLE = re.compile(r"x?1(?:(?P<zeros>0[0,]*)|0\^(?P<power>[1-9]))")
_OF_BEHIND = re.compile(r"(?: |^)(?:of|de|an|di|d')$")
_GASES = re.compile(
    r"(?:of )?(?:nox|sox|so2|no2|ch4|n2o|hfcs?|pfcs?|sf6|vocs?|pm10|pm2\.5|hg|waste|water|dust|steam"
    r"|d\u00e9chets|abfall|rifiuti|paper|papier|material|plastics?)"
)
_COUNTS = re.compile(
    r"(?:number|total number|no\.?|nr\.?|anzahl|zahl|nombre(?: total)?|numero(?: totale)?|count|#)"
    r"(?: of| de| d'| di| der| des)?\s+"
)
_BELOW_NOISE = re.compile(
    r"^(?:1 |one |an? |sold |produced )| (?:of )?(?:net )?(?:revenues?|turnover|sales|income)$",
    re.IGNORECASE,
)
_MANY = re.compile(
    r"(\d[\d,.]*(?: \d{3})*|m|mn|mio\.?|millions?(?: of)?|thousand|bn|billion|k) (\D.*)$", re.IGNORECASE
)
_SPELT = {"m": "million", "mn": "million", "mio": "million", "millions": "million", "million of": "million",
          "millions of": "million", "bn": "billion", "k": "thousand"}  # fmt: skip
_WORDS = {1e3: "thousand", 1e5: "lakh", 1e6: "million", 1e7: "crore", 1e9: "billion"}
_ONE = {
    "people": "employee",
    "hours": "hour",
    "units": "unit",
    "products": "product",
    "customers": "customer",
}
_PERIODS = {
    **dict.fromkeys(("year", "yr", "a", "annum", "jahr", "an", "anno"), "year"),
    **dict.fromkeys(("day", "tag", "jour", "giorno"), "day"),
    **dict.fromkeys(("month", "monat", "mois", "mese"), "month"),
    **dict.fromkeys(("revenue", "revenues", "net revenue", "turnover", "sales", "umsatz"), "revenue"),
}
_ADJECTIVES = 3  # words between a number and the people it counts
_FUNCTION = frozenset(
    [
        "of",
        "the",
        "a",
        "an",
        "in",
        "on",
        "at",
        "to",
        "by",
        "for",
        "from",
        "with",
        "and",
        "or",
        "per",
        "as",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "has",
        "have",
        "had",
        "were",
        "who",
        "that",
        "which",
        "their",
        "our",
        "its",
        "this",
        "these",
        "those",
        "than",
        "were",
        "no",
        "not",
        "der",
        "die",
        "das",
        "den",
        "dem",
        "des",
        "von",
        "in",
        "im",
        "zu",
        "und",
        "oder",
        "mit",
        "auf",
        "bei",
        "sind",
        "waren",
        "hat",
        "haben",
        "le",
        "la",
        "les",
        "des",
        "du",
        "de",
        "en",
        "et",
        "ou",
        "dans",
        "sur",
        "par",
        "pour",
        "sont",
        "il",
        "lo",
        "gli",
        "i",
        "di",
        "del",
        "della",
        "dei",
        "delle",
        "in",
        "nel",
        "nella",
        "e",
        "o",
        "con",
        "per",
        "sono",
        "che",
        "new%",
        "years",
        "year",
        "months",
        "days",
        "hours",
        "percent",
        "%",
        "completed",
        "received",
        "against",
        "under",
        "between",
        "among",
        "across",
        "within",
        "during",
        "after",
        "before",
        "including",
        "such",
        "other",
    ]
)


class Unit(NamedTuple):
    """A unit that was read; a value is multiplied by `factor` to be in `name`."""

    name: str | None
    """None: only a scale was read ("in thousands")."""
    factor: float
    dimension: str
    """A section of units.txt, "rate" or "scale"."""
    symbol: str


def _read() -> tuple[dict[str, Unit], dict[str, Unit]]:
    exact: dict[str, Unit] = {}
    lower: dict[str, Unit] = {}
    dimension = ""
    for line in Path(__file__).with_name("units.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            dimension = line.strip("[]")
        elif line and not line.startswith("#"):
            symbol, name, factor, spellings = line.split(" | ")
            unit = Unit(name, float(factor), dimension, symbol)
            for spelling in spellings.split(", "):
                if spelling.startswith("="):
                    exact[spelling[1:]] = unit
                else:
                    lower.setdefault(spelling.lower(), unit)
    return exact, lower


_EXACT, _LOWER = _read()
PEOPLE = frozenset(word for word, unit in _LOWER.items() if unit.dimension == "people")
NOUNS = frozenset(word for word, unit in _LOWER.items() if unit.dimension in {"people", "counted", "time"})
_MEASURES = frozenset(
    word.lower()
    for word, unit in (*_EXACT.items(), *_LOWER.items())
    if unit.dimension not in {"people", "counted"}
)
COUNTED = frozenset(word for word, unit in _LOWER.items() if unit.dimension in {"people", "counted"})


def plain(text: str) -> str:
    """Return a text with plain digits for raised and lowered ones, and CO2 in one spelling."""
    return _CO2.sub("CO2e", text.translate(_PLAIN))


COMMON = {
    "kg": ("t", 1e-3), "g": ("t", 1e-6), "mg": ("t", 1e-9), "lb": ("t", 0.45359237e-3),
    "short ton": ("t", 0.90718474), "GJ": ("MWh", 1 / 3.6), "MJ": ("MWh", 1e-3 / 3.6), "kWh": ("MWh", 1e-3),
    "Wh": ("MWh", 1e-6), "MMBtu": ("MWh", 0.29307107), "therms": ("MWh", 0.029307107), "toe": ("MWh", 11.63),
    "kW": ("MW", 1e-3), "W": ("MW", 1e-6), "l": ("m3", 1e-3), "hl": ("m3", 0.1), "ml": ("m3", 1e-6),
    "km2": ("ha", 100.0), "m2": ("ha", 1e-4), "acres": ("ha", 0.40468564), "ft2": ("ha", 0.09290304e-4),
    "miles": ("km", 1.609344), "m": ("km", 1e-3), "\u2030": ("%", 0.1),
}  # fmt: skip
"""The unit in which values of different reports are compared, and the factor to it; others stay as they are.

Gallons are not among them: a report does not say which of the two it means."""


def common(value: float, unit: str | None) -> tuple[float, str | None]:
    """Return a value in the unit in which such values are compared."""
    name, factor = COMMON.get(unit or "", (unit, 1.0))
    return value * factor, name


@lru_cache(maxsize=4096)
def unit_of(text: str) -> Unit | None:
    """Return the unit that the whole text is ("EUR million", "t CO2-eq. per FTE"), or None."""
    text = " ".join(plain(text[: 2 * MAX_UNIT]).split()).strip(" ,;:")
    if not text or len(text) > MAX_UNIT:
        return None
    return _rate(text) or _simple(text)


def _rate(text: str) -> Unit | None:
    match = _PER.search(text)
    if not match:
        return None
    above, below = text[: match.start()].strip(), text[match.end() :]
    if above in {"", "n", "no.", "number", "rate"}:
        symbol = "cases"
    else:
        unit = _simple(above)
        if unit is None or unit.name is None:
            return None
        symbol = _named(unit)
    under = _below(below)
    return Unit(f"{symbol}/{under}", 1.0, "rate", f"{symbol}/{under}") if under else None


def _named(unit: Unit) -> str:
    return (
        unit.name or ""
        if unit.dimension in {"people", "counted", "time", "currency", "share"}
        else unit.symbol
    )


def _below(text: str) -> str | None:
    """Return what a rate is per, with its scale: "EUR million", "m2", "million hours"."""
    text = _BELOW_NOISE.sub("", text)
    if text.lower() in _PERIODS:
        return _PERIODS[text.lower()]
    match = _MANY.match(text)
    if match:
        unit = _simple(match[2])
        if unit is None or unit.name is None:
            return None
        scale = match[1].strip(" .").replace("1,000,000", "million").replace("1 000 000", "million")
        scale = _SPELT.get(scale, scale)
        return f"{_named(unit)} {scale}" if unit.dimension == "currency" else f"{scale} {_named(unit)}"
    unit = _simple(text)
    if unit is None or unit.name is None:
        return None
    if unit.dimension == "currency":
        return f"{unit.name} {_WORDS[unit.factor]}" if unit.factor in _WORDS else unit.name
    return _ONE.get(unit.name, _named(unit))


def _simple(text: str, depth: int = 0) -> Unit | None:
    """Return a unit without a denominator, with its scale."""
    text = text.strip(" .,:;")
    if not text or depth > _ADJECTIVES:
        return None
    low = text.lower()
    found = _EXACT.get(text) or _LOWER.get(low) or _LOWER.get(low.replace(".", ""))
    if found:
        return found
    return _carbon(text) or _scaled(text, low, depth) or _joined(low) or _worded(low)


def _carbon(text: str) -> Unit | None:
    before, co2, behind = text.partition("CO2e")
    if not co2:
        return None
    before, behind = before.strip(" -()"), behind.strip(" -()")
    if before and behind:
        return None
    mass = _OF_BEHIND.sub("", before or behind).strip(" -")
    unit = _simple(mass, 1) if mass else None
    if unit is None or unit.dimension != "mass" or not unit.name:
        return None
    tonnes = unit.factor if unit.name == "t" else {"kg": 1e-3, "g": 1e-6, "lb": 0.45359237e-3}.get(unit.name)
    return Unit("tCO2e", float(f"{tonnes:.12g}"), "mass", f"{unit.symbol}CO2e") if tonnes else None


def _scaled(text: str, low: str, depth: int) -> Unit | None:
    """Read "million EUR", "EUR in thousands", "10,000 kWh", "'000 t"."""
    low = low.removeprefix("in ")
    text = text[len(text) - len(low) :]
    words = text.split(" ")
    first, last = words[0].lower().rstrip("."), words[-1].lower().rstrip(".")
    if len(words) == 1:
        if low.rstrip(".") in SCALES and low.rstrip(".") not in LETTERS:
            return Unit(None, SCALES[low.rstrip(".")], "scale", low)
        return None
    if multiple := _MULTIPLE.fullmatch(first):
        rest = _simple(" ".join(words[1:]), depth + 1)
        return _times(rest, 10.0 ** int(multiple["power"] or len(multiple["zeros"].replace(",", ""))))
    if first in SCALES:
        unit = _simple(_OF.sub("", " ".join(words[1:])), depth + 1)
        if unit and (first not in LETTERS or unit.dimension == "currency" or first == "000"):
            return _times(unit, SCALES[first])
    if last in SCALES:
        unit = _simple(" ".join(words[:-1]).removesuffix(" in").removesuffix(" en"), depth + 1)
        if unit and (last not in LETTERS or unit.dimension == "currency"):
            return _times(unit, SCALES[last])
    return None


def _times(unit: Unit | None, scale: float) -> Unit | None:
    return unit._replace(factor=unit.factor * scale, symbol=unit.symbol) if unit else None


def _joined(low: str) -> Unit | None:
    match = _JOINED.fullmatch(low)
    if not match:
        return None
    unit = _LOWER.get(match["code"] or match["symbol"])
    if unit is None or unit.dimension != "currency":
        return None
    return _times(unit, SCALES.get(match["scale"] or match["behind"], 1e3))


def _worded(low: str) -> Unit | None:
    """Read a counted noun behind adjectives, a mass of something, or a share of something."""
    low = _COUNTS.sub("", low)
    words = low.split(" ")
    if 1 < len(words) <= _ADJECTIVES and words[-1] in COUNTED and not _FUNCTION.intersection(words):
        return _LOWER[words[-1]] if not _MEASURES.intersection(words[:-1]) else None
    if low in _LOWER and _LOWER[low].dimension in {"people", "counted"}:
        return _LOWER[low]
    first, _, rest = low.partition(" ")
    if first in {"%", "percent", "percentage", "prozent"} and re.match(
        r"(?:of|in|von|der|des|de|du|di|points?)\b", rest
    ):
        return _LOWER["%"] if not rest.startswith("point") else _LOWER["pp"]
    mass = _EXACT.get(first) or _LOWER.get(first)
    if mass and mass.dimension == "mass" and _GASES.fullmatch(rest):
        return mass
    return None
