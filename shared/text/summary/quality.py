"""How well does a sentence stand on its own, out of its passage?"""

from __future__ import annotations

import re
from typing import NamedTuple

from shared.extract.marks import is_item
from shared.text.segment.sentences import split_sentences
from shared.text.summary.boilerplate import is_boilerplate

MAX_SENTENCE = 420
"""Characters; a longer sentence is no summary."""

GOOD = 0.6
"""Quality from which a sentence may be taken for its content alone."""

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
"""It leans on the sentence before it."""
_ITEM, _GERUND = 0.1, 0.2  # list items are seldom whole sentences, least of all "Providing ..."
_ING = re.compile(r"\w+ing\b")
_QUOTES = '"\u201c\u201e'
_PAIRS = (("(", ")"), ("\u201c", "\u201d"))
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
    """The sentence of the passage that reads best on its own, the first of equals; None where none does."""
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
