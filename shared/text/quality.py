"""Judge how well a sentence reads on its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from shared.extract.tidy import is_item
from shared.text.sentences import split_sentences

# One pattern a line: reports on themselves, legal notices, auditors, references and contacts. All in lower
# case: a pattern that ignores case cannot skip to where one of its first letters stands.
_PATTERNS = Path(__file__).with_name("boilerplate.txt").read_text("utf-8")
_BOILERPLATE = re.compile("|".join(filter(None, _PATTERNS.splitlines())))


def is_boilerplate(sentence: str) -> bool:
    """Whether this is a legal notice, a report's words on itself, an auditor's, a reference or a contact."""
    return _BOILERPLATE.search(sentence.lower()) is not None


GRAVE = 0.35
"""Least probability of negative at which a death counts: a passage that goes on with what was done about
it is half neutral.
"""

_DEATH = re.compile(
    r"(?i)\b(?:died|dies|deaths?|fatal(?:ity|ities|ly)?|killed|kills|perished"
    r"|(?:lost|losing|cost) (?:(?:his|her|their|its|an?|one|two|three|several|many|\d+) )?li(?:fe|ves))\b"
)
_OF_ANIMALS = re.compile(
    r"(?i)\b(?:fish|animals?|birds?|bees?|cattle|livestock|wildlife|trees?|seals?|salmon)\b"
)
_RISK = re.compile(  # "May" is a month
    r"\b(?:could|may|might|can|would|risks?|k\u00f6nnte\w*|pourrai\w*|potrebbe\w*)\b"
)


def reports_death(text: str, negative: float, positive: float) -> bool:
    """Whether a sentence with these probabilities reports people's deaths."""
    return (
        negative >= max(GRAVE, positive)
        and _DEATH.search(text) is not None
        and _OF_ANIMALS.search(text) is None
    )


def is_feared(text: str) -> bool:
    """Whether a sentence is about what might happen."""
    return _RISK.search(text) is not None


MAX_SENTENCE = 420
"""Limit in characters; a longer sentence is not a summary."""

GOOD = 0.6
"""Least quality at which a sentence may be taken for its content alone."""

_MIN_WORDS, _MAX_WORDS = 4, 60
_FAIR_WORDS = range(8, 46)
_GOOD_WORDS = range(12, 33)
_MARK = re.compile(r"^(?:[^\w\"'\u201c\u201e(]+|\(?(?:\d{1,2}|[a-z])[.)])\s+")
_TERMINAL = re.compile(r"[.!\u3002][\"'\u201d\u2019\u00bb)\]]*(?:\[?\d{1,2}\]?)?$")
_LEANING = re.compile(
    r"(?i)(?:"
    r"(?:\w+,? ){0,3}(?:this|these|those|such|dies\w*|questa|cette)"
    r"|that|it|its|they|their|he|his|she|her|both"
    r"|here|there|then|also|another|the (?:latter|former|same|following|aim|goal|purpose)"
    r"|however|moreover|furthermore|additionally|therefore|thus|hence|nevertheless|consequently|accordingly"
    r"|besides|instead|similarly|likewise|otherwise|finally|but|and|or|so|to do so|in doing so|as such"
    r"|in addition|for (?:example|instance)|as a result|to name|as identified"
    r"|on the (?:one|other) hand|at the same time"
    r"|daher|zudem|dabei|damit|hierbei|au\u00dferdem|sie|es|er|ce|ces|il|elle|cela|questo"
    r")\b"
)
"""Beginnings that lean on the sentence before."""
_ITEM, _GERUND = 0.1, 0.2  # list items are seldom whole sentences, least of all "Providing ..."
_ING = re.compile(r"\w+ing\b")
_QUOTES = '"\u201c\u201e'
_FOOTNOTE = re.compile(r"(?<=[^\d\s][.!?])\d{1,2}$")
_FIGURE = re.compile(
    r"\d[.,]{0,3}\s?(?:%|per ?cent|million|billion|[kMGT]Wh|t\b|tonnes?|tons?)|[\u20ac$\u00a3]\s?\d|\d,\d{3}"
)
_SECTION = re.compile(r"\d\.\d+\.?\s|\[(?:ESRS|GRI)")
_SPLICED = re.compile(r"[^\W\d_]{4}\. [a-z]| \| |\\")  # columns or cells that ran together, formulas


class Sentence(NamedTuple):
    """A sentence without its list mark; `quality` from 0 to 1."""

    text: str
    quality: float


def best_sentence(passage: str) -> Sentence | None:
    """Return the sentence that reads best on its own, the first of equals; None if none does."""
    found: list[Sentence] = []
    for start, end in split_sentences(passage):
        text = _FOOTNOTE.sub("", " ".join(passage[start:end].split()))
        item = is_item(text)
        if item:
            text = _MARK.sub("", text)
        quality = _quality(text) - _ITEM * item - _GERUND * (item and _ING.match(text) is not None)
        if quality > 0:
            found.append(Sentence(text, round(quality, 3)))
    return max(found, key=lambda sentence: sentence.quality, default=None)


def _quality(sentence: str) -> float:
    words = len(sentence.split())
    if not _MIN_WORDS <= words <= _MAX_WORDS or len(sentence) > MAX_SENTENCE or is_boilerplate(sentence):
        return 0.0
    quality = 0.85 if words in _GOOD_WORDS else 0.7 if words in _FAIR_WORDS else 0.3
    faults = (
        (0.4, _LEANING.match(sentence)),
        (0.3, not _TERMINAL.search(sentence)),  # a heading, a question, the first half of a list
        (0.3, not sentence[:1].isupper() and not sentence[:1].isdigit() and sentence[:1] not in _QUOTES),
        (0.2, sentence[:1].isdigit() or sentence[:1] in _QUOTES),
        (0.3, _SECTION.search(sentence)),
        (0.3, _SPLICED.search(sentence) or sentence.isupper()),
        (
            0.2,
            sentence.count("(") != sentence.count(")")
            or sentence.count("\u201c") != sentence.count("\u201d"),
        ),
    )
    quality -= sum(weight for weight, fault in faults if fault)
    if _FIGURE.search(sentence):
        quality += 0.15
    return max(0.05, quality)
