"""Cut a passage into sentences that can be quoted alone.

What a sentence is worth the model says; here is only whether it is one, and whole.
"""

from __future__ import annotations

import re

from shared.extract.tidy import is_item
from shared.text.sentences import split_sentences

MAX_SENTENCE = 500
"""Limit in characters; what is longer is no quote."""

_WORDS = range(4, 81)
_MARK = re.compile(r"^(?:[^\w\"'\u201c\u201e(]+|\(?(?:\d{1,2}|[a-z])[.)])\s+")
_FOOTNOTE = re.compile(r"(?<=[^\d\s][.!?])\d{1,2}$")
_NOTE = re.compile(
    r"^\d{1,3} (?=(?:In|The|We|Our|As|For|By|To|At|On|From|Since|This|These|While|When|With|Through|During"
    r"|Because|Although|However|An?|It|All|Under|Over|Based|See|Includes?) )"
)
"""The number of a note that stands before the sentence after the one it belongs to."""
_LEANING = re.compile(
    r"(?i)(?:this|these|those|such|that|it|its|they|their|he|his|she|her|both|here|there|another"
    r"|the (?:latter|former|same|following)"
    r"|dies\w*|sie|es|er|ce|ces|cette|il|elle|cela|quest[aoei]|ess[aoei])\b"
)
"""Beginnings that mean something of the sentence before."""
_BEGINNING = re.compile(r"[\"'\u201c\u201e(]?[A-Z\u00c0-\u00de0-9\u20ac$\u00a3]")
_UNFINISHED = re.compile(
    r"(?:[?:;,&(\u2013-]|\b(?i:and|or|the|of|to|in|for|with|by|a|an|und|der|die)|\w['\u2019]s)$"
)
_SPLICED = re.compile(r"[^\W\d_]{4}\. [a-z]| \| |\\")  # columns or cells that ran together, formulas


def standing_alone(passage: str) -> list[str]:
    """Return the whole sentences of a passage, without list marks and numbers of footnotes.

    A sentence that leans on the one before is quoted together with it, or alone where both are too long; one
    that leans on what is not in the passage is left out.
    """
    found: list[str] = []
    for start, end in split_sentences(passage):
        text = _NOTE.sub("", _FOOTNOTE.sub("", " ".join(passage[start:end].split())))
        if is_item(text):
            text = _MARK.sub("", text)
        both = f"{found[-1]} {text}" if found and _LEANING.match(text) else ""
        if _is_whole(both):
            found[-1] = both
        elif found or not _LEANING.match(text):
            found.append(text)
    return list(filter(_is_whole, found))


def _is_whole(text: str) -> bool:
    return (
        len(text) <= MAX_SENTENCE
        and len(text.split()) in _WORDS
        and _BEGINNING.match(text) is not None
        and not _UNFINISHED.search(text)
        and not _SPLICED.search(text)
        and not text.isupper()
        and text.count("(") == text.count(")")
        and text.count("\u201c") == text.count("\u201d")
    )
