"""A digest that somebody asked for: the message that the API publishes, and what the function makes of it."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from functions.digest.main import on_tick
from shared.digests.on_demand import Wanted, ask
from shared.digests.store import listed, read
from shared.documents.store import now
from shared.platform import clients
from shared.platform.clients import firestore_client, storage_client
from shared.platform.errors import Malformed, Missing, Superseded
from shared.platform.pubsub import Push
from shared.platform.settings import TICKS, settings
from tests.integration.documents_servers import PROJECT, serving_files
from tests.integration.pubsub_server import Clients

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def pubsub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """Firestore, storage, and Pub/Sub with the topic of ticks; no schedules."""
    folder: Path = tmp_path_factory.mktemp("asked")
    with serving_files(folder), pytest.MonkeyPatch.context() as patch:
        (folder / "digests.toml").write_text("")
        patch.setenv("HEADRACE_DIGESTS_FILE", str(folder / "digests.toml"))
        settings.cache_clear()
        clients.publisher().create_topic(name=f"projects/{PROJECT}/topics/{TICKS}")
        pubsub = Clients(os.environ["PUBSUB_EMULATOR_HOST"])
        yield pubsub
        pubsub.close()


def pushed(data: bytes, attributes: dict[str, str]) -> Push:
    return Push(
        message_id="1",
        published=now(),
        data=data,
        attributes=attributes,
        subscription="digest",
        delivery_attempt=1,
    )


def test_what_is_asked_for_is_made_once(pubsub: Clients) -> None:
    """Under the id that was returned, with its files; delivered twice, or asked twice, it is one."""
    subscription = pubsub.subscription(f"projects/{PROJECT}/topics/{TICKS}")
    wanted = Wanted(end=now() - timedelta(minutes=1), seconds=3_600)
    identifiers = {ask(firestore_client(), wanted) for _ in range(2)}
    received = [each.message for each in pubsub.pull_all(subscription, 2)]
    assert {each.attributes["kind"] for each in received} == {"digest"}
    for message in received:
        on_tick(pushed(message.data, dict(message.attributes)))
    [identifier] = identifiers
    stored = read(firestore_client(), identifier)
    assert stored is not None
    assert stored.digest.window.end - stored.digest.window.start == timedelta(hours=1)
    assert stored.unwritten_since is None
    name = stored.html.partition("/digests/")[2]
    assert storage_client().bucket(settings().results_bucket).blob(f"digests/{name}").exists()
    assert [each.id for each in listed(firestore_client(), 10)] == [identifier]


@pytest.mark.usefixtures("pubsub")
def test_digests_are_listed_by_page() -> None:
    """By the end of their windows, the last first; a page after one that is gone is refused."""
    client, moment = firestore_client(), now() - timedelta(days=1)
    wanted = [Wanted(end=moment + timedelta(hours=hours), seconds=60) for hours in range(3)]
    for each in wanted:
        on_tick(pushed(each.model_dump_json().encode(), {"kind": "digest", "asked": "now"}))
    ids = [each.id for each in reversed(wanted)]
    found = [each.id for each in listed(client, 100)]
    assert [each for each in found if each in ids] == ids
    assert [each.id for each in listed(client, 1, after=ids[0])] == [ids[1]]
    assert [each.id for each in listed(client, 100, schedule="none")] == []
    with pytest.raises(Superseded, match="gone"):
        listed(client, 1, after="now-gone")


@pytest.mark.usefixtures("pubsub")
def test_what_cannot_be_made_is_given_up() -> None:
    """A message that asks for nothing, and a schedule that there is not, named."""
    with pytest.raises(Malformed):
        on_tick(pushed(b"{}", {"kind": "digest", "asked": "now"}))
    unknown = Wanted(end=now(), schedule="weekly")
    with pytest.raises(Missing, match="no schedule weekly"):
        ask(firestore_client(), unknown)
    with pytest.raises(Missing, match="no schedule weekly"):  # it was removed after it was asked for
        on_tick(pushed(unknown.model_dump_json().encode(), {"kind": "digest", "asked": "now"}))
