"""Servers that several modules share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.api_documents import store_all
from tests.integration.api_server import ApiServer, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with serving(tmp_path_factory.mktemp("api")) as server:
        yield server


@pytest.fixture(scope="session")
def stored(api: ApiServer) -> None:
    store_all(api)
