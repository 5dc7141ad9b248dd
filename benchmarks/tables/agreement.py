"""Compare the gold with a second reading of some of its pages: `python -m benchmarks.tables.agreement`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from benchmarks.ingest.page import table
from benchmarks.tables.gold import HERE, by_page, load
from benchmarks.tables.score import Found, has_column, has_label, paired
from benchmarks.tables.words import core, unit_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.tables.gold import Value


def compare(first: Sequence[Value], second: Sequence[Value]) -> Counter[str]:
    """Count on a page what both readers have, and in which parts of the meaning they agree."""
    counts = Counter({"first": len(first), "second": len(second)})
    there = [as_found(value) for value in second]
    for at, other in paired(first, there).items():
        one, two = first[at], second[other]
        counts["value"] += one.value == two.value
        counts["label"] += has_label(one, there[other]) or has_label(two, as_found(one))
        counts["column or period"] += has_column(one, there[other]) or has_column(two, as_found(one))
        counts["unit"] += unit_of(one.unit) == unit_of(two.unit)
        counts["data point, or none"] += one.datapoint == two.datapoint
        counts["data point"] += bool(one.datapoint) and one.datapoint == two.datapoint
        counts["data point of either"] += bool(one.datapoint or two.datapoint)
    return counts


def as_found(value: Value) -> Found:
    """Return a value of the gold as a reader would have returned it."""
    return Found(
        number=core(value.printed),
        label=f"{value.parents} > {value.label}" if value.parents else value.label,
        column=value.column,
        period=value.period or None,
        unit=value.unit or None,
        value=value.value,
    )


def report() -> str:
    """Return the agreement as Markdown."""
    gold = by_page(load())
    counts: Counter[str] = Counter()
    for name, pages in by_page(load(HERE / "second.tsv")).items():
        for page, values in pages.items():
            counts += compare(gold[name][page], values)
    parts = ("value", "label", "column or period", "unit", "data point, or none")
    either = max(counts["first"], counts["second"])
    rows = [(part, f"{counts[part]:,}", f"{counts[part] / either:.3f}") for part in parts]
    given = counts["data point of either"]
    rows.append(
        ("data point, of those given", f"{counts['data point']:,}", f"{counts['data point'] / given:.3f}")
    )
    head = f"Values: {counts['first']:,} of the first reader, {counts['second']:,} of the second."
    return f"{head}\n\n{table(('the same', 'values', 'share'), rows)}"


if __name__ == "__main__":
    print(report())
