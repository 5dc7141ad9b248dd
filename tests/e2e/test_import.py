"""Many files at once: every object under a prefix, through the job, once each."""

from __future__ import annotations

import random
import signal
from typing import TYPE_CHECKING, Any

import pytest

from cli.options import MODEL
from shared.documents.store import Documents, document_id
from shared.jobs.record import Import, create, read
from shared.platform.clients import firestore_client, storage_client
from shared.platform.records import UploadEvent
from tests.e2e.backfills import report
from tests.e2e.jobs import EXECUTION, ended, start
from tests.e2e.running import RunningStack, free_ports
from tests.e2e.test_again import passages_of
from tests.e2e.test_archives import PICTURE, zipped
from tests.e2e.test_failures import stored, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.commands import Forked

EXTRA = {"HEADRACE_SWEEP_PATIENCE": "3600", "HEADRACE_MAX_BYTES": "20000", "HEADRACE_SWEEP_GRACE": "3600"}
"""A function reads little, so that an archive is soon the job's."""
OLD = "an-old-bucket"
"""Which notifies nobody."""
UPLOADS = "headrace-local-uploads"
LEFT = 75
"""The status of a task that was asked to stop."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    running = RunningStack(tmp_path_factory.mktemp("import"), free_ports(), EXTRA)
    running.up()
    yield running
    running.end()


pytestmark = pytest.mark.usefixtures("clients")


def put(bucket: str, files: dict[str, bytes]) -> dict[str, str]:
    """Upload files; the ids of their documents by name."""
    client = storage_client()
    if client.lookup_bucket(bucket) is None:
        client.create_bucket(bucket)
    for name, content in files.items():
        client.bucket(bucket).blob(name).upload_from_string(content, content_type="application/octet-stream")
    return {name: document_id(bucket, name) for name in files}


def text(seed: str, passages: int = 2) -> bytes:
    return report(seed, passages).encode()


def task(
    stack: RunningStack, identifier: str, index: int = 0, count: int = 1, execution: str = EXECUTION
) -> Forked:
    """A task of the job, started by hand."""
    return start(stack, ["import", identifier], index, count, execution=execution)


def check_whole(document: str, run: int = 1) -> dict[str, Any]:
    """Completed by that run, each passage once."""
    found = stored(document)
    assert (found["state"], found["run"], found["published_run"]) == ("completed", run, run), found
    assert [passage["index"] for passage in passages_of(document)] == list(range(found["passages"]))
    assert sum(found["sentiment"].values()) == found["passages"]
    return found


def test_a_bucket_that_notified_nobody_is_imported(stack: RunningStack) -> None:
    """Files, archives, what cannot be read, a folder's placeholder; again, all is passed over."""
    files = {f"reports/{at}.txt": text(f"many{at}") for at in range(9)} | {
        "reports/picture.png": PICTURE,
        "reports/all.zip": zipped({"a.txt": text("a"), "bad.png": PICTURE, "b.txt": text("b")}),
        "reports/": b"",
    }
    ids = put(OLD, files)
    [other] = put(OLD, {"elsewhere.txt": text("elsewhere")}).values()
    told = stack.json("import", f"gs://{OLD}/reports/", "--tasks", "2", "--wait", status=1)
    assert told["state"] == "completed"
    members = [f"reports/all.zip!/{name}" for name in ("a.txt", "b.txt")]
    completed = [name for name in ids if name.endswith((".txt", ".zip"))] + members
    found = {name: check_whole(document_id(OLD, name)) for name in completed}
    assert {one["route"] for one in found.values()} == {"job"}
    assert (found["reports/all.zip"]["members"], found["reports/all.zip"]["passages"]) == (3, 0)
    assert told["report"] == {
        "objects": len(completed) + 2,
        "completed": len(completed),
        "skipped": 0,
        "rejected": {"unsupported_type": 2},
        "failed": {},
        "passages": sum(one["passages"] for one in found.values()),
    }
    assert stored(other) == {}
    assert stored(document_id(OLD, "reports/")) == {}
    again = stack.json("import", f"gs://{OLD}/reports/", "--wait", status=1)
    assert (again["report"]["completed"], again["report"]["skipped"]) == (0, len(completed))
    assert {name: stored(document_id(OLD, name)) for name in completed} == found
    printed = stack.command("import", told["id"])
    assert "2 rejected: unsupported_type" in printed.stdout


@pytest.mark.slow
def test_killed_tasks_go_on(stack: RunningStack) -> None:
    """Two tasks, killed again and again: in the end every document is whole, by its first run."""
    files = {f"killed/{at:02}.txt": text(f"killed{at}", 30) for at in range(40)}
    ids = put(OLD, files | {"killed/some.zip": zipped({f"{at}.txt": text(f"in{at}") for at in range(5)})})
    wanted = create(firestore_client(), Import, bucket=OLD, prefix="killed/", tasks=2)

    def completed() -> int:
        return sum(stored(document).get("state") == "completed" for document in ids.values())

    for sign in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        before = completed()
        tasks = [task(stack, wanted.id, index, 2) for index in range(2)]
        until(lambda: completed() > before)  # noqa: B023 - before the next turn
        for one in tasks:
            one.send_signal(sign)
        assert {ended(one) for one in tasks} <= {-sign, LEFT}
    assert [ended(one) for one in [task(stack, wanted.id, index, 2) for index in range(2)]] == [0, 0]
    for document in ids.values():
        check_whole(document)
    made = read(firestore_client(), Import, wanted.id)
    assert made is not None
    assert made.report is not None
    counts = [made.report[name] for name in ("objects", "completed", "failed")]
    assert counts == [46, 46, {}]


