"""ESRS data points of figures: which of the points in `datapoints.toml` a figure states, if any.

A figure gets a code where its label and heads say the point's words, its unit fits and nothing speaks for a
part, a target or a change. How sure that is comes from a logistic model of few features; below its threshold
a figure has none, since a wrong value is worse than a missing one.
"""

from __future__ import annotations

import math
import re
import tomllib
import unicodedata
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from shared.platform.tables import Figure
from shared.text.stated import unit_in
from shared.text.units import unit_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

F = TypeVar("F", bound=Figure)

FILE = Path(__file__).with_name("datapoints.toml")
MAX_LABEL = 400
"""Characters of a label, head or heading that are looked at."""
_GAP = r"(?:\S+ ){0,3}"
_BEHIND = 40  # characters of a sentence behind its figure that can make it another's
_BEGINS = re.compile(r"[.;:,()\n]\s")
_NUMBER = re.compile(r"(?<!\d)(?!(?:19|20)\d\d(?!\d)|[123] )\d")
_SINCE = re.compile(" (?:since|seit|depuis|dal) ")
_CLAUSE = re.compile(r"[.;:(\n]|\d")
_TAIL = re.compile(r"[.;,\n]\s|\d")
_BEFORE = 60  # characters of a sentence before its figure that can make it a change or a target
_DASHES = re.compile(r"[^\w%<>]+")
_LEVELS = re.compile(r"(?i) > (?!\d\d ?(?:years|yrs|ans|jahre|anni|$))")  # "Employees > 50 years" is one
_BRACKETS = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
_ASIDES = re.compile(r"[(\[](?:incl|excl|e\.g|i\.e|see|note)[^()\[\]]*[)\]]", re.IGNORECASE)
_BROKEN_DOWN = re.compile(
    r" (?:by|per|nach|par) (?:region|country|countries|type|source|gender|age|location|site|segment|business"
    r"|category|function|level|employment|contract|geograph|sex|division|pays|land|regione|geschlecht)"
)
_SHARE = re.compile(" (?:%|percent\\w*|share|ratio|rate|proportion|anteil|quote|taux|part|tasso|quota) ")
_AIM = re.compile(" (?:by|until|bis|d ici|entro(?: il)?) (?:the end of )?20[0-9][0-9] |^ [0-9]+ % ")
_DATE = re.compile(r"(?:fy|cy)?\d+")
_YEAR = re.compile(" (?:fy)?(?:19|20)[0-9][0-9] ")
_SURE_WIDTH = 13  # characters of a label that need no heading to be understood
_PHYSICAL = frozenset({"carbon", "energy"})
_LARGE = 3  # digits; ages have fewer
_MANY = 4  # unexplained words, beyond which more say nothing new
_ASIDE = 0.4  # how much an unknown word in brackets counts
_BY = re.compile(" (?:by|per|nach|par) ")
_ALL = re.compile(
    " (?:total|group|overall|global|worldwide|company|consolidated|gesamt|konzern|groupe|totale|gruppo) "
)
_SEXES = frozenset({" m ", " f ", " w ", " d "})
_BARE = 14  # characters of a phrase that is no more than the noun
_NOUNS = frozenset({"people", "count", "currency"})
_MEASURES = frozenset({"mass", "energy", "volume"})  # dimensions of units
_MAX_HEADING = 14  # words; what is longer is a sentence
_PER = re.compile(r"/| per ")
_TIME = re.compile(r"(?:year|yr|a|annum|month)")
_NOTE = re.compile(r"(?<=[a-z\d)])(?<!awa)(?:viii|vii|vi|iii|ii|iv|ix)\b|(?<=\d)i\b")
_DIFFERENCES = frozenset({"S1-16.pay_gap"})
_DECIMALS = re.compile(r"\d[.,]\d\d?$")
_WHOLE_SHARE = 100
_LEAST_PEOPLE = 100  # in a sentence that does not say that they are people
_LEAST_TONNES = 1000
_INDEXED = re.compile(r"(?:^|> )(?:GRI )?[1-4]\d\d-\d+ [^>]*$")
"""A label of an index of disclosures, whose numbers are pages."""
_TWO_METHODS = frozenset({"E1-6.scope12", "E1-6.total"})  # by location and by market
_TAXONOMY = "TAX."
_AT_MOST = 20.0  # the most by which it grows in some years
_FEW = 20  # up to which numbers of cases are alike
_YEARS_APART = 2.0  # the most by which a value grows in a year, nearly always
_NO_VALUE = re.compile(r"(?i)(?:[\u2265\u2264<>*]|\bn\u00b0|\b(?:by|um|per|scope|item|table)) ?$")
"""What stands before an aim, a footnote's mark, a name's number or a difference."""
_AIMS = re.compile(
    r"(?i)\b(?:will|by (?:the end of )?20(?:2[5-9]|[3-5]\d))\b"
    r"|\b(?:targets?|goals?|ziele?|objectifs?|obiettivi)\b[^:]{0,200}:"
)
"""What stands in a sentence before an aim."""
_MARK = re.compile(r"[1-3]?\d")
_ENDS = re.compile(r"[.!?]")
_CONTENTS = re.compile(r"\W*\d+(?:\.\d+)+\.? [^.\d]+ \d{1,3}\W*")
"""A line of a table of contents."""
_YEARS = re.compile(r"\b(20\d\d) ?[-\u2013/] ?(20\d\d)\b")
_AT_START = re.compile(r"(?:^|[.!?|]\s+)$")
_INDEX = re.compile(r"(?i)content index|concordance|inhaltsindex|indice dei contenuti")
_COUNTRY = re.compile(r"\bU\.?S\.?(?:A\.?)?(?![\w$]| (?:million|billion|dollar|cent))|\bU\.?K\.?(?!\w)")
_SCOPE = re.compile(r"\bscopes? (i{1,3})\b")
_SUPERSCRIPT = re.compile("(?<!m)[\u00b2\u00b3]|[\u00b9\u2070\u2074-\u2079]")


