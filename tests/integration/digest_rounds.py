"""Rounds of digests at given times, over a Firestore of their own."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.digests import ticks
from shared.digests.ticks import run_due
from shared.platform.clients import firestore_client
from shared.platform.settings import settings
from tests.integration.documents_servers import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EIGHT = datetime(2026, 5, 4, 8, tzinfo=UTC)
"""A Monday."""
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
COLLECTIONS = ("schedules", "clocks", "ticks", "digests")


class Killed(BaseException):
    """As `kill -9` at this line: nothing after it runs."""


class Made:
    """What was asked to be made, in order."""

    def __init__(self) -> None:
        self.ticks: list[ticks.Tick] = []

    def __call__(self, tick: ticks.Tick) -> str:
        self.ticks.append(tick)
        return tick.id

    @property
    def ids(self) -> list[str]:
        return [tick.id for tick in self.ticks]

    @property
    def windows(self) -> list[tuple[datetime, datetime]]:
        return [(tick.window.start, tick.window.end) for tick in self.ticks]


@contextmanager
def rounds(folder: Path) -> Iterator[Path]:
    """Servers, and the file of schedules."""
    with serving(folder), pytest.MonkeyPatch.context() as patch:
        file = folder / "digests.toml"
        file.write_text("")
        patch.setenv("HEADRACE_DIGESTS_FILE", str(file))
        settings.cache_clear()
        yield file


def empty() -> None:
    for collection in COLLECTIONS:
        for snapshot in firestore_client().collection(collection).stream():
            snapshot.reference.delete()


def define(name: str = "daily", cron: str = "0 8 * * *", **fields: Any) -> None:
    firestore_client().collection("schedules").document(name).set({"cron": cron} | fields)


def tick(at: datetime, make: Callable[[ticks.Tick], str]) -> list[str]:
    return run_due(firestore_client(), at, make)


def names(*hours: int, of: str = "daily") -> list[str]:
    return [ticks.tick_id(of, EIGHT.replace(hour=hour)) for hour in hours]


def read(collection: str, name: str) -> dict[str, Any]:
    stored = firestore_client().collection(collection).document(name).get().to_dict()
    assert stored is not None
    return dict(stored)


def states() -> dict[str, str]:
    return {one.id: (one.to_dict() or {})["state"] for one in firestore_client().collection("ticks").stream()}


def over(identifier: str) -> None:
    """Move a lease into the past."""
    reference = firestore_client().collection("ticks").document(identifier)
    reference.update({"lease.expires_at": datetime.now(UTC) - MINUTE})


def age(identifier: str, by: timedelta) -> None:
    """As if it had been planned so long ago."""
    reference = firestore_client().collection("ticks").document(identifier)
    reference.update({"planned_at": datetime.now(UTC) - by})


def fails(_: ticks.Tick) -> str:
    raise ValueError("of a document's text")
