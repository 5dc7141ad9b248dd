"""Compare data points of the window's documents with the newest earlier period of the same organisation.

A value is compared with one of the same organisation, data point, unit and part, and of the same kind of
period: a year with a year, a first half with a first half. The earlier value is what the window's documents
state of that period, restated perhaps; else what the newest report before them does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from shared.digests.records import DatapointChange, Datapoints, Reported
from shared.digests.render import words
from shared.documents.figures import unpack
from shared.platform.tables import is_total
from shared.text.datapoints import names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.digests.compute.rows import Doc, Row
    from shared.documents.figures import DocumentFigure

MAX_CHANGES = 60
"""Changes that are listed, the largest first; all are counted."""
MAX_VALUES = 100_000
"""Values that are kept to be compared; those of the newest reports are read first."""
MIN_CONFIDENCE = 0.7
"""The least confidence of a value that is compared: a change is right only where both its values are."""
IMPLAUSIBLE = 100
"""How many times the earlier value a value may be: a larger one is likely read wrong, by a thousand say.

So is one of another sign."""
_PERIOD = re.compile(r"(\d{4})(/\d{2,4}|-H[12]|-Q[1-4]|-\d{2}-\d{2})?")
_NOT_REPORTED = ("target", "base", "change", "forecast")
"""How qualifiers of figures begin that are not the period's own value."""


class _Key(NamedTuple):
    """What two values must have in common."""

    organisation: str
    """Key of the document's owner."""
    code: str
    unit: str | None
    kind: str
    """The period without its year: "" for a year, "-H1", "-Q2", "-12-31", or "/" for a financial year."""
    part: str
    """The part that the value is of, as in "of which women"; empty for a total."""


class _Value(NamedTuple):
    rank: tuple[bool, int, bool, float]
    """The greatest one counts: of the window, of the latest report, a total, the surest."""
    of: Doc
    figure: DocumentFigure


class Values:
    """The values of data points by organisation and year."""

    def __init__(self, topic: str | None) -> None:
        """Keep those of one topic, or of all."""
        self._topic = topic
        self._by_key: dict[_Key, dict[int, _Value]] = {}
        self._new: dict[_Key, set[int]] = {}
        """Years that documents of the window state."""
        self._count = 0
        self._full = False

    def add(self, of: Doc, row: Row, *, in_window: bool) -> None:
        """Take the data points of a document's outcome."""
        for key, year, figure in self._figures(of, row):
            total = is_total(figure.qualifier)
            self._keep(key, year, _Value((in_window, of.year or 0, total, figure.confidence), of, figure))
            if in_window and year in self._by_key.get(key, {}):
                self._new.setdefault(key, set()).add(year)

    def _figures(self, of: Doc, row: Row) -> Iterator[tuple[_Key, int, DocumentFigure]]:
        for figure in unpack(row["datapoints"]).figures if row.get("datapoints") else ():
            code, period = figure.datapoint or "", _PERIOD.fullmatch(figure.period or "")
            if period is None or figure.confidence < MIN_CONFIDENCE:
                continue
            if (figure.qualifier or "").startswith(_NOT_REPORTED):
                continue
            if self._topic is None or code.partition("-")[0] == self._topic:
                rest = period[2] or ""
                kind = "/" if rest.startswith("/") else rest
                part = "" if is_total(figure.qualifier) else figure.qualifier or ""
                yield _Key(of.owner[0], code, figure.unit, kind, part), int(period[1]), figure

    def _keep(self, key: _Key, year: int, value: _Value) -> None:
        years = self._by_key.get(key, {})
        if year not in years:
            if self._count >= MAX_VALUES:
                self._full = True
                return
            self._count += 1
            self._by_key.setdefault(key, years)[year] = value
        elif value.rank > years[year].rank:
            years[year] = value

    def compared(self, notes: list[str]) -> Datapoints:
        """Return what changed; append to `notes` what was left out."""
        newest: dict[tuple[str, str, str | None], tuple[tuple[str, int, str], _Value, _Value]] = {}
        for key, new in self._new.items():
            years, year = self._by_key[key], max(new)
            before = max((other for other in years if other < year), default=None)
            if before is None:
                continue
            rank, same = (key.part, -year, key.kind), (key.organisation, key.code, key.unit)
            if same not in newest or rank < newest[same][0]:
                newest[same] = (rank, years[year], years[before])
        plausible = {
            same: pair
            for same, (_, *pair) in newest.items()
            if _is_plausible(pair[1].figure.value, pair[0].figure.value)
        }
        if left := len(newest) - len(plausible):
            why = f"more than {IMPLAUSIBLE} times, or in sign, from the period before; likely read wrong"
            notes.append(f"{words.many(left, 'data point')} left out: values differ {why}.")
        changes = [
            _change(code, names().get(code, code), unit, before, now)
            for (_, code, unit), (now, before) in plausible.items()
            if now.figure.value != before.figure.value
        ]
        changes.sort(key=_largest_first)
        if left := len(changes[MAX_CHANGES:]):
            notes.append(f"{left:,} of {len(changes):,} changes of data points are not listed.")
        if self._full:
            notes.append(f"Of data points the first {MAX_VALUES:,} values were compared.")
        return Datapoints(
            changes=changes[:MAX_CHANGES],
            compared=len(plausible),
            changed=len(changes),
            organisations=len({organisation for organisation, _, _ in plausible}),
        )


def _change(code: str, name: str, unit: str | None, before: _Value, now: _Value) -> DatapointChange:
    was, is_ = before.figure.value, now.figure.value
    return DatapointChange(
        organisation=now.of.owner[1],
        code=code,
        name=name,
        unit=unit,
        change=round(100 * (is_ - was) / abs(was), 2) if was else None,
        before=_reported(before),
        now=_reported(now),
    )


def _reported(value: _Value) -> Reported:
    of, figure = value.of, value.figure
    return Reported(
        **{name: getattr(of, name) for name in ("document", "bucket", "name", "title")},
        page=figure.page,
        row=None,
        period=figure.period or "",
        value=figure.value,
        metric=figure.metric,
    )


def _is_plausible(before: float, now: float) -> bool:
    return not before or not now or 1 / IMPLAUSIBLE <= now / before <= IMPLAUSIBLE


def _largest_first(each: DatapointChange) -> tuple[bool, float, str, str, str]:
    return (
        each.change is None,
        -abs(each.change or 0.0),
        each.organisation or "",
        each.code,
        each.now.document,
    )
