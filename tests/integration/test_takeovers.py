"""A run that one revision began and another takes over is the other's; what both would do alike stays."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from functions.ingest import main as ingest
from shared.documents import artefacts, batches
from shared.documents.completion import finish
from shared.documents.model import Document, Facts, Seconds
from shared.documents.store import now
from shared.intake.read import Reading
from shared.platform import clients
from shared.platform.errors import Retryable, Superseded
from shared.platform.records import BatchMessage, Passage, UploadEvent
from shared.platform.settings import BATCHES
from tests.integration.documents_life import Life
from tests.integration.documents_parts import commit
from tests.integration.documents_servers import PROJECT, serving_files

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_TIME = Seconds(0.0, 0.0)
THREE, FIVE = ("One.", "Two.", "Three."), ("On", "e.", "Two.", "Thr", "ee.")
"""One text, cut in two ways."""


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Firestore, Pub/Sub and storage, and batches of two passages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_BATCH_PASSAGES", "2")
        with serving_files(tmp_path_factory.mktemp("takeovers")):
            clients.publisher().create_topic(name=f"projects/{PROJECT}/topics/{BATCHES}")
            yield


class Revision:
    """What one revision of ingest makes of the file: with its model, and its cut of the text."""

    def __init__(self, patch: pytest.MonkeyPatch, life: Life, model: str, cut: tuple[str, ...]) -> None:
        self.patch, self.life, self.model = patch, life, model
        self.event = UploadEvent(
            bucket="uploads", name=life.name, generation=1, event_type="OBJECT_FINALIZE", size=1
        )
        passages = [
            Passage(index=index, span=(0, len(text)), text=text, tokens=3) for index, text in enumerate(cut)
        ]
        facts = Facts(sha256="of the file", passages=len(cut), tokens=3 * len(cut))
        self.received = Reading(facts, " ".join(cut), passages, NO_TIME)
        self.claim = self._claim()

    def publishes(self) -> list[BatchMessage]:
        """As far as ingest comes before its plan, and is killed; the batches that it has published."""
        self._is_instance()
        received = self.received
        stored = artefacts.write(self.claim.id, self.claim.run, 1, received.text, received.passages)
        ingest.plan(self.life.documents, self.claim, self.event, self.received, stored)
        return artefacts.first_batches(self.claim, self.model, stored, None)

    def plans(self) -> list[BatchMessage]:
        """All that ingest does; the batches of the run."""
        self._is_instance()
        self.patch.setattr(ingest, "read", lambda *_: self.received)
        planned = ingest.extract(self.life.documents, self.claim, self.event)
        assert planned is not None
        return artefacts.all_batches(planned)

    def _claim(self) -> Document:
        return self.life.claim(1)

    def _is_instance(self) -> None:
        instance = SimpleNamespace(digest=self.model, metrics={})
        self.patch.setattr(ingest, "manifest", lambda: instance)


def expire(life: Life, document: str) -> None:
    life.documents.reference(document).update({"lease.expires_at": now() - timedelta(seconds=1)})


def analyze(life: Life, message: BatchMessage) -> None:
    upto = batches.progress(life.documents, message).upto
    if upto < message.end:
        commit(life.documents, message, range(upto, message.end))


def stored_of(life: Life, document: str) -> tuple[dict[str, Any], list[tuple[int, str]]]:
    """The document, and index and model of its passages."""
    reference = life.documents.reference(document)
    passages = [one.to_dict() or {} for one in reference.collection("passages").stream()]
    return reference.get().to_dict() or {}, sorted((one["index"], one["model"]) for one in passages)


@pytest.mark.parametrize(
    ("model", "cut"),
    [
        pytest.param("n", THREE, id="another model"),
        pytest.param("m", FIVE, id="more passages"),
        pytest.param("n", FIVE, id="both"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_no_result_mixes_two_revisions(
    monkeypatch: pytest.MonkeyPatch, model: str, cut: tuple[str, ...], *, turned: bool
) -> None:
    """Whoever plans has the whole result: nothing of the other's counts, stays, or comes late."""
    kinds = [("m", THREE), (model, cut)]
    old, new = reversed(kinds) if turned else kinds
    life = Life()
    first = Revision(monkeypatch, life, *old)
    early = first.publishes()
    analyze(life, early[0])
    analyze(life, early[1])
    expire(life, first.claim.id)
    second = Revision(monkeypatch, life, *new)
    for late in early:
        with pytest.raises(Retryable):  # before it is known what the takeover plans
            batches.progress(life.documents, late)
        with pytest.raises(Retryable):
            commit(life.documents, late, range(late.start, late.end))
    messages = second.plans()
    for late in early:
        with pytest.raises(Superseded):
            batches.progress(life.documents, late)
        with pytest.raises(Superseded):
            commit(life.documents, late, range(late.start, late.end))
    assert [batches.progress(life.documents, one)[:2] for one in messages] == [
        (one.start, False) for one in messages
    ]
    finish(life.documents, first.claim.id)
    assert stored_of(life, first.claim.id)[0]["state"] == "analyzing"
    for one in messages:
        analyze(life, one)
    finish(life.documents, first.claim.id)
    document, passages = stored_of(life, first.claim.id)
    assert (document["state"], document["run"], document["model"]) == ("completed", 1, new[0])
    assert passages == [(index, new[0]) for index in range(len(new[1]))]
    assert sum(document["sentiment"].values()) == len(new[1])


