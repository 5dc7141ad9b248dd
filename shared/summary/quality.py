"""How well does a sentence stand on its own, out of its passage? And is it boilerplate?"""

from __future__ import annotations

import re
from typing import NamedTuple

from shared.segment.prose import is_bullet
from shared.segment.sentences import split_sentences

MAX_SENTENCE = 420
"""Characters; a longer sentence is no summary."""

_MIN_WORDS, _MAX_WORDS = 8, 45
_GOOD_WORDS = range(12, 33)
_MARK = re.compile(r"^(?:[^\w\"'\u201c\u201e(]+|\(?(?:\d{1,2}|[a-z])[.)])\s+")
_TERMINAL = re.compile(r"[.!\u3002][\"'\u201d\u2019\u00bb)\]]*(?:\[?\d{1,2}\]?)?$")
_LEANING = re.compile(
    r"(?i)(?:this|these|that|those|it|its|they|their|he|his|she|her|such|however|moreover|furthermore|additionally|"
    r"therefore|thus|hence|also|but|and|or|so|here|there|nevertheless|consequently|accordingly|besides|instead|"
    r"as such|in addition|for example|for instance|as a result|on the other hand|in this|at the same time|"
    r"similarly|likewise|otherwise|finally|then|both|the latter|the former|the same|another|"
    r"dies\w*|daher|zudem|au\u00dferdem|dabei|damit|hierbei|sie|es|er|ce|cette|ces|il|elle|cela|questo|questa)\b"
)
_FIGURE = re.compile(r"\d")
_BOILERPLATE = re.compile(
    r"(?i)forward[- ]looking|about this report|(?:this|the|our) (?:\w+[ -]){0,5}(?:report|statement|document|disclosure)s? "
    r"(?:has been |have been |was |were |is |are )?(?:also )?(?:prepared|published|structured|drawn up|audited|reviewed|covers?|"
    r"contains?|includes?|relates?|refers?|provides?|describes?|available|based|subject|intended|should be read)"
    r"|prepared in (?:accordance|compliance|line)|reporting (?:period|standards?|framework|boundar)|gri (?:standards?|content|index|sustainab)"
    r"|content index|table of contents|all rights reserved|\u00a9|copyright|disclaimer|trademark|imprint"
    r"|limited assurance|assurance engagement|independent (?:auditor|practitioner)|isae ?3|auditing standard|our engagement"
    r"|(?:can|may) be found|please (?:refer|see|visit|contact)|further information|more information|for (?:more|further) (?:details|information)"
    r"|see (?:also )?(?:page|chapter|section|note|table|p\.)|(?:refer|reference) to (?:page|chapter|section|note|table)"
    r"|https?://|www\.|\[(?:email|phone|ip|iban|card):"
    r"|masculine form|commercial code|\bhgb\b|pursuant to (?:sec|art|\u00a7)|in accordance with (?:sec|art|\u00a7|the (?:german|italian|legislative))"
    r"|legislative decree|taxonomy regulation|delegated (?:act|regulation)|directive \d|regulation \(eu\)"
    r"|(?:following|above|below) (?:table|chart|figure|diagram|graph|section|chapter|page)|(?:table|figure|chart|graph) (?:above|below|\d)"
    r"|materiality (?:analysis|assessment|matrix)|no (?:representation|warranty|liability)|solely for|does not constitute|investment advice"
    r"|rundungsdifferenz|wirtschaftspr\u00fcf|mentions l\u00e9gales|nota metodologica|note m\u00e9thodologique"
)


class Sentence(NamedTuple):
    """A sentence without its list mark; `quality` from 0 to 1."""

    text: str
    quality: float


def best_sentence(passage: str) -> Sentence | None:
    """The sentence of the passage that reads best on its own, the first of equals; None where none will do."""
    found: list[Sentence] = []
    for start, end in split_sentences(passage):
        text = " ".join(passage[start:end].split())
        item = is_bullet(text)
        quality = _quality(_MARK.sub("", text) if item else text, item=item)
        if quality > 0:
            found.append(Sentence(_MARK.sub("", text) if item else text, quality))
    return max(found, key=lambda sentence: sentence.quality, default=None)


def is_boilerplate(sentence: str) -> bool:
    """Legal notices, statements about the report itself, references, contact lines."""
    return _BOILERPLATE.search(sentence) is not None


def _quality(sentence: str, *, item: bool) -> float:
    words = len(sentence.split())
    if not _MIN_WORDS <= words <= _MAX_WORDS or len(sentence) > MAX_SENTENCE or is_boilerplate(sentence):
        return 0.0
    quality = 1.0 if words in _GOOD_WORDS else 0.8
    if _LEANING.match(sentence):
        quality -= 0.4
    if not _TERMINAL.search(sentence):
        quality -= 0.3  # a heading, a question or a list's first half
    if not sentence[:1].isupper() and not sentence[:1].isdigit():
        quality -= 0.3
    if item:
        quality -= 0.1
    if sentence.count("(") != sentence.count(")") or " | " in sentence:
        quality -= 0.3
    if _FIGURE.search(sentence):
        quality += 0.1
    return max(0.05, min(1.0, quality))
