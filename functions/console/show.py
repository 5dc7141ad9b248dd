"""How values look on a page: filters and globals of the templates. Charts are small SVG, drawn by macros."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from shared.documents.views import quantity
from shared.platform.records import SENTIMENTS, TERMINAL, TOPIC_NAMES, TOPICS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

STATES = {
    "received": "received",
    "extracting": "being read",
    "analyzing": "being analyzed",
    "delegated": "with the long job",
    "completed": "completed",
    "rejected": "rejected",
    "failed": "failed",
    "erasing": "being erased",
}
OUTCOMES = {"positive": "got better", "neutral": "neither", "negative": "got worse"}
SALIENCE = ("skip", "background", "matters", "in a brief")
LANGUAGES = {"de": "German", "en": "English", "es": "Spanish", "fr": "French", "it": "Italian", "nl": "Dutch"}
MINUTE, HOUR, DAY = 60, 3600, 86_400


def number(value: float | None) -> str:
    """Return 1234 as 1,234; nothing for None."""
    return "" if value is None else f"{value:,.0f}"


def size(count: int | None) -> str:
    """Return bytes as kB or MB."""
    if count is None:
        return ""
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{max(count / 1e3, 0.1):,.1f} kB"  # noqa: PLR2004


def seconds(value: float | None) -> str:
    """Return seconds as people say them: 0.4 s, 36 s, 4 min, 3 h, 2 days."""
    if value is None:
        return ""
    if value < MINUTE:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"  # noqa: PLR2004
    for unit, name in ((DAY, "days"), (HOUR, "h"), (MINUTE, "min")):
        if value >= unit * (2 if unit == DAY else 1):
            return f"{value / unit:.0f} {name}"
    return ""


def age(moment: datetime | str | None) -> str:
    """Return how long ago a moment was."""
    when = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return "" if when is None else seconds((datetime.now(UTC) - when).total_seconds())


def when(moment: datetime | str | None) -> str:
    """Return a moment as 2026-03-01 12:05."""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"


def file_name(name: str) -> str:
    """Return the last part of an object's name."""
    return name.rstrip("/").rpartition("/")[2] or name


def percent(value: float | None) -> str:
    """Return a probability in per cent."""
    return "" if value is None else f"{value:.0%}"


def topic(code: str) -> str:
    """Return the name of a topic; its code, where another taxonomy has no names here."""
    return TOPIC_NAMES.get(code, code)


def counted(topics: Mapping[str, int] | None) -> list[tuple[str, int]]:
    """Return topics with their counts in the order of the standard, those with none left out."""
    known = topics or {}
    order = (*TOPICS, *sorted(known.keys() - set(TOPICS)))
    return [(name, known[name]) for name in order if known.get(name)]


def shares(
    counts: Mapping[str, int] | None, order: tuple[str, ...] = SENTIMENTS
) -> list[tuple[str, float, float]]:
    """Return what a stacked bar draws: each part's name, where it begins, and its width, in per cent."""
    known = counts or {}
    whole = sum(known.get(name, 0) for name in order)
    parts, start = [], 0.0
    for name in order:
        width = 100 * known.get(name, 0) / whole if whole else 0.0
        parts.append((name, round(start, 2), round(width, 2)))
        start += width
    return parts


def scaled(values: list[float], most: float = 100.0) -> list[float]:
    """Return values between 0 and `most`, the largest being `most`."""
    top = max((abs(value) for value in values), default=0.0) or 1.0
    return [round(most * abs(value) / top, 2) for value in values]


def said(value: object) -> str:
    """Return what a person said of a label or a figure."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool) or value is None:
        return "yes" if value else "no" if value is False else "none"
    text = OUTCOMES.get(str(value), str(value))
    return text.removesuffix(".0") if isinstance(value, float) else text


_WORD = re.compile(r"\w+")


def is_asked(word: str, asked: Sequence[str]) -> bool:
    """Return whether a word begins with one of those asked for, or is the number asked for."""
    plain = word.casefold()
    return any(plain == each if each.isdecimal() else plain.startswith(each) for each in asked)


def has_all(text: str, asked: Sequence[str]) -> bool:
    """Return whether each word that is asked for is in a text."""
    words = _WORD.findall(text)
    return all(any(is_asked(word, [each]) for word in words) for each in asked)


def marked(text: str, words: Sequence[str]) -> Markup:
    """Return a text as HTML, in which words that begin with one of these are marked."""
    made, start = Markup(), 0
    for match in _WORD.finditer(text):
        if not is_asked(match[0], words):
            continue
        made += escape(text[start : match.start()]) + Markup("<mark>{}</mark>").format(match[0])
        start = match.end()
    return made + escape(text[start:])


FILTERS: dict[str, Callable[..., Any]] = {
    "number": number,
    "size": size,
    "seconds": seconds,
    "age": age,
    "when": when,
    "file_name": file_name,
    "percent": percent,
    "said": said,
    "topic": topic,
    "counted": counted,
    "shares": shares,
    "scaled": scaled,
    "quantity": quantity,
    "marked": marked,
    "zip": zip,
    "state": lambda state: STATES.get(state, state),
    "language": lambda code: LANGUAGES.get(code, code or ""),
}
GLOBALS: dict[str, Any] = {
    "STATES": STATES,
    "OUTCOMES": OUTCOMES,
    "SALIENCE": SALIENCE,
    "LANGUAGES": LANGUAGES,
    "TOPICS": TOPICS,
    "TERMINAL": TERMINAL,
}