class Features(NamedTuple):
    """What the score is made of."""

    own_width: int
    """How many characters of the label or the column's head say it."""
    width: int
    """The same with the headings."""
    label: float
    """How many words of the label nothing explains; those in brackets count less."""
    head: float
    """The same of the column's head."""
    lacks_unit: bool
    """Whether it has no unit but needs one."""
    prose: bool
    partly: bool
    """Whether words are unexplained and the data point is `only_all`."""
    place: bool
    """Whether a heading names a place or a group of people."""
    headings: float
    """How many words of the heading above nothing explains, where the data point has `known_headings`."""


class Found(NamedTuple):
    """A data point that a figure may state."""

    code: str
    score: float
    width: int
    """How many characters of the label, heads and headings say it."""
    features: Features


@dataclass(frozen=True, slots=True, kw_only=True)
class Datapoint:
    """A data point with its ways of saying, ready to match; see the head of `datapoints.toml`."""

    code: str
    name: str
    topic: str | None
    units: frozenset[str]
    says: tuple[tuple[re.Pattern[str], ...], ...]
    parts: re.Pattern[str]
    """Any part of a way of saying it; most labels have none, and are not looked at further."""
    sure: re.Pattern[str] | None
    excluded: re.Pattern[str] | None
    never: re.Pattern[str] | None
    known: re.Pattern[str]
    """Any single word of its ways of saying."""
    only_all: bool
    known_headings: bool
    heading_counts: bool


class Words(NamedTuple):
    """What counts for all data points alike."""

    neutral: re.Pattern[str]
    whole: re.Pattern[str]
    """`neutral`, and what stands for the whole of what is said above it."""
    telling: re.Pattern[str]
    """The same of sentences: their verbs."""
    blocked: re.Pattern[str]
    places: re.Pattern[str]
    groups: re.Pattern[str]
    """Words that name a group of people."""
    parts: re.Pattern[str]
    """`groups`, and divisions."""
    units: dict[str, str]
    weights: dict[str, float]
    """The score's weight of each feature, with its "constant" and the "threshold"."""


def datapoints() -> tuple[Datapoint, ...]:
    """Return the data points of the file, in its order."""
    return _loaded()[0]


@cache
def names() -> dict[str, str]:
    """Return the name of each code, without the patterns, which take half a second to compile."""
    return {code: str(entry["name"]) for code, entry in _entries().items()}


@cache
def directions() -> dict[str, Literal["lower", "higher"]]:
    """Return in which direction a change is for the better, of the codes where that is clear."""
    return {code: entry["better"] for code, entry in _entries().items() if "better" in entry}


