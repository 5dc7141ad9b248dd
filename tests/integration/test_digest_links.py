"""The links of a local digest are served by the local storage, whatever objects are called."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.services import Layout
from shared.clients import storage_client
from shared.digests.links import object_link
from shared.settings import settings
from tests.e2e.running import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.storage import Client

BUCKET = "acme-uploads"


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, str]]:
    """fake-gcs-server as the local stack runs it: our client, and its address."""
    data = tmp_path_factory.mktemp("storage")
    (data / "storage").mkdir()
    (data / "logs").mkdir()
    layout = Layout(data, free_ports(1), {})
    service = next(service for service in layout.services(Path("none")) if service.name == "storage")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in layout.environment().items():
            patch.setenv(name, value)
        for cached in (storage_client, settings):
            cached.cache_clear()
        environment = {**os.environ, **service.environment}
        process = subprocess.Popen(service.command, env=environment, stderr=subprocess.DEVNULL)
        try:
            while not service.answers():
                assert process.poll() is None
            client = storage_client()
            client.create_bucket(BUCKET)
            yield client, layout.environment()["STORAGE_EMULATOR_HOST"]
        finally:
            process.terminate()
            process.wait()
            for cached in (storage_client, settings):
                cached.cache_clear()


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
