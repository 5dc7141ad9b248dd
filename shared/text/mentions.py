"""The numbers of a text that count or measure something, each with the unit beside it.

What names a law, a standard, a page, a chapter, a date or a telephone is left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from shared.text.numbers import Number, Style, numbers, value_of
from shared.text.units import LETTERS, SCALES, Unit, unit_of
from shared.text.vocabulary import any_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.platform.tables import FigureKind
    from shared.text.periods import Period

_AHEAD, _BEHIND, _LEAD = 64, 14, 24  # characters around a number in which unit, currency and "about" stand
_WORDS = 7  # of a unit, at most
_YEAR_DIGITS = 4
_MEASURES = frozenset({"mass", "energy", "power", "volume", "area", "length", "rate"})
"""Dimensions of units before which 2023 is no year."""
_SHORT_NAME = 3  # letters; a name as short counts only in capitals ("EN 45554", not "en 45")
NOUNS = frozenset({"people", "counted"})
"""Dimensions of units that are nouns."""
_LINK = r"\s?(?:,\s?(?:(?:and|und|et|e|or|&)\s)?|&|\+|/|-|\u2013|and|und|et|e|or|to|bis|\u00e0)\s?"
_AMOUNT = r"[\w%]|[.,]\d|\s?(?:%|\u20ac|[kMG]?Wh?\b|t\b|tonnes|million|Mio|employees|people|h\b|hours)"
_NAMES = re.compile(
    rf"(?=[^\W\d_]|\u00a7)(?<!\w)(?=\D{{1,30}}\d){any_of('names')}[ .:-]?\s?\(?"
    rf"(?P<chain>\d{{1,5}}(?:[.\-/]\d{{1,4}})*[a-z]?(?!{_AMOUNT})"
    rf"(?:{_LINK}(?:(?:Scope|Category) )?\d{{1,3}}(?:[.\-/]\d{{1,3}})*(?!{_AMOUNT}))*)"
    r"|(?:\+\d|\b(?:Tel|Telefon|Phone|Fax|T|F)\b[.: ])[\d ()/.+-]{6,40}"
    r"|https?://\S{1,300}|www\.\S{1,300}|(?<!\S)\S{1,60}@\S{1,60}"
    r"|\b(?:per|pro|je|aux|par) 1[0., ]{2,8}(?=km\b)"  # of "l per 100 km"
    r"|\bId\. at \d{1,5}|\btargets? \d{1,2}\.[\da-z](?:, ?\d{1,2}\.[\da-z])+\b"  # cited; of the SDGs
    r"|\b\w{2,30}(?:stra(?:\u00dfe|sse)|str\.|weg|platz|gasse) \d{1,4}[a-z]?(?:,? \d{5}\b)?"
    r"|\[[^\[\]]{1,40}\]"  # of literature, and pseudonyms
    r"|\b\d{1,4}/\d{2,4}(?:/[A-Za-z]{2,})?(?![\d,.%])|\b24/7\b"  # laws
    r"|\b[1-4]\d\d-\d{1,2}(?![\d.,%])"  # of GRI
    r"|\b\d+(?:st|nd|rd|th|\u00e8me|\u00e8re|er|re)\b"
    r"|\b\d{1,2}:\d\d(?:\s?[ap]\.?m\.?)?\b|\b\d{1,2} ?[ap]\.?m\b"
    r"|\b(?:1[.,]5|2) ?\u00b0 ?C\b|\b1[.,]5[- ](?:degrees?|Grad)"  # the goal of Paris
    r"|\b\d\d(?:\s?(?:-|\u2013|\u00b7|to|bis|\u00e0|and|und|et|e)\s?\d\d)?[ -]?"
    r"(?:years? (?:old|of age)|year-olds?|Jahre alt)\b"
    r"|(?:[<>\u2264\u2265\u00b7]|under|over|below|above|unter|\u00fcber|\bde|moins de|plus de)\s?\d\d"
    r"(?:\s?(?:-|\u2013|to|bis|\u00e0)\s?\d\d)?\s(?:years?|ans|Jahren?|anni)\b"  # ages
    r"|(?:(?<=\s)|^)\(?\d{1,2}\)(?=\s+[^\W\d])"  # items of lists
    r"|\b\d{1,3}[a-z]? (?:HGB|AktG|BGB|WpHG|UGB|GmbHG)\b"
    r"|\u00a9 ?\d{4}|\b\w{1,12}&\w{1,12}\b"
    r"|\b(?:CCM|CCA|CE|WTR|PPC|BIO) \d{1,2}\.\d{1,2}\b",  # activities of the EU taxonomy
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"(?m:^)[ \t]*(?:\(?\d{1,2}[.)](?=\s)"
    r"|\d{1,2}(?:\.\d{1,2}){0,3}\.?(?=\s+[A-Z\u00c4\u00d6\u00dc\u00c9\u00c0]))"
)
_PERCENT = re.compile(
    r"\s?-?(?:(?P<points>percentage[- ]points?|%[- ]?points?\b|pp\b|p\.p\.|ppts?\b|Prozentpunkte?n?\b"
    r"|points? de pourcentage)|%|per ?cent\b|pct\b|Prozent\b|pour ?cent\b|per cento\b|percento\b)",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"(?:(?<![A-Za-z])(?:US\$|US-\$|[A-Z]{0,2}\$|[KMT]?[\u20ac\u00a3\u00a5\u20b9]|[A-Z]{3}|Rs\.?|TEUR|kEUR))"
    r"(?:\s?(?:million|billion|Mio\.?|Mrd\.?|mn|bn|m|k|thousand|crore|lakh))?\s?$"
)
_MINUS = re.compile(r"(?:^|(?<=[\s(;:|]))[-\u2212\u2013]\s?$")
_PLUS = re.compile(r"(?:^|(?<=[\s(;:|]))[+\u00b1]\s?$")
_ABOUT = re.compile(
    rf"(?:(?P<less>{any_of('less than')})|(?P<more>{any_of('more than')})|(?P<about>{any_of('about')}))\s?$",
    re.IGNORECASE,
)
_ABOUTS = {"less": "less than", "more": "more than", "about": "about"}
_CUT = re.compile(r"[;:()|\u2022\n\[\]]|,\s|(?<!Mio)(?<!Mrd)(?<!Mill)(?<!Rs)\.\s|\.$|\s[-\u2013\u2014]\s")
_CODE = re.compile(r"[A-Za-z]{1,3}$")
_ROMAN = re.compile(r"(?-i:x{0,2}(?:ix|iv|vi{0,3}|i{1,3}))(?![^\W_])")
"""A footnote's mark right behind a number: "115,294iii"."""
_RATIO = re.compile(r"(?<![\w:.,])1 ?: ?(?P<to>[1-9]\d{0,3}(?:[.,]\d{1,2})?)(?![\w:]|[.,]\d)")
_PROPORTION = re.compile(r"\b(?:ratios?|pay|verh\u00e4ltnis|rapport|rapporto)\b", re.IGNORECASE)
_GROUPED = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
_RANGE_BEFORE = re.compile(r"(?:^|[\s(])[\d.,]{1,12}\s?%?-$")
_BETWEEN = re.compile(
    r"\s*(?:-|\u2013|to|bis|and|und|et|\u00e0|a|e|or|,|(?:out )?of (?:our|the|its|all|their)?)\s*"
)
_RANGE = re.compile(r"\s*(?:-|\u2013|to|bis|\u00e0|and|und)\s*")
_DASHES = {"-", "\u2013", "\u2212"}
_LONGEST_BETWEEN = 12  # characters


