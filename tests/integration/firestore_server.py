"""The unmodified Firestore clients, pointed at a local server as a user points them: by the environment."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud.firestore import AsyncClient, Client

from tests.integration.pubsub_server import LocalServer, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROJECT = "headrace-test"


def connect(server: LocalServer, database: str | None = None) -> Client:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIRESTORE_EMULATOR_HOST", server.address)
        client = Client(project=PROJECT, database=database)
        _ = client._firestore_api  # it looks at the environment once more when it connects
    return client


def connect_async(server: LocalServer) -> AsyncClient:
    """To be called inside the event loop that is to use it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIRESTORE_EMULATOR_HOST", server.address)
        client = AsyncClient(project=PROJECT)
        _ = client._firestore_api
    return client


@contextmanager
def firestore(data: Path) -> Iterator[LocalServer]:
    with running("firestore", data) as server:
        yield server


def in_threads(count: int, work: Callable[[int], Any]) -> list[BaseException | None]:
    """Run `work(0)` to `work(count - 1)` at once; what each raised."""
    outcomes: list[BaseException | None] = [None] * count

    def one(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            outcomes[number] = error

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
