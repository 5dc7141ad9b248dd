"""Documents that are too long for a function: by the job the stack starts, and by tasks started by hand."""

from __future__ import annotations

import math
import signal
from typing import TYPE_CHECKING, Any

import pytest

from local.provision import make_job
from shared.platform.clients import executions
from tests.e2e.jobs import BY_HAND, ended, idle_job, task, while_running
from tests.e2e.running import NO_TICKS, RunningStack, free_ports
from tests.e2e.test_again import passages_of
from tests.e2e.test_failures import stored, until
from tests.e2e.test_sweep import past, put, tick

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

WORDS = ("water", "energy", "waste", "accidents", "suppliers", "land", "bribery", "prices", "coal", "steel")
LEFT = 75


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack whose every document is the job's, and whose job does nothing."""
    running = RunningStack(tmp_path_factory.mktemp("by-hand"), free_ports(), BY_HAND, patch=NO_TICKS)
    running.up()
    yield running
    running.end()


pytestmark = pytest.mark.usefixtures("clients", "by_hand")


@pytest.fixture
def by_hand(stack: RunningStack, clients: None) -> None:  # noqa: ARG001 - the clients come first
    """Let the stack's job do nothing."""
    idle_job()


def report(seed: str, passages: int) -> str:
    """So many paragraphs that no other test has."""
    return "\n\n".join(
        f"Works {seed}-{at} cut its {WORDS[at % 10]} by {at % 40 + 1}% and will report on "
        f"{WORDS[at * 7 % 10]} and {WORDS[at * 3 % 10]} until 20{26 + at % 20}."
        for at in range(passages)
    )


def delegated(stack: RunningStack, path: Path) -> dict[str, Any]:
    """Drop a file; its record once it is delegated."""
    [dropped] = stack.json("drop", str(path))
    unread = {None, "received", "extracting"}
    read: dict[str, Any] = until(
        lambda: (found := stored(dropped["id"])).get("state") not in unread and found
    )
    assert read["state"] == "delegated", read
    return read


def drop(stack: RunningStack, folder: Path, name: str, passages: int = 150) -> dict[str, Any]:
    path = folder / f"{name}.txt"
    path.write_text(report(name, passages))
    return delegated(stack, path)


def shape(passage: dict[str, Any]) -> dict[str, Any]:
    """What must not depend on the route."""
    told = {name: passage[name] for name in ("index", "text", "span", "page", "figures", "topic_names")}
    return told | {"labels": (passage["sentiment"]["label"], passage["action"]["label"])}


def cosine(one: Iterable[float], other: Iterable[float]) -> float:
    one, other = list(one), list(other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)


def whole(document: dict[str, Any]) -> dict[str, Any]:
    """The completed document, each passage of it stored once."""
    found = stored(document["id"])
    assert (found["state"], found["run"], found["route"]) == ("completed", document["run"], "job"), found
    assert [passage["index"] for passage in passages_of(document["id"])] == list(range(found["passages"]))
    return found


def test_the_route_does_not_change_the_result(stack: RunningStack, tmp_path: Path) -> None:
    """The same text, once by two tasks of the job and once in this process."""
    from cli import inprocess
    from tests.e2e.running import ROOT

    document = drop(stack, tmp_path, "route", 200)
    assert (document["batches"]["total"], document["batches"]["passages"]) == (25, 200)
    tasks = [task(stack, document, index, 2) for index in range(2)]
    assert [ended(one) for one in tasks] == [0, 0]
    found = whole(document)
    path = tmp_path / "route.txt"
    other = inprocess.analyze(path, model=ROOT / "build" / "model", embeddings=True)
    for name in ("sentiment", "topics", "initiatives", "summary", "passages", "tokens"):
        assert found[name] == other["document"][name], name
    for one, two in zip(passages_of(document["id"]), other["passages"], strict=True):
        told = shape(one)
        labels = told.pop("labels")
        names = told.pop("topic_names")
        assert told == {name: list(two[name]) if name == "span" else two[name] for name in told}
        assert labels == (two["sentiment"]["label"], two["action"]["label"])
        assert names == [topic["name"] for topic in two["topics"]]
        assert cosine(one["embedding"], two["embedding"]) >= 0.9999


