"""Messages that were given up, listed by page, and their documents begun again."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.documents.replay import COLLECTION, dead_letters, replay_letter
from shared.documents.store import document_id
from shared.platform import clients
from shared.platform.clients import firestore_client
from shared.platform.errors import Missing, Permanent, Superseded
from shared.platform.settings import UPLOADS
from tests.documents import made
from tests.integration.documents_servers import PROJECT, serving
from tests.integration.pubsub_server import Clients

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = f"{PROJECT}-uploads"
NEWEST = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def pubsub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """Five letters: of a failed document, of one that moved on, of an erased one, of none, and malformed."""
    with serving(tmp_path_factory.mktemp("letters")):
        clients.publisher().create_topic(name=f"projects/{PROJECT}/topics/{UPLOADS}")
        for name, run in (("failed.txt", 1), ("on.txt", 2)):
            of = document_id(BUCKET, name)
            stored = made(id=of, bucket=BUCKET, name=name, state="failed", run=run)
            firestore_client().collection("documents").document(of).set(stored.model_dump())
        letters = firestore_client().collection(COLLECTION)
        about = [("failed.txt", 1), ("on.txt", 1), ("erased.txt", 1), ("", None), ("failed.txt", None)]
        for number, (subject, of_run) in enumerate(about):
            about_it = document_id(BUCKET, subject) if subject else None
            letters.document(f"{number:024x}").set(letter(number, about_it, of_run))
        pubsub = Clients(os.environ["PUBSUB_EMULATOR_HOST"])
        yield pubsub
        pubsub.close()


def letter(number: int, document: str | None, run: int | None) -> dict[str, Any]:
    return {
        "reason": {"code": "deliveries_exhausted", "message": "Given up.", "hint": "See the log."},
        "function": "analyze",
        "subscription": None,
        "document": document,
        "run": run,
        "replay": f"headrace replay {document}" if run else None,
        "data": {"sha256": "0" * 64, "size": 3},
        "published_at": None,
        "recorded_at": NEWEST - timedelta(minutes=number),
    }


@pytest.mark.usefixtures("pubsub")
def test_letters_are_listed_newest_first_by_page() -> None:
    """Each once; the last page has no token; a page after a letter that is gone is refused."""
    first = dead_letters(firestore_client(), limit=3)
    rest = dead_letters(firestore_client(), limit=3, page_token=first.next_page_token)
    assert [int(each.id, 16) for each in (*first.dead_letters, *rest.dead_letters)] == list(range(5))
    assert rest.next_page_token is None
    with pytest.raises(Superseded, match="gone"):
        dead_letters(firestore_client(), limit=3, page_token="f" * 24)


def test_the_document_of_a_letter_is_begun_again(pubsub: Clients) -> None:
    """By the event that names the run it replaces, so that asking twice starts one; the letter says when."""
    subscription = f"projects/{PROJECT}/subscriptions/replayed"
    pubsub.subscriber.create_subscription(name=subscription, topic=f"projects/{PROJECT}/topics/{UPLOADS}")
    for _ in range(2):
        event = replay_letter(firestore_client(), f"{0:024x}")
        assert (event.name, event.restart_run) == ("failed.txt", 1)
    pulled = pubsub.subscriber.pull(subscription=subscription, max_messages=10).received_messages
    assert {each.message.attributes["restartRun"] for each in pulled} == {"1"}
    [noted] = [each for each in dead_letters(firestore_client(), limit=5).dead_letters if each.replayed_at]
    assert noted.id == f"{0:024x}"


@pytest.mark.usefixtures("pubsub")
@pytest.mark.parametrize(
    ("identifier", "error", "code"),
    [
        (f"{1:024x}", Superseded, None),
        (f"{2:024x}", Missing, "unknown_document"),
        (f"{3:024x}", Permanent, "not_replayable"),
        (f"{4:024x}", Permanent, "not_replayable"),
        ("f" * 24, Missing, "unknown_letter"),
        ("../x", Missing, "unknown_letter"),
    ],
)
def test_what_cannot_be_begun_again_is_said(
    identifier: str, error: type[Exception], code: str | None
) -> None:
    """The document has moved on or was erased; the message was about none, or malformed; there is none."""
    with pytest.raises(error) as raised:
        replay_letter(firestore_client(), identifier)
    assert getattr(raised.value, "code", None) == code
