"""Documents through another model: old results until the new ones are whole, and what the change was."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud.run_v2 import Container, Job

from cli.options import MODEL
from model_export.bucket import push
from shared.digests.store import erase
from shared.documents import batches
from shared.documents.delegation import job_path
from shared.documents.store import Documents, document_id
from shared.inference.manifest import read_manifest
from shared.jobs.listing import Backfill, Wanted, entries
from shared.jobs.record import create, read, update
from shared.platform.clients import executions, firestore_client, jobs, storage_client
from shared.platform.settings import settings
from tests.e2e.backfills import check_redone, dropped, entry, listed, report, runs_with_passages, task
from tests.e2e.jobs import ended
from tests.e2e.jobs import task as document_task
from tests.e2e.other_model import other_model
from tests.e2e.running import RunningStack, free_ports
from tests.e2e.test_again import passages_of
from tests.e2e.test_failures import stored, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXTRA = {"HEADRACE_SWEEP_PATIENCE": "3600", "HEADRACE_BATCH_PASSAGES": "8"}
"""Small batches, so that there are many to be killed between."""
LEFT = 75
"""The status of a task that was asked to stop."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    running = RunningStack(tmp_path_factory.mktemp("backfill"), free_ports(), EXTRA)
    running.up()
    yield running
    running.end()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The other model's directory and digest."""
    folder = tmp_path_factory.mktemp("models") / "other"
    return folder, other_model(MODEL, folder)


pytestmark = pytest.mark.usefixtures("clients")


@pytest.fixture
def other(clients: None, built: tuple[Path, str]) -> str:  # noqa: ARG001 - the clients come first
    """The digest of the other model, which is in the bucket."""
    push(built[0], settings().models_bucket)
    return built[1]


def test_every_document_of_a_prefix_is_redone_and_compared(stack: RunningStack, other: str) -> None:
    """By the command, in two tasks; another prefix is left alone; the report adds up, and is printed."""
    before = dropped("whole", [30, 1, 12])
    [alone] = dropped("alone", [2])
    told = stack.json("backfill", "--model", other, "--prefix", "whole/", "--tasks", "2", "--wait")
    assert (told["state"], told["counts"], told["error"]) == ("completed", {"completed": 3}, None)
    for document in before:
        check_redone(document, stored(document["id"]), other)
    assert stored(alone["id"]) == alone
    compared = told["report"]["comparison"]
    assert (compared["passages"], compared["unmatched"]) == (43, 0)
    for name in ("sentiment", "action"):
        assert sum(count for row in compared[name].values() for count in row.values()) == 43
    negative = sum(stored(document["id"])["sentiment"]["negative"] for document in before)
    assert sum(row.get("negative", 0) for row in compared["sentiment"].values()) == negative
    assert sum(compared["topics_gained"].values()) > 0 == sum(compared["topics_lost"].values())
    assert compared["initiatives_before"] == sum(document["initiatives"] for document in before)
    assert 0 < len(told["examples"]) <= compared["changed"] <= 43
    for example in told["examples"]:
        assert example["old"] != example["new"]
        assert example["text"].startswith("Works whole")
    shown = stack.command("backfill", "show", told["id"])
    assert shown.returncode == 0
    assert "of 43 passages have other labels" in shown.stdout
    assert "whole/0.txt, passage" in shown.stdout
    again = stack.json("backfill", "--model", other, "--prefix", "whole/", "--wait")
    assert (again["total"], again["state"]) == (0, "completed")