def test_what_the_same_revision_did_stays_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ingest that died before its plan costs no batch: neither its record nor its message."""
    life = Life()
    early = Revision(monkeypatch, life, "m", THREE).publishes()
    analyze(life, early[0])
    expire(life, early[0].document)
    messages = Revision(monkeypatch, life, "m", THREE).plans()
    assert [one.model_copy(update={"lanes": 2}) for one in early] == messages
    assert batches.progress(life.documents, messages[0])[:2] == (2, True)
    analyze(life, early[1])
    finish(life.documents, early[0].document)
    assert stored_of(life, early[0].document)[0]["state"] == "completed"


def test_work_that_was_half_dropped_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while it drops what another began; then one takes over that would have kept it."""
    life = Life()
    early = Revision(monkeypatch, life, "m", FIVE).publishes()
    for one in early:
        analyze(life, one)
    expire(life, early[0].document)
    steps = []

    def killed(_: object) -> None:
        steps.append(1)
        if len(steps) > 1:
            raise KeyboardInterrupt

    reference = life.documents.reference(early[0].document)
    with pytest.raises(KeyboardInterrupt):
        batches.drop_others(life.documents, reference, 1, ("n", "elsewhere/"), killed)
    messages = Revision(monkeypatch, life, "m", FIVE).plans()
    assert [batches.progress(life.documents, one)[0] for one in messages] == [0, 2, 4]
    assert life.kept(reference.id) == {"passages": set(), "batches": set()}


def test_a_slow_reader_drops_nothing_of_whoever_took_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its claim is looked at in the transaction that would delete."""
    life = Life()
    early = Revision(monkeypatch, life, "m", THREE).publishes()
    analyze(life, early[0])
    expire(life, early[0].document)
    slow = Revision(monkeypatch, life, "n", THREE)
    expire(life, early[0].document)
    messages = Revision(monkeypatch, life, "m", THREE).plans()
    with pytest.raises(Superseded):
        slow.plans()
    assert [batches.progress(life.documents, one)[0] for one in messages] == [2, 2]


def test_a_late_reader_overwrites_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another cut lies elsewhere, and so does another generation; the same one has the same place."""
    life = Life()
    [message, *_] = Revision(monkeypatch, life, "m", THREE).plans()
    before = artefacts.read_slice(message)
    passages = [Passage(index=0, span=(0, 2), text="On", tokens=3)]
    places = {
        artefacts.write(message.document, 1, generation, text, cut).artefact
        for generation, text, cut in ((1, "One.", passages), (1, "On", passages), (2, "On", passages))
    }
    assert len(places | {message.artefact}) == 4
    assert artefacts.read_slice(message) == before