@pytest.mark.parametrize(("count", "passages"), [(1, 40), (3, 8)])
def test_any_number_of_tasks(stack: RunningStack, tmp_path: Path, count: int, passages: int) -> None:
    """One task, and more tasks than shards: the document completes once and no task fails."""
    document = drop(stack, tmp_path, f"count-{count}", passages)
    tasks = [task(stack, document, index, count) for index in range(count)]
    assert [ended(one) for one in tasks] == [0] * count
    whole(document)


def test_a_second_execution_ends(stack: RunningStack, tmp_path: Path) -> None:
    """Whether it comes at the same time or afterwards, it computes nothing twice and fails nothing."""
    document = drop(stack, tmp_path, "second")
    tasks = [task(stack, document, execution=name) for name in ("first", "second")]
    assert [ended(one) for one in tasks] == [0, 0]
    found = whole(document)
    assert ended(task(stack, document, execution="third")) == 0
    assert whole(document) == found


@pytest.mark.slow
def test_sigterm_commits_and_leaves_the_rest(stack: RunningStack, tmp_path: Path) -> None:
    """The status says that work is left; the next attempt does that alone."""
    document = drop(stack, tmp_path, "sigterm", 1500)
    process = task(stack, document)
    for _ in while_running(process):
        if done(document) > 0:
            process.send_signal(signal.SIGTERM)
            break
    assert ended(process, 20) == LEFT
    before = done(document)
    assert 0 < before < document["batches"]["total"]
    assert stored(document["id"])["state"] == "delegated"
    committed = {passage["index"]: passage for passage in passages_of(document["id"])}
    assert ended(task(stack, document, execution="another")) == 0  # its leases were given back
    whole(document)
    after = {passage["index"]: passage for passage in passages_of(document["id"])}
    assert {index: after[index] for index in committed} == committed


@pytest.mark.slow
def test_a_killed_task_goes_on_at_once(stack: RunningStack, tmp_path: Path) -> None:
    """The next attempt of the task takes over the leases of the one that was killed."""
    document = drop(stack, tmp_path, "killed", 1000)
    process = task(stack, document)
    for _ in while_running(process):
        if done(document) > 0:
            process.kill()
            break
    assert ended(process) == -signal.SIGKILL
    assert stored(document["id"])["state"] == "delegated"
    assert ended(task(stack, document, execution="another")) == 0  # whose leases are held: it ends
    assert stored(document["id"])["state"] == "delegated"
    assert ended(task(stack, document, attempt=1)) == 0
    whole(document)


def test_a_shard_that_always_fails(stack: RunningStack, tmp_path: Path) -> None:
    """Its batch is dead-lettered, all the others are done; a replay completes the document."""
    from shared.platform.clients import firestore_client, storage_client

    document = drop(stack, tmp_path, "poisoned")
    blob = (
        storage_client()
        .bucket("headrace-local-work")
        .blob(f"{document['batches']['artefact']}passages.jsonl")
    )
    lines = blob.download_as_bytes().splitlines(keepends=True)
    lines[70] = b"?" * (len(lines[70]) - 1) + b"\n"
    blob.upload_from_string(b"".join(lines))
    assert ended(task(stack, document)) == 0
    until(lambda: stored(document["id"])["state"] == "failed")
    assert stored(document["id"])["error"]["code"] == "batch_failed"
    assert done(document) == document["batches"]["total"] - 1
    letters = firestore_client().collection("dead_letters").stream()
    [letter] = [found for one in letters if (found := one.to_dict() or {})["document"] == document["id"]]
    assert letter["function"] == "long_job"
    assert letter["replay"] == f"headrace replay {document['id']}"
    stack.json("replay", document["id"])
    until(lambda: (stored(document["id"])["run"], stored(document["id"])["state"]) == (2, "delegated"))
    assert ended(task(stack, stored(document["id"]))) == 0
    found = stored(document["id"])
    assert (found["state"], found["passages"]) == ("completed", 150)


