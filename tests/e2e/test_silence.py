"""Pub/Sub delivers nothing for a while, then everything at once: out of order, and more than once."""

from __future__ import annotations

import random
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from google.pubsub_v1 import PubsubMessage, PushConfig

from local.provision import expected, subscriber
from shared.documents.store import COLLECTION, document_id
from shared.platform.clients import firestore_client, storage_client
from shared.platform.pubsub import publish
from shared.platform.settings import UPLOADS
from tests.e2e.test_failures import until

if TYPE_CHECKING:
    from tests.e2e.running import RunningStack

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("clients")]

PROJECT = "headrace-local"
BUCKET = f"{PROJECT}-uploads"
FILES = 300
OVERWRITTEN = 30
"""The first of them are uploaded twice, so that each has a notification that is out of date."""
TIMES = 3
"""Deliveries of each notification."""
UPLOADERS = 8
SECONDS = 300.0


def drop(number: int, generation: int) -> None:
    content = f"Silent site {number} cut its water use by {generation} percent in 2025."
    blob = storage_client().bucket(BUCKET).blob(f"silent-{number:03}.txt")
    blob.upload_from_string(content, content_type="text/plain")


def undelivered(stack: RunningStack) -> int:
    """Deliveries to ingest and analyze that have not been acknowledged."""
    with closing(sqlite3.connect(f"file:{stack.data}/pubsub/pubsub.sqlite3?mode=ro", uri=True)) as database:
        counted = database.execute(
            "SELECT count(*) FROM deliveries JOIN subscriptions ON id = subscription WHERE name IN (?, ?)",
            [expected(function, PROJECT).name for function in ("ingest", "analyze")],
        )
        return int(counted.fetchone()[0])


def test_everything_at_once_after_silence(stack: RunningStack) -> None:
    """Each file ends as its newest generation, completed in one run, with its passages once."""
    client = subscriber(stack.stack()["environment"]["PUBSUB_EMULATOR_HOST"])
    name = expected("ingest", PROJECT).name
    endpoint = client.get_subscription(subscription=name).push_config
    client.modify_push_config(subscription=name, push_config=PushConfig())
    with ThreadPoolExecutor(UPLOADERS) as pool:
        list(pool.map(lambda number: drop(number, 1), range(FILES)))
        list(pool.map(lambda number: drop(number, 2), range(OVERWRITTEN)))
    held: list[PubsubMessage] = []

    def pulled() -> bool:
        received = client.pull(subscription=name, max_messages=1000).received_messages
        held.extend(one.message for one in received)
        if received:
            client.acknowledge(subscription=name, ack_ids=[one.ack_id for one in received])
        finalized = [one for one in held if one.attributes["eventType"] == "OBJECT_FINALIZE"]
        return len(finalized) >= FILES + OVERWRITTEN

    until(pulled)
    late = [(message.data, dict(message.attributes)) for message in held for _ in range(TIMES)]
    random.Random(17).shuffle(late)
    publish(UPLOADS, late)
    client.modify_push_config(subscription=name, push_config=endpoint)

    documents = {document_id(BUCKET, f"silent-{number:03}.txt"): number for number in range(FILES)}
    collection = firestore_client().collection(COLLECTION)

    def unfinished() -> dict[str, Any]:
        found = {one.id: one.to_dict() or {} for one in collection.stream() if one.id in documents}
        states = {identifier: found.get(identifier, {}).get("state") for identifier in documents}
        return {identifier: state for identifier, state in states.items() if state != "completed"}

    until(lambda: not undelivered(stack) and not unfinished(), SECONDS)
    for identifier, number in documents.items():
        record = collection.document(identifier).get().to_dict() or {}
        newest = 2 if number < OVERWRITTEN else 1
        stored = collection.document(identifier).collection("passages").stream()
        passages = [one.to_dict() or {} for one in stored]
        assert record["published_run"] == record["run"] <= newest
        assert [passage["run"] for passage in passages] == [record["run"]] * record["passages"]
        assert record["passages"] == 1
        assert f"site {number} cut its water use by {newest} percent" in passages[0]["text"]
