"""On a full disk what was acknowledged stays, the rest is refused for now, and with room all goes on."""

from __future__ import annotations

import subprocess
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import ServiceUnavailable
from google.cloud.exceptions import GoogleCloudError
from google.pubsub_v1 import PubsubMessage

from shared.platform.clients import storage_client
from tests.integration.firestore_server import connect, firestore
from tests.integration.pubsub_server import Clients, running
from tests.integration.storage_server import storing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DISK_BYTES = 8 * 1024 * 1024
LARGE = 256 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of the test's own."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(tmp_path)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a file system is not permitted here")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Not a byte is free."""
    path = disk / "filling"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    yield
    path.unlink()


def test_firestore_refuses_and_goes_on(disk: Path) -> None:
    """A write is UNAVAILABLE and leaves nothing; reads are answered; the same process goes on with room."""
    with firestore(disk) as server:
        documents = connect(server).collection("documents")
        documents.document("before").set({"text": "x" * LARGE})
        with filled(disk):
            with pytest.raises(ServiceUnavailable, match="disk"):
                documents.document("during").set({"text": "x" * LARGE}, retry=None)
            assert documents.document("before").get().get("text") == "x" * LARGE
            assert not documents.document("during").get().exists
        documents.document("after").set({"text": "y"})
        assert {one.id for one in documents.stream()} == {"before", "after"}


def test_pubsub_keeps_what_it_acknowledged(disk: Path) -> None:
    """A publish is UNAVAILABLE, and the server ends; with room it starts and has every message before."""
    with running("pubsub", disk) as server, closing(Clients(server.address)) as clients:
        topic = clients.topic()
        subscription = clients.subscription(topic)
        clients.publish(topic, b"1", b"2")
        large = PubsubMessage(data=bytes(LARGE))
        with filled(disk):
            with pytest.raises(ServiceUnavailable):
                clients.publisher.publish(topic=topic, messages=[large], retry=None, timeout=10)
            assert server.process is not None
            assert server.process.wait(20) == 1
        server.start()
        received = clients.pull_all(subscription, 2)
        assert sorted(one.message.data for one in received) == [b"1", b"2"]


def test_storage_refuses_an_upload(disk: Path) -> None:
    """With an error that clients repeat, and no part of the object is there."""
    with storing(disk):
        bucket = storage_client().create_bucket("disk")
        with filled(disk):
            with pytest.raises(GoogleCloudError) as refused:
                bucket.blob("during").upload_from_string(bytes(LARGE), retry=None)
            assert refused.value.code == 500
            assert not list(bucket.list_blobs())
        bucket.blob("after").upload_from_string(bytes(LARGE))
        assert [blob.size for blob in bucket.list_blobs()] == [LARGE]
