"""Cut a passage into sentences that can be quoted alone.

What a sentence is worth the model says; here is only whether it is one, and whole.
"""

from __future__ import annotations

import re

from shared.extract.tidy import is_item
from shared.text.sentences import split_sentences

MAX_SENTENCE = 420
"""Limit in characters; what is longer is no quote."""

_WORDS = range(4, 61)
_MARK = re.compile(r"^(?:[^\w\"'\u201c\u201e(]+|\(?(?:\d{1,2}|[a-z])[.)])\s+")
_FOOTNOTE = re.compile(r"(?<=[^\d\s][.!?])\d{1,2}$")
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
_BEGINNING = re.compile(r"[\"'\u201c\u201e(]?[A-Z\u00c0-\u00de0-9\u20ac$\u00a3]")
_UNFINISHED = re.compile(r"(?:[?:;,&(\u2013-]|\b(?i:and|or|the|of|to|in|for|with|by|a|an|und|der|die))$")
_SPLICED = re.compile(r"[^\W\d_]{4}\. [a-z]| \| |\\")  # columns or cells that ran together, formulas


def standing_alone(passage: str) -> list[str]:
    """Return the whole sentences of a passage, without list marks and numbers of footnotes.

    A sentence that leans on the one before is quoted together with it, or not at all.
    """
    found: list[str] = []
    for start, end in split_sentences(passage):
        text = _FOOTNOTE.sub("", " ".join(passage[start:end].split()))
        if is_item(text):
            text = _MARK.sub("", text)
        if found and _LEANING.match(text):
            both = f"{found[-1]} {text}"
            if _is_whole(both):
                found[-1] = both
        else:
            found.append(text)
    return list(filter(_is_whole, found))


def _is_whole(text: str) -> bool:
    return (
        len(text) <= MAX_SENTENCE
        and len(text.split()) in _WORDS
        and _BEGINNING.match(text) is not None
        and not _LEANING.match(text)
        and not _UNFINISHED.search(text)
        and not _SPLICED.search(text)
        and not text.isupper()
        and text.count("(") == text.count(")")
        and text.count("\u201c") == text.count("\u201d")
    )