def topic_of(code: str) -> str | None:
    """Return the topic of a data point; None if it has none, or there is no such data point."""
    topic: str | None = _entries().get(code, {}).get("topic")
    return None if topic == "none" else topic


@cache
def _entries() -> dict[str, dict[str, Any]]:
    file = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {entry["code"]: entry for entry in file["datapoint"]}


def assign(
    figures: Sequence[Figure],
    *,
    text: str,
    topics: Sequence[str] = (),
    heading: str | None = None,
    organisation: str | None = None,
) -> list[Figure]:
    """Return the figures of a passage with their topic and, where one is sure, their data point.

    `text` is the passage's, `topics` are its topics, best first, `heading` is the heading above the passage
    or the caption of its table; the name of the organisation says nothing in a label.
    """
    codes: list[str | None] = []
    for figure, stated in zip(figures, _stated(figures, text, heading, organisation), strict=True):
        best = _best(stated, figure, text) if _may_have(figure, text, heading or "") else None
        sure = best and best.score >= _loaded()[1].weights["threshold"] and _can_be(figure, best.code)
        codes.append(best.code if best and sure else None)
    result = []
    for figure, code in zip(figures, _unambiguous(figures, codes), strict=True):
        point = _by_code()[code] if code else None
        topic = (point and point.topic) or (topics[0] if topics else None)
        # A sentence says of what its tonnes are once: "358,000 t CO2e, against 414,000 tonnes in 2024".
        unit = "tCO2e" if point and "carbon" in point.units and figure.unit == "t" else figure.unit
        result.append(replace(figure, topic=topic, datapoint=code, unit=unit))
    return result


def told_apart(figures: Sequence[F]) -> list[F]:
    """Take data points from figures of a document where others of the same table have a better claim.

    Of those in one column and of one period that claim one data point of the whole organisation, or that have
    one label, the one of a total keeps it, else the first. `figures` are all of the document's, in its order:
    of a part of a table the answer would be another one.
    """
    claims: dict[tuple[object, ...], list[F]] = {}
    for figure in figures:
        if figure.datapoint and figure.cell:
            claims.setdefault(_claim(figure, figure.datapoint), []).append(figure)
    kept = {
        key: next((each for each in rivals if each.qualifier == "total"), rivals[0]).value
        for key, rivals in claims.items()
    }
    return [
        replace(figure, datapoint=None)
        if figure.datapoint and figure.cell and figure.value != kept[_claim(figure, figure.datapoint)]
        else figure
        for figure in figures
    ]


def _claim(figure: Figure, code: str) -> tuple[object, ...]:
    point = _by_code().get(code)  # None: stored before the file was changed
    is_one = point is not None and point.only_all and code not in _TWO_METHODS
    label = "" if is_one else figure.metric
    return figure.table, code, figure.unit, figure.period, figure.cell and figure.cell[1], label


def _unambiguous(figures: Sequence[Figure], codes: Sequence[str | None]) -> list[str | None]:
    """Take a code from figures of one passage that are of one period and cannot all be its value.

    The columns of a row whose heads were not found can be years, which are alike, or parts. In rows of the
    EU taxonomy the first is the share, the others are criteria and other years.
    """
    claims: dict[tuple[str, str | None], list[int]] = {}
    for at, (figure, code) in enumerate(zip(figures, codes, strict=True)):
        if code:
            claims.setdefault((code, figure.unit), []).append(at)
    kept = list(codes)
    for (code, _), places in claims.items():
        if code.startswith(_TAXONOMY):
            firsts = {figures[at].period: at for at in reversed(places)}.values()
            lost = [at for at in places if at not in firsts]
        else:
            lost = _ambiguous(figures, places)
        for at in lost:
            kept[at] = None
    return kept


def _ambiguous(figures: Sequence[Figure], places: Sequence[int]) -> list[int]:
    """Return which of the figures that claim a data point in a passage are not told apart."""
    values = [abs(figures[at].value) for at in places]
    if max(values) > _AT_MOST * min(filter(None, values), default=1):
        return list(places)
    by_period: dict[str | None, list[int]] = {}
    for at in places:
        by_period.setdefault(figures[at].period, []).append(at)
    lost = []
    for period, same in by_period.items():
        distinct = {abs(figures[at].value) for at in same}
        alike = period is None and figures[same[0]].cell is not None
        most = max(_FEW, _YEARS_APART * min(distinct))
        if len(distinct) > 1 and not (alike and max(distinct) <= most):
            totals = [at for at in same if figures[at].qualifier == "total"]
            lost += [at for at in same if [at] != totals]
    return lost


