"""Key figures of sentences: numbers with what they measure, their unit, period and qualifier."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from shared.platform.tables import Figure
from shared.text.mentions import NOUNS, inherited, kind_of, mentions, scaled
from shared.text.numbers import Style, style_of
from shared.text.periods import Period, periods
from shared.text.sentences import split_sentences
from shared.text.stated import unit_in
from shared.text.units import unit_of
from shared.text.vocabulary import any_of, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.platform.tables import PassageKind
    from shared.text.mentions import Mention

MAX_FIGURES = 200
"""Limit on the figures of one passage."""
MAX_SENTENCE = 10_000
"""Limit on the characters of a sentence that are read for figures."""
MAX_METRIC = 240
"""Limit on the name of what is measured, in characters."""
_WINDOW = 60  # characters before a number that tell a change or qualifier
_LEAD = 40  # characters before a period
_ROUND = 10  # percentages that it divides are those of an axis, if there is no word with them
_COUNTS = 0.8  # how sure a unit is that "number of" or "hours" show
_STATED, _INHERITED, _BARE = 0.68, 0.55, 0.4
"""Share of 300 figures of sentences of 13 reports of which value, unit, metric and period were right: with
a unit of their own, with that of another number, without one."""
_LABEL = 4  # spaces of a fragment; one with more may begin with the number of a note
_BETWEEN = 6  # spaces between two numbers of an enumeration
_PHRASE = 12  # words of a metric on either side of the number
_AROUND = 160  # characters of them
_FAR = 12  # characters by which a period before a number is taken to be farther off than one behind it
_BREAK = 25  # the same for each comma between


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What surrounds a row or a text: from it comes what its figures leave out."""

    style: Style = field(default_factory=Style)
    """How the document writes numbers."""
    year: int | None = None
    """Year of the report."""
    reported: int | None = None
    """The year of figures of which nothing else is said: that before, if the report's is when it came out."""
    section: str | None = None
    """The nearest heading above."""
    kind: PassageKind = "text"