@pytest.mark.slow
def test_killed_tasks_go_on_and_compute_nothing_twice(stack: RunningStack, other: str) -> None:
    """Kill -9 again and again: until the end every document shows its old result, or its new one, whole."""
    before = dropped("killed", [1500, 40, 9])
    backfill = listed("killed", other)
    old = {document["id"]: (document["published_run"], document["sentiment"]) for document in before}
    for sign in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        done = batches_done(before)
        process = task(stack, backfill)
        until(lambda: batches_done(before) > done)  # noqa: B023 - before the next turn
        process.send_signal(sign)
        assert ended(process) in {-sign, LEFT}
        for document in before:
            now = stored(document["id"])
            assert sum(now["sentiment"].values()) == document["passages"]
            if now["state"] != "completed":
                assert (now["published_run"], now["sentiment"]) == old[document["id"]]
                assert 1 in runs_with_passages(document["id"])
    assert ended(task(stack, backfill)) == 0
    for document in before:
        after = stored(document["id"])
        check_redone(document, after, other)
        assert after["run"] == document["run"] + 1
        records = Documents(firestore_client()).reference(document["id"]).collection("batches").stream()
        assert {(one.to_dict() or {})["failures"] for one in records} == {0}
    found = read(firestore_client(), Backfill, backfill)
    assert found is not None
    assert (found.state, found.counts) == ("completed", {"completed": 3})
    assert found.report is not None
    assert (found.report["comparison"]["passages"], found.report["comparison"]["unmatched"]) == (1549, 0)
    assert ended(task(stack, backfill)) == 0
    assert {document["id"]: stored(document["id"])["run"] for document in before} == {
        document["id"]: document["run"] + 1 for document in before
    }


def batches_done(documents: list[dict[str, Any]]) -> int:
    """Of the runs after those that these documents have."""
    references = [Documents(firestore_client()).reference(document["id"]) for document in documents]
    runs = [document["run"] + 1 for document in documents]
    return sum(batches.count_done(*one) for one in zip(references, runs, strict=True))


def test_the_old_run_stays_until_it_is_compared(stack: RunningStack, other: str) -> None:
    """Killed between completion and comparison: whoever finds the run completed compares, then purges."""
    [before] = dropped("uncompared", [20])
    backfill = listed("uncompared", other)
    assert ended(task(stack, backfill)) == 0
    first = entry(backfill, before["id"])["comparison"]
    # As it would stand, had the task been killed before it compared: the old passages again, and no record.
    reference = Documents(firestore_client()).reference(before["id"])
    for passage in passages_of(before["id"]):
        reference.collection("passages").document(f"1-{passage['index']}").set(passage | {"run": 1})
    entries(firestore_client(), backfill).document(before["id"]).update(
        {"settled": False, "outcome": None, "comparison": None}
    )
    update(firestore_client(), backfill, {"state": "running", "report": None})
    reference.update({"purge_pending": False})
    assert ended(task(stack, backfill)) == 0
    again = entry(backfill, before["id"])["comparison"]
    assert (again["passages"], again["changed"], again["unmatched"]) == (20, 0, 0)
    assert first["passages"] == 20
    assert runs_with_passages(before["id"]) == {2}


def test_a_listing_that_was_broken_off_is_made_again(stack: RunningStack, other: str) -> None:
    """The command died before the job was started: `resume` lists anew; then nothing is left to do."""
    before = dropped("unlisted", [2, 2])
    wanted = Wanted(prefix="unlisted/0", from_model=before[0]["model"])
    made = create(firestore_client(), Backfill, wanted=wanted, model=other)
    told = stack.json("backfill", "resume", made.id, "--wait")
    assert (told["total"], told["counts"]) == (1, {"completed": 1})
    check_redone(before[0], stored(before[0]["id"]), other)
    assert stored(before[1]["id"]) == before[1]
    again = stack.json("backfill", "resume", made.id)
    assert (again["state"], again["counts"], again["report"]) == ("completed", told["counts"], told["report"])
    assert stack.command("backfill", "show", "unknown").returncode == 1