def _can_be(figure: Figure, code: str) -> bool:
    """Whether the number can be one of the data point: people and cases are counted in whole numbers."""
    if code in _DIFFERENCES:
        return True
    counts_only = _by_code()[code].units <= {"people", "count", "none"}
    is_whole = float(figure.value).is_integer() and not _DECIMALS.search(figure.printed)
    is_zeros = len(figure.printed) > 1 and not figure.printed.strip("0")  # "000 tonnes"
    is_value = figure.value >= 0 and figure.qualifier != "change" and not is_zeros
    units = _by_code()[code].units
    if (
        figure.cell is None
        and figure.unit is None
        and code.startswith("S1-6.")
        and figure.value < _LEAST_PEOPLE
    ):
        return False
    if units == {"share"} and figure.value > _WHOLE_SHARE:
        return False  # an amount in the column of shares
    if figure.unit is None and "carbon" in units and figure.value < _LEAST_TONNES:
        return False  # a page, or millions of tonnes
    return (
        is_value
        and (is_whole or not counts_only)
        and not (figure.unit is None and _INDEXED.search(figure.metric))
    )


def _best(stated: Stated, figure: Figure, text: str) -> Found | None:
    """Return what a figure states most likely, by its metric or by the words before it in its sentence."""
    found = candidates(stated)
    if stated.prose and _SINCE.search(_normal(stated.behind)):
        return None  # more than a year's
    if stated.prose and any(map(_loaded()[1].places.fullmatch, _normal(stated.before).split())):
        return None
    if stated.prose and (before := _clause_before(figure, text)):
        found += tuple(
            each
            for each in candidates(stated._replace(metric=before))
            if each.features.own_width >= _SURE_WIDTH
        )
    return max(found, key=lambda each: each.score, default=None)


def _clause_before(figure: Figure, text: str) -> str:
    """Return the words of the clause before a figure, if it is the clause's first."""
    at = _place(figure, text)
    clause = _BEGINS.split(text[max(at - MAX_LABEL, 0) : at])[-1] if at > 0 else ""
    return "" if _NUMBER.search(clause) else clause


def _stated(
    figures: Sequence[Figure], text: str, heading: str | None, organisation: str | None
) -> Iterator[Stated]:
    """Yield what stands at each figure: of a row, its label and the head of the column come from its text."""
    row, bar, _ = text.rpartition(" | ")
    for figure, head in zip(figures, _heads(figures, text), strict=True):
        metric = figure.metric
        if figure.cell is not None and bar:
            said = _normal(f"{row} {head}", 2 * MAX_LABEL)
            above = [
                part
                for part in _LEVELS.split(metric)
                if _normal(part) not in said and len(part.split()) <= _MAX_HEADING
            ]
            named = [part for part in _LEVELS.split(row) if not _is_unit(part)]
            metric = " > ".join([*above, *(named or [row])])
        prose = figure.cell is None
        at = _place(figure, text) if prose else -1
        end = at + len(figure.text)
        behind = _CLAUSE.split(text[end : end + _BEHIND])[0] if at >= 0 else ""
        only_year = _YEAR.search(_normal(head)) and _is(_loaded()[1].neutral, _normal(head))
        over = "" if only_year else head  # without years the columns of a row are one case
        unit = _kind(figure, text[max(at - _BEFORE, 0) : at] if at > 0 else "")
        tail = _TAIL.split(text[max(at - MAX_LABEL, 0) : at])[-1] if at > 0 else ""
        yield Stated(metric[-MAX_LABEL:], over, heading or "", unit, prose, behind, organisation or "", tail)


def _is_unit(text: str) -> bool:
    """Whether a level of a label is nothing but a unit: "kWh / year"; "hours per employee" says more."""
    unit = unit_of(text)
    return unit is not None and (unit.dimension in _MEASURES or (unit.dimension == "rate" and "/" in text))