_COMPARED = re.compile(
    rf"{any_of('compared')}\s+(?:the |a |an |its |our )?{any_of('base year')}?(?: of)? ?"
    r"(?:fiscal |financial |year |in )?\(?$",
    re.IGNORECASE,
)
_SINCE = re.compile(rf"{any_of('since')}\s+(?:the |l'|dem )?(?:jahr |année |end of )?$", re.IGNORECASE)
_LONG = re.compile(
    r"\b(?:two|three|four|five|ten|[2-9]|10)-year\b|\b(?:over|in) the (?:last|past) \w{1,9} years\b"
    r"|\b(?:drei|f\u00fcnf)jahres|\btriennio\b|\bces (?:trois|cinq) ann\u00e9es",
    re.IGNORECASE,
)
_AGAINST = re.compile(rf"{any_of('compared')}\s", re.IGNORECASE)
_OTHER = re.compile(  # what stands before a number that another one is compared with
    rf"(?:{any_of('compared')}|\b(?:from|than|after|instead of|de|von|da|contro|statt))"
    rf"\s+(?:{any_of('about')} |only )?[^\w\s]?$",
    re.IGNORECASE,
)
_OWN_TIME = re.compile(
    r"[^\W\d_]*\)?,? \(?(?:in|en|im|nel|for|at the end of) "
    rf"(?:(?:the|fiscal|financial|year|{any_of('base year')}) ){{0,2}}",
    re.IGNORECASE,
)
_BULLET = re.compile(r"\s*[\u2013\u2212-]\s+$")
_ITEM = re.compile(r"\s*[\u2022\u2013-]\s(?P<label>[^\W\d_][^:\n.;]{1,40}):\s")
_THEN = re.compile(r"\s?\(\D{0,12}|,?\s(?:in cui|in which|when|where|o\u00f9)\b[^,;.()\d]{0,60}")
_TIMELESS = {"target", "limit", "base year"}
_UNTIL = re.compile(rf"{any_of('until')}(?: the)?(?: end of| year| jahr| ende| fin)*\s+$", re.IGNORECASE)
_AIM = re.compile(any_of("aim"), re.IGNORECASE)
_LESS = re.compile(any_of("decrease"), re.IGNORECASE)
_MORE = re.compile(any_of("increase"), re.IGNORECASE)
_BY = re.compile(
    rf"\b(?:by|um|de|del|of)\s+(?:{any_of('about')} |{any_of('more than')} |{any_of('less than')} )?$",
    re.IGNORECASE,
)
_CHANGED = re.compile(
    r"\s*(?:decrease|increase|reduction|lower|higher|less|more|fewer|drop|decline|rise|growth)", re.IGNORECASE
)
_QUALIFIERS = tuple(
    (name, re.compile(any_of(name), re.IGNORECASE))
    for name in ("base year", "target", "limit", "median", "average", "total")
)
_BASELINE = re.compile(r"\b(?:from|vs\.?|versus|against|to|than|with|compared)\b.{0,30}$", re.IGNORECASE)
_CLAUSE = re.compile(r"[;:()|\u2022\n\u2013\u2014]|,\s|\.\s")
_HARD = re.compile(r"[;:()|\u2022\n\u201c\u201d]|\.\s")
_NUMBERED = re.compile(r"\s*\d{1,3}\.?\s+[^\W\d_a-z]")
_OF_WHOM = re.compile(r"\s(?:of (?:whom|which|them)|davon|dont|di cui)\b", re.IGNORECASE)
_CONJUNCTION = re.compile(r"(?:\b(?:and|or|und|oder|et|ou|e|o)|,)\s+$")
_BRACKETS = re.compile(r"\([^()]{0,120}\)")
_LITTLE = re.compile(
    "|".join(map(any_of, ("women", "men", "decrease", "increase", "target", "average", "about", "total")))
    + r"|but|also|pari|equal|this|indicator|figure|value|rate|among|of|for",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(r"(?:but |and )?(for|in|at|f\u00fcr|bei|pour|chez|per|nel|nella)\s", re.IGNORECASE)
_PLACES = {"in", "at", "bei", "chez"}
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|will|came|come|comes|stood|stands|amounted|amounts|rose|fell|grew|reached"
    r"|ist|sind|war|waren|betrug|betr\u00e4gt|lag|liegt|stieg|sank|est|sont"
    r"|a \u00e9t\u00e9|ont|s[\u2019']\u00e9l\u00e8ve|s[\u2019']\u00e9tablit|\u00e8|sono|ha|hanno)\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(
    r"(?:with regard to |for |in )?,? ?(?:it|they|this|these|that|il s[\u2019']|elle|ils|elles|celui-ci"
    r"|celle-ci|ce chiffre|cet indicateur|dies\w{0,2}|er|sie|es|questo|questa|tale)\b",
    re.IGNORECASE,
)
_VERBS = words_of("verbs")
_STOP = words_of("stop")
_WORD_VALUES = dict(zip("two three four five six seven eight nine ten".split(), range(2, 11), strict=True))  # noqa: SIM905
_COUNTED = re.compile(
    r"\b(?P<word>no|zero|keine?|aucune?|nessuna?|two|three|four|five|six|seven|eight|nine|ten)\s+"
    r"(?P<noun>(?:(?:reported|confirmed|substantiated|work-related|fatal|serious|significant|major) ){0,2}"
    rf"{any_of('counted words')})",
    re.IGNORECASE,
)
_IS_DIVIDED = re.compile(r"[:=\s]+")


def figures_of_text(text: str, context: Context) -> list[Figure]:
    """Return the figures of sentences, a heading or a fragment, in the order they stand.

    At most `MAX_FIGURES`; the caller sets their box.
    """
    if not any(map(str.isdecimal, text)) and not _COUNTED.search(text):
        return []
    style = context.style if context.style.decimal else style_of([text], context.style)
    found: list[Figure] = []
    sentence: _Sentence | None = None
    for start, stop in split_sentences(text):
        opening = start == 0 and (context.kind != "fragment" or text.count(" ") > _LABEL)
        sentence = _Sentence(
            text[start : min(stop, start + MAX_SENTENCE)], style, context, sentence, opening=opening
        )
        found += sentence.figures()
        if sentence.before:
            sentence.before.before = None
        if len(found) >= MAX_FIGURES:
            break
    return found[:MAX_FIGURES]


def reported_year(text: str, year: int | None) -> int | None:
    """Return the year of the report, or that before if the text names it more often."""
    if year is None:
        return None
    return max(year, year - 1, key=lambda each: text.count(str(each)))


