"""Compare what a reader found on a page with the gold: pure code.

**Kept:** the number stands in what the reader returned, as printed, as often as the gold has it there.
**Label:** three of four words of the gold's label (one of two in prose) are in the label found, and half of
the words of a table's label found are words of the gold's value, so that a cell with ten labels is no label.
Case, accents, blanks, footnote marks and the order of words are no matter. Where two rows of a page have the
same label, a word of its parents that tells it apart must be found too.
**Column:** its period, or three of four words of its head, and no other period; right by itself where the
gold has neither.
**Unit:** the same base unit, and with it the same value; of cells, which have no value, the unit's words in
the cell, label or heads.
**Wrong:** a number with a meaning that the gold contradicts: no such number is on the page (invented), or the
value, the kind of unit or the period is another, or the label is that of another row.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from benchmarks.tables.gold import PARTLY_READ
from benchmarks.tables.words import core, squeezed, unit_of, words, years

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.tables.gold import Value

ENOUGH = {"table": 0.75, "chart": 0.75, "prose": 0.5}
"""Share of a label's words that must be found."""
LEAST_OWN = 0.5
"""Share of the words of a label found, outside prose, that must belong to the value."""
LONG = 6
"""Words of a label that are enough to know it by."""
_LEAST_HEAD = 3
"""Letters of a head of a column that tell it from others; "in %" has fewer."""
_TOLERANCE = 1e-6
_COUNTED = {"count", "people"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A number with its meaning as a reader returned it."""

    number: str
    """As `core` makes it of what is printed."""
    label: str = ""
    """Label with its parents, " > " between them."""
    column: str = ""
    period: str | None = None
    unit: str | None = None
    """A cell's: all text that may state it."""
    value: float | None = None
    """In `unit`; None: the reader does not interpret numbers, so that its unit is text."""
    box: tuple[float, float, float, float] | None = None
    """In points from the page's top left corner."""
    meant: bool = True
    """Whether the reader says what the number means: then it can be wrong."""


@dataclass(slots=True)
class Counts:
    """How many of the gold's values were found, and how many numbers found are wrong."""

    values: int = 0
    kept: int = 0
    label: int = 0
    column: int = 0
    """With label and with column or period."""
    units: int = 0
    """Values whose unit the gold knows."""
    unit: int = 0
    found: int = 0
    """Numbers with a meaning on the pages."""
    wrong: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(Counts)))


@dataclass(slots=True)
class Score:
    """The counts of a page, and in words what was not as the gold has it."""

    counts: Counts = field(default_factory=Counts)
    remarks: list[str] = field(default_factory=list)


def score(values: Sequence[Value], found: Sequence[Found], where: str | None = None) -> Score:
    """Score a page; with `where`, only the values of that kind count.

    What is wrong is counted over the whole page, since a reader does not know of kinds.
    """
    values = [value for value in values if value.value is not None]
    result = Score()
    counts = result.counts
    pairs = paired(values, found)
    for at, value in enumerate(values):
        if where not in {None, value.where}:
            continue
        counts.values += 1
        counts.units += bool(value.unit)
        if at not in pairs:
            result.remarks.append(f"lost     {_named(value)}")
            continue
        entry = found[pairs[at]]
        named, placed = has_label(value, entry, values), has_column(value, entry)
        right = bool(value.unit) and has_unit(value, entry)
        counts.kept += 1
        counts.label += named
        counts.column += named and placed
        counts.unit += right
        missed = [
            part
            for part, holds in (("label", named), ("column", placed), ("unit", right or not value.unit))
            if not holds
        ]
        if missed:
            result.remarks.append(f"{'+'.join(missed):<8} {_named(value)}\n         found: {_shown(entry)}")
    taken = {other: values[at] for at, other in pairs.items()}
    for at, entry in enumerate(found):
        if entry.meant:
            counts.found += 1
            why = contradiction(entry, taken.get(at), values)
            counts.wrong += bool(why)
            if why:
                result.remarks.append(f"wrong    {_shown(entry)}\n         {why}")
    return result


