"""Key figures: the numbers of rows and sentences, each with what it measures, its unit and its period.

A number in a table takes what its cell does not say from the row's label, the heads, the groups above, the
caption and the section, in this order; the farther it is fetched from, the less sure the figure is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from shared.extract.tables import heads_of, label_of, parents_of
from shared.platform.tables import Figure
from shared.text.numbers import MAX_NUMBER, Number, Style, numbers, style_of, value_of
from shared.text.periods import Period, last_year, periods
from shared.text.sentences import split_sentences
from shared.text.units import COUNTED, LETTERS, PEOPLE, SCALES, Unit, plain, unit_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.platform.tables import Cell, FigureKind, PassageKind, Table

MAX_FIGURES = 200
"""Limit on the figures of one passage."""
MAX_COLUMNS = 200
"""Limit on the columns of a table that are read for figures."""
MAX_CELL = 1_000
"""Limit on the characters of a cell, label or head that are read for figures."""
MAX_METRIC = 240
"""Limit on the name of what is measured, in characters."""
_AHEAD, _BEHIND = 64, 14  # characters around a number in which its unit stands
_WORDS = 7  # of a unit, at most
_YEARS = range(1990, 2101)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What surrounds a row or a text: from it comes what its figures leave out."""

    style: Style = Style()
    """How the document writes numbers."""
    year: int | None = None
    """Year of the report."""
    section: str | None = None
    """The nearest heading above."""
    kind: PassageKind = "text"


# --- Numbers of a text, without those that name something -----------------------------------------------

_NAMED = (
    r"Scopes?|Kategorien?|Categor(?:y|ies)|Cat\.|Articles?|Art\.|Artikel|articolo|Sections?|Sec\.|Chapters?|Kapitel|chapitre"
    r"|Pages?|pp?\.|Seiten?|S\.|pagin[ae]|No\.|Nos\.|Nr\.|N\u00b0|n\u00b0|Notes?|Tables?|Tabelle|tableau|Figures?|Fig\.|Abb\.|Annex(?:es)?|Appendix"
    r"|Anhang|Annexe|Allegato|ISO(?:/IEC)?|IEC|EN|DIN|IFRS|IAS|OHSAS|SA|AA|ISAE|IDW PS|GRI|ESRS|SASB|UNGC|SDGs?|ODD|OSS"
    r"|Principles?|Principe|Tiers?|Tier-|Levels?|Niveau|Phases?|Stages?|Parts?|Teil|Steps?|Class|Klasse|Types?|Euro|COP|Paragraphs?|para\."
    r"|Directives?|Regulations?|Richtlinie|Verordnung|R\u00e8glement|Regolamento|Decree|Decreto|D\.Lgs\.|Loi|Law|Version|Release"
    r"|Top|Module?|Box|HRB|WKN|Region|Zone|Pillar|Lot|Exhibit|Question|DAX|MDAX|SDAX|TecDAX|STOXX|S&P|FTSE|MIB|CAC|SBF"
    r"|Fortune|Forbes|Covid|Goals?|Ziele?|Objectif|Target \(?SDG|Windows|Industry|Agenda|Horizon|Vision|Route|Room|Gate|Pier|Terminal|Lakh-"
    r"|\u00a7\u00a7?|Comma|Lit\.|lit\.|Form|BR-?|Act|GHG Protocol|Standard|Indicator|Disclosure|KPI"
)
_LINK = r"\s?(?:,|&|\+|/|-|\u2013|and|und|et|e|or|to|bis|\u00e0)\s?"
_NAMES = re.compile(
    rf"(?<!\w)(?:{_NAMED})[ .:-]?\s?\(?(?P<chain>\d{{1,5}}(?:[.\-/]\d{{1,4}})*[a-z]?(?![\w%]|[.,]\d|\s?(?:%|\u20ac|million|Mio))"
    rf"(?:{_LINK}(?:(?:Scope|Category) )?\d{{1,3}}(?:[.\-/]\d{{1,3}})*(?![\w%]|[.,]\d|\s?(?:%|[kMG]?W|t\b|tonnes|million)))*)"
    r"|(?:\+\d|\b(?:Tel|Telefon|Phone|Fax|T|F)\b[.: ])[\d ()/.+-]{6,40}"
    r"|https?://\S{1,300}|www\.\S{1,300}|\S{1,60}@\S{1,60}"
    r"|\[[^\[\]]{1,40}\]"
    r"|\b\d{1,4}/\d{2,4}(?:/[A-Za-z]{2,})?(?![\d,.%])|\b24/7\b"
    r"|\b[1-4]\d\d-\d{1,2}(?![\d.,%])"
    r"|\b\d+(?:st|nd|rd|th|\u00e8me|\u00e8re|er|re)\b"
    r"|\b\d{1,2}:\d\d(?:\s?[ap]\.?m\.?)?\b|\b\d{1,2} ?[ap]\.?m\b"
    r"|\b(?:1[.,]5|2) ?\u00b0 ?C\b|\b1[.,]5[- ](?:degrees?|Grad)"
    r"|(?:(?<=\s)|^)\(?\d{1,2}\)(?=\s+[^\W\d])"
    r"|\u00a9 ?\d{4}",
    re.IGNORECASE,
)
_CASED = re.compile(r"[a-z]")  # names of these few letters are capitals, or begin with one
_OPENING = re.compile(
    r"\s*(?:\(?\d{1,2}[.)](?=\s)|\d{1,2}(?:\.\d{1,2}){0,3}\.?(?=\s+[A-Z\u00c4\u00d6\u00dc\u00c9\u00c0]))"
)
_TERMS = {"%", "percent"}
_PERCENT = re.compile(
    r"\s?-?(?:(?P<points>percentage[- ]points?|%[- ]?points?\b|pp\b|p\.p\.|ppts?\b|Prozentpunkte?n?\b|points? de pourcentage)"
    r"|(?P<percent>%|per ?cent\b|pct\b|Prozent\b|pour ?cent\b|per cento\b|percento\b))",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"(?:(?<![A-Za-z])(?:US\$|US-\$|[ACSNHRT]?[A-Z]?\$|[\u20ac\u00a3\u00a5\u20b9]|[A-Z]{3}|Rs\.?|RMB|K\u20ac|M\u20ac|T\u20ac|TEUR|kEUR))"
    r"(?P<scale>\s?(?:million|billion|Mio\.?|Mrd\.?|mn|bn|m|k|thousand|crore|lakh))?\s?$"
)
_MINUS = re.compile(r"(?:^|(?<=[\s(;:|]))[-\u2212\u2013]\s?$")
_SIGNED = re.compile(r"(?:^|(?<=[\s(;:|]))[+\u00b1]\s?$")
_ABOUT = re.compile(
    r"(?P<less><|\u2264|less than|under|below|fewer than|unter|weniger als|moins de|meno di|up to|bis zu|jusqu'\u00e0)\s?$"
    r"|(?P<more>>|\u2265|more than|over|above|at least|\u00fcber|mehr als|mindestens|plus de|pi\u00f9 di|oltre)\s?$"
    r"|(?P<about>~|\u2248|c\.|ca\.?|circa|approx\.?|approximately|about|around|some|nearly|almost|roughly|rund|etwa|environ|pr\u00e8s de)\s?$",
    re.IGNORECASE,
)
_ABOUTS = {"less": "less than", "more": "more than", "about": "about"}
_CUT = re.compile(r"[;:()|\u2022\n\[\]]|,\s|(?<!Mio)(?<!Mrd)(?<!Mill)(?<!Rs)\.\s|\.$|\s[-\u2013\u2014]\s")
_STOP = frozenset(
    "in on at to by from with and or as is are was were than compared versus vs under over between during until"
    " in im zu und oder mit auf bei von et ou dans sur par con e nel nella was were has have which that".split()
)


