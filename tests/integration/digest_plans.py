"""Reports with plans, and what a digest says of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.digests import made
from benchmarks.digests.made import MONDAY, passage, vector
from shared.digests.compute import follow
from tests.integration.digest_window import plain

if TYPE_CHECKING:
    from shared.digests.records import Initiatives
    from shared.platform.records import PassageResult

BEFORE = MONDAY - timedelta(days=300)
PLAN = "We will replace the gas boilers of the dye house with heat pumps before the end of 2026."
DONE = "Heat pumps have taken the place of the gas boilers in the dye house of the mill since March."
AGAIN = "The gas boilers of the dye house are to be replaced with heat pumps before the end of 2029."


def about(index: int, thing: str, likeness: float, text: str, **more: Any) -> PassageResult:
    """A passage whose vector has that cosine, about, to those on the same thing with a likeness of 1."""
    rest = (1 - likeness**2) ** 0.5
    embedding = vector((thing, likeness), ((thing, text), rest))
    return passage(index, text, more.pop("topics", ["E1"]), embedding=embedding, **more)


def plan(index: int = 0, text: str = PLAN, **more: Any) -> PassageResult:
    return about(index, "boilers", 1.0, text, action="planned", **more)


def done(likeness: float = 0.9, **more: Any) -> PassageResult:
    return about(0, "boilers", likeness, DONE, action="implemented", **more)


def others(space: str = made.SPACE) -> list[PassageResult]:
    """A report full of other initiatives."""
    return [plain(at, action="implemented", space=space) for at in range(10, 10 + follow.MIN_INITIATIVES)]


def statuses(of: Initiatives) -> list[str]:
    return [one.status for one in of.followed]
