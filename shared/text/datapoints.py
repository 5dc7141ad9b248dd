"""ESRS data points of figures: which of the points in `datapoints.toml` a figure states, if any.

A figure gets a code where its label and heads say the point's words, its unit fits and nothing speaks for a
part, a target or a change. How sure that is comes from a logistic model of few features; below its threshold
a figure has none, since a wrong value is worse than a missing one.
"""

from __future__ import annotations

import math
import re
import tomllib
import unicodedata
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.platform.tables import Figure

FILE = Path(__file__).with_name("datapoints.toml")
THRESHOLD = 0.5
"""Least probability at which a figure gets its code."""
MAX_LABEL = 400
"""Characters of a label, head or heading that are looked at."""
_GAP = r"(?:\S+ ){0,3}"
_BEFORE = 60  # characters of a sentence before its figure that can make it a change or a target
_DASHES = re.compile(r"[^\w%<>]+")
_SCOPE = re.compile(r"\bscopes? (i{1,3})\b")
_SUPERSCRIPT = re.compile("(?<!m)[\u00b2\u00b3]|[\u00b9\u2070\u2074-\u2079]")


class Found(NamedTuple):
    """A data point that a figure may state."""

    code: str
    score: float
    width: int
    """How many characters of the label, heads and headings say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Datapoint:
    """A data point with its ways of saying, ready to match; see the head of `datapoints.toml`."""

    code: str
    name: str
    topic: str | None
    units: frozenset[str]
    says: tuple[tuple[re.Pattern[str], ...], ...]
    excluded: re.Pattern[str] | None
    never: re.Pattern[str] | None
    known: re.Pattern[str]
    """Any single word of its ways of saying."""
    only_all: bool


class Words(NamedTuple):
    """What counts for all data points alike."""

    neutral: frozenset[str]
    blocked: re.Pattern[str]
    parts: re.Pattern[str]
    units: dict[str, str]


def datapoints() -> tuple[Datapoint, ...]:
    """Return the data points of the file, in its order."""
    return _loaded()[0]


def assign(
    figures: Sequence[Figure], *, text: str, topics: Sequence[str] = (), heading: str | None = None
) -> list[Figure]:
    """Return the figures of a passage with their topic and, where one is sure, their data point.

    `text` is the passage's, `topics` are its topics, best first, `heading` is the heading above the passage
    or the caption of its table.
    """
    heads = _heads(figures, text)
    result = []
    for figure, head in zip(figures, heads, strict=True):
        best = None
        if _may_have(figure, text):
            found = candidates(figure.metric, head, heading or "", _kind(figure), prose=figure.cell is None)
            best = found[0] if found and found[0].score >= THRESHOLD else None
        topic = _topic(best.code) if best else None
        result.append(
            replace(
                figure,
                topic=topic or (topics[0] if topics else None),
                datapoint=best.code if best else None,
            )
        )
    return result


def datapoint_of_query(words: str) -> list[str]:
    """Return the codes that words of a search ask for, best first: "scope 1 emissions" is E1-6.scope1."""
    text = _normal(words)
    found = []
    for point in datapoints():
        width = max((_width(phrase, (text,)) for phrase in point.says), default=0)
        if width and not (point.excluded and point.excluded.search(text)):
            found.append((-width, point.code))
    widest = min(found, default=(0, ""))[0]
    return [code for width, code in sorted(found) if width <= widest * 0.7]


class Label(NamedTuple):
    """What stands at a figure, each part normalised."""

    own: tuple[str, str]
    """Label of the row, head of the column."""
    above: tuple[str, ...]
    """Headings of the row from the top, and last the heading above the table or passage."""
    unit: str
    """Kind of units, "none" where there is none."""
    prose: bool


@lru_cache(maxsize=4096)
def candidates(metric: str, head: str, heading: str, unit: str, *, prose: bool) -> tuple[Found, ...]:
    """Return the data points that a label can mean, best first.

    `unit` is a kind of units, "none" where there is none.
    """
    *parents, label = [_normal(part) for part in metric.split(" > ")]
    words = _loaded()[1]
    top, around = _normal(head), _normal(heading)
    while parents and _is_neutral(label, words) and _is_neutral(top, words):
        label = parents.pop()
    if _is_neutral(label, words) and _is_neutral(top, words):
        label, around = around, " "
    read = Label((label, top), (*parents, around), unit, prose)
    fitting = [point for point in datapoints() if unit in point.units or unit == "none"]
    found = [each for point in fitting if (each := _judged(point, read, words))]
    return tuple(sorted(found, key=lambda each: (-each.score, -each.width)))


def _judged(point: Datapoint, read: Label, words: Words) -> Found | None:
    own_width = width = 0
    for phrase in point.says:
        here = max(_width(part, read.own) for part in (phrase, *((each,) for each in phrase)))
        if here and (each := _width(phrase, (*read.own, *read.above))):
            own_width, width = max((own_width, width), (here, each))
    if not width or (point.excluded and any(map(point.excluded.search, read.own))):
        return None
    if point.never and any(map(point.never.search, (*read.own, *read.above[:-1]))):
        return None
    unknown = [_unknown(text, point, words) for text in read.own]
    if None in unknown:
        return None
    label, head = (each or 0 for each in unknown)
    if label and not any(part.search(read.own[0]) for phrase in point.says for part in phrase):
        return None
    z = 1.0 + 0.08 * own_width + 0.02 * width
    z -= (0.9 if read.prose else 1.2) * min(label, 4) + 0.6 * min(head, 4)
    z -= 1.5 * (read.unit == "none" and "none" not in point.units) + 0.5 * read.prose
    z -= 1.0 * (point.only_all and label > 0)
    return Found(point.code, 1 / (1 + math.exp(-z)), width)


def _width(phrase: Sequence[re.Pattern[str]], texts: Sequence[str]) -> int:
    """Return how many characters the parts of a phrase take, 0 if one is missing."""
    width = 0
    for part in phrase:
        most = max((len(found[0]) for text in texts if (found := part.search(text))), default=0)
        if not most:
            return 0
        width += most - 1
    return width


def _unknown(text: str, point: Datapoint, words: Words) -> int | None:
    """Count the words that nothing explains; None: one of them says that this is another thing."""
    count = 0
    for word in text.split():
        if word in words.neutral or word.isdecimal() or point.known.fullmatch(word):
            continue
        if words.blocked.fullmatch(word) or words.parts.fullmatch(word):
            return None
        count += 1
    return count


def _is_neutral(text: str, words: Words) -> bool:
    return all(word in words.neutral or word.isdecimal() for word in text.split())


def _may_have(figure: Figure, text: str) -> bool:
    if figure.kind == "year" or (figure.qualifier or "") in {"target", "change"} or figure.unit == "pp":
        return False
    if figure.cell is not None:
        return True
    at = text.find(figure.text)
    before = _normal(text[max(at - _BEFORE, 0) : at]) if at > 0 else " "
    return not any(map(_loaded()[1].blocked.fullmatch, before.split()))


def _heads(figures: Sequence[Figure], text: str) -> list[str]:
    """Return the head of each figure's column, as the text of its row has it: "head: value; head: value"."""
    if not figures or figures[0].cell is None or " | " not in text:
        return [""] * len(figures)
    cells = text.rsplit(" | ", 1)[1].split("; ")
    heads, at = [], 0
    for figure in figures:
        ends = (figure.text, figure.printed or figure.text)
        found = next((n for n in range(at, len(cells)) if cells[n].endswith(ends)), None)
        heads.append(cells[found].rpartition(": ")[0] if found is not None else "")
        at = found + 1 if found is not None else at
    return heads