class Mention(NamedTuple):
    """A number in a text and what stands beside it."""

    number: Number
    value: float
    """With its sign; not yet multiplied by the factor of the unit."""
    unit: Unit | None
    begin: int
    """[begin, finish) of the text is the number with sign and unit."""
    finish: int
    about: str | None
    """"less than", "more than" or "about", or "ratio"."""
    signed: bool
    inherits: bool = False
    """Whether another number beside it has the unit."""


def mentions(
    text: str, style: Style, times: Sequence[Period], *, opening: bool, years: bool = False
) -> Iterator[Mention]:
    """Yield the numbers of a text that say something; `times` are its periods.

    `opening`: the text may begin with the number of a chapter or item; `years`: "2023" may be a number.
    """
    found = list(numbers(text, style))
    masked = _masked(text, times, opening=opening) if found else []
    ratios = {ratio.start(): ratio for ratio in _ratios(text)}
    at = last = 0
    for number in found:
        while at < len(masked) and masked[at][1] <= number.start:
            at += 1
        names = at < len(masked) and masked[at][0] < number.end
        if ratio := ratios.get(number.start):
            last = ratio.end()
            yield _of_ratio(ratio, style)
            continue
        is_year = number.printed.isdigit() and len(number.printed) == _YEAR_DIGITS
        if number.start < last or (names and not is_year):
            continue  # "l per 100 km" is a unit
        mention = _beside(text, number)
        if names and not years and not (mention and mention.unit and mention.unit.dimension in _MEASURES):
            continue
        if mention is not None and not _is_multiple(text, mention):
            last = mention.finish
            yield mention


