"""Read the numbers that a chart of Word or PowerPoint is drawn from, as a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.extract.cells import kind_of
from shared.extract.office.excel import Formats
from shared.extract.office.package import Handlers
from shared.extract.tables import Grid, GridCell
from shared.extract.tidy import squeeze

if TYPE_CHECKING:
    from shared.extract.office.package import Attributes, Budget

_SEPARATOR = 3  # characters between two values
_LAST = 100_000  # point of a series


@dataclass(slots=True)
class _Series:
    names: list[str] = field(default_factory=list)
    points: dict[str, dict[int, str]] = field(default_factory=lambda: {"heads": {}, "values": {}})


class Chart(Handlers):
    """Reads the XML of a chart; then `grid` has its series, as they were last calculated."""

    skipped = frozenset({"c:dLbls", "c:catAx", "c:dateAx", "c:serAx", "c:externalData"})

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._title: list[str] = []
        self._unit: list[str] = []  # the title of the first axis of values
        self._open: list[str] | None = None
        self._axes = 0
        self._series: list[_Series] = []
        self._part = ""
        self._format = ""
        self._point = 0
        self.texts = {"c:v": self._value, "c:formatCode": self._set_format, "a:t": self._add_title}
        self.starts = {
            "c:title": self._start_title,
            "c:valAx": self._start_axis,
            "c:ser": self._start_series,
            **dict.fromkeys(("c:cat", "c:xVal"), self._start_heads),
            **dict.fromkeys(("c:val", "c:yVal"), self._start_values),
            "c:pt": self._start_point,
        }
        self.ends = {
            "c:title": self._end_title,
            **dict.fromkeys(("c:cat", "c:xVal", "c:val", "c:yVal"), self._end_part),
        }

    def grid(self, page: int | None = None) -> Grid | None:
        """Return the table: series as rows below their years, else as columns; None without numbers."""
        series = [each for each in self._series if each.points["values"]]
        if not series:
            return None
        heads = next((each.points["heads"] for each in series if each.points["heads"]), {})
        names = [squeeze(" ".join(each.names)) for each in series]
        values = [each.points["values"] for each in series]
        places = sorted(set().union(*values))
        lines = [[heads.get(at, ""), *(each.get(at, "") for each in values)] for at in places]
        lines.insert(0, ["", *names])
        if heads and all(kind_of(head) == "period" for head in heads.values() if head):
            lines = [list(line) for line in zip(*lines, strict=True)]
        rows = [[GridCell(text=text, column=at) for at, text in enumerate(line)] for line in lines]
        title, unit = (squeeze("".join(texts)) for texts in (self._title, self._unit))
        return Grid(rows=rows, page=page, caption=f"{title} ({unit})" if unit else title or None)

    def _start_title(self, _: Attributes) -> None:
        into = self._unit if self._axes else self._title
        self._open = None if into or self._axes > 1 else into

    def _end_title(self) -> None:
        self._open = None

    def _start_axis(self, _: Attributes) -> None:
        self._axes += 1

    def _add_title(self, text: str) -> None:
        if self._open is not None:
            self._budget.spend(len(text))
            self._open.append(text)

    def _start_series(self, _: Attributes) -> None:
        self._series.append(_Series())
        self._part = ""

    def _start_heads(self, _: Attributes) -> None:
        self._part, self._format = "heads", ""

    def _start_values(self, _: Attributes) -> None:
        self._part, self._format = "values", ""

    def _end_part(self) -> None:
        self._part = ""

    def _set_format(self, text: str) -> None:
        self._format = text[:255]

    def _start_point(self, attributes: Attributes) -> None:
        self._point = int(attributes.get("idx", 0))

    def _value(self, text: str) -> None:
        if not self._series or not 0 <= self._point < _LAST:
            return
        self._budget.spend(len(text) + _SEPARATOR)
        if self._part:
            self._series[-1].points[self._part][self._point] = Formats().show_as(self._format, text)
        else:
            self._series[-1].names.append(text)
