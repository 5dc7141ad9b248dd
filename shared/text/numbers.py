"""Numbers as reports print them: thousands, decimals and signs of several languages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_NUMBER = 24
"""Limit on a number in characters; what is longer is a code."""
_THOUSANDS, _HUNDREDS = 3, 2  # digits of a group
_DECIMAL = re.compile(
    # Not before three digits, but for "0.123".
    r"(?<![\d.,])(?:\d+|\d{1,3}(?:,\d{3})+|\d{1,3}(?:\.\d{3})+)(?P<mark>[.,])(?:\d\d?|\d{4,})(?![.,]?\d)"
    r"\s?(?P<share>%?)"
    r"|(?<![\d.,])0(?P<zero>[.,])\d{3}(?!\d)"
)
_GROUP = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?P<mark>[.,])\d{3}(?:(?P=mark)\d{3})*(?![\d%]|[.,]\d)")
_INDIAN = re.compile(r"\d,\d\d,\d{3}(?!\d)")
_SPACE_GROUP = re.compile(r"(?<![\d.,])[1-9]\d{0,2}[ \u00a0\u2009\u202f]\d{3}(?!\d)")
_NUMBER = re.compile(r"\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,'\u2019]\d+)*")


class Style(NamedTuple):
    """How a document or a table writes numbers."""

    decimal: Literal[".", ","] | None = None
    """The mark before decimals; None: nothing shows it."""
    spaced: bool = True
    """Whether a space may divide thousands."""


class Number(NamedTuple):
    """A number in a text, without sign."""

    start: int
    end: int
    value: float
    printed: str


def style_of(texts: Iterable[str], default: Style | None = None) -> Style:
    """Return the style that most numbers of a table or document show; else the default's.

    A mark before three digits divides thousands more often than it marks decimals: it counts for the other
    mark, half. Percentages count if nothing else shows a style: some reports write "70,4%" beside "2,524".
    """
    decimals = {".": 0, ",": 0}
    groups = {".": 0, ",": 0}
    shares = {".": 0, ",": 0}
    spaces = 0
    for text in texts:
        if not any(map(str.isdecimal, text)):
            continue
        for match in _DECIMAL.finditer(text):
            (shares if match["share"] else decimals)[match["mark"] or match["zero"]] += 1
        for match in _GROUP.finditer(text):
            groups[match["mark"]] += 1
        groups[","] += len(_INDIAN.findall(text))
        spaces += len(_SPACE_GROUP.findall(text))
    spaced = spaces >= sum(groups.values())
    point, comma = 2 * decimals["."] + groups[","], 2 * decimals[","] + groups["."]
    if point == comma:
        point, comma = shares["."], shares[","]
    if point == comma:
        return default or Style(None, spaced)
    return Style("," if comma > point else ".", spaced)


def numbers(text: str, style: Style) -> Iterator[Number]:
    """Yield the numbers of a text that can be read; "1.2.3" and codes of many digits cannot."""
    for match in _NUMBER.finditer(text):
        start = match.start()
        for printed in [match[0]] if style.spaced else match[0].split(" "):
            value = value_of(printed, style.decimal)
            if value is not None:
                yield Number(start, start + len(printed), value, printed)
            start += len(printed) + 1


def value_of(printed: str, decimal: str | None) -> float | None:
    """Return the value of digits and marks; None if they are no number."""
    if len(printed) > MAX_NUMBER:
        return None
    digits = re.sub(r"['\u2019 \u00a0\u2009\u202f]", "", printed)
    marks = re.findall(r"[.,]", digits)
    if not marks:
        return float(digits)
    parts = re.split(r"[.,]", digits)
    last_groups = len(parts[-1]) == _THOUSANDS
    if len(set(marks)) == 1:
        if len(marks) > 1:
            return float("".join(parts)) if last_groups and _are_groups(parts) else None
        is_group = last_groups and _divides(marks[0], parts, decimal, spaced=len(digits) < len(printed))
        return float("".join(parts)) if is_group else float(f"{parts[0]}.{parts[1]}")
    if marks.count(marks[-1]) > 1 or (last_groups and marks[-1] != decimal and decimal is not None):
        return float("".join(parts)) if last_groups else None
    return float("".join(parts[:-1]) + "." + parts[-1]) if _are_groups(parts[:-1]) else None


def _are_groups(parts: list[str]) -> bool:
    """Whether parts are thousands, or the hundreds of Indian numbers ("2,52,08,000")."""
    return len(parts) == 1 or (
        len(parts[0]) <= _THOUSANDS
        and all(len(part) in {_HUNDREDS, _THOUSANDS} for part in parts[1:])
        and len(parts[-1]) == _THOUSANDS
    )


def _divides(mark: str, parts: list[str], decimal: str | None, *, spaced: bool) -> bool:
    """Whether the one mark before three digits divides thousands."""
    if spaced or len(parts[0]) > _THOUSANDS or parts[0].startswith("0"):
        return False
    return mark != decimal
