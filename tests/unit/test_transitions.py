"""The transition table: each of its rows, then every combination of what is stored and what may come."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from shared.documents.model import Document, Timings
from shared.documents.transitions import Arrival, check_held, check_open, check_run, claim
from shared.platform.errors import LeaseHeld, Superseded
from shared.platform.records import TERMINAL, BatchMessage, State, UploadEvent
from tests.documents import made

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALIVE, EXPIRED = MOMENT + timedelta(seconds=1), MOMENT
"""A lease ends at its moment: whoever asks exactly then may take over."""
GENERATION, RUN, TOKEN = 1_000, 4, 2
STATES: tuple[State, ...] = get_args(State)
"""`received` is shown to people and `delegated` is a route's; both are tried, since both may be read."""


def stored(state: State, lease: datetime | None = None, *, run: int = RUN, token: int = TOKEN) -> Document:
    """A document as Firestore has it; a lease only where somebody extracts."""
    held = {"token": token, "holder": "one", "expires_at": lease or EXPIRED}
    return made(
        id="d", run=run, generation=GENERATION, state=state, lease=held if state == "extracting" else None
    )


def upload(generation: int = GENERATION, restart_run: int | None = None) -> UploadEvent:
    return UploadEvent(
        bucket="b",
        name="n",
        generation=generation,
        event_type="OBJECT_FINALIZE",
        size=1,
        restart_run=restart_run,
    )


def batch(run: int, generation: int) -> BatchMessage:
    return BatchMessage(
        document="d" * 24,
        run=run,
        generation=generation,
        model="m",
        batch=0,
        lanes=1,
        start=0,
        end=1,
        byte_start=0,
        byte_end=1,
        artefact="runs/d/1/",
    )


def claimed(document: Document | None, event: UploadEvent, erased_up_to: int = 0) -> Document | None:
    by = Arrival(MOMENT, MOMENT, "another", 60.0, erased_up_to=erased_up_to)
    return claim(document, event, "d", by)


Claim = tuple[int, int]
"""Run and lease token."""


def outcome(document: Document | None, event: UploadEvent, erased_up_to: int = 0) -> Claim | type | None:
    """What the event may claim, or the type of its refusal."""
    try:
        taken = claimed(document, event, erased_up_to)
    except (LeaseHeld, Superseded) as refusal:
        return type(refusal)
    if taken is None:
        return None
    assert taken.lease is not None
    assert (taken.state, taken.lease.holder) == ("extracting", "another")
    return taken.run, taken.lease.token


FIRST, NEXT, TAKEOVER = (1, 1), (RUN + 1, 1), (RUN, TOKEN + 1)
OLDER, NEWER = GENERATION - 1, GENERATION + 1


@pytest.mark.parametrize(
    ("document", "event", "expected"),
    [
        pytest.param(None, upload(), FIRST, id="(none), upload: run 1"),
        pytest.param(None, upload(restart_run=1), Superseded, id="(none), restart: it was erased since"),
        pytest.param(stored("completed"), upload(NEWER), NEXT, id="ended, newer generation: next run"),
        pytest.param(stored("analyzing"), upload(NEWER), NEXT, id="analyzing, newer generation: next run"),
        pytest.param(
            stored("extracting", ALIVE), upload(NEWER), NEXT, id="lease alive, newer generation: next run"
        ),
        pytest.param(stored("completed"), upload(OLDER), Superseded, id="ended, older generation: dropped"),
        pytest.param(
            stored("extracting", EXPIRED), upload(OLDER), Superseded, id="open, older generation: dropped"
        ),
        pytest.param(stored("failed"), upload(restart_run=RUN), NEXT, id="failed, restart: next run"),
        pytest.param(stored("analyzing"), upload(restart_run=RUN), NEXT, id="open, restart: next run"),
        pytest.param(
            stored("analyzing"), upload(restart_run=RUN - 1), None, id="restart asked twice: done already"
        ),
        pytest.param(
            stored("extracting", EXPIRED),
            *(upload(restart_run=RUN - 1), TAKEOVER),
            id="restart asked twice, its first claimer died: takeover",
        ),
        pytest.param(
            stored("failed"),
            upload(restart_run=RUN - 2),
            Superseded,
            id="restart of a run long gone: dropped",
        ),
        pytest.param(
            stored("failed"), upload(restart_run=RUN + 1), Superseded, id="restart of a run to come: dropped"
        ),
        pytest.param(
            stored("completed"),
            *(upload(OLDER, restart_run=RUN), Superseded),
            id="restart of an older generation: dropped",
        ),
        pytest.param(stored("extracting", EXPIRED), upload(), TAKEOVER, id="lease expired: takeover"),
        pytest.param(stored("extracting", ALIVE), upload(), LeaseHeld, id="lease alive: refused"),
        pytest.param(stored("analyzing"), upload(), None, id="analyzing, same upload: done already"),
        pytest.param(stored("completed"), upload(), None, id="completed, same upload: done already"),
        pytest.param(stored("rejected"), upload(), None, id="rejected, same upload: done already"),
        pytest.param(stored("failed"), upload(), None, id="failed, same upload: done already"),
    ],
)
def test_a_row_of_uploads(
    document: Document | None, event: UploadEvent, expected: Claim | type | None
) -> None:
    """What an upload may claim of a document as it stands."""
    assert outcome(document, event) == expected