def _ratios(text: str) -> Iterator[re.Match[str]]:
    """Yield ratios such as "1:11", which without a word that says so are times of the day."""
    if ":" in text and (_PROPORTION.search(text) or _RATIO.fullmatch(text.strip())):
        yield from _RATIO.finditer(text)


def _of_ratio(ratio: re.Match[str], style: Style) -> Mention:
    value = value_of(ratio["to"], style.decimal) or 0.0
    number = Number(ratio.start(), ratio.end(), value, ratio[0])
    return Mention(number, value, None, ratio.start(), ratio.end(), "ratio", signed=False)


def inherited(text: str, found: list[Mention]) -> list[Mention]:
    """Return the mentions with the unit of the last for the first ones of "5-10 %" and "from 5 to 10 t"."""
    for at in range(len(found) - 2, -1, -1):
        one, other = found[at], found[at + 1]
        between = text[one.finish : other.begin] if other.value >= 0 else ""
        if len(between) > _LONGEST_BETWEEN:
            continue
        if between.strip() in _DASHES and one.value > other.value:
            found[at + 1] = other._replace(value=-other.value, signed=True)  # "49.3 - 24 %" are two columns
            continue
        if one.unit is None and other.unit and _BETWEEN.fullmatch(between):
            found[at] = one._replace(unit=other.unit, inherits=True)
        elif (
            other.unit is None
            and one.unit
            and one.unit.dimension == "currency"
            and _ends(text, other, between)
        ):
            found[at + 1] = other._replace(unit=one.unit, inherits=True)
    return found


def _ends(text: str, other: Mention, between: str) -> bool:
    """Whether a number ends a range and no word follows: not "EUR 5 to 15 charities"."""
    return is_range(between) and not text[other.finish :].lstrip()[:1].isalpha()


def is_range(between: str) -> bool:
    """Whether what stands between two numbers makes them the ends of a range."""
    return _RANGE.fullmatch(between) is not None


def kind_of(unit: Unit | None) -> FigureKind:
    """Return the kind of a figure with this unit."""
    if unit is None or unit.name is None:
        return "number"
    if unit.dimension == "currency":
        return "amount"
    return "percentage" if unit.dimension == "share" else "quantity"


def scaled(value: float, unit: Unit | None, printed: str) -> float:
    """Return a value in its unit, without the dust of binary fractions: 4.1 * 1e6 is 4,100,000.

    What is counted is whole, so that the mark in "5.584 items" divides thousands.
    """
    if unit and unit.dimension in NOUNS and value % 1 and _GROUPED.fullmatch(printed):
        value *= 1000
    return float(f"{value * (unit.factor if unit else 1.0):.12g}")


def _masked(text: str, times: Sequence[Period], *, opening: bool) -> list[tuple[int, int]]:
    """Return the places of a text whose numbers name something, in their order."""
    places = [(time.start, time.end) for time in times]
    for match in _NAMES.finditer(text):
        if match["chain"] is None:
            places.append(match.span())
        else:
            name = text[match.start() : match.start("chain")].strip(" :(-")
            if len(name) > _SHORT_NAME or not name.islower() or name.endswith("."):
                places.append(match.span("chain"))
    if opening:
        starts = (start for start in _OPENING.finditer(text) if not _is_measured(text[start.end() :]))
        places += (start.span() for start in starts)
    return sorted(places)


def _is_measured(after: str) -> bool:
    """Whether a unit follows that is no noun: in "5 GWh" 5 is no heading's number, in "5 Employees" it is."""
    unit, _ = _behind(after[:_AHEAD], None)
    return unit is not None and (unit.dimension not in {*NOUNS, "time"} or unit.name == "FTE")


def _is_multiple(text: str, mention: Mention) -> bool:
    """Whether brackets hold a unit alone, such as "(10,000 kWh)"."""
    digits = mention.number.printed.replace(",", "").replace(".", "")
    return (
        mention.unit is not None
        and digits.strip("0") == "1"
        and len(digits) > _SHORT_NAME
        and text[max(0, mention.begin - 1) : mention.begin] == "("
        and text[mention.finish : mention.finish + 1] == ")"
    )