def datapoint_of_query(words: str) -> list[str]:
    """Return the codes that words of a search ask for, best first: "scope 1 emissions" is E1-6.scope1."""
    text = _normal(words)
    found = []
    for point in datapoints():
        width = max((_width(phrase, (text,)) for phrase in point.says), default=0)
        if width and not (point.excluded and point.excluded.search(text)):
            found.append((-width, point.code))
    widest = min(found, default=(0, ""))[0]
    return [code for width, code in sorted(found) if width <= widest * 0.7]


class Label(NamedTuple):
    """What stands at a figure, each part normalised."""

    own: tuple[str, str]
    """Label of the row, head of the column."""
    aside: str
    """Words of these two that stand in brackets."""
    above: tuple[str, ...]
    """Headings of the row from the top, and last the heading above the table or passage."""
    unit: str
    """Kind of units, "none" where there is none."""
    prose: bool
    behind: str
    """The words of a sentence behind the figure."""
    before: str
    """The words of a sentence before the figure, from the last comma or number."""


class Stated(NamedTuple):
    """What stands at a figure, as printed."""

    metric: str
    head: str = ""
    """The head of the column."""
    heading: str = ""
    """The heading above the passage or table."""
    unit: str = "none"
    """Kind of units."""
    prose: bool = False
    behind: str = ""
    """The words of a sentence behind the figure."""
    organisation: str = ""
    before: str = ""
    """The words of a sentence before the figure."""


@lru_cache(maxsize=4096)
def candidates(stated: Stated) -> tuple[Found, ...]:
    """Return the data points that a label can mean, best first."""
    words = _loaded()[1]
    names = frozenset(
        word
        for word in _normal(stated.organisation).split()
        if not words.neutral.fullmatch(word) and not _said_words().fullmatch(word)
    )
    metric, head = (
        _BRACKETS.sub(_without_unit, _ASIDES.sub(" ", text[:MAX_LABEL]))
        for text in (stated.metric, stated.head)
    )
    *parents, label = [_without(_normal(part), names) for part in _LEVELS.split(metric)]
    label, down = _whole(label), label[len(_whole(label)) :]
    top = _without(_normal(head), names)
    if _names_no_value(label, top) or any(map(words.places.fullmatch, down.split())):
        return ()
    while parents and _is(words.whole, label) and _is(words.whole, top):
        label = _whole(parents.pop()).rstrip() + label
    above = (*parents, _normal(stated.heading))
    if _is(words.neutral, label) and _is(words.neutral, top):
        if not _ALL.search(label):
            return ()
        label, above = above[-1].rstrip() + label, (*parents, " ")
    aside = _normal(" ".join(_BRACKETS.findall(f"{metric} {head}")))
    beside = _normal(stated.behind), _normal(_ASIDES.sub(" ", stated.before))
    read = Label((label, top), aside, above, stated.unit, stated.prose, *beside)
    is_share = read.unit != "none" or any(map(_SHARE.search, read.own))
    fitting = [
        point
        for point in datapoints()
        if read.unit in point.units or (read.unit == "none" and (is_share or point.units != {"share"}))
    ]
    found = [each for point in fitting if (each := _judged(point, read, words))]
    return tuple(sorted(found, key=lambda each: (-each.score, -each.width)))


def _names_no_value(label: str, head: str) -> bool:
    """Whether a row or column is one of aims, of women or men alone, or has no label but a value."""
    return bool(head in _SEXES or _AIM.search(label) or _AIM.search(head) or _is_value(label))


def _is_value(label: str) -> bool:
    """Whether a label is nothing but a value: "5,900,000", not "2021" or "30-50"."""
    words = label.split()
    return all(map(str.isdecimal, words)) and any(
        len(word) >= _LARGE and not _YEAR.search(f" {word} ") for word in words
    )


def _without_unit(found: re.Match[str]) -> str:
    return " " if _is_unit(found[1]) else found[0]


def _whole(label: str) -> str:
    """Return a label without what it is broken down by."""
    return _BROKEN_DOWN.split(label)[0].rstrip() + " "


