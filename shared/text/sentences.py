"""Find sentences, and decide which of them are prose worth a passage."""

from __future__ import annotations

import re
from pathlib import Path

from shared.extract.tidy import is_item

_WORD = re.compile(r"[^\W\d_]{2,}")
_LEADERS = re.compile(r"\.{4,}|(?:\. ){4,}|\u2026{2,}|_{5,}")
_END = re.compile(r"[.!?:;\u2026\u3002][\"'\u201d\u2019\u00bb)\]]*(?:\[?\d{1,2}\]?)?$")
_LINK = re.compile(r"(?i)\b(?:https?://|www\.)\S+|(?<!\S)\S+@\S+|\[(?:email|phone):\w+\]")
_SPACELESS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_MIN_WORDS = 3
_MIN_LOOSE_WORDS = 6  # without a full stop, shorter text is a label
_MIN_LETTERS = 0.5  # of the characters that are not white space
_MIN_LOWER = 0.4  # of the words of loose text: labels are written in capitals


def is_prose(text: str) -> bool:
    """Whether this is prose: no label, contents line, link or column of numbers."""
    if is_contents(text):
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


def is_contents(text: str) -> bool:
    """Whether this is a line of a table of contents."""
    return bool(_LEADERS.search(text))


def _has_letters(text: str) -> bool:
    letters = sum(map(str.isalpha, text))
    return letters >= _MIN_LETTERS * (len(text) - text.count(" "))


_CANDIDATE = re.compile(
    r"(?<![.!?\u2026])(?P<mark>[.!?\u2026]+)"
    r"(?P<close>[\"'\u201d\u2019\u00bb)\]]*(?:\[?\d{1,2}\]?)?)(?P<space>\s+)"
    r"|(?P<wide>[\u3002\uff01\uff1f])"
    r"|(?P<bullet>(?<!\s)\s++(?=[\u2022\u2023\u25a0-\u25ff\u2756\uf0a7\uf0b7]\s))"
)
_OPENING = re.compile(r"[\"'\u201c\u2018\u201e\u00ab(\[\u00bf\u00a1\u2022\u2013\u2014*-]*\s*")
_BEFORE_TOKEN = re.compile(r"[\s(\[\"'\u201c\u201e\u00ab]")
_DIGIT = re.compile(r"\d")
_DAY_DIGITS = 2
_BRACKETS = 3  # characters before the number of a list item
_LONGEST = 24  # characters of the token before a full stop that are looked at
_NEXT_WORD = re.compile(r"[^\W\d_]+")


_LISTS = Path(__file__).with_name("sentence_words.txt").read_text("utf-8").splitlines()
_WORDS = {name: frozenset(words) for name, *words in map(str.split, _LISTS)}
"""Tokens that a full stop belongs to, and words that tell whether it ends a sentence, by their use."""


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Return [start, end) of every sentence: all of the text but the white space between them."""
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _CANDIDATE.finditer(text):
        if match["wide"]:
            end, after = match.end(), match.end()
        elif match["bullet"]:
            end, after = match.start(), match.end()
        elif _is_boundary(text, start, match):
            end, after = match.start("space"), match.end()
        else:
            continue
        _append(spans, text, start, end)
        start = after
    _append(spans, text, start, len(text))
    return spans


def _append(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    begin = start + len(piece) - len(piece.lstrip())
    stop = begin + len(piece.strip())
    if stop > begin:
        spans.append((begin, stop))


def _is_boundary(text: str, start: int, match: re.Match[str]) -> bool:
    opening = _OPENING.match(text, match.end())
    at = opening.end() if opening else match.end()
    following = text[at : at + 1]
    if not following or following.islower():
        return False
    if match["mark"] != "." or match["close"]:
        # A digit behind the full stop marks a footnote where a word stands before: "law.3 The", not "3.3 A".
        return not (_DIGIT.search(match["close"]) and text[match.start() - 1 : match.start()].isdigit())
    return _full_stop_ends(text, start, match.start(), at)


def _full_stop_ends(text: str, start: int, stop: int, at: int) -> bool:
    """Whether the full stop at `stop` ends a sentence, or belongs to the token before it."""
    written = _BEFORE_TOKEN.split(text[max(start, stop - _LONGEST) : stop])[-1]
    if not written:
        return True
    token = written.lower()
    word = _NEXT_WORD.match(text, at)
    following = word[0].lower() if word else ""
    if token.isdecimal():
        begin = stop - len(written)
        is_mark = begin - start <= _BRACKETS and not text[start:begin].strip(" ([")  # "1. First"
        is_day = len(token) <= _DAY_DIGITS and following in _WORDS["months"]  # "31. Dezember"
        return not (is_mark or is_day)
    if token in _WORDS["never_final"]:
        return False
    if token in _WORDS["before_number"]:
        return not text[at : at + 1].isdigit()
    if token in _WORDS["seldom_final"] or (len(token) == 1 and token.isalpha()) or _is_initials(token):
        return following in _WORDS["starters"]
    return True


def _is_initials(token: str) -> bool:
    parts = token.split(".")
    return len(parts) > 1 and all(len(part) == 1 and part.isalpha() for part in parts)
