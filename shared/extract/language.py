"""Which language is a text written in? Function words tell, and scripts; no model is loaded."""

from __future__ import annotations

import re
from pathlib import Path

_SAMPLE = 10_000  # characters, from the beginning and from the middle
_MIN_LETTERS = 12
_MIN_HITS = 2
_LEAD = 1.5  # times the hits of the runner-up
_MIN_SHARE = 0.08  # of the words; running text has a quarter to a half of them
_OTHER_WORDS, _OTHER_LEAD = 3, 3  # different words, and the lead, of what is not in its document's language
_WORD = re.compile(r"[^\W\d_]+")

_LANGUAGES: list[str] = []
_BY_WORD: dict[str, list[str]] = {}
"""The languages that have a word, which may be several."""
for _line in Path(__file__).with_name("function_words.txt").read_text("utf-8").splitlines():
    _language, *_words = _line.split()
    _LANGUAGES.append(_language)
    for _word in dict.fromkeys(_words):
        _BY_WORD.setdefault(_word, []).append(_language)

# Scripts that one language alone writes, of those reports come in, and the share of letters that tells. Kana
# before Han, as Japanese uses both; of the Cyrillic languages each has letters that the others lack.
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]"), 0.1),
    ("zh", re.compile("[\u3400-\u9fff]"), 0.3),
    ("ko", re.compile("[\uac00-\ud7af]"), 0.3),
    ("el", re.compile("[\u0370-\u03ff]"), 0.5),
    ("he", re.compile("[\u0590-\u05ff]"), 0.5),
    ("ar", re.compile("[\u0600-\u06ff]"), 0.5),
    ("hi", re.compile("[\u0900-\u097f]"), 0.5),
    ("th", re.compile("[\u0e00-\u0e7f]"), 0.5),
    ("uk", re.compile("[\u0454\u0456\u0457]"), 0.02),
    ("ru", re.compile("[\u044b\u044d\u0451]"), 0.01),
    ("bg", re.compile("[\u044a]"), 0.01),
)


def detect(text: str, document: str | None = None) -> str | None:
    """Return the ISO 639-1 code; None where the text is too short, mixed or of a language not known here.

    Of a passage whose document's language is known, return that one unless the passage is clearly in another:
    names and abbreviations look like foreign words, but there are few of them, if often.
    """
    middle = len(text) // 2
    sample = text if len(text) <= 2 * _SAMPLE else text[:_SAMPLE] + "\n" + text[middle : middle + _SAMPLE]
    letters = sum(map(str.isalpha, sample))
    if letters < _MIN_LETTERS:
        return document
    if not sample.isascii():
        for language, script, share in _SCRIPTS:
            if len(script.findall(sample)) >= share * letters:
                return language
    words = _WORD.findall(sample.lower())
    hits: dict[str, float] = dict.fromkeys(_LANGUAGES, 0.0)
    for word in words:
        shared_by = _BY_WORD.get(word, ())
        for language in shared_by:
            hits[language] += 1 / len(shared_by)  # a word that several languages share says less
    (first, most), (_, next_most) = sorted(hits.items(), key=lambda pair: -pair[1])[:2]
    if document is not None:
        different = sum(first in _BY_WORD.get(word, ()) for word in set(words))
        is_other = different >= _OTHER_WORDS and most >= _OTHER_LEAD * hits.get(document, 0.0)
        return first if is_other and most >= _MIN_SHARE * len(words) else document
    if most < max(_MIN_HITS, _MIN_SHARE * len(words)) or most < _LEAD * next_most:
        return None
    return first
