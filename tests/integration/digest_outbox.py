"""The outbox of digests over a Firestore of its own, with webhooks and mail servers that are this machine."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from google.cloud.secretmanager_v1 import Replication, Secret

from shared.digests.notify import enqueue, notify_pending, webhooks
from shared.digests.notify.outbox import Delivery
from shared.digests.records import DELIVERIES
from shared.digests.schedules import Email, Webhook
from shared.digests.store import COLLECTION, to_fields
from shared.documents.store import Documents
from shared.platform import clients
from shared.platform.settings import settings
from tests.integration.documents_servers import PROJECT, serving
from tests.integration.pubsub_server import running
from tests.misbehaving import Authority, authority
from tests.sample_digest import digest, stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from google.cloud import firestore

    from shared.digests.schedules import Target

HOST = "hooks.inside.example"
WEBHOOK = Webhook(kind="webhook", secret="digest-hook/1")
SLACK = Webhook(kind="webhook", format="slack", secret="digest-hook/1")
MAIL = Email(kind="email", to=["ann@example.com", "bo@example.org"])
CALL = """
import logging
from datetime import UTC, datetime, timedelta
from shared.platform.clients import firestore_client
from shared.digests.notify import notify_pending, webhooks
logging.basicConfig(level=logging.DEBUG)
webhooks.resolve = lambda *_: ["127.0.0.1"]
notify_pending(firestore_client(), datetime.now(UTC) + timedelta(seconds=1))
"""
"""One call, in a process of its own."""


@contextmanager
def notifying(folder: Path) -> Iterator[Authority]:
    """Firestore and Secret Manager, and settings that let one host be this machine; who vouches for it."""
    known = authority(folder / "known", HOST, "localhost")
    with (
        running("secretmanager", folder / "secrets") as secrets,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(webhooks, "resolve", here)
        patch.setenv("SECRET_MANAGER_EMULATOR_HOST", secrets.address)
        patch.setenv("HEADRACE_WEBHOOK_ALLOWED_HOSTS", json.dumps([HOST]))
        patch.setenv("HEADRACE_CA_FILE", str(known.ca))
        patch.setenv("HEADRACE_SMTP_SECURITY", "starttls")
        patch.setenv("HEADRACE_SMTP_HOST", "localhost")
        patch.setenv("HEADRACE_SMTP_FROM", "digests@acme.example")
        clients.secrets.cache_clear()
        with serving(folder):
            yield known
        clients.secrets.cache_clear()
        clients.secret.cache_clear()


@contextmanager
def emptied() -> Iterator[firestore.Client]:
    """No digest, and no secret that is remembered."""
    clients.secret.cache_clear()
    settings.cache_clear()
    yield clients.firestore_client()
    for group in (COLLECTION, DELIVERIES):
        for known in clients.firestore_client().collection_group(group).stream():
            known.reference.delete()


def here(*_: object) -> list[str]:
    return ["127.0.0.1"]


def name_webhook(port: int, path: str = "/hook/key-of-the-team") -> Webhook:
    """A secret with the address of a server here, and the webhook that names it."""
    return Webhook(kind="webhook", secret=keep(f"hook-{port}", f"https://{HOST}:{port}{path}\n"))


def keep(name: str, text: str) -> str:
    """A new secret with this text; its name and version."""
    parent = f"projects/{PROJECT}"
    identifier = f"{name}-{time.monotonic_ns()}"
    automatic = Secret(replication=Replication(automatic=Replication.Automatic()))
    secret = clients.secrets().create_secret(parent=parent, secret_id=identifier, secret=automatic)
    clients.secrets().add_secret_version(request={"parent": secret.name, "payload": {"data": text.encode()}})
    return f"{identifier}/1"


def issue(client: firestore.Client, *targets: Target, identifier: str = "weekly-20261123") -> None:
    """As `shared.digests.issue` does."""
    reference = client.collection(COLLECTION).document(identifier)

    def create(transaction: firestore.Transaction) -> None:
        transaction.create(reference, to_fields(stored(digest(identifier))))
        enqueue(transaction, reference, targets)

    Documents(client).run(create)


def deliveries(client: firestore.Client, identifier: str = "weekly-20261123") -> list[Delivery]:
    found = client.collection(COLLECTION).document(identifier).collection(DELIVERIES).stream()
    ordered = sorted(found, key=lambda snapshot: int(snapshot.id))
    return [Delivery.model_validate(snapshot.to_dict()) for snapshot in ordered]


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=1)


def notify(client: firestore.Client, at: datetime | None = None) -> int:
    return notify_pending(client, at or soon())
