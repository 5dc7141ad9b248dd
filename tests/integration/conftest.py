"""Servers that several modules share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.api_documents import store_all
from tests.integration.api_server import ApiServer, serving
from tests.integration.digest_window import Store, fresh
from tests.integration.firestore_server import firestore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.pubsub_server import LocalServer


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with serving(tmp_path_factory.mktemp("api")) as server:
        yield server


@pytest.fixture(scope="session")
def stored(api: ApiServer) -> None:
    store_all(api)


@pytest.fixture(scope="module")
def digest_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with firestore(tmp_path_factory.mktemp("firestore")) as running:
        yield running


@pytest.fixture
def store(digest_server: LocalServer) -> Iterator[Store]:
    """What digests are computed from, empty."""
    with fresh(digest_server) as store:
        yield store
