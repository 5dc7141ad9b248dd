"""The links of a local digest are served by the local storage, whatever objects are called."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

import pytest

from shared.documents.views import object_link
from shared.platform.clients import storage_client
from tests.integration.storage_server import storing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.storage import Client

BUCKET = "acme-uploads"


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, str]]:
    """Our client, and the address that it has."""
    with storing(tmp_path_factory.mktemp("storage")) as host:
        storage_client().create_bucket(BUCKET)
        yield storage_client(), host


@pytest.mark.parametrize(
    "name",
    [
        "report.pdf",
        "a/b c.pdf",
        "100% #1?.pdf",
        "a&b=c+d.pdf",
        "Übersicht 水.pdf",
        "javascript:alert(1)",
        "a'\".pdf",
    ],
)
def test_a_link_serves_its_object(storage: tuple[Client, str], name: str) -> None:
    client, host = storage
    client.bucket(BUCKET).blob(name).upload_from_string(name.encode(), content_type="application/pdf")
    # A browser keeps what is after the # to itself, and so does this client.
    with urllib.request.urlopen(object_link(BUCKET, name, 3, host), timeout=10) as answer:
        assert answer.read() == name.encode()
        assert answer.headers["Content-Type"] == "application/pdf"
        assert "attachment" not in answer.headers.get("Content-Disposition", "")