def _kind(figure: Figure) -> str:
    """Return the kind of a figure's unit: "share", "carbon", "energy/" of what is per something, "none"."""
    if figure.kind == "amount":
        return "currency"
    if figure.kind == "percentage":
        return "share"
    unit = figure.unit or ""
    first, *per = re.split(r"/| per ", unit, maxsplit=1)
    kind = _loaded()[1].units.get(first.strip().lower(), "other" if first else "none")
    return f"{kind}/" if per else kind


def _topic(code: str) -> str | None:
    return next(point.topic for point in datapoints() if point.code == code)


def _normal(text: str) -> str:
    """Return the words of a text in lower case, without accents and marks, a space around each."""
    text = _SUPERSCRIPT.sub("", text[:MAX_LABEL])
    text = unicodedata.normalize("NFKD", text).replace("&", " and ").replace("+", " and ").lower()
    text = "".join(letter for letter in text if not unicodedata.combining(letter)).replace("\u00df", "ss")
    text = _DASHES.sub(" ", text.replace("<", " < ").replace(">", " > ").replace("%", " % "))
    text = _SCOPE.sub(lambda found: f"scope {len(found[1])}", text)
    return f" {' '.join(text.replace('_', ' ').split())} "


@cache
def _loaded() -> tuple[tuple[Datapoint, ...], Words]:
    file = tomllib.loads(FILE.read_text(encoding="utf-8"))
    lists = {name: value for name, value in file["words"].items() if isinstance(value, list)}
    points = tuple(_datapoint(entry, lists) for entry in file["datapoint"])
    plain = {name: value.split() for name, value in file["words"].items() if isinstance(value, str)}
    units = {unit.lower(): kind for kind, all_units in reversed(file["units"].items()) for unit in all_units}
    return points, Words(
        neutral=frozenset(word for each in plain["neutral"] for word in _normal(each).split()),
        blocked=re.compile("|".join(_word(word) for word in plain["blocked"])),
        parts=re.compile("|".join(_word(word) for word in plain["parts"])),
        units=units,
    )


