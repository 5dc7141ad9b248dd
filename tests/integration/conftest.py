"""Servers that several modules share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cloud.ground import Ground
from tests.cloud.state import fresh as empty_project
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


@pytest.fixture(scope="session")
def memo(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where Terraform's answers are kept, so that the same question is worked out once."""
    return str(tmp_path_factory.mktemp("terraform") / "memo")


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory, memo: str) -> Ground:
    """An empty project after `deploy/install`, to be copied before it is changed."""
    ground = Ground.fresh(tmp_path_factory.mktemp("installed") / "ground", empty_project(), CLOUD_MEMO=memo)
    assert ground.install("--project=my-project", "--yes") == 0, ground.said
    return ground