def test_what_is_uploaded_meanwhile_is_done_once(stack: RunningStack) -> None:
    """In the uploads bucket the functions are told of the same objects, and of an archive's members."""
    files = {f"both/{at}.txt": text(f"both{at}") for at in range(6)}
    ids = put(UPLOADS, files | {"both/all.zip": zipped({f"{at}.txt": text(f"m{at}") for at in range(4)})})
    told = stack.json("import", f"gs://{UPLOADS}/both/", "--tasks", "2", "--wait")
    assert (told["report"]["objects"], told["report"]["failed"]) == (11, {})
    assert told["report"]["completed"] + told["report"]["skipped"] == 11
    members = [document_id(UPLOADS, f"both/all.zip!/{at}.txt") for at in range(4)]
    for document in [*ids.values(), *members]:
        check_whole(document)


def test_one_that_fails_does_not_stop_the_others(stack: RunningStack) -> None:
    """A document whose artefacts are lost fails with a hint; the rest completes."""
    ids = put(OLD, {f"lost/{at}.txt": text(f"lost{at}") for at in range(4)})
    [blob] = storage_client().list_blobs(OLD, prefix="lost/2.txt")
    event = UploadEvent(
        bucket=OLD, name=blob.name, generation=blob.generation, event_type="OBJECT_FINALIZE", size=blob.size
    )
    documents = Documents(firestore_client())
    claim = documents.claim(event, published=blob.time_created, lease_seconds=1)
    assert claim is not None
    batches = {"total": 1, "passages": 1, "model": model_digest(), "artefact": f"runs/{claim.id}/1/lost/"}
    fields = {"state": "delegated", "lease": None, "batches": batches, "route": "job"}
    job = {"why": "import", "tasks": 1, "model": model_digest()}
    documents.reference(claim.id).update(fields | {"job": job})
    told = stack.json("import", f"gs://{OLD}/lost/", "--tasks", "1", "--wait", status=1)
    assert (told["report"]["completed"], told["report"]["failed"]) == (3, {"import_failed": 1})
    failed = stored(ids["lost/2.txt"])
    assert (failed["state"], failed["results_pending"]) == ("failed", False)
    assert f"headrace replay {claim.id}" in failed["error"]["hint"]


def model_digest() -> str:
    from shared.inference.manifest import read_manifest

    return read_manifest(MODEL).digest


def test_an_archive_too_large_for_a_function_is_unpacked_by_the_job(
    stack: RunningStack, tmp_path: Path
) -> None:
    """It arrives as an upload; its members are documents, those of them too large for a function too."""
    noise = random.Random(5).randbytes(30_000)
    path = tmp_path / "large.zip"
    path.write_bytes(zipped({"noise.bin": noise, "a.txt": text("large"), "long.txt": text("long", 400)}))
    found = {shown["name"]: shown for shown in stack.json("drop", str(path), "--wait", status=1)}
    archive = found["large.zip"]
    assert (archive["state"], archive["route"], archive["members"]) == ("completed", "job", 3)
    assert (archive["passages"], archive["published_run"]) == (0, 1)
    states = {name: (shown["state"], shown["route"]) for name, shown in found.items()}
    assert states["large.zip!/a.txt"] == ("completed", "function")
    assert states["large.zip!/long.txt"] == ("completed", "job")
    assert states["large.zip!/noise.bin"][0] == "rejected"
    check_whole(found["large.zip!/long.txt"]["id"])


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("gs://no-such-bucket/x", "There is no bucket no-such-bucket."),
        (f"gs://{UPLOADS}/nothing-here/", "There is nothing under"),
        ("unknown", "There is no import unknown."),
    ],
)
def test_what_cannot_be_imported_is_said_at_once(stack: RunningStack, target: str, words: str) -> None:
    done = stack.command("import", target)
    assert done.returncode == 1
    assert words in done.stderr


def test_a_model_that_is_not_there_touches_no_object(stack: RunningStack) -> None:
    """The import says so, and no document is made, let alone failed."""
    [document] = put(OLD, {"unmodelled/one.txt": text("unmodelled")}).values()
    wanted = create(firestore_client(), Import, bucket=OLD, prefix="unmodelled/")
    stack.extra["HEADRACE_JOB_MODEL_DIGEST"] = "b" * 64
    try:
        assert ended(task(stack, wanted.id)) == 0
    finally:
        del stack.extra["HEADRACE_JOB_MODEL_DIGEST"]
    made = read(firestore_client(), Import, wanted.id)
    assert made is not None
    assert made.error is not None
    assert (made.state, made.error.code) == ("failed", "model_not_available")
    assert stored(document) == {}