class _Sentence:
    """A sentence with the periods and numbers that it names."""

    def __init__(
        self, text: str, style: Style, context: Context, before: _Sentence | None, *, opening: bool
    ) -> None:
        self.text = text
        self.context = context
        self._lead = ""
        """The words before the first number of a list."""
        carried = before.carries() if before else None
        self.carried = carried
        self.before = before
        """The sentence before."""
        item = _ITEM.match(text)
        self.item: str = item["label"] if item else before.item if before else ""
        """What the item of a list is called: "Plant 2" of "\u2022 Plant 2: In 2023 ...", which holds on."""
        goes_on = before is not None and before.is_long and not carried
        self.start = item.end() if item else 0
        self.is_long: bool = goes_on or _LONG.search(text) is not None
        """Whether the text speaks of more than a year."""
        self.times = periods(text, context.year)
        self.compared = {
            time for time in self.times if _COMPARED.search(text[max(0, time.start - _LEAD) : time.start])
        }
        found = list(islice(mentions(text, style, self.times, opening=opening), MAX_FIGURES))
        if item:  # the number of "Plant 2" is a name
            found = [mention for mention in found if mention.unit or mention.begin >= item.end()]
        if (
            not opening
            and len(found) > 1
            and _NUMBERED.match(text)
            and found[-1].finish >= len(text.rstrip())
        ):
            found.pop(0)  # "13 Loans and advances 0.2"
        if found and found[0].signed and context.kind == "text" and _BULLET.match(text[: found[0].begin + 2]):
            found[0] = found[0]._replace(value=abs(found[0].value), signed=False)
        self.mentions = inherited(text, found)
        self.claimed = dict(self._claimed())
        """Periods that belong to one number, which another is compared with, by where that number begins."""

    def _claimed(self) -> Iterator[tuple[int, Period]]:
        """Yield 414 with 2024 of "358, against 414 in 2024", and 608 with 2019 of "and 608 in 2019"."""
        is_other = False
        finish = 0
        for mention in self.mentions:
            before = self.text[finish : mention.begin]
            is_other = _OTHER.search(before[-_LEAD:]) is not None or (
                is_other and _CONJUNCTION.fullmatch(before.lstrip()) is not None
            )
            after = self.text[mention.finish : mention.finish + _LEAD + _WINDOW]
            near = next((time for time in self.times if time.start >= mention.finish), None)
            if is_other and near and near.name and _OWN_TIME.fullmatch(after[: near.start - mention.finish]):
                yield mention.begin, near
                finish = near.end
            else:
                finish = mention.finish

    def carries(self) -> Period | None:
        """Return the period that holds for the next sentence where it names none."""
        own = [time for time in self.times if time.name and time not in self.compared]
        if not own:
            return None if self.is_long else self.carried
        if _LONG.search(self.text):
            return None
        return own[0] if len({time.name for time in own}) == 1 else None

    def figures(self) -> list[Figure]:
        """Return the figures in their order, those in words last."""
        found = []
        metric = ""
        for at, mention in enumerate(self.mentions):
            own = self._phrase(at)
            if not own and at and mention.unit is None:  # "(previous year: 176)"
                before = self.mentions[at - 1]
                self.mentions[at] = mention._replace(unit=before.unit, inherits=True)
            metric = self._whole(at, own, metric)
            if metric and self.item and self.item not in metric:
                metric = _short(f"{self.item} > {metric}")
            if at and mention.unit is None and _OF_WHOM.match(self.text[mention.finish :][:_LEAD]):
                self.mentions[at] = mention._replace(unit=self.mentions[at - 1].unit, inherits=True)
            is_axis = kind_of(mention.unit) == "percentage" and mention.value % _ROUND == 0
            if metric or (mention.unit and not is_axis):
                found.append(self._figure(self.mentions[at], metric))
        return found + self._in_words()

    def _figure(self, mention: Mention, metric: str) -> Figure:
        claimed = self.claimed.get(mention.begin)
        time, against, is_sure = (claimed, None, True) if claimed else self._time(mention)
        is_until = time is not None and bool(
            _UNTIL.search(self.text[max(0, time.start - _LEAD) : time.start])
        )
        change = self._change(mention)
        unit = mention.unit
        sure = _BARE if unit is None else _STATED if unit.name and not mention.inherits else _INHERITED
        if unit is None and (stated := unit_in(metric)) and stated.sure > _COUNTS and not mention.value % 1:
            unit, sure = stated.unit, _INHERITED  # "the number of employees rose to 12"
        qualifier = "change" if change is not None else self._qualifier(mention, time if is_until else None)
        timely = 1.0 if is_sure else 0.9
        if time and _LONG.search(self.text) and self._distance(mention, time) > _LEAD:
            time = None  # "rose by 8 % over the three-year period, due to what was built during 2022"
        elif time is None and not self._since():
            time = None if self.compared else self.carried
        period = time.name if time else None
        if period is None and metric:
            period, timely = self._outer_period(qualifier), 0.85
        return Figure(
            kind=kind_of(unit),
            value=scaled(mention.value, unit, mention.number.printed),
            unit=unit.name if unit else None,
            text=self.text[mention.begin : mention.finish].strip(),
            printed=mention.number.printed,
            metric=metric,
            period=period,
            qualifier=qualifier,
            change=change,
            against=against.name if against else None,
            confidence=round(sure * (timely if period else 0.93), 2),
        )

    def _since(self) -> Period | None:
        """Return the year from which the sentence counts on: its numbers are of no single year."""
        return next(
            (
                time
                for time in self.times
                if time in self.compared and _SINCE.search(self.text[max(0, time.start - _LEAD) : time.start])
            ),
            None,
        )

    def _outer_period(self, qualifier: str | None) -> str | None:
        """Return what holds where the sentence names no period: since when it counts, or the report's year.

        Aims and limits have none.
        """
        if since := self._since():
            return since.name
        year = self.context.reported
        others = [*self.compared, *self.claimed.values()]
        is_other = any(time.name for time in self.times if time not in others)
        if is_other or not year or self.is_long or qualifier in _TIMELESS or _AIM.search(self.text):
            return None
        return str(year)

    def _change(self, mention: Mention) -> float | None:
        """Return the per cent by which something became more or less, if the number is that."""
        if mention.unit is None or mention.unit.dimension != "share":
            return None
        before = self.text[max(0, mention.begin - _WINDOW) : mention.begin]
        after = self.text[mention.finish : mention.finish + _WINDOW // 2]
        if not (mention.signed or _BY.search(before) or _CHANGED.match(after)):
            return None
        direction = _direction(before, after)
        return direction * abs(mention.value) if direction else None

    def _qualifier(self, mention: Mention, until: Period | None) -> str | None:
        text, year = self.text, self.context.year
        if until and ((year and (until.year or 0) > year) or _AIM.search(text)):
            return "target"
        before = text[max(0, mention.begin - _LEAD) : mention.begin]
        near = before + " " + text[mention.finish : mention.finish + _LEAD // 2]
        qualifier = qualifier_in(near)
        if qualifier == "target" and qualifier_in(before) != "target":
            qualifier = None
        return qualifier or mention.about

    def _time(self, mention: Mention) -> tuple[Period | None, Period | None, bool]:
        """Return the period of a number, the one it is compared with, and whether the first is certain."""
        named = [time for time in self.times if time.name]
        compared = [time for time in named if time in self.compared]
        against = min(compared, key=lambda time: abs(time.start - mention.finish), default=None)
        away = [
            time for time in named if time not in self.compared and self._is_bracketed_away(mention, time)
        ]
        others = [*self.compared, *away, *self.claimed.values()]
        own = [time for time in named if time not in others]
        for time in compared:
            if time.end <= mention.begin and _THEN.fullmatch(self.text[time.end : mention.begin][:_AROUND]):
                return time, None, True  # "compared to 2022 (3 %)"
        if not own:
            if away and not away[0].named and self.context.year:  # "12 % (previous year: 10 %)"
                return away[0]._replace(name=str(self.context.year)), against or away[0], True
            return None, against, False
        if len({time.name for time in own}) == 1:
            return own[0], against, True
        for time in reversed(own):
            if time.end <= mention.begin and _IS_DIVIDED.fullmatch(self.text[time.end : mention.begin][:4]):
                return time, against, True
        return min(own, key=lambda time: self._distance(mention, time)), against, False

    def _distance(self, mention: Mention, time: Period) -> int:
        start, end = min(time.end, mention.finish), max(time.start, mention.begin)
        gap = time.start - mention.finish if time.start >= mention.finish else mention.begin - time.end + _FAR
        return gap + _BREAK * (self.text.count(",", start, end) + self.text.count(";", start, end))

    def _is_bracketed_away(self, mention: Mention, time: Period) -> bool:
        """Whether a period stands in brackets with another number, as in "12 % (2022: 10 %)"."""
        opening = self.text.rfind("(", max(0, time.start - _WINDOW), time.start)
        if opening < 0 or ")" in self.text[opening : time.start]:
            return False
        closing = self.text.find(")", time.end, time.end + _AROUND)
        closing = closing if closing >= 0 else len(self.text)
        if opening < mention.begin < closing:
            return False
        return not time.named or any(map(str.isdecimal, self.text[time.end : closing]))

    def _phrase(self, at: int) -> str:
        """Return the words that say what a number measures; "" if only those of the number before do."""
        mention = self.mentions[at]
        begin, finish = mention.begin, mention.finish
        left = self.mentions[at - 1].finish if at else 0
        right = self._next(at)
        before, after = self.text[left:begin], self.text[finish:right]
        if self.context.kind == "fragment":
            leads = self.mentions[0].begin <= 1 and bool(after.strip())
            return _short((_after(after) if leads else "") or _before(before) or _after(after))
        if mention.unit and mention.unit.dimension in NOUNS:
            after = self.text[mention.number.end : right]
        second = _after(after)
        if at and second and before.count(" ") <= _BETWEEN and _CONJUNCTION.search(before):
            first = _replaced(
                self._lead, second
            )  # "1.7 for men and 1.6 for women": "for men" belongs to the one before
        else:
            first = _before(before, far=not at)
            self._lead = first if _says_something(first) else self._lead
        if at and not _says_something(first) and not _says_something(second):
            return ""
        return _short(f"{first} {second}")

    def _whole(self, at: int, own: str, before: str) -> str:
        """Return the words beside a number, with what they hang on: the metric before, or the subject."""
        if self.context.kind == "fragment":
            return before if at and not _says_something(own) else own
        if not own or (at and _AGAINST.match(own)):
            return before
        mention = self.mentions[at]
        leads = self.mentions[0]
        said = before if at else self.subject(leads.begin)
        between = self.text[self.mentions[at - 1].finish : mention.begin] if at else ""
        is_bracketed = "(" in between and ")" not in between.rpartition("(")[2]
        if not said or said in own or not (is_bracketed or _says_little(own)):
            return own
        said = _replaced(said, own) if at else said
        said = said.partition(",")[0].strip()
        return own if not said or said in own else _short(f"{said} {own}")

    def subject(self, stop: int) -> str:
        """Return the words that the sentence begins with, up to its verb; for "it", those before."""
        text = _timeless(_BRACKETS.sub("", self.text[self.start : min(stop, self.start + _AROUND)])).strip(
            " ,\u2022-\u2013"
        )
        verb = _VERB.search(text)
        words = (text[: verb.start()] if verb else text).split()
        subject = _short(" ".join(_verbless(" ".join(words[:_PHRASE]))))
        if self.before and (_PRONOUN.match(text) or not subject):
            first = self.before.mentions[0].begin if self.before.mentions else len(self.before.text)
            return self.before.subject(first)
        return subject

    def _next(self, at: int) -> int:
        """Return where the number behind begins that stands not in brackets, as this one does."""
        begin = self.mentions[at].begin
        depth = self.text.count("(", 0, begin) - self.text.count(")", 0, begin)
        for other in self.mentions[at + 1 : at + 4]:
            if depth > 0 or self.text.count("(", begin, other.begin) <= self.text.count(
                ")", begin, other.begin
            ):
                return other.begin
        return len(self.text)

    def _in_words(self) -> list[Figure]:
        """Return the figures of "no fatalities" and "two accidents"."""
        names = {time.name for time in self.times if time.name}
        return [
            Figure(
                kind="quantity",
                value=float(_WORD_VALUES.get(match["word"].lower(), 0)),
                unit=unit.name,
                text=match[0],
                printed=match["word"],
                metric=match["noun"],
                period=min(filter(None, names)) if len(names) == 1 else None,
                confidence=0.7,
            )
            for match in _COUNTED.finditer(self.text)
            if (unit := unit_of(match["noun"].split()[-1]))
        ]


def qualifier_in(text: str) -> str | None:
    """Return the qualifier that the words of a text show; "from a baseline" shows none."""
    for name, pattern in _QUALIFIERS:
        found = pattern.search(text)
        if found and not (name == "base year" and _BASELINE.search(text[: found.start()])):
            return name
    return None


def _direction(before: str, after: str) -> int:
    """Return -1 for a decrease, 1 for an increase, 0 for neither: what stands nearest to the number."""
    less = max((match.end() for match in _LESS.finditer(before)), default=-1)
    more = max((match.end() for match in _MORE.finditer(before)), default=-1)
    if max(less, more) < 0:
        return -1 if _LESS.match(after.lstrip()) else 1 if _MORE.match(after.lstrip()) else 0
    return -1 if less > more else 1


def _before(text: str, *, far: bool = False) -> str:
    """Return the last words before a number, without verbs and periods at their end.

    `far`: over a colon or bracket too, where nothing stands behind it.
    """
    parts = _HARD.split(_timeless(_BRACKETS.sub("", text[-_AROUND:])))
    words = (
        next((words for part in reversed(parts) if (words := _verbless(part))), [])
        if far
        else _verbless(parts[-1])
    )
    return " ".join(words[-_PHRASE:]).strip(" ,")


def _after(text: str) -> str:
    """Return the first words behind a number."""
    text = _timeless(_BRACKETS.sub("", text[:_AROUND]))
    match = _CLAUSE.search(text)
    words = (text[: match.start()] if match else text).split()
    return " ".join(_verbless(" ".join(words[:_PHRASE]))).strip(" .,;:")


def _verbless(text: str) -> list[str]:
    """Return the words of a text, without verbs and prepositions at its end."""
    words = text.split()
    while words and words[-1].lower() in _VERBS:
        words.pop()
    return words


def _timeless(text: str) -> str:
    """Return a text without the periods that it names, nor the prepositions before them."""
    parts, at = [], 0
    for time in periods(text):
        parts += _verbless(text[at : time.start])
        at = time.end
    return " ".join([*parts, text[at:]]) if at else text


def _says_something(phrase: str) -> bool:
    return any(word.lower().strip(",.") not in _STOP for word in phrase.split())


def _replaced(said: str, phrase: str) -> str:
    """Return words without what a phrase takes the place of: "for men", if it is "for women"."""
    match = _PREPOSITION.match(phrase)
    if not match:
        return said
    starts = [place.start() for place in re.finditer(rf"\b{re.escape(match[1])}\b", said, re.IGNORECASE)]
    starts = starts or [len(said)]
    return said[: starts[-1] if match[1].lower() in _PLACES else starts[0]]


def _says_little(phrase: str) -> bool:
    """Whether a phrase names at most one thing, beside changes and men or women."""
    words = [word.lower().strip(",.") for word in phrase.split()]
    return sum(word not in _STOP and not _LITTLE.fullmatch(word) for word in words) <= 1


def _short(phrase: str) -> str:
    phrase = " ".join(phrase.split()).strip(" .,;:|-\u2013")
    return phrase if len(phrase) <= MAX_METRIC else phrase[:MAX_METRIC].rsplit(" ", 1)[0]


_YEAR = re.compile(
    # Free, or behind another year ("2019-2021"), a financial year's mark, a day and month; not in "2020/852".
    r"(?:(?<![\w.,/:$\u20ac\u00a3-])|(?<=FY)|(?<=(?:19|20)\d\d[-\u2013/])|(?<=\d\d\.))"
    r"(199\d|20\d\d|2100)(?![\w%:]|/\d{3}|[.,]\d)"
)


def figures(text: str) -> list[Figure]:
    """Return amounts, percentages, quantities and years of a text, in the order they stand.

    1990 to 2100 is a year where no unit follows.
    """
    if not any(map(str.isdecimal, text)):
        return []
    placed: list[tuple[int, Figure]] = []
    at = 0
    for figure in figures_of_text(text, Context()):
        if figure.kind != "number":
            at = max(text.find(figure.text, at), at)
            placed.append((at, figure))
    taken = [(start, start + len(figure.text)) for start, figure in placed]
    for match in _YEAR.finditer(text):
        if not any(start <= match.start(1) < end for start, end in taken):
            year = Figure(kind="year", value=float(match[1]), unit="year", text=match[1])
            placed.append((match.start(1), year))
    return [figure for _, figure in sorted(placed, key=lambda pair: pair[0])]