def _judged(point: Datapoint, read: Label, words: Words) -> Found | None:
    if not any(map(point.parts.search, read.own)):
        return None
    own_width, width = _widths(point, read)
    counts = point.units & {"people", "count", "rate"}
    lacks_unit = read.unit == "none" and ("none" not in point.units or (read.prose and not counts))
    around = point.heading_counts or lacks_unit or (own_width < _SURE_WIDTH and read.unit not in _PHYSICAL)
    if not width or _is_excluded(point, read, own_width, around=around):
        return None
    if read.prose:
        words = words._replace(neutral=words.telling)
    unknown = [_unknown(text, read.aside, point, words) for text in read.own]
    if None in unknown:
        return None
    label, head = (each or 0 for each in unknown)
    named = any(part.search(read.own[0]) for phrase in point.says for part in phrase)
    if not named and label > (1 if _ALL.search(read.own[0]) else 0):
        return None
    parent = _whole(read.above[-2]) if len(read.above) > 1 else " "
    headings = _unknown(parent, "", point, words) if point.known_headings else 0
    features = Features(
        own_width=own_width,
        width=width,
        label=min(label, _MANY),
        head=min(head, _MANY),
        lacks_unit=lacks_unit,
        prose=read.prose,
        partly=point.only_all and label + head > 0,
        place=any(_is_place(each, words) for each in read.above)
        or any(_is_group(_whole(each), point, words) for each in read.above[:-1]),
        headings=min(headings or 0, _MANY),
    )
    z = words.weights["constant"] + sum(
        words.weights[name] * value for name, value in features._asdict().items()
    )
    return Found(point.code, 1 / (1 + math.exp(-z)), width, features)


def _widths(point: Datapoint, read: Label) -> tuple[int, int]:
    """Return how many characters of the label and head, and of these and the headings, say it best."""
    best = (0, 0)
    for phrase in point.says:
        here = max(_width(part, read.own) for part in (phrase, *((each,) for each in phrase)))
        if here and (each := _width(phrase, (*read.own, *read.above))):
            best = max(best, (here, each))
    return best


def _is_excluded(point: Datapoint, read: Label, own_width: int, *, around: bool) -> bool:
    """Whether other words say that it is another thing; `around` are the words of the heading above, too."""
    sure = point.sure and any(map(point.sure.search, read.own))
    if point.excluded and not sure and any(map(point.excluded.search, (*read.own, read.behind, read.before))):
        return True
    if read.prose and point.only_all and own_width < _BARE and read.unit in _NOUNS:
        return True  # "representing 400 workers" names nobody's whole
    above = read.above[: None if around else -1]
    return bool(point.never and any(map(point.never.search, (*read.own, *above))))


def _width(phrase: Sequence[re.Pattern[str]], texts: Sequence[str]) -> int:
    """Return how many characters the parts of a phrase take, 0 if one is missing."""
    width = 0
    for part in phrase:
        most = max((len(found[0]) for text in texts if (found := part.search(text))), default=0)
        if not most:
            return 0
        width += most - 1
    return width


def _unknown(text: str, aside: str, point: Datapoint, words: Words) -> float | None:
    """Count the words that nothing explains; None: one of them says that this is another thing."""
    count = 0.0
    for word in text.split():
        if _DATE.fullmatch(word) or point.known.fullmatch(word):
            continue
        if any(each.fullmatch(word) for each in (words.blocked, words.places, words.parts)):
            return None
        if not words.neutral.fullmatch(word):
            count += _ASIDE if f" {word} " in aside else 1.0
    return count


def _is(words: re.Pattern[str], text: str) -> bool:
    """Whether a text consists of these words alone, and of numbers only where they are a date."""
    has_year = _YEAR.search(text) is not None
    return all(words.fullmatch(word) or (has_year and _DATE.fullmatch(word)) for word in text.split())


def _is_place(text: str, words: Words) -> bool:
    return not _BY.search(text) and any(map(words.places.fullmatch, text.split()))


def _is_group(text: str, point: Datapoint, words: Words) -> bool:
    """Whether a heading is nothing but a group of people, which the data point is not of."""
    unknown = [word for word in text.split() if not words.neutral.fullmatch(word)]
    return bool(unknown) and all(
        words.groups.fullmatch(word) and not point.known.fullmatch(word) for word in unknown
    )