def _datapoint(entry: dict[str, object], lists: dict[str, list[str]]) -> Datapoint:
    says, excluded, never = (_strings(entry, name) for name in ("says", "not", "never"))
    spelt = " ".join(phrase for way in says for phrase in _spelt_out(way, lists))
    words = {word for word in re.split(r"[ |()+~]+", spelt) if word}
    topic = str(entry["topic"])
    return Datapoint(
        code=str(entry["code"]),
        name=str(entry["name"]),
        topic=None if topic == "none" else topic,
        units=frozenset(_strings(entry, "units")),
        says=tuple(tuple(_pattern([part], lists) for part in way.split(" + ")) for way in says),
        excluded=_pattern(excluded, lists) if excluded else None,
        never=_pattern(never, lists) if never else None,
        known=re.compile("|".join(map(_word, sorted(words)))),
        only_all=bool(entry.get("only_all")),
    )


def _strings(entry: dict[str, object], name: str) -> list[str]:
    value = entry.get(name, [])
    if not isinstance(value, list):
        raise TypeError(f"{name} of {entry.get('code')} must be a list")
    return [str(each) for each in value]


def _spelt_out(phrase: str, lists: dict[str, list[str]]) -> Iterable[str]:
    for word in phrase.split():
        yield from lists[word[1:]] if word.startswith("@") else [word]


def _pattern(phrases: Iterable[str], lists: dict[str, list[str]]) -> re.Pattern[str]:
    return re.compile(" " + f"(?:{'|'.join(_phrase(each, lists) for each in phrases)})")


def _phrase(phrase: str, lists: dict[str, list[str]]) -> str:
    """Return the expression of a phrase; each word ends with its space, so that the next one begins there."""
    parts = []
    for token in phrase.split():
        word = token.strip("()")
        if word.startswith("@"):
            expression = f"(?:{'|'.join(_phrase(each, lists) for each in lists[word[1:]])})"
        elif word == "~":
            expression = _GAP
        else:
            expression = f"(?:{'|'.join(map(_word, word.split('|')))}) "
        parts.append(f"(?:{expression})?" if token.startswith("(") else expression)
    return "".join(parts)


def _word(word: str) -> str:
    stem = _normal(word.rstrip("*")).strip()
    return re.escape(stem) + (r"\w*" if word.endswith("*") else "")