@pytest.mark.parametrize("erased", [OLDER, GENERATION, NEWER])
@pytest.mark.parametrize("generation", [OLDER, GENERATION, NEWER])
def test_what_was_erased_begins_anew_by_a_newer_upload_alone(erased: int, generation: int) -> None:
    """A document that is there is not asked about its life before."""
    if generation > erased:
        assert outcome(None, upload(generation), erased) == FIRST
    else:
        assert outcome(None, upload(generation), erased) is Superseded
    assert outcome(stored("completed"), upload(NEWER), NEWER) == NEXT


EVERY_UPLOAD = [
    (stored(state, lease), upload(generation, restart))
    for state, lease, generation, restart in itertools.product(
        STATES,
        (ALIVE, EXPIRED),
        (OLDER, GENERATION, NEWER),
        (None, RUN - 2, RUN - 1, RUN, RUN + 1),
    )
    if restart is None or generation != NEWER  # a restart repeats the generation it found stored
]


def test_nothing_else_can_be_claimed() -> None:
    """A claim is always the next run, or the same run with the next token after its lease."""
    taken = 0
    for document, event in EVERY_UPLOAD:
        claim = outcome(document, event)
        if not isinstance(claim, tuple):
            continue
        taken += 1
        if claim == TAKEOVER:
            assert document.lease is not None
            assert (document.state, document.lease.expires_at) == ("extracting", EXPIRED)
            assert event.generation == GENERATION
            assert event.restart_run in {None, RUN - 1}
        else:
            assert claim == NEXT
            assert event.generation == NEWER or (event.generation, event.restart_run) == (GENERATION, RUN)
    assert taken > len(STATES)


def test_only_one_run_follows_another() -> None:
    """An event that started the next run starts no third one, whatever state the next one is in by then."""
    for document, event in EVERY_UPLOAD:
        if outcome(document, event) != NEXT:
            continue
        for state in STATES:
            after = stored(state, ALIVE, run=RUN + 1).altered(generation=event.generation)
            assert outcome(after, event) is (LeaseHeld if state == "extracting" else None)


def test_an_event_is_dropped_only_for_somebody_newer() -> None:
    """Superseded: an older generation, or a restart of neither the document's run nor the one before."""
    for document, event in EVERY_UPLOAD:
        newer = event.generation < GENERATION
        restarts_another = event.generation == GENERATION and event.restart_run in {RUN - 2, RUN + 1}
        assert (outcome(document, event) is Superseded) == (newer or restarts_another)