@cache
def _said_words() -> re.Pattern[str]:
    """Match a word that names some data point, which a label needs: "water", also of a water company."""
    phrases = chain.from_iterable(chain.from_iterable(point.says for point in datapoints()))
    found = {word for phrase in phrases for word in re.findall(r"\(\?:([^()|\s]+)\)", phrase.pattern)}
    return re.compile("|".join(sorted(found)))


def _without(text: str, names: frozenset[str]) -> str:
    return f" {' '.join(word for word in text.split() if word not in names)} " if names else text


def _may_have(figure: Figure, text: str, heading: str) -> bool:
    if figure.kind == "year" or figure.qualifier == "target" or figure.unit == "pp":
        return False
    years = _YEARS.search(figure.metric)
    is_change = years is not None and years[1] > years[2]
    is_listed = _INDEX.search(heading) or _INDEX.search(figure.metric) or _CONTENTS.fullmatch(text)
    if is_change or is_listed:
        return False
    is_bare = figure.cell is None or figure.unit is None
    if is_bare and figure.printed and figure.printed in figure.metric.split():
        return False  # "employees under 30" has no value
    if figure.cell is not None:
        return True
    at = max(_place(figure, text), 0)
    before = text[max(at - MAX_LABEL, 0) : at]
    if (
        _NO_VALUE.search(before)
        or _AIMS.search(_ENDS.split(before)[-1])
        or _is_mark(figure, before, text[at:])
    ):
        return False
    return not any(map(_loaded()[1].blocked.fullmatch, _normal(before[-_BEFORE:]).split()))


def _place(figure: Figure, text: str) -> int:
    """Return where a figure stands in a text, -1 if nowhere; not within another number."""
    found = re.search(rf"(?<![\d.,]){re.escape(figure.text)}(?!\d)", text)
    return found.start() if found else text.find(figure.text)


def _is_mark(figure: Figure, before: str, here: str) -> bool:
    """Whether a number is that of a footnote: "(1)", or "7 Number of" at the start of a sentence."""
    if not _MARK.fullmatch(figure.printed):
        return False
    behind = here[len(figure.printed) :]
    begins = _AT_START.search(before) and behind[:1] == " " and behind[1:2].isupper()
    return bool(begins or (before.endswith("(") and behind.startswith(")")))


def _heads(figures: Sequence[Figure], text: str) -> list[str]:
    """Return the head of each figure's column, as the text of its row has it: "head: value; head: value"."""
    if not figures or figures[0].cell is None or " | " not in text:
        return [""] * len(figures)
    cells = text.rsplit(" | ", 1)[1].split("; ")
    heads, at = [], 0
    for figure in figures:
        ends = (figure.text, figure.printed or figure.text)
        found = next((n for n in range(at, len(cells)) if cells[n].endswith(ends)), None)
        heads.append(cells[found].rpartition(": ")[0] if found is not None else "")
        at = found + 1 if found is not None else at
    return heads


def _kind(figure: Figure, before: str = "") -> str:
    """Return the kind of a figure's unit: "share", "carbon", "energy/" if it is per something, "none".

    A figure without a unit has that of its row's headings, or that in brackets before it in its sentence.
    """
    if figure.kind == "amount":
        return "currency"
    if figure.kind == "percentage":
        return "share"
    unit = figure.unit
    if unit is None:
        brackets = (f"({each})" for each in reversed(_BRACKETS.findall(before)))
        said = brackets if figure.cell is None else reversed(_LEVELS.split(figure.metric))
        unit = next((each.unit.symbol for each in map(unit_in, said) if each), None)
    if not unit:
        return "none"
    first, *per = _PER.split(unit, maxsplit=1)
    kind = _loaded()[1].units.get(first.strip().lower(), "count")
    return f"{kind}/" if per and not _TIME.fullmatch(per[0].strip()) else kind


@cache
def _by_code() -> dict[str, Datapoint]:
    return {point.code: point for point in datapoints()}


@lru_cache(maxsize=8192)
def _normal(text: str, most: int = MAX_LABEL) -> str:
    """Return the words of a text in lower case, without accents and marks, a space around each."""
    text = _COUNTRY.sub(lambda found: " uk " if "K" in found[0] else " usa ", text[:most])
    text = _NOTE.sub("", text)
    text = _SUPERSCRIPT.sub("", text)
    text = unicodedata.normalize("NFKD", text).replace("&", " and ").replace("+", " and ").lower()
    text = "".join(letter for letter in text if not unicodedata.combining(letter)).replace("\u00df", "ss")
    text = _DASHES.sub(" ", text.replace("<", " < ").replace(">", " > ").replace("%", " % "))
    text = _SCOPE.sub(lambda found: f"scope {len(found[1])}", text)
    return f" {' '.join(text.replace('_', ' ').split())} "


