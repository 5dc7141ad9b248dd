"""Firestore hangs or is contended, Storage is overloaded: all is tried again, nothing taken as done."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import Aborted, DeadlineExceeded, NotFound, RetryError, ServiceUnavailable
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from local.services import TITLES, Layout
from shared.platform import retry
from tests.e2e.running import RunningStack, free_ports
from tests.e2e.storage_proxy import proxying
from tests.e2e.test_again import LONG, PASSAGES, passages_of, settled
from tests.e2e.test_failures import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUCKET = "headrace-local-uploads"
ACKNOWLEDGED, AGAIN, BUSY = 204, 503, 429
"""The last of an instance that has no place, not of the function."""


@contextmanager
def frozen(stack: RunningStack, name: str) -> Iterator[None]:
    """A service that accepts connections and answers nothing."""
    process = stack.pid(name)
    os.killpg(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(process, signal.SIGCONT)


def handled(stack: RunningStack, function: str, document: str) -> list[dict[str, Any]]:
    """What the function logged of each event of the document."""
    lines = (stack.data / "logs" / f"{function}.log").read_text().splitlines()
    events = [json.loads(line) for line in lines if '"event handled"' in line]
    return [event for event in events if event.get("document") == document]


def upload_push(name: str, generation: int, size: int, bucket: str = BUCKET) -> bytes:
    """The delivery that Pub/Sub makes of an object's notification."""
    message = {
        "data": base64.b64encode(json.dumps({"size": str(size)}).encode()).decode(),
        "attributes": {
            "bucketId": bucket,
            "objectId": name,
            "objectGeneration": str(generation),
            "eventType": "OBJECT_FINALIZE",
            "payloadFormat": "JSON_API_V1",
        },
        "messageId": "1",
        "publishTime": datetime.now(UTC).isoformat(),
    }
    return json.dumps({"message": message, "subscription": "projects/p/subscriptions/ingest"}).encode()