class _Found(NamedTuple):
    """A number in a text and what stands beside it."""

    number: Number
    value: float
    unit: Unit | None
    begin: int
    """[begin, finish) of the text is the number with sign and unit."""
    finish: int
    about: str | None
    signed: bool
    inherits: bool = False


def _masked(text: str, found: Sequence[Period], *, opening: bool) -> list[tuple[int, int]]:
    """Return the places of a text whose numbers name something."""
    places = [(period.start, period.end) for period in found]
    for match in _NAMES.finditer(text):
        if match["chain"] is None:
            places.append(match.span())
        elif (
            not text[match.start()].islower()
            or len(text[match.start() : match.start("chain")].strip(" .:(-")) > 3
        ):
            places.append(match.span("chain"))
    if opening and (start := _OPENING.match(text)) and not _measures(text[start.end() :]):
        places.append(start.span())
    return sorted(places)


def _measures(after: str) -> bool:
    """Whether a unit follows that is no noun: "5 GWh" is no heading's number, "5 Employees" is one."""
    unit, _ = _behind(after[:_AHEAD], None)
    return unit is not None and unit.dimension not in {"people", "counted", "time"}


def _scan(
    text: str, style: Style, found: Sequence[Period], *, opening: bool, years: bool = False
) -> Iterator[_Found]:
    """Yield the numbers of a plain text that say something; `years`: "2023" may be a number."""
    masked = _masked(text, found, opening=opening)
    at = 0
    for number in numbers(text, style):
        while at < len(masked) and masked[at][1] <= number.start:
            at += 1
        is_masked = at < len(masked) and masked[at][0] < number.end
        if is_masked and not (years and text[number.start : number.end].isdigit()):
            continue
        seen = _beside(text, number)
        if seen is not None:
            yield seen


def _beside(text: str, number: Number) -> _Found | None:
    start, end = number.start, number.end
    if start and _glued(text, start):
        return None
    before = text[max(0, start - _BEHIND) : start]
    sign = _MINUS.search(before)
    money = _MONEY.search(before[: sign.start()] if sign else before)
    unit, finish = None, end
    begin = start - len(before) + (sign.start() if sign else len(before))
    if money and (read := unit_of(money[0].strip())) and read.dimension == "currency":
        unit = read
        begin = start - len(before) + money.start()
        if not sign and (sign := _MINUS.search(text[max(0, begin - 3) : begin])):
            begin -= len(sign[0])
    elif sign and sign[0][0] == "\u2013" and sign[0].endswith(" ") and begin > 0:
        sign = None  # a dash between words
        begin = start
    after = text[end : end + _AHEAD]
    percent = _PERCENT.match(after)
    value = number.value
    if percent:
        unit = unit_of("pp" if percent["points"] else "%")
        finish = end + percent.end()
        if number.printed.count(".") + number.printed.count(",") == 1:
            value = float(number.printed.replace(",", ".").replace(" ", "")) if _spaceless(number) else value
    else:
        behind, length = _behind(after, unit)
        if behind is None and after[:1].isalpha():
            return None
        if behind and unit and behind.name is None:
            unit = unit._replace(factor=unit.factor * behind.factor)
        elif behind:
            unit = behind
        finish = end + length
    lead = text[max(0, begin - 24) : begin]
    about = _ABOUT.search(lead)
    kind = _ABOUTS[about.lastgroup] if about and about.lastgroup else None
    signed = bool(sign) or bool(_SIGNED.search(lead))
    return _Found(number, -value if sign else value, unit, begin, finish, kind, signed)


def _spaceless(number: Number) -> bool:
    return (
        not any(map(str.isspace, number.printed)) and len(re.split("[.,]", number.printed)[-1]) <= MAX_NUMBER
    )


def _glued(text: str, start: int) -> bool:
    """Whether a number is the rest of a code or a word: "E1-6", "CO2", "305-1"."""
    last = text[start - 1]
    if last.isalpha() or last in "_#@&\\":
        head = re.search(r"[A-Za-z]{1,3}$", text[max(0, start - 4) : start])
        return not (
            head and (read := unit_of(head[0])) and read.dimension == "currency" and read.symbol != "ZAR"
        )
    if last in "./-\u2010\u2011,:'\u2019" and start > 1:
        return text[start - 2].isalnum() and not (
            last in "-:" and text[start - 2].isdigit() and last == "-" and _is_range(text, start)
        )
    return False


def _is_range(text: str, start: int) -> bool:
    """Whether the hyphen before a number stands between two plain numbers ("5-10")."""
    match = re.search(r"(?:^|[\s(])[\d.,]{1,12}\s?%?-$", text[max(0, start - 16) : start])
    return bool(match)


