"""Random histories of documents, on a real Firestore server, against a plain reference."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.documents import completion
from shared.documents.store import Documents, document_id
from shared.platform.clients import firestore_client
from shared.platform.errors import LeaseHeld, Retryable, Superseded
from shared.platform.records import ErrorInfo, UploadEvent
from tests.integration.documents_model import CONTENT, ENDED, Early, Held, Model, Refused, Stale
from tests.integration.documents_parts import batch_of, commit, plan_of, text_of
from tests.integration.documents_servers import serving
from tests.integration.firestore_server import in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.documents.model import Document, Plan

BUCKET = "uploads"
LONG, OVER = 3600.0, 1e-6
"""Seconds of a lease that outlives the test, and of one that is over at once."""
BROKEN = ErrorInfo(code="broken", message="It is broken.", hint="Mend it.")
FAMILIES: dict[type[Refused], type[Exception]] = {Held: LeaseHeld, Early: Retryable, Stale: Superseded}

_numbers = itertools.count(1)


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with serving(tmp_path_factory.mktemp("documents")):
        yield


class Histories(RuleBasedStateMachine):
    """One document, and everything that may happen to it, in any order."""

    @initialize()
    def begin(self) -> None:
        self.documents = Documents(firestore_client())
        self.name = f"report-{next(_numbers)}.txt"
        self.reference = self.documents.reference(document_id(BUCKET, self.name))
        self.model = Model()
        self.claims: list[Document] = []
        self.ended: dict[int, str] = {}
        self.highest, self.published = 0, 0

    @rule(
        generation=st.sampled_from(sorted(CONTENT)),
        back=st.none() | st.integers(0, 2),
        leased=st.booleans(),
    )
    def upload(self, generation: int, back: int | None, *, leased: bool) -> None:
        """An event, early, late or again; perhaps one that asks for a restart of this or an earlier run."""
        restart = None if back is None else max(self.model.number - back, 1)
        lease = LONG if leased else OVER
        expected, claim = self.both(
            lambda: self.model.claim(generation, restart, leased=leased),
            lambda: self.claim(generation, restart, lease),
        )
        assert (claim and at(claim)) == expected
        if claim:
            self.claims.append(claim)

    @rule(newer=st.booleans())
    def deliver_three_at_once(self, *, newer: bool) -> None:
        """Of three deliveries at the same time one at most gets the run; the others are refused, or done."""
        generation = min((self.model.newest.generation if self.model.runs else 0) + newer, 4) or 1
        got: list[Document | None] = []
        outcomes = in_threads(3, lambda _: got.append(self.claim(generation, None, LONG)))
        try:
            expected = self.model.claim(generation, None, leased=True)
        except Held:
            assert [type(outcome) for outcome in outcomes] == [LeaseHeld] * 3
        else:
            claims = [claim for claim in got if claim]
            assert [at(claim) for claim in claims] == ([expected] if expected else [])
            refused = [outcome for outcome in outcomes if outcome]
            assert all(isinstance(outcome, LeaseHeld) for outcome in refused)
            assert len(refused) == (2 if expected else 0)
            self.claims += claims

    @precondition(lambda self: self.model.runs and self.model.newest.state == "extracting")
    @rule()
    def lease_expires(self) -> None:
        self.reference.update({"lease.expires_at": datetime.now(UTC) - timedelta(seconds=1)})
        self.model.newest.leased = False

    @precondition(lambda self: self.claims)
    @rule(back=st.integers(0, 2), step=st.sampled_from(["plan", "plan", "plan", "reject", "release"]))
    def holder(self, back: int, step: str) -> None:
        """What a holder does with its claim, which may have passed to another meanwhile."""
        claim = self.claims[max(len(self.claims) - 1 - back, 0)]
        steps: dict[str, Callable[[], object]] = {
            "plan": lambda: self.documents.plan(claim, self.plan(claim.run)),
            "reject": lambda: self.documents.reject(claim, BROKEN),
            "release": lambda: self.documents.release(claim),
        }
        self.both(lambda: getattr(self.model, step)(*at(claim)), steps[step])

    @precondition(lambda self: self.model.runs)
    @rule(back=st.integers(0, 1))
    def fail(self, back: int) -> None:
        run = max(self.model.number - back, 1)
        generation = self.model.runs[run - 1].generation
        self.both(
            lambda: self.model.fail(run),
            lambda: self.documents.fail(self.reference.id, run, generation, BROKEN),
        )

    @precondition(lambda self: self.model.runs)
    @rule(
        back=st.sampled_from([0, 0, 0, 1]),
        choice=st.integers(0, 2),
        skip=st.sampled_from([None, None, 0]),
        whole=st.booleans(),
    )
    def commit(self, back: int, choice: int, skip: int | None, *, whole: bool) -> None:
        """A batch, or its first passage, or what is left of it; of this run or an old one; perhaps again."""
        run = max(self.model.number - back, 1)
        sizes = self.model.runs[run - 1].sizes
        if not sizes:
            return
        batch = choice % len(sizes)
        first = self.model.runs[run - 1].committed.get(batch, 0) if skip is None else skip
        first %= sizes[batch]  # where nothing is left: the whole batch once more
        count = sizes[batch] - first if whole else 1
        self.both(
            lambda: self.model.commit(run, batch, first, count),
            lambda: self.commit_batch(run, batch, first, count),
        )

    @precondition(lambda self: self.model.runs)
    @rule()
    def commit_everything(self) -> None:
        """What is missing of the newest run, in reverse order."""
        self.commit_rest()

    @precondition(lambda self: self.model.runs)
    @rule(callers=st.sampled_from([1, 3]))
    def finish(self, callers: int) -> None:
        """Several batches find at once that they might be the last."""
        self.model.finish()
        number = self.model.number
        done = in_threads(callers, lambda _: completion.finish(self.documents, self.reference.id, number))
        assert done == [None] * callers

    @precondition(lambda self: self.model.runs and self.model.newest.state == "analyzing")
    @rule()
    def finish_and_be_killed(self) -> None:
        """Completed, but neither purged nor announced."""
        self.model.finish(killed=True)
        document = self.documents.get(self.reference.id)
        assert document is not None
        completion._complete(self.documents, document)

    @precondition(lambda self: self.model.runs)
    @rule()
    def settle(self) -> None:
        """As the sweep does, whatever has begun since."""
        self.model.purge()
        document = self.documents.get(self.reference.id)
        assert document is not None
        completion.settle(self.documents, document)

    @invariant()
    def as_the_reference_says(self) -> None:
        stored = self.stored()
        if not self.model.runs:
            assert stored == {}
            return
        newest = self.model.newest
        assert (stored["run"], stored["generation"]) == (self.model.number, str(newest.generation))
        assert (stored["state"], stored["published_run"]) == (newest.state, self.model.published)
        runs = {int(one.id): (one.to_dict() or {}) for one in self.reference.collection("runs").stream()}
        assert {number: run["state"] for number, run in runs.items()} == {
            number: run.state for number, run in enumerate(self.model.runs, 1)
        }
        passages = [one.to_dict() or {} for one in self.reference.collection("passages").stream()]
        assert len(passages) == len(self.model.passages())
        assert {(one["run"], one["index"]) for one in passages} == self.model.passages()
        for passage in passages:
            generation = self.model.runs[passage["run"] - 1].generation
            assert passage["text"] == text_of(generation, passage["index"])
        records = [one.to_dict() or {} for one in self.reference.collection("batches").stream()]
        assert {
            (one["run"], one["batch"]): sum(part["passages"] for part in one["partials"]) for one in records
        } == self.model.counted()

    @invariant()
    def history_only_goes_forward(self) -> None:
        """Without the reference: ended runs stay as they ended, run numbers and publications only rise."""
        stored = self.stored()
        assert stored.get("run", 0) >= self.highest
        self.highest = stored.get("run", 0)
        published = stored.get("published_run")
        assert published is None or published >= self.published
        self.published = published or self.published
        runs = {int(one.id): one.to_dict() or {} for one in self.reference.collection("runs").stream()}
        assert {number: runs[number]["state"] for number in self.ended} == self.ended
        self.ended = {number: run["state"] for number, run in runs.items() if run["state"] in ENDED}
        if published:
            passages = [one.to_dict() or {} for one in self.reference.collection("passages").stream()]
            indexes = sorted(one["index"] for one in passages if one["run"] == published)
            assert indexes == list(range(sum(CONTENT[int(runs[published]["generation"])])))

    def teardown(self) -> None:
        """Let the deliveries that are still owed come in peace: the newest generation completes, alone."""
        if not getattr(self, "model", None) or not self.model.runs:
            return
        if self.model.newest.state in {"failed", "rejected"}:
            self.upload(self.model.newest.generation, 0, leased=True)
        if self.model.newest.state == "extracting":
            self.lease_expires()
            self.upload(self.model.newest.generation, None, leased=True)
            self.holder(0, "plan")
        self.commit_rest()
        self.finish(1)
        self.as_the_reference_says()
        self.history_only_goes_forward()
        stored = self.stored()
        assert (stored["state"], stored["published_run"]) == ("completed", stored["run"])
        assert not stored["results_pending"]
        assert sum(stored["sentiment"].values()) == sum(self.model.newest.sizes)
        assert {run for run, _ in self.model.passages()} <= {self.model.number}

    def both(self, expected: Callable[[], Any], happens: Callable[[], Any]) -> tuple[Any, Any]:
        """The reference's answer and the state machine's, which must be refusals of the same family."""
        try:
            said = expected()
        except Refused as refusal:
            with pytest.raises(FAMILIES[type(refusal)]):
                happens()
            return None, None
        return said, happens()

    def claim(self, generation: int, restart: int | None, lease: float) -> Document | None:
        event = UploadEvent(
            bucket=BUCKET,
            name=self.name,
            generation=generation,
            event_type="OBJECT_FINALIZE",
            size=1,
            restart_run=restart,
        )
        return completion.claim(self.documents, event, published=datetime.now(UTC), lease_seconds=lease)

    def plan(self, run: int) -> Plan:
        return plan_of(f"{self.reference.id}-{run}", self.model.runs[run - 1].sizes)

    def commit_batch(self, run: int, batch: int, first: int, count: int) -> None:
        start, end = self.model.runs[run - 1].bounds(batch)
        generation = self.model.runs[run - 1].generation
        message = batch_of(self.reference.id, run, generation, batch, (start, end))
        commit(self.documents, message, range(start + first, start + first + count))

    def commit_rest(self) -> None:
        newest = self.model.newest
        for batch, size in reversed(list(enumerate(newest.sizes))):
            first = newest.committed.get(batch, 0)
            if first < size:
                part = (self.model.number, batch, first, size - first)
                self.both(partial(self.model.commit, *part), partial(self.commit_batch, *part))

    def stored(self) -> dict[str, Any]:
        return self.reference.get().to_dict() or {}


def at(claimed: Document) -> tuple[int, int]:
    """Run and lease token."""
    assert claimed.lease is not None
    return claimed.run, claimed.lease.token


@pytest.mark.timeout(600)
@pytest.mark.parametrize("histories", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_random_histories(histories: int) -> None:
    """After each step of any history the store is as the reference says, and in peace it completes."""
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=histories,
            stateful_step_count=25,
            deadline=None,
            print_blob=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
