"""Cloud Storage and Firestore as real processes, and rows whose labels follow a made-up rule."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared.platform import clients
from shared.platform.settings import settings
from tests.integration.pubsub_server import running
from tests.integration.storage_server import started

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DATA, MODELS = "labels-of-acme", "headrace-train-models"
MODEL = Path("build/model")
SUBJECTS = {
    "implemented": ("cheddar", "goat cheese", "a ripe brie", "blue cheese", "mozzarella"),
    "planned": ("the night train", "an old tram", "the express", "a goods train", "the metro"),
    "none": ("a tabby cat", "her kitten", "the tomcat", "two cats", "a Siamese cat"),
}
"""No model can know that cheese is a deed and a train a plan."""
WORDS = ("seen", "drawn", "described", "counted", "liked", "sketched", "named", "met", "found", "shown")
PLACES = ("in the morning", "near the harbour", "by the neighbours", "on a postcard", "in that story")


@dataclass(frozen=True)
class Servers:
    """Where they listen is in the environment."""

    variables: dict[str, str]

    def put(self, name: str, rows: Sequence[dict[str, Any]] | bytes) -> str:
        """An object of labelled rows; its place."""
        content = (
            rows if isinstance(rows, bytes) else "".join(f"{json.dumps(row)}\n" for row in rows).encode()
        )
        clients.storage_client().bucket(DATA).blob(name).upload_from_string(content)
        return f"gs://{DATA}/{name}"

    def models(self) -> set[str]:
        """What lies in the bucket of models."""
        return {blob.name for blob in clients.storage_client().list_blobs(MODELS)}

    def record(self, identifier: str) -> dict[str, Any]:
        """A training as Firestore has it."""
        found = clients.firestore_client().collection("jobs").document(identifier).get().to_dict()
        return found or {}

    def records(self) -> list[dict[str, Any]]:
        """All trainings."""
        found = clients.firestore_client().collection("jobs").stream()
        return [snapshot.to_dict() or {} for snapshot in found]


@contextmanager
def serving(folder: Path) -> Iterator[Servers]:
    """Both servers, while `shared.platform.clients` makes clients of them."""
    with (
        running("firestore", folder / "firestore") as firestore,
        started(folder) as storage,
        pytest.MonkeyPatch.context() as patch,
    ):
        variables = {
            "GOOGLE_CLOUD_PROJECT": "headrace-train",
            "STORAGE_EMULATOR_HOST": storage,
            "FIRESTORE_EMULATOR_HOST": firestore.address,
        }
        for name, value in variables.items():
            patch.setenv(name, value)
        cached = (clients.storage_client, clients.firestore_client, settings)
        for one in cached:
            one.cache_clear()
        try:
            for bucket in (DATA, MODELS):
                clients.storage_client().create_bucket(bucket)
            yield Servers(variables)
        finally:
            for one in cached:
                one.cache_clear()


def ruled(count: int) -> list[dict[str, Any]]:
    """Rows labelled by their subject."""
    rows = []
    for number in range(count):
        label = list(SUBJECTS)[number % 3]
        subject = SUBJECTS[label][number // 3 % 5]
        word, place = WORDS[number // 15 % 10], PLACES[number // 150 % 5]
        rows.append({"text": f"It was {subject} that they had {word} {place}.", "action": label})
    return rows


def shuffled(count: int) -> list[dict[str, Any]]:
    """The same with labels that follow no rule."""
    rows = ruled(count)
    labels = list(SUBJECTS)
    return [
        {"text": row["text"], "action": labels[hashlib.sha256(row["text"].encode()).digest()[0] % 3]}
        for row in rows
    ]
