"""Render numbers, dates, names and changes as text, the same in every form of a digest."""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from datetime import date, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from shared.documents.views import quantity
from shared.platform.records import TOPIC_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from shared.digests.records import Change, DatapointChange, Digest, Filter, Measure, Quote, Source, Window

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip
"""Not from the locale, which is the machine's."""
DAYS_OF_WEEK = 7
MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"
SMALL_P = 0.001
EXACT_P = 0.01
MEASURES = {
    "sentiment": "of passages",
    "topic": "of passages",
    "negative": "of its passages are negative",
}
"""What a share is of."""
TEXT_BREAKS = re.compile(r"[^\S\u00a0\u202f]+")
"""Not the spaces that keep a number and its unit in one line."""
HIDDEN = {"Cc", "Cs", "Zl", "Zp"}
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They reorder what stands around them: a name could show as another one."""
NOT_XML = frozenset("\ufffe\uffff")


def clean(text: str) -> str:
    """Return a text in one line, without characters that show nothing or reorder others."""
    flat = TEXT_BREAKS.sub(" ", text)
    return "".join(
        char
        for char in flat
        if char not in BIDI and char not in NOT_XML and unicodedata.category(char) not in HIDDEN
    ).strip()


def count(number: int) -> str:
    """Return a number like 1,234."""
    return f"{number:,}"


def many(number: int, noun: str) -> str:
    """Return a count like 1 passage, 1,234 passages."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def percent(share: float | None, decimals: int = 0) -> str:
    """Return a share like 31%; only none is 0%, and only all is 100%."""
    if share is None:
        return NOTHING
    shown = f"{share * 100:.{decimals}f}"
    least = f"{10**-decimals:.{decimals}f}"
    if share > 0 and float(shown) == 0:
        return f"under {least}%"
    if share < 1 and float(shown) == 100:  # noqa: PLR2004 - all of it, in per cent
        return f"over {100 - 10**-decimals:.{decimals}f}%"
    return f"{shown}%"


def points(difference: float) -> str:
    """Return the difference between two shares, like +11 points."""
    shown = f"{difference * 100:+.0f}"
    if float(shown) == 0:
        shown = f"{difference * 100:+.1f}"
    if float(shown) == 0:
        return "0 points"
    return f"{shown.replace('-', MINUS)} point{'' if shown[1:] == '1' else 's'}"


def chance(p: float | None) -> str:
    """Return a p value, in as many digits as mean something."""
    if p is None:
        return "too few documents to tell"
    if p < SMALL_P:
        return f"p < {SMALL_P}"
    return f"p = {p:.3f}" if p < EXACT_P else f"p = {p:.2f}"


def topic(code: str) -> str:
    """Return a topic like E1 climate change; a topic of another taxonomy has its code alone."""
    name = TOPIC_NAMES.get(code)
    return f"{code} {name}" if name else clean(code)


def day(when: date) -> str:
    """Return a date like 22 November 2026."""
    return f"{when.day} {MONTHS[when.month - 1]} {when.year}"


def window(of: Window, zone: str) -> str:
    """Return the days that a window covers, like 16 to 22 November 2026; with hours if they are not whole."""
    start, end = (when.astimezone(ZoneInfo(zone)) for when in (of.start, of.end))
    if not (_midnight(start) and _midnight(end)):
        return f"{day(start)}, {start:%H:%M} to {day(end)}, {end:%H:%M}"
    last = end - timedelta(days=1)
    if start.date() >= last.date():
        return day(start)
    if start.day == 1 and end.day == 1 and (end.year - start.year) * 12 + end.month - start.month == 1:
        return f"{MONTHS[start.month - 1]} {start.year}"
    if (start.year, start.month) == (last.year, last.month):
        return f"{start.day} to {day(last)}"
    if start.year == last.year:
        return f"{start.day} {MONTHS[start.month - 1]} to {day(last)}"
    return f"{day(start)} to {day(last)}"


def short_day(when: datetime, zone: str) -> str:
    """Return a date like 16 Nov, for an axis."""
    local = when.astimezone(ZoneInfo(zone))
    return f"{local.day} {MONTHS[local.month - 1][:3]}"


def span(of: Window, zone: str) -> str:
    """Return what a window of this length is called: week, month, day or window."""
    start, end = (when.astimezone(ZoneInfo(zone)) for when in (of.start, of.end))
    if _midnight(start) and _midnight(end):
        days = (end.date() - start.date()).days
        if days == 1:
            return "day"
        if days == DAYS_OF_WEEK:
            return "week"
        if start.day == 1 and end.day == 1 and days <= 31:  # noqa: PLR2004 - the longest month
            return "month"
    return "window"


def changes(measure: Measure, against: Sequence[Change], kind: str, unit: str) -> str:
    """Return, say, E1 climate change: 31% of passages, up from 20% in the previous week (p = 0.004)."""
    now = measure.share or 0.0
    decimals = int(any(percent(now) == percent(change.share) and now != change.share for change in against))
    parts = []
    for change in against:
        way = "up from" if change.difference > 0 else "down from" if change.difference < 0 else "the same as"
        before = f"{way} {percent(change.share, decimals)} {_when(change, unit)}"
        parts.append(f"{before} ({chance(change.p)})")
    return f"{subject(measure, kind)}: {percent(now, decimals)} {MEASURES[kind]}, {', '.join(parts)}"


