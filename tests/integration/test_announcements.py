"""Every run's result is announced, also where the next run begins before somebody has done so."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from long_job.backfill import begin
from shared.documents import completion
from shared.documents.completion import finish
from shared.jobs.listing import Entry
from shared.platform.records import ErrorInfo
from shared.platform.settings import RESULTS
from tests.integration.documents_life import Life
from tests.integration.documents_servers import PROJECT, serving
from tests.integration.pubsub_server import Clients

if TYPE_CHECKING:
    from collections.abc import Iterator

BROKEN = ErrorInfo(code="broken", message="It is broken.", hint="Mend it.")
Told = list[tuple[str, int, str]]


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    with serving(tmp_path_factory.mktemp("announcements")):
        clients = Clients(os.environ["PUBSUB_EMULATOR_HOST"])
        yield clients
        clients.close()


@pytest.fixture
def results(clients: Clients) -> str:
    """A subscription to what is announced from now on."""
    return clients.subscription(f"projects/{PROJECT}/topics/{RESULTS}")


def heard(clients: Clients, results: str, count: int) -> Told:
    """Document, run and state of so many results."""
    messages = [json.loads(one.message.data) for one in clients.pull_all(results, count)]
    return [(message["document"], message["run"], message["state"]) for message in messages]


def unheard(monkeypatch: pytest.MonkeyPatch) -> tuple[Life, str]:
    """A document whose first run was completed by an instance that died before it announced that."""
    life = Life()
    claim = life.claim(1)
    with monkeypatch.context() as patch:
        patch.setattr(completion, "settle", lambda *_: None)
        life.analyze(claim, 1)
    return life, claim.id


def test_a_result_is_announced_before_a_newer_run_begins(
    clients: Clients, results: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is overwritten at that moment, and its newer content fails: both are told."""
    life, document = unheard(monkeypatch)
    life.claim(2)
    life.documents.fail(document, 2, 2, BROKEN)
    finish(life.documents, document)
    assert sorted(heard(clients, results, 2)) == [(document, 1, "completed"), (document, 2, "failed")]


def test_a_result_is_announced_before_a_backfill_begins(
    clients: Clients, results: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins a run as an upload does."""
    life, document = unheard(monkeypatch)
    entry = Entry(document=document, generation="1", published_run=1, model="m", passages=3)
    assert begin(life.documents, entry, "b", "other", "execution") == "begun"
    assert heard(clients, results, 1) == [(document, 1, "completed")]
    stored = life.documents.reference(document).get().to_dict() or {}
    assert (stored["run"], stored["state"], stored["results_pending"]) == (2, "delegated", False)


def test_what_was_announced_is_not_announced_again(clients: Clients, results: str) -> None:
    """The claim of a newer run finds nothing to do."""
    life = Life()
    life.analyze(life.claim(1), 1)
    life.analyze(life.claim(2), 2)
    assert sorted(run for _, run, _ in heard(clients, results, 2)) == [1, 2]
    assert not clients.pull(results, wait=0.5)