def _behind(after: str, money: Unit | None) -> tuple[Unit | None, int]:
    """Return the unit right behind a number, or a scale without one, and its length with the space."""
    lead = 1 if after[:1] in {" ", "-", "\u00a0"} else 0
    if after[lead : lead + 1] in {"", " "}:
        return None, 0
    rest = after[lead:]
    cut = _CUT.search(rest)
    rest = rest[: cut.start()] if cut else rest
    words = rest.split(" ")[:_WORDS]
    if len(after) == _AHEAD and not cut:
        words = words[:-1] or words
    first = words[0].lower().rstrip(".")
    if first in SCALES and (money or (first == "m" and len(words) > 1)):
        found = _scale(words, lead, money)
        if found[0] is not None:
            return found
    for count in range(len(words), 0, -1):
        tried = " ".join(words[:count])
        read = unit_of(tried)
        if read and not (read.name is None and read.symbol in LETTERS):
            return read, lead + len(tried)
    return _scale(words, lead, money)


def _scale(words: list[str], lead: int, money: Unit | None) -> tuple[Unit | None, int]:
    """Read "million", "million tonnes", and letters where they can be nothing else: "EUR 5 m", "5 m t CO2e", "5k"."""
    first = words[0].lower().rstrip(".")
    if first not in SCALES:
        return None, 0
    is_letter = first in LETTERS
    for count in range(min(len(words), _WORDS), 1, -1):
        read = unit_of(" ".join(words[1:count]))
        if read and read.name and (not is_letter or read.dimension in {"mass", "currency"}):
            return read._replace(factor=read.factor * SCALES[first]), lead + len(" ".join(words[:count]))
    if is_letter and not (money and money.factor == 1) and not (first == "k" and not lead):
        return None, 0
    return Unit(None, SCALES[first], "scale", first), lead + len(words[0])


def _kind(unit: Unit | None) -> FigureKind:
    if unit is None or unit.name is None:
        return "number"
    return {"currency": "amount", "share": "percentage"}.get(unit.dimension, "quantity")  # type: ignore[return-value]


def _rounded(value: float) -> float:
    """Without the dust of binary fractions: 4.1 * 1e6 is 4,100,000."""
    return float(f"{value:.12g}")


# --- Sentences -------------------------------------------------------------------------------------------

_SINCE = re.compile(
    r"(?:compared (?:to|with)|versus|vs\.?|against|from|since|relative to|on|gegen\u00fcber|im vergleich zu[mr]?|par rapport \u00e0|rispetto al?"
    r"|over|than(?: in)?|base(?:line)? year(?: of)?|basisjahr|seit|depuis|dal)\s+(?:the |a |an |its |our )?(?:base(?:line)?(?: year)?(?: of)? |fiscal |financial |year )?\(?$",
    re.IGNORECASE,
)
_UNTIL = re.compile(
    r"(?:by|until|till|bis|d'ici(?: \u00e0)?|entro(?: il)?|through|for)(?: the)?(?: end of| year| jahr| ende)*\s+$",
    re.IGNORECASE,
)
_AIM = re.compile(
    r"\b(?:target|goal|aims?|ambition|commit\w*|plan(?:s|ned)? to|ziele?|anstreben|objectifs?|obiettiv[oi]|will|intend\w*|strive)\b",
    re.IGNORECASE,
)
_LESS = re.compile(
    r"\b(?:decreas\w*|reduc\w*|declin\w*|fell|fall\w*|drop\w*|cut|cuts|cutting|lower\w*|less|down|sank|gesunken|sank\w*|reduzier\w*|verringer\w*|senk\w*"
    r"|baiss\w*|diminu\w*|r\u00e9dui\w*|riduz\w*|ridott\w*|diminuz\w*|calo)\b",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"\b(?:increas\w*|grew|grow\w*|rose|ris(?:e|en|ing)|up|higher|improv\w*|gain\w*|gestiegen|stieg\w*|erh\u00f6h\w*|zunahme|hausse|augment\w*|progress\w*"
    r"|aument\w*|crescit\w*|more)\b",
    re.IGNORECASE,
)
_BY = re.compile(
    r"\b(?:by|um|de|del|of)\s+(?:about |around |approximately |over |more than |nearly |almost |up to |rund |etwa )?$",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"\s*(?:-|\u2013|to|bis|and|und|et|\u00e0|a|e|or|,)\s*")