def test_a_newer_file_supersedes_the_job(stack: RunningStack, tmp_path: Path) -> None:
    """The old run's task ends by itself and nothing of it stays."""
    old = drop(stack, tmp_path, "newer", 2000)
    process = task(stack, old)
    for _ in while_running(process):
        if done(old) > 0:
            break
    path = tmp_path / "newer.txt"
    path.write_text(report("newest", 30))
    [dropped] = stack.json("drop", str(path))
    until(lambda: stored(old["id"])["run"] == 2 and stored(old["id"])["state"] == "delegated")
    assert ended(process) == 0
    new = stored(old["id"])
    assert new["generation"] == dropped["generation"]
    assert ended(task(stack, new)) == 0
    assert stored(old["id"])["state"] == "completed"
    assert {passage["run"] for passage in passages_of(old["id"])} == {2}


def test_a_model_that_is_nowhere(stack: RunningStack, tmp_path: Path) -> None:
    """The document fails and says which model is missing, and what to do."""
    from shared.documents.store import Documents
    from shared.platform.clients import firestore_client

    document = drop(stack, tmp_path, "model", 20)
    Documents(firestore_client()).reference(document["id"]).update({"batches.model": "0" * 64})
    assert ended(task(stack, document)) == 0
    found = stored(document["id"])
    assert (found["state"], found["error"]["code"]) == ("failed", "model_not_available")
    assert "0" * 64 in found["error"]["message"]


def test_a_start_that_failed_is_found_by_sweep(stack: RunningStack, tmp_path: Path) -> None:
    """There is no job: the upload is acknowledged, the document says why it waits; later sweep starts it."""
    from shared.documents.delegation import job_path
    from shared.platform.clients import jobs

    jobs().delete_job(name=job_path())
    document = drop(stack, tmp_path, "unstarted", 30)
    until(lambda: stored(document["id"])["job"]["problem"])
    assert "NotFound" in stored(document["id"])["job"]["problem"]
    assert stored(document["id"])["job"]["execution"] is None
    make_job(stack.stack()["project"])
    put(document["id"], updated_at=past())
    tick(stack)
    until(lambda: stored(document["id"])["state"] == "completed")
    found = whole(document)
    assert (found["job"]["starts"], found["job"]["problem"], found["recovery"]["attempts"]) == (1, None, 1)


def test_an_execution_that_is_running_is_left_alone(stack: RunningStack, tmp_path: Path) -> None:
    """However long it waits for capacity: sweep starts no second one; it starts one where that has ended."""
    from google.cloud.run_v2 import Container, Job

    from shared.documents.delegation import job_path
    from shared.platform.clients import jobs

    sleeping = Job(name=job_path())
    sleeping.template.template.containers = [Container(image="none", command=["sh", "-c", "sleep 600"])]
    jobs().update_job(request={"job": sleeping})
    document = drop(stack, tmp_path, "waiting", 30)
    first = until(lambda: stored(document["id"])["job"]["execution"])
    put(document["id"], updated_at=past())
    tick(stack)
    found = stored(document["id"])
    assert (found["job"]["execution"], found["job"]["starts"], found["recovery"]["attempts"]) == (first, 1, 0)
    executions().cancel_execution(name=first)
    until(lambda: executions().get_execution(name=first).completion_time)
    make_job(stack.stack()["project"])
    put(document["id"], updated_at=past())
    tick(stack)
    until(lambda: stored(document["id"])["state"] == "completed")
    assert whole(document)["job"]["starts"] == 2


def done(document: dict[str, Any]) -> int:
    """Batches of its run that are committed."""
    from shared.documents import batches
    from shared.documents.store import Documents
    from shared.platform.clients import firestore_client

    reference = Documents(firestore_client()).reference(document["id"])
    return batches.count_done(reference, document["run"])
