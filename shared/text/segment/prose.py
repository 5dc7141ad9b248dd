"""What is worth analysing: prose, and rows with words; not contents, columns of numbers, chart labels."""

from __future__ import annotations

import re

from shared.extract.marks import is_item

_WORD = re.compile(r"[^\W\d_]{2,}")
_LEADERS = re.compile(r"\.{4,}|(?:\. ){4,}|\u2026{2,}|_{5,}")
_CONTENTS_ROW = re.compile(r"[^|]*+\| \d{1,3}$")
_END = re.compile(r"[.!?:;\u2026\u3002][\"'\u201d\u2019\u00bb)\]]*(?:\[?\d{1,2}\]?)?$")
_LINK = re.compile(r"(?i)\b(?:https?://|www\.)\S+|(?<!\S)\S+@\S+|\[(?:email|phone):\w+\]")
_SPACELESS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_MIN_WORDS = 3
_MIN_LOOSE_WORDS = 6  # without a full stop, shorter text is a label
_MIN_ROW_WORDS = 5
_MIN_LETTERS = 0.5  # of the characters that are not white space
_MIN_LOWER = 0.4  # of the words of loose text: labels are written in capitals


def is_prose(text: str) -> bool:
    """Sentences, list items and running text; not labels, contents lines, links or columns of numbers."""
    if _LEADERS.search(text):
        return False
    if _SPACELESS.search(text):
        return len(text) >= 2 * _MIN_WORDS
    words = _WORD.findall(_LINK.sub(" ", text))
    if len(words) < _MIN_WORDS or not _has_letters(text):
        return False
    if _END.search(text) or is_item(text):
        return True
    lower = sum(word[0].islower() for word in words)
    return len(words) >= _MIN_LOOSE_WORDS and lower >= _MIN_LOWER * len(words)


def is_wordy_row(text: str) -> bool:
    """A table row that says something beside its numbers."""
    return (
        len(_WORD.findall(text)) >= _MIN_ROW_WORDS
        and _has_letters(text)
        and not _LEADERS.search(text)
        and not _CONTENTS_ROW.match(text)
    )


def _has_letters(text: str) -> bool:
    letters = sum(map(str.isalpha, text))
    return letters >= _MIN_LETTERS * (len(text) - text.count(" "))