@pytest.mark.usefixtures("clients")
def test_firestore_hangs_for_longer_than_a_call_may(stack: RunningStack, tmp_path: Path) -> None:
    """Calls give up and are made again within the delivery; the document completes, each passage once."""
    report = tmp_path / "frozen.txt"
    report.write_text(LONG.replace("Site", "Frozen site"))
    with frozen(stack, "analyze"):
        [dropped] = stack.json("drop", str(report))
        until(lambda: stack.record(dropped["id"]).get("state") == "analyzing")
        firestore = stack.pid("firestore")
        os.killpg(firestore, signal.SIGSTOP)
    try:
        time.sleep(retry.CALL_SECONDS + 2)
    finally:
        os.killpg(firestore, signal.SIGCONT)
    settled(stack, dropped["id"], 1, seconds=60)
    assert [passage["index"] for passage in passages_of(dropped["id"])] == list(range(PASSAGES))


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize(
    ("call", "every", "answered"),
    [
        pytest.param(0.4, 1.0, 10, id="shortened"),
        pytest.param(retry.CALL_SECONDS, retry.RETRY_SECONDS, 75, id="real", marks=[pytest.mark.slow]),
    ],
)
def test_a_handler_answers_while_firestore_hangs(
    stack: RunningStack, tmp_path: Path, call: float, every: float, answered: float
) -> None:
    """It gives up in time and asks for the message again; the next delivery does what it could not."""
    from functions.ingest.main import on_upload
    from shared.documents.store import document_id
    from shared.platform import clients
    from shared.platform.clients import storage_client
    from shared.platform.pubsub import answer

    report = tmp_path / f"hanging-{every:.0f}.txt"
    report.write_text(LONG.replace("Site", f"Hanging {every:.0f} site"))
    blob = storage_client().bucket(BUCKET).blob(report.name)

    def push() -> int:
        body = upload_push(report.name, int(blob.generation), report.stat().st_size)
        request = Request(EnvironBuilder(method="POST", data=body).get_environ())
        _, status = answer("ingest", request, on_upload)  # type: ignore[arg-type]  # not Flask's
        return status

    with frozen(stack, "firestore"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(retry, "CALL_SECONDS", call)
        patch.setattr(retry, "RETRY_SECONDS", every)
        clients.firestore_client.cache_clear()  # made anew, with these limits
        blob.upload_from_filename(str(report))
        started = time.monotonic()
        assert push() == AGAIN
        assert every <= time.monotonic() - started < answered
    clients.firestore_client.cache_clear()
    shown = settled(stack, document_id(BUCKET, report.name), 1, seconds=60)
    assert shown["passages"] == PASSAGES


@pytest.mark.usefixtures("clients")
def test_a_contended_document_completes(stack: RunningStack, tmp_path: Path) -> None:
    """Somebody else writes to the document all the time; its own transactions get through all the same."""
    from shared.documents.store import COLLECTION, document_id
    from shared.platform.clients import firestore_client

    report = tmp_path / "contended.txt"
    report.write_text(LONG.replace("Site", "Contended site"))
    over, writes = threading.Event(), [0] * 4
    document = document_id(BUCKET, report.name)
    reference = firestore_client().collection(COLLECTION).document(document)

    def disturb(number: int) -> None:
        while not over.is_set():
            with suppress(NotFound, Aborted, DeadlineExceeded, RetryError, ServiceUnavailable):
                reference.update({f"disturbed_{number}": writes[number]})
                writes[number] += 1

    with ThreadPoolExecutor(4) as pool:
        disturbing = [pool.submit(disturb, number) for number in range(4)]
        try:
            with frozen(stack, "analyze"):
                [dropped] = stack.json("drop", str(report))
                until(lambda: sum(writes) > 20)
            settled(stack, dropped["id"], 1, seconds=60)
        finally:
            over.set()
    assert [one.result() for one in disturbing] == [None] * 4
    assert len(passages_of(dropped["id"])) == PASSAGES
    events = handled(stack, "ingest", dropped["id"]) + handled(stack, "analyze", dropped["id"])
    assert {event["status"] for event in events} == {ACKNOWLEDGED}


@pytest.mark.usefixtures("clients")
def test_twenty_deliveries_of_one_event_at_once(stack: RunningStack) -> None:
    """One run, one result: those that meet the live lease are refused, those that come later are done."""
    from shared.documents.store import document_id
    from shared.platform.clients import storage_client

    name, content = "parallel.txt", LONG.replace("Site", "Parallel site")
    document = document_id(BUCKET, name)
    blob = storage_client().bucket(BUCKET).blob(name)
    blob.upload_from_string(content)
    settled(stack, document, 1)
    # The same event as a restart's, so that no delivery of the stack's own comes first.
    body = json.loads(upload_push(name, int(blob.generation), len(content)))
    body["message"]["attributes"]["restartRun"] = "1"
    port = next(item["port"] for item in stack.stack()["processes"] if item["name"] == "ingest")

    def push(_: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
        status = connection.getresponse().status
        connection.close()
        return status

    with ThreadPoolExecutor(20) as pool:
        with frozen(stack, "storage"):  # whoever has the lease waits for the file
            pushes = [pool.submit(push, number) for number in range(20)]

            def one_refused() -> bool:
                """The lease's holder has one process; of two, the other may come to take none of them."""
                answers = [one.result() for one in pushes if one.done()]
                if answers and AGAIN not in answers:
                    pushes.append(pool.submit(push, 0))
                return AGAIN in answers

            until(one_refused)
        statuses = [one.result() for one in pushes]
    assert set(statuses) - {BUSY} == {ACKNOWLEDGED, AGAIN}
    events = handled(stack, "ingest", document)
    refused = [event for event in events if event["status"] == AGAIN]
    assert {event["outcome"] for event in refused} == {"Another delivery is doing this step right now."}
    shown = settled(stack, document, 2)
    assert len(passages_of(document)) == shown["passages"] == PASSAGES
    assert push(0) == ACKNOWLEDGED
    assert stack.json("show", document) == [shown]


def test_storage_answers_503(tmp_path: Path) -> None:
    """Every request is refused twice: calls are made again, and no delivery fails; then all, for a while."""
    port, storage_port = free_ports(), free_ports()
    pubsub = f"127.0.0.1:{port + list(TITLES).index('pubsub')}"
    (tmp_path / "logs").mkdir()
    storage = Layout(tmp_path, storage_port, {"PUBSUB_EMULATOR_HOST": pubsub})._emulator("storage")
    asked: Counter[str] = Counter()

    def twice(method: str, path: str) -> bool:
        asked[method + path] += 1
        return asked[method + path] <= 2

    with proxying() as proxy:
        proxy.upstream = storage.port
        storage.start()
        storage.wait_ready(time.monotonic() + 30)
        address = {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{proxy.port}"}
        stack = RunningStack(tmp_path / "data", port, address)
        try:
            stack.up()
            report = tmp_path / "overloaded.txt"
            report.write_text(LONG)
            proxy.refuses = twice
            [shown] = stack.json("drop", str(report), "--wait")
            assert (shown["state"], shown["run"], shown["passages"]) == ("completed", 1, PASSAGES)
            assert len(proxy.refused) > 5
            assert any("/headrace-local-work/" in request for request in proxy.refused)
            events = handled(stack, "ingest", shown["id"]) + handled(stack, "analyze", shown["id"])
            assert {event["status"] for event in events} == {ACKNOWLEDGED}
            proxy.refuses = lambda _method, path: "/headrace-local-work/" in path
            (tmp_path / "later.txt").write_text(LONG.replace("Site", "Later site"))
            refused = len(proxy.refused)
            [dropped] = stack.json("drop", str(tmp_path / "later.txt"))
            until(lambda: len(proxy.refused) > refused + 2)
            assert stack.record(dropped["id"])["state"] == "extracting"
            proxy.refuses = lambda _method, _path: False
            settled(stack, dropped["id"], 1, seconds=60)
        finally:
            if stack.process is not None and stack.process.poll() is None:
                stack.down()
            storage.ask_to_stop()
            storage.stop(time.monotonic() + 5)


@pytest.mark.slow
@pytest.mark.usefixtures("clients")
def test_an_erased_document_comes_again(stack: RunningStack, tmp_path: Path) -> None:
    """Runs count from one again, and no batch or plan of its first life disturbs the second."""
    from shared.digests.store import erase
    from shared.documents.artefacts import all_batches
    from shared.documents.store import Documents
    from shared.platform.clients import firestore_client
    from shared.platform.pubsub import publish_record
    from shared.platform.settings import BATCHES

    report = tmp_path / "again.txt"
    report.write_text(LONG.replace("Site", "First site") * 2)
    [first] = stack.json("drop", str(report), "--wait")
    document = Documents(firestore_client()).get(first["id"])
    assert document is not None
    late = all_batches(document)
    erase(firestore_client(), first["id"])
    report.write_text(LONG.replace("Site", "Another site with a longer name") * 3)
    [dropped] = stack.json("drop", str(report))
    publish_record(BATCHES, late)
    second = settled(stack, dropped["id"], 1, seconds=60)
    assert (second["id"], second["passages"]) == (first["id"], 3 * PASSAGES)
    texts = [passage["text"] for passage in passages_of(second["id"])]
    assert len(texts) == 3 * PASSAGES
    assert all("Another site" in text for text in texts)
