"""A browser that is signed in at the console, over Headrace's Firestore and Pub/Sub."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from functions.console import session
from functions.console.app import application
from shared.api import keys
from shared.api.keys import key_hash
from shared.platform import clients
from tests.integration.documents_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask.testing import FlaskClient

KEY = "k" * 43


@contextmanager
def signed_in(folder: Path) -> Iterator[FlaskClient]:
    """Serve everything from `folder`, and yield the browser, which has the first key."""
    cached: list[Any] = [session._secret, session._serializer, keys._ring]
    with serving(folder), pytest.MonkeyPatch.context() as patch:
        for each in cached:
            each.cache_clear()
        patch.setattr(clients, "secret", lambda *_: key_hash(KEY).encode())
        patch.setattr("shared.api.keys._first_hashes", lambda: (key_hash(KEY),))
        browser = application().test_client()
        browser.post("/sign-in", data={"key": KEY})
        yield browser
    for each in cached:
        each.cache_clear()
