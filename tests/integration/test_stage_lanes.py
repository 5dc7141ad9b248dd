"""Who publishes without a message of its own, as sweep and the job do, keeps to the lane of the document."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from google.pubsub_v1 import Subscription

from local.provision import subscriber
from shared.documents import artefacts
from shared.documents.recovery import drive
from shared.platform.clients import publisher
from shared.platform.lanes import CANDIDATE_FILTER, CANDIDATE_PREFIX, PRODUCTION_FILTER
from shared.platform.settings import BATCHES, RESULTS
from tests.integration.documents_life import Life
from tests.integration.documents_parts import batch_of
from tests.integration.documents_servers import PROJECT, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

# Deprecated since it may find nothing where there is something; a server of its own is asked here.
pytestmark = pytest.mark.filterwarnings("ignore:The return_immediately flag")
LANES = {"production": PRODUCTION_FILTER, "candidate": CANDIDATE_FILTER}


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Firestore, and both lanes of two topics."""
    with serving(tmp_path_factory.mktemp("lanes")):
        client = subscriber(os.environ["PUBSUB_EMULATOR_HOST"])
        publisher().create_topic(name=f"projects/{PROJECT}/topics/{BATCHES}")
        for topic in (RESULTS, BATCHES):
            for lane, chosen in LANES.items():
                name = f"projects/{PROJECT}/subscriptions/{topic}-{lane}"
                wanted = Subscription(name=name, topic=f"projects/{PROJECT}/topics/{topic}", filter=chosen)
                client.create_subscription(request=wanted)
        yield


def received(topic: str, lane: str) -> list[bytes]:
    """What is waiting in a subscription, acknowledged."""
    client = subscriber(os.environ["PUBSUB_EMULATOR_HOST"])
    name = f"projects/{PROJECT}/subscriptions/{topic}-{lane}"
    asked = {"subscription": name, "max_messages": 100, "return_immediately": True}
    found = list(client.pull(request=asked).received_messages)
    if found:
        client.acknowledge(subscription=name, ack_ids=[one.ack_id for one in found])
    return [one.message.data for one in found]


def life_in(lane: str) -> Life:
    """A document whose name puts it into the lane."""
    life = Life()
    if lane == "candidate":
        life.name = f"{CANDIDATE_PREFIX}1/{life.name}"
    return life


@pytest.mark.parametrize(("lane", "kept"), [("candidate", timedelta(hours=1)), ("production", None)])
def test_a_sample_is_kept_for_an_hour(lane: str, kept: timedelta | None) -> None:
    """Where its build was killed, nobody else would erase it; what people drop stays."""
    life = life_in(lane)
    claim = life.claim(1)
    stored = life.documents.reference(claim.document).get().to_dict() or {}
    uploaded = stored["timings"]["uploaded_at"]
    assert stored["expires_at"] == (uploaded + kept if kept else None)


@pytest.mark.parametrize("lane", sorted(LANES))
def test_a_result_is_announced_in_the_documents_lane(lane: str) -> None:
    """Nobody who counts results sees that of a sample."""
    life = life_in(lane)
    life.analyse(life.claim(1), 1)
    found = {name: received(RESULTS, name) for name in LANES}
    assert len(found.pop(lane)) == 1
    assert list(found.values()) == [[]]


@pytest.mark.parametrize("lane", sorted(LANES))
def test_missing_batches_are_published_again_in_the_documents_lane(
    lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a candidate began is not finished by those that serve."""
    life = life_in(lane)
    claim = life.claim(1)
    life.analyse(claim, 1, batches=1)
    # Which batches there are stands in the work bucket, of which there is no server here.
    missing = batch_of(claim.document, claim.run, 1, 1, (2, 3))
    monkeypatch.setattr(artefacts, "all_batches", lambda _: [missing])
    for _ in range(2):  # the first look notes how far it has come
        drive(life.documents, life.documents.reference(claim.document).get().to_dict() or {})
    found = {name: received(BATCHES, name) for name in LANES}
    assert found.pop(lane) == [missing.model_dump_json().encode()]
    assert list(found.values()) == [[]]
