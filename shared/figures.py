"""Amounts, percentages, years and quantities that a passage names, with their values and units normalised."""

from __future__ import annotations

import re

from shared.records import Figure

_SCALES = {
    "thousand": 1e3, "tsd": 1e3, "tausend": 1e3, "mille": 1e3, "k": 1e3,
    "million": 1e6, "millions": 1e6, "millionen": 1e6, "milioni": 1e6, "mio": 1e6, "mln": 1e6, "mn": 1e6, "m": 1e6,
    "billion": 1e9, "billions": 1e9, "milliarden": 1e9, "milliards": 1e9, "miliardi": 1e9, "mrd": 1e9, "bn": 1e9,
    "b": 1e9, "trillion": 1e12, "tn": 1e12, "lakh": 1e5, "crore": 1e7,
}  # fmt: skip
_CURRENCIES = {
    "us$": "USD", "a$": "AUD", "c$": "CAD", "hk$": "HKD", "$": "USD", "\u20ac": "EUR", "\u00a3": "GBP",
    "\u00a5": "JPY", "\u20b9": "INR", "rs.": "INR", "euros": "EUR", "euro": "EUR", "dollars": "USD",
    "pounds": "GBP", "yen": "JPY", "rupees": "INR", "swiss francs": "CHF",
    **{
        code.lower(): code
        for code in (
            "EUR", "USD", "GBP", "CHF", "JPY", "CNY", "INR", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "RON", "AUD",
            "CAD", "NZD", "SGD", "HKD", "KRW", "BRL", "MXN", "ZAR", "TRY", "AED", "SAR",
        )
    },
}  # fmt: skip
_CO2 = r"(?: of)? ?CO[2\u2082](?:[- ]?(?:e|eq|equivalents?))?"
_UNITS = (
    # (pattern, unit as normalised, factor); what is longer or more special comes first
    (rf"(?:mt|megatonn?e?s?){_CO2}", "tCO2e", 1e6),
    (rf"(?:kt|kilotonn?e?s?){_CO2}", "tCO2e", 1e3),
    (rf"(?:metric )?(?:tonnes?|tons?|Tonnen|t){_CO2}", "tCO2e", 1.0),
    (rf"(?:kg|kilograms?){_CO2}", "tCO2e", 1e-3),
    (r"kt|kilotonn?e?s?", "t", 1e3),
    (r"(?:metric )?(?:tonnes?|tons?)|Tonnen|t", "t", 1.0),
    (r"kilograms?|kg", "kg", 1.0),
    (r"TWh", "MWh", 1e6),
    (r"GWh|gigawatt[- ]hours?", "MWh", 1e3),
    (r"MWh|megawatt[- ]hours?", "MWh", 1.0),
    (r"kWh|kilowatt[- ]hours?", "kWh", 1.0),
    (r"GW|gigawatts?", "MW", 1e3),
    (r"MW|megawatts?", "MW", 1.0),
    (r"TJ|terajoules?", "GJ", 1e3),
    (r"GJ|gigajoules?", "GJ", 1.0),
    (r"m[3\u00b3]|cubic met(?:er|re)s?", "m3", 1.0),
    (r"m[2\u00b2]|sqm|square met(?:er|re)s?", "m2", 1.0),
    (r"km[2\u00b2]|square kilomet(?:er|re)s?", "km2", 1.0),
    (r"kilomet(?:er|re)s?|km", "km", 1.0),
    (r"lit(?:er|re)s?|Liter", "l", 1.0),
    (r"hectares?|ha", "ha", 1.0),
    (
        r"(?:[a-z-]+ )?(?:employees|people|persons|workers|colleagues|volunteers|participants|women|men|students)"
        r"|FTEs?|Mitarbeitenden?|Mitarbeiter(?:innen)?|Besch\u00e4ftigten?|collaborateurs|salari\u00e9s|dipendenti",
        "people",
        1.0,
    ),
    (r"(?:[a-z-]+ )?hours|Stunden|heures|ore", "hours", 1.0),
)


