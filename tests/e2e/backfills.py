"""Documents to be analyzed again, and tasks of a backfill started by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.documents.store import Documents, document_id
from shared.jobs.listing import Backfill, Wanted, entries, list_documents
from shared.jobs.record import create
from shared.platform.clients import firestore_client, storage_client
from tests.e2e.jobs import EXECUTION, start
from tests.e2e.test_again import passages_of
from tests.e2e.test_failures import stored, until

if TYPE_CHECKING:
    from tests.e2e.commands import Forked
    from tests.e2e.running import RunningStack

WORDS = ("water", "energy", "waste", "accidents", "suppliers", "land", "bribery", "prices", "coal", "steel")
KEPT = ("passages", "pages", "generation", "sha256", "title", "tokens", "media_type", "name")
"""Of a document, which another model does not change."""


def report(seed: str, passages: int) -> str:
    """So many paragraphs that no other test has."""
    return "\n\n".join(
        f"Works {seed}-{at} cut its {WORDS[at % 10]} by {at % 40 + 1}% and will report on "
        f"{WORDS[at * 7 % 10]} and {WORDS[at * 3 % 10]} until 20{26 + at % 20}."
        for at in range(passages)
    )


def dropped(prefix: str, sizes: list[int]) -> list[dict[str, Any]]:
    """Completed documents under a prefix, by the functions' model."""
    client = storage_client().bucket("headrace-local-uploads")
    for number, size in enumerate(sizes):
        text = report(f"{prefix}{number}", size).encode()
        client.blob(f"{prefix}/{number}.txt").upload_from_string(text, content_type="text/plain")
    ids = [document_id(client.name, f"{prefix}/{number}.txt") for number in range(len(sizes))]

    def at_rest(document: str) -> bool:
        found = stored(document)
        left = ("results_pending", "purge_pending")
        return found.get("state") == "completed" and not any(found.get(name) for name in left)

    until(lambda: all(at_rest(document) for document in ids))
    return [stored(document) for document in ids]


def task(
    stack: RunningStack, backfill: str, index: int = 0, count: int = 1, execution: str = EXECUTION
) -> Forked:
    """A task of the job, started by hand."""
    return start(stack, ["backfill", backfill], index, count, execution=execution)


def listed(prefix: str, model: str | None, tasks: int = 1) -> str:
    """A backfill whose job is not started; its id."""
    client = firestore_client()
    backfill = create(client, Backfill, wanted=Wanted(prefix=f"{prefix}/"), model=model, tasks=tasks)
    list_documents(client, backfill)
    return backfill.id


def entry(backfill: str, document: str) -> dict[str, Any]:
    return entries(firestore_client(), backfill).document(document).get().to_dict() or {}


def runs_with_passages(document: str) -> set[int]:
    passages = Documents(firestore_client()).reference(document).collection("passages")
    return {(one.to_dict() or {})["run"] for one in passages.select(["run"]).stream()}


def check_redone(before: dict[str, Any], after: dict[str, Any], model: str) -> None:
    """The same document with a whole result of another model, each passage once, nothing older beside it."""
    assert (after["state"], after["model"], after["error"]) == ("completed", model, None)
    assert after["published_run"] == after["run"] > before["run"]
    assert {name: after[name] for name in KEPT} == {name: before[name] for name in KEPT}
    passages = passages_of(after["id"])
    assert [passage["index"] for passage in passages] == list(range(before["passages"]))
    assert {passage["model"] for passage in passages} == {model}
    assert {passage["run"] for passage in passages} == {after["run"]}
    assert sum(after["sentiment"].values()) == before["passages"]
