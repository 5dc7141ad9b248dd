"""The words of figure_words.txt, by which numbers in reports are understood."""

from __future__ import annotations

import re
from pathlib import Path


def _read() -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    words: list[str] = []
    for line in Path(__file__).with_name("figure_words.txt").read_text("utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            words = sections.setdefault(line[1:-1], [])
        elif line and not line.startswith("# "):
            words += filter(None, (word.strip() for word in line.split(", ")))
    return sections


_SECTIONS = _read()


def words_of(section: str) -> frozenset[str]:
    """Return the words of a section, in lower case."""
    return frozenset(word.lower() for word in _SECTIONS[section])


def any_of(section: str) -> str:
    """Return an expression that matches each word of a section, the longest first; a digit may follow it."""
    return "(?:" + "|".join(map(_whole, sorted(_SECTIONS[section], key=len, reverse=True))) + ")"


def _whole(word: str) -> str:
    stem = word.removesuffix("*")
    begins = r"\b" if stem[0].isalnum() else ""
    ends = r"\w*" if stem != word else r"(?![^\W\d_])" if stem[-1].isalnum() else ""
    return f"{begins}{re.escape(stem)}{ends}".replace("'", "['\u2019]")
