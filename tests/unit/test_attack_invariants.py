"""The judge of `make attack` is silent about a store in order, and names each thing that is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.attack.invariants import Held, Snapshot, judge

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = "The works cut its emissions by 12%. It will cut its water use too, and soon."


def sound() -> Snapshot:
    """One object, completed with two passages in one batch."""
    passage: dict[str, Any] = {
        "run": 1,
        "sentiment": {"label": "positive"},
        "topic_names": ["E1"],
        "initiative": True,
    }
    passages = [
        passage | {"index": 0, "span": (0, 35), "text": TEXT[:35]},
        passage | {"index": 1, "span": (36, 76), "text": TEXT[36:], "topic_names": []},
    ]
    record: dict[str, Any] = {
        "name": "a.txt", "generation": "7", "state": "completed", "sha256": "f" * 64, "run": 1, "error": None,
        "published_run": 1, "passages": 2, "batches": {"total": 1}, "initiatives": 2,
        "sentiment": {"positive": 2, "neutral": 0, "negative": 0}, "topics": {"E1": 1, "E2": 0},
        "results_pending": False, "purge_pending": False,
    }  # fmt: skip
    held = Held(record, passages, [{"run": 1, "batch": 0, "done": True}], TEXT)
    finding = {"check": "documents", "status": "ok", "detail": "fine"}
    return Snapshot({"a.txt": ("7", "f" * 64)}, {"a.txt": held}, [], {"ingest.log": "{}"}, [finding])


def test_nothing_is_said_of_a_store_that_is_in_order() -> None:
    """And nothing of a dead letter that has an explanation, or a document of a file that is gone."""
    assert judge(sound()) == []
    odd = sound()
    odd.letters.append({"function": "ingest", "reason": {"code": "not_a_notification"}})
    odd.letters.append({"function": None, "subscription": None, "reason": {"code": "deliveries_exhausted"}})
    odd.documents["gone.txt"] = Held({"error": {"code": "deleted"}})
    assert judge(odd) == []


def _set(**fields: object) -> Callable[[Snapshot], None]:
    return lambda snapshot: snapshot.documents["a.txt"].record.update(fields)


def _passage(at: int, **fields: object) -> Callable[[Snapshot], None]:
    return lambda snapshot: snapshot.documents["a.txt"].passages[at].update(fields)


def _break(change: Callable[[Snapshot, Held], object]) -> Callable[[Snapshot], None]:
    def apply(snapshot: Snapshot) -> None:
        change(snapshot, snapshot.documents["a.txt"])

    return apply


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_break(lambda store, _: store.documents.clear()), "has no document"),
        (_set(generation="6"), "another generation"),
        (_set(state="analyzing"), "stands still"),
        (_set(state="failed", error={"code": "stuck"}), "ended as failed (stuck)"),
        (_set(state="rejected", error={"code": "empty", "message": "m", "hint": "h"}), "has 2 passages"),
        (_set(state="rejected", error={"code": "empty", "message": "m", "hint": ""}), "without a reason"),
        (_set(results_pending=True), "not announced"),
        (_set(sha256="e" * 64), "another content"),
        (_set(published_run=None), "is published"),
        (_set(run=2, published_run=2), "of another run"),
        (_set(initiatives=1), "initiatives"),
        (_set(sentiment={"positive": 3}), "counts"),
        (_passage(1, topic_names=["E1"]), "counts"),
        (_passage(1, index=0), "each once"),
        (_passage(1, text="Another text."), "in its place"),
        (_break(lambda _, held: held.passages.pop()), "each once"),
        (_break(lambda _, held: held.passages.append(held.passages[0])), "each once"),
        (_break(lambda _, held: held.batches.clear()), "plan"),
        (_break(lambda _, held: held.batches.append({"run": 1, "batch": 5, "done": True})), "plan"),
        (_break(lambda _, held: held.batches[0].update(done=False)), "plan"),
        (_break(lambda store, _: store.objects.clear()), "and no object"),
        (_break(lambda store, _: store.letters.append({"function": "f", "reason": {"code": "x"}})), "letter"),
        (_break(lambda store, _: store.logs.update({"a.log": f'"{TEXT[36:]}"'})), "text of a passage"),
        (_break(lambda store, _: store.logs.update({"a.log": "key hush"})), "a secret"),
        (_break(lambda store, _: store.doctor[0].update(status="wrong")), "finds wrong what is not"),
    ],
)  # fmt: skip
def test_each_thing_that_is_broken_is_said(change: Callable[[Snapshot], None], said: str) -> None:
    """In words that name it."""
    broken = sound()
    change(broken)
    assert any(said in line for line in judge(broken, ["hush"]))


def test_a_doctor_that_is_silent_is_said() -> None:
    """Where something fell, and no finding is a warning at least."""
    broken = sound()
    broken.documents.clear()
    assert "the doctor says that all is well" in judge(broken)
    broken.doctor[0]["status"] = "warning"
    assert "the doctor says that all is well" not in judge(broken)