def has_label(value: Value, found: Found, others: Iterable[Value] = ()) -> bool:
    """Whether the label found is the value's; `others` are the values of its page."""
    if not value.label:
        return True
    wanted, given = set(words(value.label)), words(found.label)
    whole = squeezed(value.label) in squeezed(found.label)  # however the words are spaced
    if _share(wanted, given) < ENOUGH[value.where] and not whole:
        return False
    if value.where != "prose":
        own = set(words(f"{value.label} {value.parents} {value.column} {value.unit} {value.period}"))
        last = found.label.rpartition(" > ")[2]
        innermost = words(last)
        is_long = sum(word in own for word in innermost) < LEAST_OWN * len(innermost)
        is_spaced = whole and LEAST_OWN * len(squeezed(last)) <= len(squeezed(value.label))
        if is_long and not is_spaced and not _is_shortened(value.label, last):
            return False
    return all(apart.intersection(given) for apart in _apart(value, others))


def _is_shortened(label: str, whole: str) -> bool:
    """Whether the gold has a label without its end, or without its middle."""
    begin = label.partition("\u2026")[0].split()
    rest = whole.split()[len(begin) :]
    if squeezed("".join(whole.split()[: len(begin)])).rstrip(",;:") != squeezed("".join(begin)):
        return False
    return "\u2026" in label or len(begin) >= LONG or " ".join(rest).startswith(("(", "i.e", "as a ", "- "))


def _apart(value: Value, others: Iterable[Value]) -> list[set[str]]:
    """Return, for each other row of the same label, the words of the parents that tell it apart."""
    parents = set(words(value.parents)) if value.parents else set()
    twins = {
        other.parents
        for other in others
        if other.parents != value.parents
        and (other.where, other.column, other.period) == (value.where, value.column, value.period)
        and words(other.label) == words(value.label)
    }
    return [apart for twin in twins if (apart := parents - set(words(twin)))]


def has_column(value: Value, found: Found) -> bool:
    """Whether the column or period found is the value's."""
    wanted = years(value.period) or years(value.column)
    given = years(found.period or "") or years(found.column)
    same_years = years(found.column) <= years(value.column)
    if value.column and not found.period and same_years and squeezed(value.column) in squeezed(found.column):
        return True  # with whatever year: "compared to 2030"
    if wanted and given:
        return wanted == given
    if not value.column:
        return not wanted
    given_words = words(f"{found.column} {found.label}")
    lowest = words(value.column.rpartition(" > ")[2])
    names = [each for each in (lowest, words(value.column)) if len("".join(each)) >= _LEAST_HEAD]
    if not names:  # "%"
        return squeezed(value.column) in squeezed(found.column)
    return _share(set(names[0]), given_words) >= ENOUGH["table"]


def has_unit(value: Value, found: Found) -> bool:
    """Whether the unit found is the value's, and with it the value."""
    wanted = unit_of(value.unit)
    if found.value is None:
        text = found.unit or ""
        stated = _share(set(words(value.unit)), words(text)) >= ENOUGH["table"]
        return stated or squeezed(value.unit) in squeezed(text)
    return same_kind(wanted.kind, found.unit) and _same_value(value, found)


def same_kind(wanted: str, unit: str | None) -> bool:
    """Whether a unit found is of this kind; things that are counted need no unit."""
    given = unit_of(unit).kind if unit else "count"
    return given == wanted or {given, wanted} == {"%", "points"}


def _same_value(value: Value, found: Found) -> bool:
    assert value.value is not None
    assert found.value is not None
    factor = unit_of(found.unit).factor if found.unit else 1.0
    wanted = value.value * unit_of(value.unit).factor
    return math.isclose(wanted, found.value * factor, rel_tol=_TOLERANCE, abs_tol=1e-12)