@cache
def _loaded() -> tuple[tuple[Datapoint, ...], Words]:
    file = tomllib.loads(FILE.read_text(encoding="utf-8"))
    lists = {name: value for name, value in file["words"].items() if isinstance(value, list)}
    points = tuple(_datapoint(entry, lists) for entry in file["datapoint"])
    plain = {name: value.split() for name, value in file["words"].items() if isinstance(value, str)}
    units = {unit.lower(): kind for kind, all_units in reversed(file["units"].items()) for unit in all_units}
    any_of = {name: "|".join(_word(word) for word in each) for name, each in plain.items()}
    return points, Words(
        neutral=re.compile(any_of["neutral"]),
        whole=re.compile(f"{any_of['neutral']}|{any_of['whole']}"),
        telling=re.compile(f"{any_of['neutral']}|{any_of['telling']}"),
        blocked=re.compile(any_of["blocked"]),
        places=re.compile(any_of["places"]),
        groups=re.compile(any_of["groups"]),
        parts=re.compile(f"{any_of['groups']}|{any_of['divisions']}"),
        units=units,
        weights={name: float(weight) for name, weight in file["score"].items()},
    )


def _datapoint(entry: dict[str, object], lists: dict[str, list[str]]) -> Datapoint:
    sure, excluded, never = (_strings(entry, name) for name in ("sure", "not", "never"))
    says = [*_strings(entry, "says"), *sure]
    spelt = " ".join(word for way in (*says, *_strings(entry, "also")) for word in _spelt_out(way, lists))
    words = {word for word in re.split(r"[ |()+~]+", spelt) if word}
    topic = str(entry["topic"])
    phrases = tuple(tuple(_pattern([part], lists) for part in way.split(" + ")) for way in says)
    return Datapoint(
        code=str(entry["code"]),
        name=str(entry["name"]),
        topic=None if topic == "none" else topic,
        units=frozenset(_strings(entry, "units")),
        says=phrases,
        parts=re.compile("|".join(f"(?:{part.pattern})" for phrase in phrases for part in phrase)),
        sure=_pattern(sure, lists) if sure else None,
        excluded=_pattern(excluded, lists) if excluded else None,
        never=_pattern(never, lists) if never else None,
        known=re.compile("|".join(map(_word, sorted(words)))),
        only_all=bool(entry.get("only_all")),
        known_headings=bool(entry.get("known_headings")),
        heading_counts=bool(entry.get("heading_counts")),
    )


def _strings(entry: dict[str, object], name: str) -> list[str]:
    value = entry.get(name, [])
    if not isinstance(value, list):
        raise TypeError(f"{name} of {entry.get('code')} must be a list")
    return [str(each) for each in value]


def _spelt_out(phrase: str, lists: dict[str, list[str]]) -> Iterable[str]:
    for word in phrase.split():
        yield from lists[word[1:]] if word.startswith("@") else [word]


def _pattern(phrases: Iterable[str], lists: dict[str, list[str]]) -> re.Pattern[str]:
    return re.compile(" " + f"(?:{'|'.join(_phrase(each, lists) for each in phrases)})")


def _phrase(phrase: str, lists: dict[str, list[str]]) -> str:
    """Return the expression of a phrase; each word ends with its space, so that the next one begins there."""
    parts = []
    for token in phrase.split():
        word = token.strip("()")
        if word.startswith("@"):
            expression = f"(?:{'|'.join(_phrase(each, lists) for each in lists[word[1:]])})"
        elif word == "~":
            expression = _GAP
        else:
            expression = f"(?:{'|'.join(map(_word, word.split('|')))}) "
        parts.append(f"(?:{expression})?" if token.startswith("(") else expression)
    return "".join(parts)


def _word(word: str) -> str:
    stem = _normal(word.rstrip("*")).strip()
    if not stem:
        raise ValueError(f"{word!r} is no word of a label")
    return re.escape(stem) + (r"\w*" if word.endswith("*") else "")
