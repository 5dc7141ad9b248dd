"""A batch that its run was not divided into is refused and never counted, whoever published it."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from functions.analyze.main import on_batch
from functions.ingest import main as ingest
from shared.documents import artefacts
from shared.documents.completion import finish
from shared.documents.model import Facts, Seconds
from shared.intake.read import Reading
from shared.platform import clients
from shared.platform.errors import Malformed
from shared.platform.pubsub import Push
from shared.platform.records import Passage, UploadEvent
from shared.platform.settings import BATCHES
from tests.integration.documents_life import Life
from tests.integration.documents_servers import PROJECT, serving_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.documents.model import Document
    from shared.platform.records import BatchMessage

TEXTS = [f"Site {number} cut its emissions by {number + 1} percent." for number in range(5)]
"""In batches of two: three of them."""


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Firestore, Pub/Sub and storage, and batches of two passages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_BATCH_PASSAGES", "2")
        with serving_files(tmp_path_factory.mktemp("forged")):
            clients.publisher().create_topic(name=f"projects/{PROJECT}/topics/{BATCHES}")
            yield


class Begun:
    """A document whose passages are stored and whose first batches are published."""

    def __init__(self) -> None:
        self.life = Life()
        self.claim: Document = self.life.claim(1)
        self.reference = self.life.documents.reference(self.claim.id)
        passages = [
            Passage(index=index, span=(0, len(text)), text=text, tokens=12)
            for index, text in enumerate(TEXTS)
        ]
        facts = Facts(sha256="of the file", passages=len(TEXTS), tokens=12 * len(TEXTS))
        received = Reading(facts, " ".join(TEXTS), passages, Seconds(0.0, 0.0))
        event = UploadEvent(
            bucket="uploads", name=self.life.name, generation=1, event_type="OBJECT_FINALIZE", size=1
        )
        stored = artefacts.write(self.claim.id, 1, 1, received.text, passages)
        self._plan = ingest.plan(self.life.documents, self.claim, event, received, stored)
        self.batches = artefacts.first_batches(self.claim, ingest.manifest().digest, stored, None)

    def plan(self) -> None:
        """What ingest does last."""
        self.life.documents.plan(self.claim, self._plan)
        finish(self.life.documents, self.claim.id, 1)

    def stored(self) -> dict[str, Any]:
        return self.reference.get().to_dict() or {}

    def passages(self) -> list[int]:
        found = self.reference.collection("passages").stream()
        return sorted((snapshot.to_dict() or {})["index"] for snapshot in found)


def deliver(message: BatchMessage, **changed: object) -> None:
    """Push a batch to analyze."""
    data = json.dumps(message.model_dump(mode="json") | changed).encode()
    moment = datetime.now(UTC)
    on_batch(
        Push(
            message_id="1",
            published=moment,
            data=data,
            attributes={},
            subscription="analyze",
            delivery_attempt=1,
        )
    )


FORGED = [
    pytest.param({"batch": 3}, id="a number beyond the last"),
    pytest.param({"batch": 2**63 - 1}, id="the largest number"),
    pytest.param({"batch": 1}, id="the bounds of another"),
    pytest.param({"end": 1}, id="fewer passages"),
    pytest.param({"end": 4}, id="more passages"),
    pytest.param({"end": 10**6}, id="passages that there are not"),
    pytest.param({"start": 1}, id="another start"),
    pytest.param({"start": 2, "end": 2}, id="no passage"),
    pytest.param({"byte_end": 10**9}, id="bytes that there are not"),
    pytest.param({"byte_start": 1}, id="other bytes"),
    pytest.param({"lanes": 4}, id="more lanes than batches"),
]


@pytest.mark.parametrize("planned", [False, True])
@pytest.mark.parametrize("changed", FORGED)
def test_a_forged_batch_counts_for_nothing(changed: dict[str, int], *, planned: bool) -> None:
    """It is refused before and after the plan is stored; the document has all its passages, once."""
    begun = Begun()
    if planned:
        begun.plan()
    with pytest.raises(Malformed):
        deliver(begun.batches[0], **changed)
    assert not list(begun.reference.collection("batches").stream())
    for message in begun.batches[1:]:
        deliver(message)
    with suppress(Malformed):  # acknowledged where its number is done: then there is nothing to refuse
        deliver(begun.batches[0], **changed)
    if not planned:
        begun.plan()
    assert begun.stored()["state"] == "analyzing"
    deliver(begun.batches[0])
    assert begun.stored()["state"] == "completed"
    assert begun.passages() == list(range(len(TEXTS)))


def test_a_batch_of_another_documents_file_is_refused() -> None:
    """What it names lies in the work bucket, but is not its run's."""
    begun, other = Begun(), Begun()
    with pytest.raises(Malformed, match="not one that the run was divided into"):
        deliver(begun.batches[0], artefact=other.batches[0].artefact)
    assert begun.passages() == []