def _any(words: list[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_SYMBOL = _any([name for name in _CURRENCIES if not name.isalpha() and " " not in name])
_NAME = _any([name for name in _CURRENCIES if name.isalpha() or " " in name])
_FIGURE = re.compile(
    rf"(?<![\w.,/:+])(?P<before>(?:{_SYMBOL}|(?:{_NAME})\b)\s?)?"
    r"(?P<sign>(?:(?<=\s)|(?<=\()|^)[-\u2212]\s?)?"
    r"(?<![\d.,])(?P<number>\d{1,3}(?:[,.'\u2019 ]\d{3})+(?!\d)(?:[.,]\d{1,2}(?!\d))?|\d+(?:[.,]\d+)?)(?![\d])"
    rf"(?:[\s-]?(?P<scale>{_any([name for name in _SCALES if len(name) > 1])})\b\.?|\s?(?P<letter>[kmb])\b(?![\u00b2\u00b3]))?"
    r"(?:\s?-?(?P<points>percentage points?|pp\b|p\.p\.|Prozentpunkte?n?)"
    r"|\s?-?(?P<percent>%(?:[ -]?points?\b)?|per ?cent\b|Prozent\b|pour cent\b|per cento\b)"
    rf"|\s?(?P<after>{_SYMBOL}|(?:{_NAME})\b)"
    rf"|[\s-]?(?P<unit>{'|'.join(f'(?:{pattern})' for pattern, _, _ in _UNITS)})(?![\w\u2082]))?",
    re.IGNORECASE,
)
_UNIT = [(re.compile(rf"(?:{pattern})$", re.IGNORECASE), unit, factor) for pattern, unit, factor in _UNITS]
_YEAR = re.compile(
    # Free, or behind another year ("2019-2021"), a financial year's mark or a day and month; no part of "2020/852".
    r"(?:(?<![\w.,/:$\u20ac\u00a3-])|(?<=FY)|(?<=(?:19|20)\d\d[-\u2013/])|(?<=\d\d\.))"
    r"(199\d|20\d\d|2100)(?![\w%:]|/\d{3}|[.,]\d)"
)
_COMMA_DECIMAL = re.compile(r"\d,\d{1,2}(?!\d)|\d\.\d{3}[.,]\d")
_POINT_DECIMAL = re.compile(r"\d\.\d{1,2}(?!\d)|\d,\d{3}(?!\d)")


def figures(text: str) -> list[Figure]:
    """The figures of a passage in the order they stand; 1990 to 2100 is a year where no unit follows.

    Values are in units: "EUR 3.2 million" is 3,200,000. Of numbers such as "1.234" the passage's other numbers tell
    whether the point marks thousands; where nothing does, it is taken for a thousands mark.
    """
    if not any(map(str.isdecimal, text)):
        return []
    thousands_point = bool(_COMMA_DECIMAL.search(text)) or not _POINT_DECIMAL.search(text)
    found: list[tuple[int, Figure]] = []
    for match in _FIGURE.finditer(text):
        figure = _figure(match, thousands_point=thousands_point)
        if figure is not None:
            found.append((match.start("number"), figure))
    taken = {start for start, _ in found}
    for match in _YEAR.finditer(text):
        if match.start(1) not in taken:
            found.append(
                (match.start(1), Figure(kind="year", value=float(match[1]), unit="year", text=match[1]))
            )
    return [figure for _, figure in sorted(found, key=lambda pair: pair[0])]


def _figure(match: re.Match[str], *, thousands_point: bool) -> Figure | None:
    before, after = match["before"], match["after"]
    fraction = bool(match["percent"] or match["points"] or match["scale"])
    value = _value(match["number"], thousands_point=thousands_point and not fraction)
    if match["sign"]:
        value = -value
    magnitude = match["scale"] or match["letter"]
    scale = _SCALES[magnitude.lower()] if magnitude else 1.0
    text = match[0].strip()
    if match["percent"] or match["points"]:
        points = match["points"] or "point" in match["percent"]
        return Figure(kind="percentage", value=value, unit="pp" if points else "%", text=text)
    if before or after:
        currency = _CURRENCIES[(before or after).strip().lower()]
        return Figure(kind="amount", value=_round(value * scale), unit=currency, text=text)
    if match["unit"]:
        unit, factor = next((unit, factor) for pattern, unit, factor in _UNIT if pattern.match(match["unit"]))
        return Figure(kind="quantity", value=_round(value * scale * factor), unit=unit, text=text)
    return None


def _value(number: str, *, thousands_point: bool) -> float:
    digits = re.sub(r"['\u2019 ]", "", number)
    comma, point = digits.rfind(","), digits.rfind(".")
    if comma >= 0 and point >= 0:
        decimal = max(comma, point)
    else:
        at = max(comma, point)
        repeated = digits.count(digits[at]) > 1 if at >= 0 else False
        marks_thousands = (
            len(digits) - at == 4 and not digits.startswith("0") and (comma >= 0 or thousands_point)
        )
        decimal = -1 if repeated or marks_thousands else at
    if decimal < 0:
        return float(re.sub("[.,]", "", digits))
    return float(re.sub("[.,]", "", digits[:decimal]) + "." + digits[decimal + 1 :])


def _round(value: float) -> float:
    """Without the dust of binary fractions: 4.1 * 1e6 is 4,100,000."""
    return float(f"{value:.12g}")
