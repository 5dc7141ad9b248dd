"""Firestore and Pub/Sub as real processes, and this process's own clients and settings pointed at them."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from shared.platform import clients
from shared.platform.clients import storage_client
from shared.platform.settings import RESULTS, settings
from tests.caches import forget
from tests.integration.pubsub_server import LocalServer, running
from tests.integration.storage_server import started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROJECT = "headrace-test"


@contextmanager
def serving(folder: Path) -> Iterator[LocalServer]:
    """Serve Firestore, and Pub/Sub with the topic `results`, to the clients of `shared.platform.clients`."""
    with ExitStack() as stack:
        firestore = stack.enter_context(running("firestore", folder / "firestore"))
        pubsub = stack.enter_context(running("pubsub", folder / "pubsub"))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
        patch.setenv("FIRESTORE_EMULATOR_HOST", firestore.address)
        patch.setenv("PUBSUB_EMULATOR_HOST", pubsub.address)
        forget()
        stack.callback(forget)
        clients.publisher().create_topic(name=f"projects/{PROJECT}/topics/{RESULTS}")
        yield firestore


@contextmanager
def serving_files(folder: Path, *buckets: str) -> Iterator[None]:
    """The same beside Cloud Storage, with the buckets of a project and others."""
    with serving(folder), started(folder) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", address)
        forget()
        made = settings()
        for bucket in {*buckets, made.uploads_bucket, made.work_bucket, made.results_bucket}:
            storage_client().create_bucket(bucket)
        yield