def test_only_a_job_at_work_is_in_the_way_of_resume(stack: RunningStack, other: str) -> None:
    """Its execution may last some seconds longer than the record says."""
    made = create(firestore_client(), Backfill, wanted=Wanted(prefix="nobody/"), model=other)
    sleeping = Job(name=f"{job_path().rpartition('/')[0]}/sleeping")
    sleeping.template.template.containers = [Container(image="none", command=["sleep", "60"])]
    jobs().update_job(request={"job": sleeping, "allow_missing": True})
    execution = jobs().run_job(name=sleeping.name).metadata.name
    for state, status in (("running", 1), ("completed", 0)):
        update(firestore_client(), made.id, {"state": state, "execution": execution})
        done = stack.command("backfill", "resume", made.id)
        assert done.returncode == status, done.stderr
    executions().cancel_execution(name=execution)


def test_a_model_that_is_not_there_touches_no_document(stack: RunningStack) -> None:
    """The command refuses it; where it went later, the backfill fails, and `resume` looks for it again."""
    [before] = dropped("missing", [5])
    assert "There is no model" in stack.command("backfill", "--model", "a" * 64).stderr
    made = create(firestore_client(), Backfill, wanted=Wanted(prefix="missing/"), model="a" * 64)
    failed = stack.json("backfill", "resume", made.id, "--wait", status=1)
    assert (failed["state"], failed["error"]["code"]) == ("failed", "model_not_available")
    assert (failed["error"]["message"] + failed["error"]["hint"]).count("Push the model") == 1
    assert f"headrace backfill resume {failed['id']}" in failed["error"]["hint"]
    assert stored(before["id"]) == before
    again = stack.json("backfill", "resume", failed["id"], "--wait", status=1)
    assert again["error"] == failed["error"]
    assert stored(before["id"]) == before


def test_a_run_that_fails_hides_nothing_and_is_tried_again(stack: RunningStack, other: str) -> None:
    """A document whose artefact is damaged fails alone; shows its old result; mended, it is redone."""
    before = dropped("damaged", [20, 3])
    blob = (
        storage_client()
        .bucket("headrace-local-work")
        .blob(f"{before[0]['batches']['artefact']}passages.jsonl")
    )
    whole = blob.download_as_bytes()
    lines = whole.splitlines(keepends=True)
    lines[10] = b"?" * (len(lines[10]) - 1) + b"\n"
    blob.upload_from_string(b"".join(lines))
    told = stack.json("backfill", "--model", other, "--prefix", "damaged/", "--wait", status=1)
    assert (told["state"], told["counts"]) == ("completed", {"completed": 1, "failed": 1})
    [error] = told["report"]["errors"]
    assert (error["document"], error["error"]["code"]) == (before[0]["id"], "batch_failed")
    damaged = stored(before[0]["id"])
    assert (damaged["state"], damaged["run"], damaged["published_run"]) == ("failed", 2, 1)
    assert damaged["sentiment"] == before[0]["sentiment"]
    assert len([passage for passage in passages_of(before[0]["id"]) if passage["run"] == 1]) == 20
    printed = stack.command("show", before[0]["id"])
    assert "Sentiment" in printed.stdout
    blob.upload_from_string(whole)
    resumed = stack.json("backfill", "resume", told["id"], "--wait")
    assert (resumed["state"], resumed["counts"]) == ("completed", {"completed": 2})
    after = stored(before[0]["id"])
    check_redone(before[0], after, other)
    assert after["run"] == 3
    records = Documents(firestore_client()).reference(before[0]["id"]).collection("batches").stream()
    seconds = {(one.to_dict() or {})["batch"]: (one.to_dict() or {})["infer_seconds"] for one in records}
    assert seconds[0] == 0 < seconds[1]  # copied from the run that failed; computed
    assert resumed["report"]["comparison"]["passages"] == 23