_RANGE = re.compile(r"\s*(?:-|\u2013|to|bis|\u00e0|and|und)\s*")
_QUALIFIERS = (
    (
        "base year",
        re.compile(
            r"\b(?:base(?:line)?(?: year)?|basisjahr|ann\u00e9e de r\u00e9f\u00e9rence|anno base)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "target",
        re.compile(
            r"\b(?:targets?|goals?|ziel(?:e|wert)?|objectifs?|obiettiv[oi]|ambition|cible)\b", re.IGNORECASE
        ),
    ),
    ("limit", re.compile(r"\b(?:limit|threshold|maximum|schwellenwert)\b", re.IGNORECASE)),
    ("median", re.compile(r"\bmedian\w*\b", re.IGNORECASE)),
    (
        "average",
        re.compile(
            r"\b(?:averages?|avg\.?|mean|durchschnitt\w*|moyen(?:ne)?|medi[ao])\b|\u00f8", re.IGNORECASE
        ),
    ),
    (
        "total",
        re.compile(
            r"\b(?:total|totals|totale|totaux|gesamt\w*|summe|overall|sum|ensemble|insgesamt|complessiv\w*)\b",
            re.IGNORECASE,
        ),
    ),
)
_PART = re.compile(r"^\W*(?:of which|thereof|davon|dont|di cui|whereof|including|o/w)\b[:\s]*", re.IGNORECASE)
_SEXES = (
    (
        "women",
        re.compile(r"^\W*(?:women|female|females|frauen|weiblich|femmes?|donn[ae]|f|w)\W*$", re.IGNORECASE),
    ),
    (
        "men",
        re.compile(
            r"^\W*(?:men|male|males|m\u00e4nner|m\u00e4nnlich|hommes?|uomin[io]|m)\W*$", re.IGNORECASE
        ),
    ),
)
_CLAUSE = re.compile(r"[;:()|\u2022\n\u2013\u2014]|,\s|\.\s")
_VERBAL = re.compile(
    r"(?:^|\s+)(?:(?:to|of|was|were|is|are|at|by|from|and|or|than|with|in|a|an|the|for|only|already|just|has|have|had|been|being|reached|amounted|totall?ed|amounts|stood|stands"
    r"|around|about|over|approximately|approx\.|more|nearly|almost|some|up|under|below|less|between|rund|etwa|\u00fcber|bei|auf|von|um|auf|lag|betrug|beträgt|de|\u00e0|est|di|pari|a|il|la|le|un|una"
    r"|wurden|waren|sind|ist|environ|plus|c\.|ca\.?|i\.e\.|e\.g\.|<|>|~|\+|-|=))+\s*$",
    re.IGNORECASE,
)
_PHRASE = 9  # words of a metric in prose
_NONE = re.compile(
    r"\b(?P<word>no|zero|keine|kein|aucun|aucune|nessun|nessuna|two|three|four|five|six|seven|eight|nine|ten)\s+"
    r"(?P<noun>(?:(?:reported|confirmed|substantiated|work-related|fatal|known|serious|significant|major|workplace) ){0,2}"
    r"(?:fatalities|fatality|deaths|accidents|injuries|incidents|complaints|violations|breaches|fines|cases of \w+)\b)",
    re.IGNORECASE,
)
_WORD_VALUES = {
    word: value
    for value, word in enumerate(("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), 2)
}


def figures_of_text(text: str, context: Context) -> list[Figure]:
    """Return the figures of sentences, a heading or a fragment, in the order they stand.

    The caller sets their box. At most `MAX_FIGURES`.
    """
    if not any(map(str.isdecimal, text)) and not _NONE.search(text):
        return []
    style = style_of([text], context.style) if context.style.decimal is None else context.style
    found: list[Figure] = []
    carried: Period | None = None
    opening = context.kind != "fragment"
    for start, stop in split_sentences(text) if len(text) < 20_000 else [(0, len(text))]:
        sentence = text[start:stop]
        read, carried = _sentence(sentence, style, context, carried, opening=opening and start == 0)
        found += read
        if len(found) >= MAX_FIGURES:
            break
    return found[:MAX_FIGURES]


def _sentence(
    text: str, style: Style, context: Context, carried: Period | None, *, opening: bool
) -> tuple[list[Figure], Period | None]:
    times = periods(text, context.year)
    shown = []
    for number, seen in enumerate(_scan(text, style, times, opening=opening)):
        if number == MAX_FIGURES:
            break
        shown.append(seen)
    shown = _inherited(text, shown)
    figures = [_of_sentence(text, seen, shown, times, carried, context) for seen in shown]
    figures += _worded(text, times, context)
    own = [
        time for time in times if time.name and not _SINCE.search(text[max(0, time.start - 40) : time.start])
    ]
    return figures, (own[0] if len({time.name for time in own}) == 1 else None if own else carried)


def _inherited(text: str, shown: list[_Found]) -> list[_Found]:
    """Give the first numbers of "5-10 %" and "from 5 to 10 t" the unit of the last."""
    for at in range(len(shown) - 2, -1, -1):
        one, other = shown[at], shown[at + 1]
        between = text[one.finish : other.begin]
        if one.unit is None and other.unit and len(between) <= 6 and _BETWEEN.fullmatch(between):
            shown[at] = one._replace(unit=other.unit, inherits=True)
        elif (
            other.unit is None and one.unit and one.unit.dimension == "currency" and _RANGE.fullmatch(between)
        ):
            shown[at + 1] = other._replace(unit=one.unit, inherits=True)
    return shown


def _of_sentence(
    text: str,
    seen: _Found,
    shown: list[_Found],
    times: list[Period],
    carried: Period | None,
    context: Context,
) -> Figure:
    time, against, near = _time_of(text, seen, times)
    before, after = text[: seen.begin], text[seen.finish :]
    window = before[-60:]
    unit = seen.unit
    qualifier = seen.about
    change = None
    is_share = unit is not None and unit.dimension == "share"
    direction = _direction(window, after[:30])
    if (
        is_share
        and direction
        and (
            _BY.search(window)
            or seen.signed
            or re.match(r"\s*(?:decrease|increase|reduction|lower|higher|less|more|fewer|drop)", after)
        )
    ):
        qualifier = "change"
        change = direction * abs(seen.value)
    until = bool(time) and bool(_UNTIL.search(text[max(0, time.start - 24) : time.start]))
    if time and until and ((context.year and (time.year or 0) > context.year) or _AIM.search(text)):
        qualifier = "target"
    elif qualifier is None:
        head = window[-40:] + after[:25]
        qualifier = next(
            (name for name, pattern in _QUALIFIERS[:2] if pattern.search(window[-40:])), None
        ) or next((name for name, pattern in _QUALIFIERS[3:] if pattern.search(head)), None)
    if time is None and not until:
        time = carried
    score = 0.9 if unit and unit.name and not seen.inherits else 0.75 if unit else 0.62
    score *= 1.0 if near else 0.9 if time else 0.93
    value = seen.value * (unit.factor if unit else 1.0)
    return Figure(
        kind=_kind(unit),
        value=_rounded(value),
        unit=unit.name if unit else None,
        text=text[seen.begin : seen.finish].strip(),
        printed=seen.number.printed,
        metric=_phrase(text, seen, shown),
        period=time.name if time else None,
        qualifier=qualifier,
        change=change,
        against=against.name if against else None,
        confidence=round(score, 2),
    )


def _direction(before: str, after: str) -> int:
    """Return -1 for a decrease, 1 for an increase, 0 for neither: what stands nearest to the number."""
    less = max((match.end() for match in _LESS.finditer(before)), default=-1)
    more = max((match.end() for match in _MORE.finditer(before)), default=-1)
    if max(less, more) < 0:
        return -1 if _LESS.match(after.lstrip()) else 1 if _MORE.match(after.lstrip()) else 0
    return -1 if less > more else 1


def _time_of(text: str, seen: _Found, times: list[Period]) -> tuple[Period | None, Period | None, bool]:
    """Return the period of a number, the one it is compared with, and whether the first is certain."""
    own, against = [], None
    for time in times:
        if time.name is None:
            continue
        if _SINCE.search(text[max(0, time.start - 40) : time.start]):
            if against is None or abs(time.start - seen.finish) < abs(against.start - seen.finish):
                against = time
        else:
            own.append(time)
    if not own:
        return None, against, False
    if len({time.name for time in own}) == 1:
        return own[0], against, True
    bracketed = [
        time
        for time in own
        if 0 <= seen.begin - time.end <= 3 and re.fullmatch(r"[:=\s]+", text[time.end : seen.begin])
    ]
    if bracketed:
        return bracketed[-1], against, True

    def distance(time: Period) -> int:
        gap = time.start - seen.finish if time.start >= seen.finish else seen.begin - time.end + 12
        inside = text[min(time.end, seen.finish) : max(time.start, seen.begin)]
        return gap + 25 * len(re.findall(r"[,;]", inside))

    return min(own, key=distance), against, False


def _worded(text: str, times: list[Period], context: Context) -> list[Figure]:
    """Return the figures of "no fatalities" and "two accidents"."""
    names = {time.name for time in times if time.name}
    return [
        Figure(
            kind="quantity",
            value=float(_WORD_VALUES.get(match["word"].lower(), 0)),
            unit=unit.name,
            text=match[0],
            printed=match["word"],
            metric=match["noun"],
            period=names.pop() if len(names) == 1 else None,
            confidence=0.7,
        )
        for match in _NONE.finditer(text)
        if (unit := unit_of(match["noun"].split(" of ")[0]))
    ]


def _phrase(text: str, seen: _Found, shown: list[_Found]) -> str:
    """Return the words of a sentence that say what a number measures."""
    others = [other for other in shown if other is not seen]
    left = max((other.finish for other in others if other.finish <= seen.begin), default=0)
    right = min((other.begin for other in others if other.begin >= seen.finish), default=len(text))
    before = _last_clause(text[left : seen.begin])
    counted = seen.unit is not None and seen.unit.dimension in {"people", "counted"}
    after_from = seen.number.end if counted or not (seen.unit and seen.unit.name) else seen.finish
    after = _first_clause(text[after_from:right])
    if (
        counted
        or re.match(r"(?:of|der|des|von|de|du|del|dei|delle|den|di)\s", after)
        or (seen.unit is None and after)
    ):
        first, second = after, before
    else:
        first, second = before, after
    phrase = (
        first
        if len(first.split()) >= 2
        else f"{second} {first}".strip()
        if first is after
        else f"{first} {second}".strip()
    )
    return _short(phrase or _last_clause(text[: seen.begin]) or text.strip()[:60])


def _last_clause(before: str) -> str:
    parts = _CLAUSE.split(before[-200:])
    while parts:
        words = _VERBAL.sub("", parts.pop()).split()
        if words:
            return " ".join(words[-_PHRASE:])
    return ""


def _first_clause(after: str) -> str:
    match = _CLAUSE.search(after)
    words = (after[: match.start()] if match else after)[:200].split()
    return " ".join(words[:_PHRASE]).strip(" .,;:")


def _short(phrase: str) -> str:
    phrase = " ".join(phrase.split()).strip(" .,;:|-\u2013")
    return phrase if len(phrase) <= MAX_METRIC else phrase[:MAX_METRIC].rsplit(" ", 1)[0]


# --- Rows ------------------------------------------------------------------------------------------------

_SKIPPED = re.compile(
    r"\W*(?:notes?|pages?|seiten?|page no\.?|gri(?: .*)?|esrs(?: .*)?|sdgs?|ref\.?|references?|index|nr\.?|no\.?|s\. ?no\.?|sr\. ?no\.?|#|standard|unit|units|einheit|unit\u00e9s?"
    r"|u\.?m\.?|unit\u00e0 di misura|udm|uom|unit of measure(?:ment)?|link|chapter|kapitel|footnotes?|disclosure|indicator|location|data point|paragraph|code|page reference|pages? \(.*\))\W*",
    re.IGNORECASE,
)
_UNIT_HEAD = re.compile(
    r"\W*(?:units?|einheit|unit\u00e9s?|u\.?m\.?|unit\u00e0 di misura|udm|uom|unit of measure(?:ment)?|measure)\W*",
    re.IGNORECASE,
)
_CHANGE = re.compile(
    r"(?:^|\b)(?<!climate )(?:changes?|variations?|var\.?|variance|delta|ver\u00e4nderung|abweichung|\u00e9volution|evolution|variazione|yoy|y-o-y|difference|diff\.?|scostamento|growth"
    r"|vs\.?|versus|compared (?:to|with))(?:\b|$|\s)|\u0394|\+/-",
    re.IGNORECASE,
)
_YEARLY = re.compile(
    r"\b(?:year|jahr|ann\u00e9e|anno|date|since|founded|period|deadline|horizon|zeitraum|due)\b",
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"\W*|\W*(?:n\.?/?\s?[amrd]\.?|nd|k\.?a\.?|not (?:available|applicable|reported|material|relevant)|nil|none|tbd|no|yes|x)\W*",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r"\(\s*[-\u2212\u2013]?\s*(?:[\u20ac$\u00a3]\s?)?\d[\d.,' \u00a0]*\s?%?\s?\)?%?")
_MARK = re.compile(
    r"(?<=[\d%)])\s*(?:\(\d{1,2}\)|\[\d{1,2}\]|\s\d{1,2}\)|\*+|[a-d]\)|\([a-z]\))\s*$|(?<=\d)\s+\d{1,2}\)?\s*$"
)
_LABEL_MARK = re.compile(
    r"(?<=[a-z\u00e4\u00f6\u00fc\u00e9)%])(?:\d{1,2}(?:,\d{1,2})?\)?|\s\d\)|\s?\(\d\)|\s?\[\d{1,2}\]|\*+)+(?=$|\s*\()"
)
_BRACKET = re.compile(r"\(([^()]{1,80})\)|\[([^\[\]]{1,80})\]")
_IN = re.compile(
    r"(?:^|[\s,])(?:in|en|expressed in|measured in|figures in|data in|amounts in|values in|all figures in|angaben in|einheit:|unit:|unit\u00e9 :)\s+(\S.*)$",
    re.IGNORECASE,
)
_NUMBER_OF = re.compile(
    r"\b(?:number|no\.|nr\.|anzahl|zahl|nombre(?: total)?|numero(?: totale)?|n\u00b0|#|total number|n\.)\s*(?:of|der|des|de|d'|di|dei)?\s+(.{1,80})",
    re.IGNORECASE,
)
_SHARES = re.compile(
    r"\b(?:percentage|percent|% |proportion|share|anteil|part des?|pourcentage|percentuale|taux|quote|quota|rate|ratio|tasso|incidenza)\b|%",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"\W*(?:(?:GRI|ESRS|SASB|TCFD|HGB|DNK)\b.*|(?:GRI )?\d{1,3}-\d{1,2}\b.*|[ESG]\d-\d.*|SBM-\d.*|GOV-\d.*|IRO-\d.*|BP-\d.*|SDG \d.*)",
    re.IGNORECASE,
)
_WHOLE_PAGES = 2_000  # a greater number is no page
_ROWS_OF_CONTENTS = 4


class _Read(NamedTuple):
    """A unit, and how surely it is one (from 0 to 1)."""

    unit: Unit
    sure: float


def unit_in(text: str) -> _Read | None:
    """Return the unit that a label, head, caption or heading states, and how surely."""
    text = " ".join(plain(text[:MAX_CELL]).split())
    if not text:
        return None
    whole = unit_of(text)
    if whole and whole.dimension not in {"people", "counted"}:
        return _Read(whole, 0.98)
    for match in reversed(list(_BRACKET.finditer(text))):
        for part in _parts(match[1] or match[2]):
            if read := unit_of(part):
                return _Read(read, 0.96)
    if (match := _IN.search(text)) and (read := _longest(match[1].split())):
        return _Read(read, 0.95)
    if read := _trailing(text):
        return _Read(read, 0.93)
    if re.match(r"\W*(?:%|percentage|percent|pourcentage|percentuale|prozent)", text, re.IGNORECASE):
        return _Read(unit_of("%"), 0.93)  # type: ignore[arg-type]
    if text.rstrip(" )").endswith("%"):
        return _Read(unit_of("%"), 0.93)  # type: ignore[arg-type]
    return _weak(text, whole)


def _parts(text: str) -> list[str]:
    text = text.removeprefix("in ").removeprefix("en ").removeprefix("as ")
    return [text, *re.split(r"[,;]\s|\s[-\u2013]\s| in | as ", text)][:8]


def _longest(words: list[str]) -> Unit | None:
    for count in range(min(len(words), _WORDS), 0, -1):
        if read := unit_of(" ".join(words[:count]).strip("()[],;")):
            return read if read.dimension not in {"people", "counted"} or count == len(words) else None
    return None


def _trailing(text: str) -> Unit | None:
    words = text.split()
    for count in range(min(len(words) - 1, _WORDS), 0, -1):
        tail = " ".join(words[-count:])
        read = unit_of(tail.strip(",;-\u2013|"))
        if (
            read
            and read.name
            and read.dimension not in {"people", "counted"}
            and not (len(tail) == 1 and tail not in {"%", "t", "\u20ac"})
        ):
            return read
    return None


def _weak(text: str, whole: Unit | None) -> _Read | None:
    """Return the unit that nouns of a label suggest: a count of people or things, hours, a share."""
    if match := _NUMBER_OF.search(text):
        for word in re.findall(r"[^\W\d_]+", match[1])[:6]:
            if word.lower() in COUNTED and (read := unit_of(word)):
                return _Read(read, 0.85)
        return None
    if whole:
        return _Read(whole, 0.8)
    if _SHARES.search(text):
        return _Read(unit_of("%"), 0.7)  # type: ignore[arg-type]
    words = [word.lower() for word in re.findall(r"[^\W\d_]+", text)]
    if words and words[-1] in {"hours", "stunden", "heures"}:
        return _Read(unit_of("hours"), 0.85)  # type: ignore[arg-type]
    for word in words[:1] + words[-1:]:
        if (
            word in PEOPLE
            and (read := unit_of(word))
            and word not in {"employee", "staff", "person", "manager", "member"}
        ):
            return _Read(read, 0.7)
    return None


@dataclass(frozen=True, slots=True)
class _Column:
    heads: tuple[str, ...]
    period: Period | None
    unit: _Read | None
    qualifier: str | None
    is_change: bool
    is_skipped: bool
    is_unit: bool
    words: str
    """What the heads say beside period and unit."""


class TableFigures:
    """Reads the rows of one table, of which the heads, caption and style are read once."""

    def __init__(self, table: Table, above: Table | None, context: Context) -> None:
        """`above` is the table whose heads count, where this one continues another."""
        self.table = table
        self.context = context
        texts = [plain(cell.text[:MAX_CELL]) for row in table.rows if row.kind == "row" for cell in row.cells]
        self.style = style_of(texts, context.style)
        self.caption = table.caption or (above.caption if above else None)
        self.columns = [
            _column(heads_of(table, at, above), context) for at in range(min(table.columns, MAX_COLUMNS))
        ]
        self.surround = [text for text in (self.caption, context.section) if text]
        self.is_index = _is_index(table, self.columns)
        self.long_years = not any(re.fullmatch(r"[12][.,' \u00a0]\d{3}", text.strip()) for text in texts)

    def row(self, at: int) -> list[Figure]:
        """Return the figures of a row, in the order of its columns; none of an index or table of contents."""
        table = self.table
        row = table.rows[at]
        if self.is_index or row.kind == "head":
            return []
        label = plain(label_of(table, at)[:MAX_CELL]) if row.kind == "row" else ""
        parents = parents_of(table, at)
        fixed = _Row(self, label, parents, self._unit_cell(row.cells))
        found: list[Figure] = []
        cells = [
            cell for cell in row.cells if cell.column >= table.labels and cell.column < len(self.columns)
        ]
        for cell in cells:
            column = self.columns[cell.column]
            if column.is_skipped or not any(map(str.isdecimal, cell.text)):
                continue
            found += [
                replace(figure, box=cell.box, cell=(at, cell.column))
                for figure in fixed.cell(cell, column, len(cells))
            ]
            if len(found) >= MAX_FIGURES:
                break
        return self._with_changes(found[:MAX_FIGURES])

    def _unit_cell(self, cells: Sequence[Cell]) -> _Read | None:
        """Return the unit that a cell of its own states."""
        for cell in cells:
            is_unit = cell.column < len(self.columns) and self.columns[cell.column].is_unit
            text = plain(cell.text[:MAX_CELL])
            if (is_unit or cell.column > 0) and not any(map(str.isdecimal, text[:1])):
                read = unit_of(text) or (unit_of(text.strip("()[]")) if is_unit or text[:1] in "([" else None)
                if read is None and is_unit and (seen := unit_in(text)):
                    read = seen.unit
                if read and (is_unit or (read.dimension not in {"people", "counted"} and read.name)):
                    return _Read(read, 0.97)
        return None

    def _with_changes(self, found: list[Figure]) -> list[Figure]:
        """Give the latest value of a row the change that another column states."""
        changes = [figure for figure in found if figure.qualifier == "change"]
        dated = [figure for figure in found if figure.qualifier != "change" and last_year(figure.period)]
        if len(changes) != 1 or changes[0].unit != "%" or not dated:
            return found
        by_year = sorted(dated, key=lambda figure: last_year(figure.period) or 0, reverse=True)
        latest = by_year[0]
        earlier = [
            figure for figure in by_year if figure.unit == latest.unit and figure.period != latest.period
        ]
        against = changes[0].against if changes[0].against != latest.period else None
        against = against or (earlier[0].period if earlier else None)
        changed = {
            id(latest): replace(latest, change=changes[0].value, against=against),
            id(changes[0]): replace(changes[0], period=latest.period, against=against),
        }
        return [changed.get(id(figure), figure) for figure in found]


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a table with what is the same for all its cells."""

    reading: TableFigures
    label: str
    parents: tuple[str, ...]
    unit_cell: _Read | None

    def cell(self, cell: Cell, column: _Column, cells: int) -> list[Figure]:
        text = _unmarked(cell.text[:MAX_CELL])
        context = self.reading.context
        if len(re.findall(r"[^\W\d_]{3,}", text)) > 7:
            return [
                replace(figure, metric=self._metric(column, figure.metric))
                for figure in figures_of_text(text, context)
            ]
        times = periods(text, context.year)
        years = self._may_be_number(text, column)
        shown = _inherited(text, list(_scan(text, self.reading.style, times, opening=False, years=years)))
        if len(shown) > 1:
            shown = [
                shown[0],
                *(seen for at, seen in enumerate(shown[1:], 1) if _says(text, shown[at - 1], seen)),
            ]
        own = [] if years else [time for time in times if time.name]
        return [self._figure(text, seen, column, own[0] if own else None) for seen in shown[:MAX_FIGURES]]

    def _may_be_number(self, text: str, column: _Column) -> bool:
        """Whether four digits such as 2023 are a count, and no year."""
        stripped = text.strip()
        if not (stripped.isdigit() and len(stripped) == 4):
            return False
        heads = " ".join(column.heads)
        return (
            bool(column.period)
            and self.reading.long_years
            and not _YEARLY.search(f"{self.label} {column.words}")
            and heads != ""
        )

    def _figure(self, text: str, seen: _Found, column: _Column, own: Period | None) -> Figure:
        unit, sure = self._unit(seen, column)
        value = seen.value
        begin, finish = seen.begin, seen.finish
        if _BRACKETED.fullmatch(text.strip()) and value > 0:
            value, begin, finish = -value, 0, len(text)
        time, timely = self._period(column, own)
        factor = unit.factor if unit else 1.0
        is_change = column.is_change
        return Figure(
            kind=_kind(unit),
            value=_rounded(value * factor),
            unit=unit.name if unit else None,
            text=text[begin:finish].strip(),
            printed=seen.number.printed,
            metric=self._metric(column),
            period=time,
            qualifier=self._qualifier(column, seen),
            against=column.period.name if is_change and column.period else None,
            confidence=round(0.97 * sure * timely, 2),
        )

    def _unit(self, seen: _Found, column: _Column) -> tuple[Unit | None, float]:
        """Return the unit of a number and how sure it is: that of its cell, label, head, group or caption."""
        scale = 1.0
        if seen.unit and seen.unit.name:
            return seen.unit, 0.97
        if seen.unit:
            scale = seen.unit.factor
        label = unit_in(_LABEL_MARK.sub("", self.label))
        if label and label.unit.name == "%" and label.sure < 0.9 and abs(seen.value) > 100:
            label = None
        if (
            label
            and label.unit.dimension in {"people", "counted"}
            and "." in seen.number.printed
            and seen.value % 1
            and label.sure < 0.9
        ):
            label = None
        options = self._ordered(label, column)
        for read in options:
            if read and read.unit.name is None:
                scale *= read.unit.factor
            elif read:
                money_scale = scale if read.unit.dimension == "currency" or scale == 1 else 1.0
                if seen.unit:
                    money_scale = scale
                return read.unit._replace(factor=read.unit.factor * money_scale), read.sure
        return (Unit(None, scale, "scale", "") if scale != 1 else None), 0.72

    def _ordered(self, label: _Read | None, column: _Column) -> list[_Read | None]:
        head = column.unit
        outer = [_less(unit_in(parent), 0.93) for parent in reversed(self.parents)]
        around = [
            _less(read, 0.86) for text in self.reading.surround if (read := unit_in(text)) and read.sure > 0.9
        ]
        if self.unit_cell and head and head.sure > 0.9 and (column.is_change or head.unit.name == "%"):
            return [head]
        if column.is_change:
            return [head, None if head else label] if not head else [head]
        own = self.unit_cell
        if label and head and not own:
            strong_head = head.sure > 0.9
            if (
                strong_head
                and not (label.sure > 0.9 and label.unit.dimension == "share")
                and not (label.unit.dimension in {"people", "counted"} and head.unit.dimension == "currency")
            ):
                return [head, label, *outer, *around]
            return [label, head, *outer, *around]
        return [own, label, head, *outer, *around]

    def _period(self, column: _Column, own: Period | None) -> tuple[str | None, float]:
        if own and own.name:
            return own.name, 0.95
        if column.period and column.period.name and not column.is_change:
            return column.period.name, 0.99
        context = self.reading.context
        for text, sure in [
            (self.label, 0.95),
            *((parent, 0.93) for parent in reversed(self.parents)),
            *((text, 0.88) for text in self.reading.surround),
        ]:
            named = {time.name for time in periods(text[:MAX_CELL], context.year) if time.name}
            if len(named) == 1:
                return named.pop(), sure
        return None, 0.9

    def _qualifier(self, column: _Column, seen: _Found) -> str | None:
        if column.is_change:
            return "change"
        if column.qualifier:
            return column.qualifier
        if part := _PART.match(self.label):
            rest = _clean(self.label[part.end() :])
            return f"of which {rest}".strip()[:80]
        for name, pattern in _SEXES:
            if pattern.match(_clean(self.label)) or (column.words and pattern.match(column.words)):
                return f"of which {name}"
        for name, pattern in _QUALIFIERS:
            if pattern.search(self.label) or pattern.search(column.words):
                return name
        return seen.about

    def _metric(self, column: _Column, more: str = "") -> str:
        """Return the label with its groups, without unit and footnote mark, and the words of the head."""
        parts = [_clean(plain(parent)) for parent in self.parents]
        caption = self.reading.caption
        if caption and len(caption) <= MAX_METRIC // 2:
            parts.insert(0, _clean(plain(caption)))
        parts += [_clean(self.label), column.words, more]
        kept: list[str] = []
        for part in parts:
            if part and part.lower() not in {one.lower() for one in kept}:
                kept.append(part)
        return " > ".join(kept)[-MAX_METRIC:]


def _less(read: _Read | None, factor: float) -> _Read | None:
    return read._replace(sure=read.sure * factor) if read else None


def _says(text: str, one: _Found, other: _Found) -> bool:
    """Whether a further number of a cell is a figure, not a footnote mark."""
    between = text[one.finish : other.begin]
    return bool(
        (other.unit and not other.inherits)
        or one.inherits
        or _RANGE.fullmatch(between)
        or "/" in between
        or "|" in between
        or "." in other.number.printed
        or "," in other.number.printed
        or other.value > 20
    )


def _unmarked(text: str) -> str:
    """Return a cell without the footnote mark behind its number."""
    return _MARK.sub("", text) if not _RANGE.search(text.strip()[1:-2]) else text


def _clean(text: str) -> str:
    """Return a label without footnote mark and without the unit in brackets or behind "in"."""
    text = _LABEL_MARK.sub("", text.strip())
    for match in reversed(list(_BRACKET.finditer(text))):
        if unit_of((match[1] or match[2]).removeprefix("in ")):
            text = (text[: match.start()] + text[match.end() :]).strip()
    if (match := _IN.search(text)) and unit_of(match[1].strip()):
        text = text[: match.start()]
    return " ".join(text.split()).strip(" ,;:-\u2013|*")


def _column(heads: tuple[str, ...], context: Context) -> _Column:
    texts = [plain(head[:MAX_CELL]) for head in heads]
    whole = " ".join(texts)
    found = [time for text in reversed(texts) for time in periods(text, context.year) if time.name]
    is_change = bool(_CHANGE.search(whole))
    period = found[0] if found else None
    if is_change and len(found) > 1:
        period = min(found, key=lambda time: time.year or 0)
    unit = next(
        (read for text in reversed(texts) if (read := unit_in(_without_periods(text, context)))), None
    )
    words = " > ".join(filter(None, (_clean(_without_periods(text, context)) for text in texts)))
    if unit and unit_of(words):
        words = ""
    qualifier = None
    for name, pattern in (*_SEXES, *_QUALIFIERS):
        if pattern.search(words):
            qualifier = f"of which {name}" if name in {"women", "men"} else name
            break
    last = texts[-1] if texts else ""
    is_unit = bool(_UNIT_HEAD.fullmatch(last))
    skipped = is_unit or bool(_SKIPPED.fullmatch(last))
    return _Column(heads, period, unit, qualifier, is_change, skipped, is_unit, "" if is_change else words)


def _without_periods(text: str, context: Context) -> str:
    for time in reversed(periods(text, context.year)):
        text = text[: time.start] + text[time.end :]
    return re.sub(r"\(\s*\)", "", text).strip()


def _is_index(table: Table, columns: list[_Column]) -> bool:
    """Whether a table lists where something stands: contents, or an index of a standard."""
    if any(column.period or (column.unit and column.unit.sure > 0.9) for column in columns[table.labels :]):
        return False
    rows = [row for row in table.rows if row.kind == "row"]
    coded = sum(any(_CODE.fullmatch(cell.text[:200]) for cell in row.cells[:2]) for row in rows)
    if rows and coded * 2 >= len(rows):
        return True
    pages = []
    for row in rows:
        last = row.cells[-1].text.strip() if row.cells else ""
        if last.isdigit() and int(last[:9]) < _WHOLE_PAGES and len(row.cells) <= table.labels + 1:
            pages.append(int(last))
    rising = sum(one <= other for one, other in zip(pages, pages[1:], strict=False))
    return (
        len(pages) >= _ROWS_OF_CONTENTS
        and len(pages) * 4 >= len(rows) * 3
        and rising == len(pages) - 1
        and pages[0] < pages[-1]
    )


def figures_of_row(table: Table, at: int, above: Table | None, context: Context) -> list[Figure]:
    """Return the figures of a row, in the order of its columns.

    `above` is the table whose heads count, where this one continues another. Who reads many rows of a table
    makes one `TableFigures`.
    """
    return TableFigures(table, above, context).row(at)


# --- What a passage that was stored without its figures says ----------------------------------------------

_STORED_YEAR = re.compile(
    r"(?:(?<![\w.,/:$\u20ac\u00a3-])|(?<=FY)|(?<=(?:19|20)\d\d[-\u2013/])|(?<=\d\d\.))"
    r"(199\d|20\d\d|2100)(?![\w%:]|/\d{3}|[.,]\d)"
)


def figures(text: str) -> list[Figure]:
    """Return amounts, percentages, quantities and years of a text, in the order they stand.

    1990 to 2100 is a year where no unit follows.
    """
    if not any(map(str.isdecimal, text)):
        return []
    found = [figure for figure in figures_of_text(text, Context()) if figure.kind != "number"]
    at = 0
    placed: list[tuple[int, Figure]] = []
    for figure in found:
        at = max(text.find(figure.text, at), at)
        placed.append((at, figure))
    for match in _STORED_YEAR.finditer(text):
        if not any(start <= match.start() < start + len(figure.text) for start, figure in placed):
            placed.append(
                (match.start(1), Figure(kind="year", value=float(match[1]), unit="year", text=match[1]))
            )
    return [figure for _, figure in sorted(placed, key=lambda pair: pair[0])]