def contradiction(found: Found, value: Value | None, values: Sequence[Value]) -> str:
    """Return what of a number the gold contradicts, in a word or two; "" for nothing.

    `value` is the gold's that the number was taken for; None: another has been taken for that.
    """
    if value is None:
        same = [other for other in values if core(other.printed) == found.number]
        if not same:
            page = {(other.report, other.page) for other in values}
            return "" if page <= PARTLY_READ else "invented: the page has no such value"
        reasons = [contradiction(found, other, values) for other in same]
        return "" if "" in reasons else reasons[0]
    period = years(found.period or "")
    if period and years(value.period) and period != years(value.period):
        return f"period is {value.period}"
    return _other_value(found, value) or _other_label(found, value, values)


def _other_value(found: Found, value: Value) -> str:
    if found.value is None:
        return ""
    if not found.unit or not value.unit:
        scaled = {value.value, (value.value or 0) * unit_of(value.unit).factor}
        likely = any(math.isclose(abs(each or 0), abs(found.value), rel_tol=_TOLERANCE) for each in scaled)
        return "" if likely or found.unit else f"value is {value.printed}"
    if same_kind(unit_of(value.unit).kind, found.unit):
        return "" if _same_value(value, found) else f"value is {value.printed} {value.unit}"
    return "" if unit_of(found.unit).kind in _COUNTED else f"unit is {value.unit}"


def _other_label(found: Found, value: Value, values: Sequence[Value]) -> str:
    if value.where != "prose" and found.label and not has_label(value, found, values):
        for other in values:
            if other.where != "prose" and other.label != value.label and _is_of(found, other, values):
                return f"label is {value.label}"
    return ""


def _is_of(found: Found, other: Value, values: Sequence[Value]) -> bool:
    return has_column(other, found) and has_label(other, found, values)


def paired(values: Sequence[Value], found: Sequence[Found]) -> dict[int, int]:
    """Return for each value, by index, the number that was found for it: by place, then by meaning."""
    by_number: dict[str, list[int]] = {}
    for at, entry in enumerate(found):
        by_number.setdefault(entry.number, []).append(at)
    likely = []
    for at, value in enumerate(values):
        for other in by_number.get(core(value.printed), ()):
            entry = found[other]
            meaning = (
                2 * has_label(value, entry, values)
                + 2 * has_column(value, entry)
                + (bool(value.unit) and has_unit(value, entry))
            )
            likely.append((-_nearness(value, entry), -meaning, abs(at - other), at, other))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for *_, at, other in sorted(likely):
        if at not in pairs and other not in taken:
            pairs[at] = other
            taken.add(other)
    return pairs


def _nearness(value: Value, found: Found) -> int:
    """Whether a number's box, if it is as small as a cell, is where the value is."""
    if found.box is None or value.x is None or value.y is None:
        return 0
    left, top, right, bottom = found.box
    return int(left - 2 <= value.x <= right + 2 and top - 2 <= value.y <= bottom + 2)


def _share(wanted: set[str], given: Sequence[str]) -> float:
    return len(wanted & set(given)) / len(wanted) if wanted else 0.0


def _named(value: Value) -> str:
    parts = (value.label, value.parents, value.column, value.period, value.unit)
    return f"{value.printed}: {' | '.join(parts)} [{value.where}]"


def _shown(found: Found) -> str:
    unit = found.unit or "" if found.value is not None else ""  # a cell's repeats label and head
    parts = (found.label[-120:], found.column[-120:], found.period or "", unit)
    return f"{found.number}: {' | '.join(parts)}" + ("" if found.value is None else f" = {found.value:g}")


def shares(counts: Counts) -> list[str]:
    """Return kept, label, column, unit and wrong as shares with three digits."""
    over = Counter(values=counts.values, units=counts.units, found=counts.found)
    return [
        f"{part / over[of]:.3f}" if over[of] else ""
        for part, of in (
            (counts.kept, "values"),
            (counts.label, "values"),
            (counts.column, "values"),
            (counts.unit, "units"),
            (counts.wrong, "found"),
        )
    ]
