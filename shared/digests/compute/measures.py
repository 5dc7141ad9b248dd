"""The shares of a window, and what each was before."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shared.digests.compute.change import LEVEL, Sums, compare, holm
from shared.digests.compute.tally import JUDGED, in_order, pooled, sums
from shared.digests.records import Change, Measure, Point, TopicRow
from shared.platform.records import SENTIMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from shared.digests.records import Window
    from shared.digests.stored import Statistics


class Earlier(NamedTuple):
    """An earlier window, and what its documents came to."""

    window: Window
    statistics: Statistics


class Measures(NamedTuple):
    """All the shares of a digest."""

    sentiments: list[Measure]
    topics: list[TopicRow]


class _Compared(NamedTuple):
    measure: str
    against: Literal["previous", "trailing"]
    windows: int
    among: int
    before: Sums


def measures(
    now: Statistics,
    previous: Statistics | None,
    trailing: Sequence[Statistics],
    cells: Mapping[str, Mapping[str, int]],
    asked: str | None,
) -> Measures:
    """The shares, each with its changes; p is corrected for all of them together.

    Args:
        now: the window's.
        previous: those of the window before; None where that could not be read.
        trailing: those of every earlier window that could.
        cells: the window's passages by topic, and in it by sentiment and by action.
        asked: the topic that the digest is about; None: all that occur, now or before.
    """
    topics = [asked] if asked else in_order({name for each in (now, *trailing) for name in each.topics})
    names = [f"sentiment/{label}" for label in SENTIMENTS]
    names += [f"{kind}/{topic}" for topic in topics for kind in ("topic", "negative")]
    compared = [one for name in names for one in _against(name, previous, trailing)]
    values = [compare(sums(now, one.measure), one.before) for one in compared]
    changes: dict[str, list[Change]] = {}
    for one, p in zip(compared, holm(values), strict=True):
        if (change := _change(one, sums(now, one.measure).share, p)) is not None:
            changes.setdefault(one.measure, []).append(change)

    def measure(name: str) -> Measure:
        of = sums(now, name)
        share = None if of.share is None else round(of.share, 6)
        return Measure(
            name=name.partition("/")[2], count=of.x, of=of.n, share=share, changes=changes.get(name, [])
        )

    return Measures(
        [measure(f"sentiment/{label}") for label in SENTIMENTS],
        [
            TopicRow(
                name=topic,
                sentiment={label: cells.get(topic, {}).get(label, 0) for label in SENTIMENTS},
                implemented=cells.get(topic, {}).get("implemented", 0),
                planned=cells.get(topic, {}).get("planned", 0),
                share=measure(f"topic/{topic}"),
                negative=measure(f"negative/{topic}"),
            )
            for topic in topics
        ],
    )


def _against(name: str, previous: Statistics | None, trailing: Sequence[Statistics]) -> list[_Compared]:
    """What a measure is compared with; a window without passages to have a share of stands behind none."""
    found = []
    if previous is not None and sums(previous, name).n:
        found.append(_Compared(name, "previous", 1, 1, sums(previous, name)))
    behind = [each for each in trailing if sums(each, name).n]
    if behind and behind != [previous]:  # else the same comparison again
        found.append(_Compared(name, "trailing", len(behind), len(trailing), pooled(behind, name)))
    return found


def _change(one: _Compared, share: float | None, p: float | None) -> Change | None:
    before = one.before.share
    if share is None or before is None:
        return None
    return Change(
        against=one.against,
        windows=one.windows,
        among=one.among,
        documents=one.before.documents,
        share=round(before, 6),
        difference=round(share - before, 6),
        p=None if p is None else round(p, 4),
        flagged=p is not None and p < LEVEL,
    )


def trend(earlier: Sequence[Earlier], window: Window, now: Statistics) -> list[Point]:
    """A point for each window, oldest first."""
    points = [
        Point(
            window=one.window,
            documents=one.statistics.documents,
            passages=one.statistics.passages,
            judged=sums(one.statistics, JUDGED).n,
            sentiment=one.statistics.sentiment,
            topics=one.statistics.topics,
        )
        for one in (*earlier, Earlier(window, now))
    ]
    return sorted(points, key=lambda point: point.window.start)
