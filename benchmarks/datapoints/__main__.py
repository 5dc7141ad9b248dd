"""Measure the data points of figures against labels judged by hand: `python -m benchmarks.datapoints`.

`labels.tsv` has figures of tables and sentences of company reports: what their label, headings and column
say, in at most twelve words each (eight of sentences), their unit as normalised, and the code that an
analyst would give them, or none. The ways of saying in `datapoints.toml` were written with the reports of
the split "first" at hand. Those of "second" and then of "last" were labelled later; at the first look at
them precision and recall were .89 and .87, then .94 and .96, and what was missing was added. "pages" are
the figures that `benchmarks/tables` has read off page images; they too were at hand.

"third" and "fourth" are figures that got a code when 39 and 10 more reports were read as uploads are, each
judged. Precision over all figures of such reports at the first look at them, ten or nine at a time, was .73,
.72, .82 and .72, of the last with rows told apart by their table .90; what was wrong was mended each time.
That of the ten reports of "fourth" was .92 (355 figures, 129 rows); a row is here once. Rows that only their
table tells apart are left out. Figures that wrongly have no code are not among them: no recall is measured.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.tables.gold import load
from shared.platform.tables import Figure
from shared.text.datapoints import assign
from shared.text.units import unit_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.tables.gold import Value
    from shared.platform.tables import FigureKind

LABELS = Path(__file__).with_name("labels.tsv")


@dataclass(frozen=True, slots=True)
class Case:
    """A figure as it is read, and the code that is right."""

    split: str
    report: str
    figure: Figure
    text: str
    heading: str | None
    code: str | None


@dataclass(slots=True)
class Counts:
    """How many codes are right, wrong and missing."""

    right: int = 0
    wrong: int = 0
    missing: int = 0
    without: int = 0
    """Figures that have no code, rightly."""

    def add(self, code: str | None, found: str | None) -> None:
        """Count a figure: a code in another's place is wrong, and the other is missing."""
        self.right += code is not None and found == code
        self.wrong += found is not None and found != code
        self.missing += code is not None and found != code
        self.without += code is None and found is None

    def __str__(self) -> str:
        found, there = self.right + self.wrong, self.right + self.missing
        precision, recall = self.right / max(found, 1), self.right / max(there, 1)
        return f"{there:5} {self.without + self.wrong:6}   {precision:.3f}     {recall:.3f}"


def labelled() -> Iterator[Case]:
    """Yield the figures of the labels."""
    with LABELS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            metric = " > ".join(filter(None, (row["parents"], row["label"])))
            figure = _figure(metric, row["value"], row["unit"], is_cell=row["where"] == "table")
            code = row["code"] or None
            text = _text(metric, row["column"], row["value"])
            yield Case(row["split"], row["report"], figure, text, row["heading"] or None, code)


def on_pages() -> Iterator[Case]:
    """Yield the figures that were read off page images."""
    for value in load():
        if value.value is None:  # a dash
            continue
        metric = " > ".join(filter(None, (value.parents, value.label)))
        unit = unit_of(value.unit) if value.unit else None
        name = (unit.name or "") if unit else value.unit
        figure = _figure(metric, value.printed, name, is_cell=value.where != "prose")
        yield Case(
            "pages", value.report, figure, _text(metric, value.column, value.printed), None, _code(value)
        )


def _code(value: Value) -> str | None:
    return value.datapoint or None


def _figure(metric: str, printed: str, unit: str, *, is_cell: bool) -> Figure:
    kind: FigureKind = "percentage" if unit in {"%", "pp"} else "quantity" if unit else "number"
    if len(unit) == len("EUR") and unit.isupper() and unit != "FTE":
        kind = "amount"
    return Figure(
        kind=kind,
        value=_value(printed),
        unit=unit or None,
        text=printed,
        printed=printed,
        metric=metric,
        cell=(0, 0) if is_cell else None,
    )


def _value(printed: str) -> float:
    """Return the number roughly: what follows the last separator are decimals if it is one or two digits."""
    whole, decimals = re.fullmatch(r"(.*?)(?:[.,](\d\d?))?\D*", printed, re.DOTALL).groups("")  # type: ignore[union-attr]
    return float(f"{re.sub(r'[^0-9]', '', whole) or 0}.{decimals or 0}")


def _text(metric: str, column: str, printed: str) -> str:
    return f"{metric} | {column}: {printed}" if column else f"{metric} | {printed}"


def main() -> None:
    """Print precision and recall by split; with --report, by report, and each figure that is not right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", action="store_true", help="by report, with what is not right")
    by_report = parser.parse_args().report
    counts: dict[str, Counts] = defaultdict(Counts)
    for case in (*labelled(), *on_pages()):
        [found] = assign([case.figure], text=case.text, heading=case.heading)
        for name in (case.split, "all", *([f"  {case.report}"] if by_report else [])):
            counts[name].add(case.code, found.datapoint)
        if by_report and found.datapoint != case.code:
            print(
                f"{case.report}: {case.text[:120]} [{case.figure.unit}]: {found.datapoint}, not {case.code}"
            )
    print(f"{'split':34} codes  without precision recall")
    for name, each in counts.items():
        print(f"{name:34} {each}")


if __name__ == "__main__":
    main()