def test_a_delivery_is_refused_only_by_a_lease_that_lives() -> None:
    """Nothing else makes an upload wait, so a crash blocks a document for one lease at most."""
    for document, event in EVERY_UPLOAD:
        if outcome(document, event) is LeaseHeld:
            assert document.state == "extracting"
            assert document.lease is not None
            assert document.lease.expires_at > MOMENT
            assert event.generation == GENERATION


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("run", [RUN - 1, RUN, RUN + 1])
@pytest.mark.parametrize("token", [TOKEN - 1, TOKEN, TOKEN + 1])
def test_plan_reject_and_release_need_the_claim(state: State, run: int, token: int) -> None:
    """They go through for the run that is being extracted and the token that holds it, for no other."""
    held = (state, run, token) == ("extracting", RUN, TOKEN)
    other = stored("extracting", run=run, token=token)
    assert refuses(lambda: check_held(stored(state, ALIVE), other)) != held


def test_a_holder_whose_lease_ended_may_still_commit() -> None:
    """Until somebody takes over: what it computed is right, and nobody else has begun."""
    check_held(stored("extracting", EXPIRED), stored("extracting", ALIVE))


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("run", [RUN - 1, RUN, RUN + 1])
@pytest.mark.parametrize("generation", [OLDER, GENERATION, NEWER])
def test_fail_needs_an_open_run(state: State, run: int, generation: int) -> None:
    """Only the document's own run can fail, and only while it has not ended: terminal states never change."""
    may = (run, generation) == (RUN, GENERATION) and state not in TERMINAL
    assert refuses(lambda: check_open(stored(state, EXPIRED), run, generation)) != may


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("run", [RUN - 1, RUN, RUN + 1])
@pytest.mark.parametrize("generation", [OLDER, GENERATION, NEWER])
def test_batches_need_the_documents_run(state: State, run: int, generation: int) -> None:
    """The run number is their fence, in every state; and the generation, where runs count from one again."""
    mine = (run, generation) == (RUN, GENERATION)
    assert refuses(lambda: check_run(stored(state, EXPIRED), run, generation)) != mine


def test_nothing_happens_to_a_document_that_is_gone() -> None:
    """Whoever still works on it is superseded, and nothing of it comes back."""
    assert refuses(lambda: check_held(None, stored("extracting")))
    assert refuses(lambda: check_open(None, RUN, GENERATION))
    assert refuses(lambda: check_run(None, RUN, GENERATION))


def test_a_new_run_begins_with_nothing_of_the_last_one() -> None:
    """Only what is published, and what came with the upload, is carried over."""
    before = stored("failed").altered(
        route="job",
        results_pending=True,
        progress={"unit": "pages", "done": 1, "total": 2},
        recovery={"attempts": 3, "reached": 5, "token": 2},
        error={"code": "c", "message": "m", "hint": "h"},
        cost={"cpu_seconds": 3.0, "usd": 1.0},
        timings=Timings(uploaded_at=EXPIRED, claimed_at=EXPIRED, completed_at=EXPIRED, total_seconds=1.0),
        published_run=2,
        title="Report",
    )
    after = claimed(before, upload(restart_run=RUN))
    fresh = claimed(None, upload())
    assert after is not None
    assert fresh is not None
    same = {"id", "bucket", "name", "run", "published_run", "title", "facets"}
    assert after.model_dump(exclude=same) == fresh.model_dump(exclude=same)
    assert (after.run, after.published_run, after.title) == (RUN + 1, 2, "Report")


def refuses(step: Any) -> bool:
    """Whether a check raises Superseded."""
    try:
        step()
    except Superseded:
        return True
    return False


def test_new_content_comes_when_it_is_uploaded() -> None:
    """Of a new object, and of a new generation of one that is known."""
    known = stored("completed").altered(received_at=ALIVE, waiting_since=ALIVE)
    for document in (None, known):
        taken = claimed(document, upload(NEWER))
        assert taken is not None
        assert (taken.received_at, taken.waiting_since) == (MOMENT, MOMENT)


@pytest.mark.parametrize("state", ["extracting", "analyzing", "delegated", "failed", "rejected", "completed"])
def test_the_same_content_came_but_once(state: State) -> None:
    """It is waited for since then, unless its result was there already when it is analyzed again."""
    first = MOMENT - timedelta(hours=3)
    known = stored(state).altered(received_at=first, waiting_since=first)
    taken = claimed(known, upload(restart_run=RUN))
    assert taken is not None
    waiting_since = MOMENT if state == "completed" else first
    assert (taken.received_at, taken.waiting_since) == (first, waiting_since)