def test_what_happens_to_a_document_meanwhile_is_respected(stack: RunningStack, other: str) -> None:
    """Between listing and job one was overwritten, one erased, one is being replayed: all are left alone."""
    before = dropped("moving", [3, 4, 5])
    backfill = listed("moving", other)
    uploads = storage_client().bucket("headrace-local-uploads")
    uploads.blob("moving/0.txt").upload_from_string(report("fresh", 2).encode(), content_type="text/plain")
    until(lambda: (stored(before[0]["id"])["run"], stored(before[0]["id"])["state"]) == (2, "completed"))
    erase(firestore_client(), before[1]["id"])
    reference = Documents(firestore_client()).reference(before[2]["id"])
    reference.update({"state": "analyzing"})
    assert ended(task(stack, backfill)) == 0
    found = read(firestore_client(), Backfill, backfill)
    assert found is not None
    assert (found.state, found.counts) == ("completed", {"moved_on": 1, "erased": 1, "busy": 1})
    assert stored(before[0]["id"])["model"] == read_manifest(MODEL).digest
    assert stored(before[1]["id"]) == {}
    assert not list(
        storage_client().bucket("headrace-local-work").list_blobs(prefix=f"runs/{before[1]['id']}/")
    )
    reference.update({"state": "completed"})
    resumed = stack.json("backfill", "resume", backfill, "--wait")
    assert resumed["counts"] == {"completed": 1, "erased": 1, "moved_on": 1}
    check_redone(before[2], stored(before[2]["id"]), other)


def test_a_new_generation_in_the_middle_wins(stack: RunningStack, other: str) -> None:
    """Overwritten while the job computes the old content again: the new content is what is published."""
    [before] = dropped("race", [400])
    backfill = listed("race", other)
    process = task(stack, backfill)
    until(lambda: stored(before["id"])["state"] == "delegated")
    uploads = storage_client().bucket("headrace-local-uploads")
    blob = uploads.blob("race/0.txt")
    blob.upload_from_string(report("winner", 6).encode(), content_type="text/plain")
    assert ended(process) == 0
    after = until(lambda: (now := stored(before["id"]))["state"] == "completed" and now)
    assert (after["generation"], after["run"], after["published_run"]) == (str(blob.generation), 3, 3)
    assert after["passages"] == 6
    until(lambda: runs_with_passages(before["id"]) == {3})
    assert entry(backfill, before["id"])["outcome"] == "moved_on"


def test_documents_without_a_result_are_handed_to_ingest(stack: RunningStack, other: str) -> None:
    """One that failed before anything was published, and one that was rejected, start anew."""
    [one] = dropped("anew", [3])
    uploads = storage_client().bucket("headrace-local-uploads")
    uploads.blob("anew/picture.png").upload_from_string(b"\x89PNG\r\n\x1a\n" + bytes(32))
    picture = document_id(uploads.name, "anew/picture.png")
    until(lambda: stored(picture).get("state") == "rejected")
    Documents(firestore_client()).reference(one["id"]).update({"state": "failed", "published_run": None})
    told = stack.json("backfill", "--model", other, "--prefix", "anew/", "--wait")
    assert told["counts"] == {"restarted": 2}
    until(lambda: (stored(one["id"])["run"], stored(one["id"])["state"]) == (2, "completed"))
    until(lambda: (stored(picture)["run"], stored(picture)["state"]) == (2, "rejected"))


def test_an_execution_for_one_document_ends_its_part(stack: RunningStack, other: str) -> None:
    """What the sweep starts for a document that was left in the middle completes and compares it."""
    [before] = dropped("swept", [400])
    backfill = listed("swept", other)
    process = task(stack, backfill)
    until(lambda: stored(before["id"])["state"] == "delegated")
    process.send_signal(signal.SIGKILL)
    process.wait()
    now = stored(before["id"])
    assert ended(document_task(stack, now)) == 0
    check_redone(before, stored(before["id"]), other)
    assert entry(backfill, before["id"])["comparison"]["passages"] == 400
    assert ended(task(stack, backfill)) == 0
    found = read(firestore_client(), Backfill, backfill)
    assert found is not None
    assert found.counts == {"completed": 1}