def _beside(text: str, number: Number) -> Mention | None:
    """Return the number with its unit and sign; None if it is part of a code or word."""
    if number.start and _is_glued(text, number.start):
        return None
    begin, sign, money = _before(text, number.start)
    after = text[number.end : number.end + _AHEAD]
    value, unit = number.value, money
    if percent := _PERCENT.match(after):
        unit, length = unit_of("pp" if percent["points"] else "%"), percent.end()
        value = as_share(number)
    else:
        behind, length = _behind(after, money)
        if behind is None and after[:1].isalpha() and not _ROMAN.match(after):
            return None
        if behind:
            is_scale = money is not None and behind.name is None
            unit = money._replace(factor=money.factor * behind.factor) if money and is_scale else behind
    lead = text[max(0, begin - _LEAD) : begin]
    about = _ABOUT.search(lead)
    return Mention(
        number,
        -value if sign else value,
        unit,
        begin,
        number.end + length,
        _ABOUTS[about.lastgroup] if about and about.lastgroup else None,
        sign or bool(_PLUS.search(lead)),
    )


def as_share(number: Number) -> float:
    """Return the value of a percentage, of which a single mark divides no thousands."""
    marks = number.printed.count(".") + number.printed.count(",")
    plain = number.printed.replace(",", ".")
    return float(plain) if marks == 1 and plain.replace(".", "").isdigit() else number.value


def _before(text: str, start: int) -> tuple[int, bool, Unit | None]:
    """Return where a number with its sign and currency begins, whether it is negative, and the currency."""
    before = text[max(0, start - _BEHIND) : start]
    sign = _MINUS.search(before)
    money = _MONEY.search(before[: sign.start()] if sign else before)
    if money and (unit := unit_of(money[0].strip())) and unit.dimension == "currency":
        begin = start - len(before) + money.start()
        if sign is None and (sign := _MINUS.search(text[max(0, begin - 3) : begin])):
            begin -= len(sign[0])
        return begin, sign is not None, unit
    if sign and not (sign[0].startswith("\u2013 ") and start > len(sign[0])):  # no dash between words
        return start - len(sign[0]), True, None
    return start, False, None


def _is_glued(text: str, start: int) -> bool:
    """Whether a number is the rest of a code or a word: "E1-6", "CO2", "305-1"."""
    last = text[start - 1]
    if last.isalpha():
        code = _CODE.search(text[max(0, start - 4) : start])
        unit = unit_of(code[0]) if code else None
        return unit is None or unit.dimension != "currency"
    if last in "_#@&\\":
        return True
    if last in "./-\u2010\u2011,:'\u2019" and start > 1 and text[start - 2].isalnum():
        return last != "-" or not _RANGE_BEFORE.search(text[max(0, start - 16) : start])
    return False


def _behind(after: str, money: Unit | None) -> tuple[Unit | None, int]:
    """Return the unit right behind a number, or a scale without one, and its length with the space."""
    lead = 1 if after[:1] in {" ", "-", "\u00a0"} else 0
    rest = after[lead:]
    if not rest or rest[0] == " ":
        return None, 0
    cut = _CUT.search(rest)
    words = (rest[: cut.start()] if cut else rest).split(" ")[:_WORDS]
    if len(after) == _AHEAD and not cut and len(words) > 1:
        words.pop()  # may be cut off
    first = words[0].lower().rstrip(".")
    if first in SCALES and (money or (first == "m" and len(words) > 1)):
        unit, length = _scale(words, lead, money)
        if unit is not None:
            return unit, length
    for count in range(len(words), 0, -1):
        tried = " ".join(words[:count])
        unit = unit_of(tried)
        if unit and not (unit.name is None and unit.symbol in LETTERS):
            return unit, lead + len(tried)
    return _scale(words, lead, money)


def _scale(words: list[str], lead: int, money: Unit | None) -> tuple[Unit | None, int]:
    """Read "million", "million tonnes", and letters in "EUR 5 m", "5 m t CO2e" and "5k"."""
    first = words[0].lower().rstrip(".")
    if first not in SCALES:
        return None, 0
    is_letter = first in LETTERS
    for count in range(len(words), 1, -1):
        unit = unit_of(" ".join(words[1:count]))
        if unit and unit.name and (not is_letter or unit.dimension in {"mass", "currency"}):
            return unit._replace(factor=unit.factor * SCALES[first]), lead + len(" ".join(words[:count]))
    if is_letter and not (money and money.factor == 1) and not (first == "k" and not lead):
        return None, 0
    return Unit(None, SCALES[first], "scale", first), lead + len(words[0])
