"""Whether a text says that a figure became better or worse: what was measured, and which way it went.

"Water use fell by 12 %" is for the better, "our injury rate rose" for the worse. Plans, possibilities,
denials, causes ("due to higher waste") and concessions ("although waste fell, ...") do not count, nor does
money. It knows English alone, and some metrics; where it is not sure it says nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from shared.platform.records import Sentiment
from shared.text.sentences import split_sentences
from shared.text.vocabulary import any_of, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

Direction = Literal["better", "worse"]
Better = Literal["lower", "higher"]

MAX_READ = 1_000
"""Limit on the characters of a sentence that are read."""
_FAR = 160  # characters on either side of a change in which what changed is looked for
_NEAR = 60
_WORDS = 9  # of an object

_METRICS: dict[Better, re.Pattern[str]] = {
    "lower": re.compile(
        rf"{any_of('better lower')}|{any_of('consumed')}[ -]{any_of('consumption')}"
        rf"|{any_of('consumption')} of {any_of('consumed')}",
        re.IGNORECASE,
    ),
    "higher": re.compile(any_of("better higher"), re.IGNORECASE),
}
_OTHER_BEHIND = re.compile(rf"(?:[ -][\w-]{{1,20}})?[ -]{any_of('of a metric')}", re.IGNORECASE)
"""What makes a metric another thing: "emissions targets", "energy costs"."""
_OTHER_BEFORE = re.compile(rf"{any_of('before a metric')}[ -](?:[\w-]{{1,20}}[ -]){{0,2}}$", re.IGNORECASE)
_TAIL = words_of("metric goes on")
_ANOTHERS = re.compile(rf"{any_of('ends an object')}|\bof(?: \d)?", re.IGNORECASE)
_AMOUNT = re.compile(
    r"\b(?:number|amount|volume|rate|level|use|usage|consumption|intensity|total|quantity|frequency|production"
    r"|generation)$",
    re.IGNORECASE,
)
_ON = r"(?:is|are|been|did|continue[ds]? to)"
_CHANGED = re.compile(
    r"\b(?:"
    r"(?P<fell>fell|fallen|declined|sank|dropped|went down|gone down"
    rf"|{_ON} (?:falling|fall|drop|decrease|decline))"
    r"|(?P<rose>rose|risen|grew|climbed|went up|gone up|surged|soared|jumped"
    rf"|{_ON} (?:rising|rise|increase|grow))"
    r"|(?P<cut>decreas(?:ed|ing)|reduc(?:ed|ing)|lower(?:ed|ing)|cut|cutting|halved|halving|shrank|shrunk)"
    r"|(?P<raised>increas(?:ed|ing)|doubled|tripled)"
    r"|(?P<reduction>reductions?|decreases?|declines?|drop)|(?P<increase>increases?|rise)"
    r"|(?:is|are|was|were|been|stood) (?:(?:[a-z]{1,15}|\d[\d.,]{0,8} ?(?:%|percent|per cent)) ){0,2}"
    r"(?:(?P<lower>lower|down)|(?P<higher>higher|up))"
    r"(?= (?:than|compared|by|from|approximately|about|\d|on|versus|vs)))\b",
    re.IGNORECASE,
)
_DOWN = {"fell", "cut", "reduction", "lower"}
_BREAK = re.compile(
    r"[;:\u2022|()]|\.\s|,? (?:but|while|whereas|although|though|however|despite|and we|and our|and the)\b"
    r"|, (?=we |our |the )",
    re.IGNORECASE,
)
_CONCESSION = re.compile(
    r"\W{0,5}(?:while|although|though|despite|even though|even if|in spite of|if|as)\b", re.IGNORECASE
)
_CAUSE = re.compile(any_of("cause"), re.IGNORECASE)
_UNREAL = re.compile(any_of("no result") + r"|n['\u2019]t\b", re.IGNORECASE)
_BY_YEAR = re.compile(r"\bby (?:the end of )?(?:fiscal (?:year )?|fy ?|year )?20\d\d\b", re.IGNORECASE)
_AHEAD = re.compile(r"\b(?:can|could|will|would|may|might|should|be achieved|possible)\b", re.IGNORECASE)
_NO_OBJECT = re.compile(
    rf"\s?[.,;:%)(]|\s?$|\s\d|\s(?:\w{{2,20}}ly\b|{any_of('ends an object')}"
    r"|(?:by|again|further|year|and|because|thanks|on|following|between|worldwide|overall|about|yoy)\b)",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(
    r"(?:\b(?:an?|the|to|of|with|for|at|our|their|its|and|by|in|this|these|any|less|more|through|from|on|such|as|or"
    r"|towards?|continued|including|via|while|despite|due|means|enabling|deliver\w{0,3}|support\w{0,3})|,|-)\s?$"
    r"|^\W{0,5}$",
    re.IGNORECASE,
)
"""What stands before a participle that is an attribute: "an increased use"."""
_SIZE = (
    r"(?:(?:up to|about|around|approximately|over|more than|nearly|almost|some|just) )?"
    r"[\d.,]{1,12} ?(?:%|percent\b|per cent\b|percentage points\b)?"
)
_SIZED = re.compile(
    r"\d ?(?:%|percent|per cent|percentage points?|points?|[a-z]{1,12}) (?:[a-z-]{1,20} ){0,2}$"
    r"|\b(?:saw|seen|recorded|experienced|had|achieved|show\w{0,3}|reported|observed|delivered|registered|caused"
    r"|led to|was|is|of) (?:also |only )?(?:an?|the)? ?(?:[\w-]{1,20} ){0,2}$",
    re.IGNORECASE,
)
"""What stands before a change that has happened: a size, or that it was seen."""
_OF_SIZE = re.compile(rf" of {_SIZE}", re.IGNORECASE)
_IN = re.compile(rf"(?: of {_SIZE})?(?: \([^()]{{0,40}}\))? (?:in|of) (?!{_SIZE}\b)(?=[^\d])", re.IGNORECASE)
_BY_SIZE = re.compile(r"[^,;.]{0,60} by (?:[a-z]{1,15} ){0,3}\d")
_APPOSED = re.compile(
    r"(?:represent\w{0,5}|correspond\w{0,5} to|equal\w{0,5}|mean\w{0,5}|reflect\w{0,5}|is|was|mark\w{0,5}|,)"
    r" an? (?:[\w.,-]{1,20} ?%? ){0,3}$",
    re.IGNORECASE,
)
"""What stands before a change in what went before: "4.2 t, an increase of 3 %"."""


def direction(text: str) -> Direction | None:
    """Return the direction of what a text says changed; None if it says nothing of it, or both."""
    found = {
        each
        for start, end in split_sentences(text)
        for each in _directions(" ".join(text[start : min(end, start + MAX_READ)].split()))
    }
    return found.pop() if len(found) == 1 else None


def contradicts(text: str, good: float, bad: float) -> bool:
    """Return whether the likelier of a good and a bad outcome is not what the text says of its figures."""
    return good != bad and direction(text) == ("worse" if good > bad else "better")


def corrected(sentiment: Sentiment, text: str) -> Sentiment:
    """Return the model's outcome of a text, with good and bad exchanged where the text contradicts.

    That something has changed the model sees; whether a rise is good or bad it mostly guesses.
    """
    scores = sentiment.scores
    if not contradicts(text, scores["positive"], scores["negative"]):
        return sentiment
    scores = scores | {"positive": scores["negative"], "negative": scores["positive"]}
    return Sentiment(label=max(scores, key=scores.__getitem__), scores=scores)


def _directions(text: str) -> Iterator[Direction]:
    """Yield the direction of each change of a sentence."""
    if _BY_YEAR.search(text):
        return
    since = 0
    concedes = text.find(",") if _CONCESSION.match(text) else 0
    for match in _CHANGED.finditer(text):
        before = text[max(0, match.start() - _FAR) : match.start()]
        clause = text[max(since, match.start() - _FAR) : match.start()]
        since = match.end()
        has_happened = (
            match.start() > concedes
            and not _UNREAL.search(before + match[0])
            and not _CAUSE.search(clause.rpartition(",")[2])
        )
        if has_happened and (better := _better(match, before, _BREAK.split(clause)[-1])):
            yield "better" if (match.lastgroup in _DOWN) == (better == "lower") else "worse"


def _better(match: re.Match[str], before: str, subject: str) -> Better | None:
    """Return which direction is for the better of what changed.

    `before` is the text before the change, `subject` what of it is since the change and the clause before.
    """
    rest = match.string[match.end() : match.end() + _FAR]
    if match.lastgroup in {"reduction", "increase"}:
        return _of_noun(before, rest)
    is_gerund = match[0].lower().endswith("ing")
    if match.lastgroup in {"cut", "raised"}:
        is_attribute = rest.startswith("-") or _ATTRIBUTE.search(subject)
        if not _NO_OBJECT.match(rest):
            is_result = subject.rstrip().endswith(",") and _BY_SIZE.match(rest)  # ", cutting waste by 3 %"
            return (
                _metric(_object(rest), is_object=True)
                if (is_result if is_gerund else not is_attribute)
                else None
            )
        if is_attribute or is_gerund:
            return None
    return _metric(subject.rpartition(",")[2]) or _metric(subject)


def _of_noun(before: str, rest: str) -> Better | None:
    """The same of "a 5 % reduction in waste", and of "waste was 4 t, a reduction of 5 %"."""
    near = before[-_NEAR:]
    if not (_SIZED.search(near) or _OF_SIZE.match(rest)) or _AHEAD.search(rest[:_NEAR]):
        return None
    if inside := _IN.match(rest):
        return _metric(_object(rest[inside.end() :]), is_object=True)
    return _metric(before) if _APPOSED.search(near) else None


def _object(text: str) -> str:
    """Return the noun that a text begins with, up to a preposition that makes it another's."""
    words = " ".join(_BREAK.split(text.partition(",")[0])[0].split()[:_WORDS])
    for end in _ANOTHERS.finditer(words):
        if end[0].lower() != "of" or not _AMOUNT.search(words[: end.start()].rstrip()):
            return words[: end.start()]
    return words


def _metric(text: str, *, is_object: bool = False) -> Better | None:
    """Return which direction is for the better of the metrics that a text names; None if it is unclear.

    An object ends with its metric: "waste" is none in "we increased waste separation".
    """
    found: set[Better] = set()
    for better, pattern in _METRICS.items():
        for match in pattern.finditer(text):
            rest = text[match.end() :]
            ends = all(word.strip("()/.,").lower() in _TAIL or not word.islower() for word in rest.split())
            is_other = _OTHER_BEHIND.match(rest) or _OTHER_BEFORE.search(text[: match.start()][-_NEAR:])
            if (ends or not is_object) and not is_other:
                found.add(better)
    return found.pop() if len(found) == 1 else None