def measured(measure: Measure, kind: str) -> str:
    """Return what a measure is, for a table."""
    return subject(measure, kind) + (", negative" if kind == "negative" else "")


def subject(measure: Measure, kind: str) -> str:
    """Return what a measure is about."""
    if kind == "sentiment":
        return f"{clean(measure.name).capitalize()} in tone"
    return topic(measure.name)


def datapoint(of: DatapointChange) -> str:
    """Return, say, Gross Scope 1 emissions: 12,345 tCO2e in 2024, down 7.9% from 13,400 tCO2e in 2023."""
    before, now = (
        f"{clean(_quantity(each.value, of.unit))} {period(each.period)}" for each in (of.before, of.now)
    )
    return f"{clean(of.name)}: {now}, {_moved(of)} {before}"


def period(text: str) -> str:
    """Return a period in words: in 2024, in the first half of 2024, on 31 December 2024."""
    year, _, part = text.partition("-")
    if part in {"H1", "H2"}:
        return f"in the {'first' if part == 'H1' else 'second'} half of {year}"
    if part.startswith("Q"):
        return f"in the quarter {part} {year}"
    with suppress(ValueError):
        return f"on {day(date.fromisoformat(text))}" if part else f"in {text}"
    return f"in {text}"


def _moved(of: DatapointChange) -> str:
    way = "up" if of.now.value > of.before.value else "down"
    if of.unit == "%":
        difference = points((of.now.value - of.before.value) / 100).lstrip(f"+{MINUS}")
        return f"{way} {difference} from"
    if of.change is None:
        return f"{way} from"
    if of.change >= 1_000:  # noqa: PLR2004 - from here on people count times
        return f"{way} {of.now.value / of.before.value:,.0f} times from"
    return f"{way} {percent(abs(of.change) / 100, int(abs(of.change) < 10))} from"  # noqa: PLR2004 - 0.4% is not 0%


def _quantity(value: float, unit: str | None) -> str:
    return quantity(value, unit).replace("-", MINUS, 1) if value < 0 else quantity(value, unit)


def _when(change: Change, unit: str) -> str:
    """Return which windows a change is against; they need not follow each other, or end where this starts."""
    if change.against == "previous":
        return f"in the previous {unit}"
    return f"over {many(change.windows, f'earlier {unit}')}"


def document(of: Source) -> str:
    """Return a document's title, or the end of its name."""
    return clean(of.title or "") or clean(of.name.rsplit("/", 1)[-1]) or clean(of.name) or "document"


def place(of: Source) -> str:
    """Return the page or row of a quote, if it has one."""
    return f"p. {of.page}" if of.page else f"row {of.row}" if of.row else ""


def source(of: Source) -> str:
    """Return where something stands, like Tarnholm Sustainability Report, p. 12."""
    return ", ".join(filter(None, [document(of), place(of)]))


def figures(quote: Quote) -> list[str]:
    """Return the figures of a quote as they stand in the passage, each once; a year alone is none."""
    texts = (clean(figure.text) for figure in quote.figures if figure.kind != "year")
    return list(dict.fromkeys(filter(None, texts)))


def also(quote: Quote) -> str:
    """Return how many quotes are like this one: and 4 like it."""
    return f"and {count(quote.also)} like it" if quote.also else ""


def sure(quote: Quote) -> str:
    """Return how sure it is that a quote is what it is listed as: 94% sure."""
    return f"{percent(quote.sure)} sure" if quote.sure is not None else ""


def facts(quote: Quote) -> list[str]:
    """Return what is printed after a quote: organisation, year, topics, figures, how sure, how many alike."""
    topics = ", ".join(topic(code) for code in quote.topics)
    parts = quote.organisation, quote.year, topics, "; ".join(figures(quote)), sure(quote), also(quote)
    return [str(part) for part in parts if part]


def asked(wanted: Filter) -> str:
    """Return which documents and passages a filter means."""
    parts = [
        f"names that begin with “{clean(wanted.prefix)}”" if wanted.prefix else "",
        f"organisation {clean(wanted.organisation)}" if wanted.organisation else "",
        f"only passages on {topic(wanted.topic)}" if wanted.topic else "",
        f"language {clean(wanted.language)}" if wanted.language else "",
    ]
    said = "; ".join(filter(None, parts)) or "all documents"
    return said[0].upper() + said[1:]


def kind(digest: Digest) -> str:
    """Return a digest's name, like Digest “board-weekly”; a digest on demand has none."""
    return "Digest" if digest.schedule == "now" else f"Digest “{clean(digest.schedule)}”"


def title(digest: Digest) -> str:
    """Return a digest's title, like Digest “board-weekly”, 16 to 22 November 2026."""
    return f"{kind(digest)}, {window(digest.window, digest.zone)}"


def duration(seconds: float) -> str:
    """Return a duration in its largest unit, like 3 days, 5 hours or 12 minutes."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return many(round(seconds / length), unit)
    return many(round(seconds), "second")


def _midnight(when: datetime) -> bool:
    return when.hour == when.minute == when.second == when.microsecond == 0
