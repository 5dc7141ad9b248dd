"""A Firestore of its own for each test of digests, and what is stored in it and asked of it."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.digests import made
from benchmarks.digests.made import MONDAY, aggregate, passage, record
from shared.digests.compute import Made, Request, fingerprint, make
from shared.digests.records import Filter, Window
from shared.digests.store import StoredDigest
from shared.platform.clients import storage_client
from shared.platform.settings import settings
from tests.integration.firestore_server import PROJECT, connect, firestore
from tests.integration.storage_server import storing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from google.cloud.firestore import Client

    from shared.platform.records import PassageResult
    from tests.integration.pubsub_server import LocalServer

WEEK = timedelta(days=7)
MILLS = "Tarnholm Mills"
_numbers = itertools.count(1)


def week(back: int = 0) -> Window:
    return Window(start=MONDAY - back * WEEK, end=MONDAY - back * WEEK + WEEK)


@contextmanager
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A Firestore, and a storage with the buckets that digests use."""
    with firestore(tmp_path_factory.mktemp("firestore")) as running, storing(tmp_path_factory.mktemp("gcs")):
        for bucket in (settings().work_bucket, settings().results_bucket):
            storage_client().create_bucket(bucket)
        yield running


class Store:
    """One database, empty at first."""

    def __init__(self, server: LocalServer) -> None:
        self.client: Client = connect(server, f"digest-{next(_numbers)}")

    def put(
        self,
        name: str,
        results: Sequence[PassageResult],
        at: datetime = MONDAY + timedelta(hours=9),
        **facts: Any,
    ) -> str:
        """A document that completed then, with its passages; its id."""
        stored = record(name, at, **facts)
        made.store(self.client, stored, aggregate(results), results)
        identifier: str = stored["id"]
        return identifier

    def make(
        self, asked: Filter | None = None, earlier: int = 0, window: Window | None = None, **more: Any
    ) -> Made:
        """The digest of the week, compared with so many before."""
        return make(self.client, self.request(asked, earlier, window, **more))

    def request(
        self, asked: Filter | None = None, earlier: int = 0, window: Window | None = None, **more: Any
    ) -> Request:
        fields = {"id": "test", "schedule": "weekly", "zone": "UTC"} | more
        return Request(
            **fields,
            window=window or week(),
            filter=asked or Filter(),
            earlier=[week(back) for back in range(1, earlier + 1)],
        )


@contextmanager
def fresh(server: LocalServer) -> Iterator[Store]:
    """A database, and settings of its project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
        settings.cache_clear()
        yield Store(server)
    settings.cache_clear()


def stored_digest(of: Made) -> StoredDigest:
    """As it is issued."""
    digest = of.digest
    return StoredDigest(
        digest=digest,
        schedule=digest.schedule,
        end=digest.window.end,
        statistics=of.statistics,
        asked=fingerprint(digest.filter),
        quoted=digest.documents(),
        html="gs://none/none.html",
        reads=of.reads,
        seconds=0.0,
        made_at=digest.window.end + timedelta(minutes=1),
    )


def plain(number: int, topics: Sequence[str] = ("E1",), **more: Any) -> PassageResult:
    """A passage like no other."""
    text = f"The works number {number} kept a careful record of its boilers through the year {1900 + number}."
    return passage(number, text, topics, **more)
